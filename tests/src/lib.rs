//! A whole Crosswalk for the end-to-end tests: an AWS of its own, the import behind its queue, and the API on loopback.
//!
//! Everything goes in by S3 objects, events and HTTP requests, and comes out by HTTP answers and report files, as for a
//! user. With `CROSSWALK_TEST_ENDPOINT` the AWS is another emulator (see [`crosswalk_local_aws::testbed`]).

#[expect(clippy::unwrap_used, reason = "for tests, which fail by panicking")]
pub mod everything;

use std::sync::Arc;
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use crosswalk_csv_import::{ImportSettings, Importer, handler};
use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Deadline, Entropy};
use crosswalk_local_aws::event_source;
use crosswalk_local_aws::testbed::Testbed;
use crosswalk_mapping_api::{Api, ApiSettings};
use crosswalk_runs::{RunRecord, RunState, Runs};
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Crosswalk as it stands for one test. Dropping it stops all of it.
pub struct House {
    /// The AWS beneath.
    pub aws: Testbed,
    /// The settings of the functions.
    pub environment: Environment,
    /// The API's address, without a slash at its end.
    pub api: String,
    /// The S3 client of the test.
    pub s3: aws_sdk_s3::Client,
    http: reqwest::Client,
    runs: Runs,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
}

/// One row of a report: its line, outcome and reason, and all cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportRow {
    /// The line in the input.
    pub line: u64,
    /// The outcome's word.
    pub outcome: String,
    /// The reason, in words.
    pub reason: String,
    /// All cells, in the columns' order.
    pub cells: Vec<String>,
}

impl House {
    /// Starts everything.
    pub async fn start() -> anyhow::Result<Self> {
        Self::start_with(&[]).await
    }

    /// Starts everything, with more settings.
    pub async fn start_with(settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let aws = Testbed::start().await;
        let mut environment = environment(&aws);
        for (name, value) in settings {
            environment = environment.with(name, value);
        }
        let s3 = s3_client(&aws);
        let clock = Clock::system();
        let entropy = Entropy::system();
        let (stop, stopped) = watch::channel(false);
        let mut tasks = Vec::new();

        let importer = Arc::new(importer(&aws, &environment, clock.clone())?);
        let (config, queue) = (aws.config.clone(), aws.names.queue_url.clone());
        tasks.push(tokio::spawn(async move {
            let handle = move |event: Value| {
                let importer = Arc::clone(&importer);
                async move { handler::handle(&importer, event, Deadline::NONE).await }
            };
            event_source::poll(&config, &queue, 4, handle, stopped).await;
        }));

        let api_settings = ApiSettings::from_env(&environment)?;
        let router = crosswalk_mapping_api::router(Api::new(&aws.config, api_settings, clock.clone(), entropy.clone()));
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await?;
        let api = format!("http://{}", listener.local_addr()?);
        tasks.push(tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                eprintln!("the API stopped: {error}");
            }
        }));

        let table =
            crosswalk_identifier_store::Table::new(aws_sdk_dynamodb::Client::new(&aws.config), aws.names.table.clone());
        let runs = Runs::new(table, clock, entropy);
        Ok(Self { aws, environment, api, s3, http: reqwest::Client::new(), runs, stop, tasks })
    }

    /// Drops a file into the bucket.
    pub async fn drop_file(&self, key: &str, body: impl Into<Vec<u8>>) -> anyhow::Result<()> {
        let body = ByteStream::from(body.into());
        self.s3.put_object().bucket(&self.aws.names.bucket).key(key).body(body).send().await?;
        Ok(())
    }

    /// Waits until the latest run of a key has ended; at most three minutes.
    pub async fn ended_run(&self, key: &str) -> anyhow::Result<RunRecord> {
        self.ended_runs(key, 1).await?.pop().ok_or_else(|| anyhow::anyhow!("no run of {key}"))
    }

    /// Waits until `number` runs of a key have ended; oldest first.
    pub async fn ended_runs(&self, key: &str, number: usize) -> anyhow::Result<Vec<RunRecord>> {
        for _ in 0..1800 {
            let mut found = self.runs.list(None, 100).await?;
            found.retain(|run| run.source.ends_with(key) && run.state != RunState::Running);
            if found.len() >= number {
                found.sort_by_key(|run| run.started_at);
                return Ok(found);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        anyhow::bail!("{number} runs of {key} did not end within three minutes")
    }

    /// Drops a file and waits for its run.
    pub async fn import(&self, key: &str, body: impl Into<Vec<u8>>) -> anyhow::Result<RunRecord> {
        self.drop_file(key, body).await?;
        self.ended_run(key).await
    }

    /// The rows of a report in the bucket; none where the record names no such report.
    pub async fn report(&self, key: Option<&String>) -> anyhow::Result<Vec<ReportRow>> {
        let Some(key) = key else { return Ok(Vec::new()) };
        read_report(&self.object(key).await?)
    }

    /// An object's bytes.
    pub async fn object(&self, key: &str) -> anyhow::Result<Vec<u8>> {
        let object = self.s3.get_object().bucket(&self.aws.names.bucket).key(key).send().await?;
        Ok(object.body.collect().await?.to_vec())
    }

    /// Asks the API: the status and the JSON body (null where there is none).
    pub async fn ask(&self, method: reqwest::Method, path: &str, body: Option<Value>) -> anyhow::Result<(u16, Value)> {
        let mut request = self.http.request(method, format!("{}{path}", self.api));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let text = answer.text().await?;
        Ok((status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text)? }))
    }

    /// Asks the API with GET.
    pub async fn get(&self, path: &str) -> anyhow::Result<(u16, Value)> {
        self.ask(reqwest::Method::GET, path, None).await
    }
}

impl Drop for House {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        for task in &self.tasks {
            task.abort();
        }
    }
}

/// The functions' settings over a testbed.
pub fn environment(aws: &Testbed) -> Environment {
    Environment::from_iter([
        ("CROSSWALK_TABLE", aws.names.table.as_str()),
        ("CROSSWALK_BUCKET", aws.names.bucket.as_str()),
        ("COGNITO_IDENTITY_POOL_ID", aws.names.pool_id.as_str()),
        ("CROSSWALK_AUTH", "none"),
    ])
}

/// An importer over a testbed, with a clock of the test's choice.
pub fn importer(aws: &Testbed, environment: &Environment, clock: Clock) -> anyhow::Result<Importer> {
    let settings = ImportSettings::from_env(environment)?;
    Ok(Importer::new(&aws.config, settings, clock, Entropy::system()))
}

/// An S3 client with path-style addresses, which every emulator takes.
pub fn s3_client(aws: &Testbed) -> aws_sdk_s3::Client {
    crosswalk_local_aws::s3_client(&aws.config)
}

/// The rows of a report file.
pub fn read_report(bytes: &[u8]) -> anyhow::Result<Vec<ReportRow>> {
    let mut reader = csv::Reader::from_reader(bytes);
    let header = reader.headers()?.clone();
    let column = |name: &str| {
        header.iter().position(|cell| cell == name).ok_or_else(|| anyhow::anyhow!("the report has no column {name}"))
    };
    let (line, outcome, reason) = (column("line")?, column("outcome")?, column("reason")?);
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = record?;
        rows.push(ReportRow {
            line: record[line].parse()?,
            outcome: record[outcome].to_owned(),
            reason: record[reason].to_owned(),
            cells: record.iter().map(str::to_owned).collect(),
        });
    }
    Ok(rows)
}

/// The event that S3 raises for an object, as Lambda hands it to a function that it triggers directly. An object that is
/// not there gets the event that was raised before it was deleted.
pub async fn s3_event(aws: &Testbed, key: &str, sequencer: &str) -> Value {
    let bucket = &aws.names.bucket;
    let (e_tag, size) = match s3_client(aws).head_object().bucket(bucket).key(key).send().await {
        Ok(head) => (head.e_tag().unwrap_or_default().trim_matches('"').to_owned(), head.content_length()),
        Err(_) => ("0123456789abcdef0123456789abcdef".to_owned(), Some(10)),
    };
    serde_json::json!({
        "Records": [{
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": "us-east-1",
            "eventTime": "2026-11-20T08:00:00.000Z",
            "eventName": "ObjectCreated:Put",
            "userIdentity": { "principalId": "EXAMPLE" },
            "requestParameters": { "sourceIPAddress": "127.0.0.1" },
            "responseElements": { "x-amz-request-id": "EXAMPLE123456789", "x-amz-id-2": "EXAMPLE" },
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": "imports",
                "bucket": {
                    "name": bucket,
                    "ownerIdentity": { "principalId": "EXAMPLE" },
                    "arn": format!("arn:aws:s3:::{bucket}"),
                },
                "object": { "key": key, "size": size, "eTag": e_tag, "sequencer": sequencer },
            },
        }],
    })
}

/// The same inside an SQS message, as an event source mapping hands it over.
pub fn in_sqs(event: &Value, message_id: &str) -> Value {
    serde_json::json!({
        "Records": [{
            "messageId": message_id,
            "receiptHandle": "handle",
            "body": event.to_string(),
            "attributes": {
                "ApproximateReceiveCount": "1",
                "SentTimestamp": "1763625600000",
                "SenderId": "EXAMPLE",
                "ApproximateFirstReceiveTimestamp": "1763625600001",
            },
            "messageAttributes": {},
            "md5OfBody": "",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:crosswalk-imports",
            "awsRegion": "us-east-1",
        }],
    })
}

/// A mappings file with so many rows: `person<n>`, `<n>`.
pub fn mappings_file(rows: usize) -> String {
    use std::fmt::Write;
    let mut file = String::from("username,external_id,email,notes\n");
    for n in 0..rows {
        let _ = writeln!(file, "person{n},{n},person{n}@example.org,badge {n}");
    }
    file
}
