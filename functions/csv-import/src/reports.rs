//! The reports of a run: succeeded.csv and failed.csv, streamed into the bucket as rows settle, and summary.json.

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use crosswalk_function_kit::aws;
use crosswalk_runs::RunRecord;
use tokio::runtime::Handle;

use crate::csv_file::{Layout, Record, guard, header};
use crate::outcome::RowResult;

/// Where reports stand: not under `imports/`, so that they start no import; and a key under it is never imported.
pub(crate) const PREFIX: &str = "reports/";

/// The least that S3 takes as a part of an upload, but for the last.
const PART: usize = 5 * 1024 * 1024;

/// A report that could not be written: the run does not end, and its delivery is repeated.
#[derive(Debug, thiserror::Error)]
#[error("the report {file} could not be written to the bucket: {reason}")]
pub(crate) struct ReportError {
    file: &'static str,
    reason: String,
}

/// The key of a run's report.
pub(crate) fn key(run: &str, file: &str) -> String {
    format!("{PREFIX}{run}/{file}")
}

pub(crate) const SUCCEEDED: &str = "succeeded.csv";
pub(crate) const FAILED: &str = "failed.csv";
pub(crate) const SUMMARY: &str = "summary.json";

/// Both CSV reports of a run.
pub(crate) struct RowReports {
    succeeded: Report,
    failed: Report,
}

impl RowReports {
    /// Nothing is written to the bucket yet.
    pub(crate) fn begin(client: &Client, bucket: &str, run: &str, layout: &Layout) -> Result<Self, ReportError> {
        let report = |file| Report::begin(client, bucket, run, file, layout);
        Ok(Self { succeeded: report(SUCCEEDED)?, failed: report(FAILED)? })
    }

    /// Adds a row to the report that it belongs in. Rows are given in file order.
    pub(crate) async fn add(
        &mut self,
        layout: &Layout,
        record: &Record,
        result: &RowResult,
    ) -> Result<(), ReportError> {
        let report = if result.outcome.is_success() { &mut self.succeeded } else { &mut self.failed };
        report.add(layout, record, result).await
    }

    /// Completes both; their keys, succeeded first. When this returns, both stand in the bucket.
    pub(crate) async fn complete(mut self) -> Result<(String, String), ReportError> {
        self.succeeded.complete().await?;
        self.failed.complete().await?;
        Ok((self.succeeded.key.clone(), self.failed.key.clone()))
    }
}

/// One report on its way into the bucket.
struct Report {
    client: Client,
    bucket: String,
    key: String,
    file: &'static str,
    writer: csv::Writer<Vec<u8>>,
    /// Set once the report is longer than a part.
    upload: Option<String>,
    parts: Vec<CompletedPart>,
}

fn writer() -> csv::Writer<Vec<u8>> {
    // Cells past the header's last stand behind the reason: a row with too many has more cells than the others.
    csv::WriterBuilder::new().flexible(true).from_writer(Vec::new())
}

impl Report {
    fn begin(
        client: &Client,
        bucket: &str,
        run: &str,
        file: &'static str,
        layout: &Layout,
    ) -> Result<Self, ReportError> {
        let mut report = Self {
            client: client.clone(),
            bucket: bucket.to_owned(),
            key: key(run, file),
            file,
            writer: writer(),
            upload: None,
            parts: Vec::new(),
        };
        let names = layout.names().map(guard).collect::<Vec<_>>();
        let names = names.iter().map(|name| name.as_bytes());
        let row = [header::LINE.as_bytes()].into_iter().chain(names);
        let row = row.chain([header::OUTCOME.as_bytes(), header::REASON.as_bytes()]);
        report.writer.write_record(row).map_err(|error| report.error(error))?;
        Ok(report)
    }

    fn error(&self, reason: impl std::fmt::Display) -> ReportError {
        ReportError { file: self.file, reason: reason.to_string() }
    }

    async fn add(&mut self, layout: &Layout, record: &Record, result: &RowResult) -> Result<(), ReportError> {
        self.write(layout, record, result).map_err(|error| self.error(error))?;
        if self.writer.get_ref().len() >= PART {
            self.send_part().await?;
        }
        Ok(())
    }

    fn write(&mut self, layout: &Layout, record: &Record, result: &RowResult) -> csv::Result<()> {
        self.writer.write_field(result.line.to_string())?;
        for cell in layout.cells(record) {
            self.writer.write_field(&*guarded(cell))?;
        }
        self.writer.write_field(result.outcome.as_str())?;
        self.writer.write_field(&*guard(&result.reason))?;
        for cell in layout.surplus(record) {
            self.writer.write_field(&*guarded(cell))?;
        }
        self.writer.write_record(None::<&[u8]>)
    }

    fn take(&mut self) -> Result<Vec<u8>, ReportError> {
        let full = std::mem::replace(&mut self.writer, writer());
        full.into_inner().map_err(|error| self.error(error.error()))
    }

    async fn send_part(&mut self) -> Result<(), ReportError> {
        let upload = match &self.upload {
            Some(upload) => upload.clone(),
            None => {
                let create = self.client.create_multipart_upload().bucket(&self.bucket).key(&self.key);
                let answer = create.content_type(CSV).send().await.map_err(|error| self.error(aws::explain(&error)))?;
                let upload = answer.upload_id.ok_or_else(|| self.error("S3 named no upload"))?;
                self.upload.insert(upload).clone()
            }
        };
        let number = i32::try_from(self.parts.len() + 1).map_err(|_| self.error("it is too long"))?;
        let part = self.take()?;
        let send = self.client.upload_part().bucket(&self.bucket).key(&self.key).upload_id(upload).part_number(number);
        let answer =
            send.body(ByteStream::from(part)).send().await.map_err(|error| self.error(aws::explain(&error)))?;
        self.parts.push(CompletedPart::builder().part_number(number).set_e_tag(answer.e_tag).build());
        Ok(())
    }

    async fn complete(&mut self) -> Result<(), ReportError> {
        if self.upload.is_none() {
            let body = self.take()?;
            let put = self.client.put_object().bucket(&self.bucket).key(&self.key).content_type(CSV);
            put.body(ByteStream::from(body)).send().await.map_err(|error| self.error(aws::explain(&error)))?;
            return Ok(());
        }
        self.writer.flush().map_err(|error| self.error(error))?;
        if !self.writer.get_ref().is_empty() {
            self.send_part().await?;
        }
        let parts = CompletedMultipartUpload::builder().set_parts(Some(self.parts.clone())).build();
        let complete = self.client.complete_multipart_upload().bucket(&self.bucket).key(&self.key);
        let complete = complete.set_upload_id(self.upload.clone()).multipart_upload(parts);
        complete.send().await.map_err(|error| self.error(aws::explain(&error)))?;
        self.upload = None;
        Ok(())
    }
}

/// However a run stops (an error, a lost lease): parts that were sent and never completed would be stored, and paid for,
/// unseen.
impl Drop for Report {
    fn drop(&mut self) {
        let (Some(upload), Ok(runtime)) = (self.upload.take(), Handle::try_current()) else { return };
        let abort = self.client.abort_multipart_upload().bucket(&self.bucket).key(&self.key).upload_id(upload);
        let file = self.file;
        runtime.spawn(async move {
            if let Err(error) = abort.send().await {
                tracing::warn!(file, error = aws::explain(&error), "an unfinished upload was left in the bucket");
            }
        });
    }
}

const CSV: &str = "text/csv; charset=utf-8";

/// A cell of the input; what is not UTF-8 in it is shown as U+FFFD, which an import refuses.
fn guarded(cell: &[u8]) -> Vec<u8> {
    guard(&String::from_utf8_lossy(cell)).into_owned().into_bytes()
}

/// Writes the run's record beside its reports.
pub(crate) async fn put_summary(client: &Client, bucket: &str, record: &RunRecord) -> Result<(), ReportError> {
    let error = |reason: String| ReportError { file: SUMMARY, reason };
    let body = serde_json::to_vec_pretty(record).map_err(|problem| error(problem.to_string()))?;
    let put = client.put_object().bucket(bucket).key(key(&record.id, SUMMARY)).content_type("application/json");
    put.body(ByteStream::from(body)).send().await.map_err(|problem| error(aws::explain(&problem)))?;
    Ok(())
}
