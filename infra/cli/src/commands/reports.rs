//! The rows that were not imported, as `failed.csv` tells them.

use std::io::Read;

use anyhow::Context as _;
use aws_sdk_s3::Client;
use serde::Serialize;

/// A row that was not imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FailedRow {
    /// Its line in the file.
    pub(crate) line: u64,
    /// How it ended.
    pub(crate) outcome: String,
    /// Why, in words.
    pub(crate) reason: String,
}

/// How much of a report is read at most: its first rows are shown, whatever its size.
const MOST_BYTES: usize = 1024 * 1024;

/// Reads the first `limit` rows of a report in the bucket.
///
/// # Errors
/// The object cannot be read, or is no such report.
pub(crate) async fn failed_rows(s3: &Client, bucket: &str, key: &str, limit: usize) -> anyhow::Result<Vec<FailedRow>> {
    let object = s3.get_object().bucket(bucket).key(key).send().await;
    let mut body = object.with_context(|| format!("cannot read s3://{bucket}/{key}"))?.body;
    let mut bytes = Vec::new();
    while bytes.len() < MOST_BYTES {
        let Some(chunk) = body.next().await else { break };
        bytes.extend_from_slice(&chunk.with_context(|| format!("s3://{bucket}/{key} broke off"))?);
    }
    let cut = bytes.len() >= MOST_BYTES;
    parse(bytes.as_slice(), limit, cut).with_context(|| format!("s3://{bucket}/{key} does not read"))
}

/// `cut` says that the report goes on behind these bytes, so that the last row may be half of one.
fn parse(report: impl Read, limit: usize, cut: bool) -> anyhow::Result<Vec<FailedRow>> {
    let mut reader = csv::Reader::from_reader(report);
    let header = reader.headers()?.clone();
    // The input's own columns stand before these, and may bear the same names.
    let place = |name: &str| (0..header.len()).rev().find(|&index| header.get(index) == Some(name));
    let (outcome, reason) =
        place("outcome").zip(place("reason")).context("the columns outcome and reason are missing")?;
    let rows = reader.records().take(limit).map(|record| {
        let record = record?;
        let line = record.get(0).unwrap_or_default().parse().context("a line's number does not read")?;
        let text = |at: usize| record.get(at).unwrap_or_default().to_owned();
        Ok(FailedRow { line, outcome: text(outcome), reason: text(reason) })
    });
    if cut { Ok(rows.map_while(anyhow::Result::ok).collect()) } else { rows.collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_columns_of_the_name_count() {
        let report = "line,fein,reason,outcome,reason\n7,1,mine,rejected,\"not so, sorry\"\n8,2,,failed,x\n";
        let rows = parse(report.as_bytes(), 1, false).unwrap();
        assert_eq!(rows, [FailedRow { line: 7, outcome: "rejected".into(), reason: "not so, sorry".into() }]);
    }
}
