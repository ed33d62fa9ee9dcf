//! An AWS of the test's own with an importer on it, and what tests ask of them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::primitives::ByteStream;
use crosswalk_csv_import::{ImportSettings, Importer, handler};
use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Deadline, Entropy};
use crosswalk_identifier_store::{IdentifierStore, Table};
use crosswalk_identity::{Fein, System, Username};
use crosswalk_local_aws::testbed::Testbed;
use crosswalk_people::People;
use crosswalk_runs::{RunRecord, Runs};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

/// The original's fixture: 5 rows, 3 e-mails, 4 FEINs (one dashed), an extra column.
pub(crate) const LEAVE_ADMINS: &str = "fein,email,name\n\
    84-7847847,bruce@example.org,Bruce\n\
    111111111,bruce@example.org,Bruce\n\
    222222222,Charles@example.org,Charles\n\
    114444444,dunkin@example.org,Dunkin\n\
    222222222,dunkin@example.org,Dunkin\n";

/// Its employers.
pub(crate) const EMPLOYERS: &str = "fein,name,fineos_employer_id\n\
    847847847,Wayne Enterprises,1\n111111111,BogoCorp Ltd,2\n222222222,Charles Entertainment,3\n114444444,Dunk,4\n";

/// An AWS and an importer.
pub(crate) struct Bench {
    pub(crate) testbed: Testbed,
    pub(crate) s3: aws_sdk_s3::Client,
    sequence: AtomicU64,
}

/// A row of a report: line, outcome, reason.
pub(crate) type Told = (u64, String, String);

impl Bench {
    pub(crate) async fn start() -> Self {
        let testbed = Testbed::start().await;
        let s3 = crosswalk_local_aws::s3_client(&testbed.config);
        Self { testbed, s3, sequence: AtomicU64::new(1) }
    }

    pub(crate) fn environment(&self) -> Environment {
        let names = &self.testbed.names;
        Environment::from_iter([
            ("CROSSWALK_TABLE", names.table.as_str()),
            ("CROSSWALK_BUCKET", &names.bucket),
            ("COGNITO_IDENTITY_POOL_ID", &names.pool_id),
            ("CROSSWALK_COGNITO_SHARERS", "1"),
            ("CROSSWALK_COGNITO_USER_READ_RPS", "5000"),
            ("CROSSWALK_COGNITO_USER_CREATION_RPS", "5000"),
            ("CROSSWALK_COGNITO_SET_PASSWORD_RPS", "5000"),
        ])
    }

    pub(crate) fn importer(&self) -> Importer {
        self.importer_with(&self.environment(), Clock::system())
    }

    pub(crate) fn importer_with(&self, environment: &Environment, clock: Clock) -> Importer {
        let settings = ImportSettings::from_env(environment).unwrap();
        Importer::new(&self.testbed.config, settings, clock, Entropy::system())
    }

    /// Puts an object, and gives the event that S3 raises for it.
    pub(crate) async fn put(&self, key: &str, body: impl Into<Vec<u8>>) -> Value {
        let bucket = &self.testbed.names.bucket;
        let put = self.s3.put_object().bucket(bucket).key(key).body(ByteStream::from(body.into()));
        let etag = put.send().await.unwrap().e_tag.unwrap_or_default();
        self.event(key, Some(etag.trim_matches('"')))
    }

    /// An event for a key, with a sequencer of its own.
    pub(crate) fn event(&self, key: &str, etag: Option<&str>) -> Value {
        let sequencer = format!("{:016X}", self.sequence.fetch_add(1, Ordering::Relaxed));
        let key = utf8_percent_encode(key, NON_ALPHANUMERIC).to_string().replace("%2F", "/").replace("%20", "+");
        let mut object = json!({ "key": key, "size": 1, "sequencer": sequencer });
        if let Some(etag) = etag {
            object["eTag"] = etag.into();
        }
        json!({ "Records": [{
            "eventVersion": "2.1", "eventSource": "aws:s3", "awsRegion": "us-east-1",
            "eventTime": "2026-11-22T10:00:00.000Z", "eventName": "ObjectCreated:Put",
            "s3": { "bucket": { "name": self.testbed.names.bucket }, "object": object },
        }] })
    }

    /// Puts an object and lets its event drive a fresh importer.
    pub(crate) async fn drop_in(&self, key: &str, body: impl Into<Vec<u8>>) -> RunRecord {
        let event = self.put(key, body).await;
        deliver(&self.importer(), event).await
    }

    pub(crate) async fn object(&self, key: &str) -> String {
        let get = self.s3.get_object().bucket(&self.testbed.names.bucket).key(key).send().await;
        let body = get.unwrap_or_else(|error| panic!("{key}: {error:?}")).body.collect().await.unwrap();
        String::from_utf8(body.into_bytes().to_vec()).unwrap()
    }

    pub(crate) async fn failed(&self, run: &RunRecord) -> String {
        self.object(run.reports.failed.as_deref().unwrap()).await
    }

    pub(crate) async fn succeeded(&self, run: &RunRecord) -> String {
        self.object(run.reports.succeeded.as_deref().unwrap()).await
    }

    fn table(&self) -> Table {
        Table::new(aws_sdk_dynamodb::Client::new(&self.testbed.config), &self.testbed.names.table)
    }

    pub(crate) fn people(&self) -> People {
        People::new(self.table(), Clock::system(), Entropy::system())
    }

    pub(crate) fn store(&self) -> IdentifierStore {
        IdentifierStore::new(self.table(), Clock::system(), Entropy::system())
    }

    pub(crate) fn runs(&self) -> Runs {
        Runs::new(self.table(), Clock::system(), Entropy::system())
    }

    /// The external id that a system knows a person by.
    pub(crate) async fn id_of(&self, username: &str, system: &str) -> Option<String> {
        let (username, system) = (Username::parse(username).unwrap(), System::parse(system).unwrap());
        let mapping = self.store().get(&username, &system).await.unwrap();
        mapping.map(|mapping| mapping.external_id.as_str().to_owned())
    }

    pub(crate) async fn links_of(&self, username: &str) -> Vec<String> {
        let links = self.people().links(&Username::parse(username).unwrap()).await.unwrap();
        links.into_iter().map(|link| link.fein.as_str().to_owned()).collect()
    }

    /// E-mail and status of the pool's accounts, sorted.
    pub(crate) async fn accounts(&self) -> Vec<(String, String)> {
        let cognito = aws_sdk_cognitoidentityprovider::Client::new(&self.testbed.config);
        let answer = cognito.list_users().user_pool_id(&self.testbed.names.pool_id).send().await.unwrap();
        let mut accounts: Vec<_> = answer
            .users()
            .iter()
            .map(|user| {
                let email = user.attributes().iter().find(|attribute| attribute.name() == "email");
                let email = email.and_then(|attribute| attribute.value()).unwrap_or_default().to_owned();
                (email, user.user_status().unwrap().as_str().to_owned())
            })
            .collect();
        accounts.sort();
        accounts
    }

    /// Every item of the table, as text: two equal ones mean that nothing was written in between.
    pub(crate) async fn everything(&self) -> Vec<String> {
        let table = self.table();
        let mut pages = table.client.scan().table_name(&table.name).into_paginator().items().send();
        let mut items = Vec::new();
        while let Some(item) = pages.next().await {
            items.push(as_text(&AttributeValue::M(item.unwrap())));
        }
        items.sort();
        items
    }

    /// All keys in the bucket.
    pub(crate) async fn keys(&self) -> Vec<String> {
        let answer = self.s3.list_objects_v2().bucket(&self.testbed.names.bucket).send().await.unwrap();
        answer.contents().iter().filter_map(|object| object.key().map(str::to_owned)).collect()
    }
}

/// The same text for equal values, whatever the order of their maps.
fn as_text(value: &AttributeValue) -> String {
    match value {
        AttributeValue::M(map) => {
            let mut entries: Vec<String> =
                map.iter().map(|(name, value)| format!("{name}: {}", as_text(value))).collect();
            entries.sort();
            format!("{{{}}}", entries.join(", "))
        }
        AttributeValue::L(list) => list.iter().map(as_text).collect::<Vec<_>>().join("; "),
        other => format!("{other:?}"),
    }
}

/// Lets an event drive an importer directly; the one run that it makes.
pub(crate) async fn deliver(importer: &Importer, event: Value) -> RunRecord {
    deliver_within(importer, event, Deadline::NONE).await
}

pub(crate) async fn deliver_within(importer: &Importer, event: Value, deadline: Deadline) -> RunRecord {
    let answer = handler::handle(importer, event, deadline).await.unwrap();
    let runs: Vec<RunRecord> = serde_json::from_value(answer["runs"].clone()).unwrap();
    let [run] = <[RunRecord; 1]>::try_from(runs).unwrap();
    assert_eq!(
        run.counts.read,
        run.counts.created
            + run.counts.updated
            + run.counts.unchanged
            + run.counts.verified
            + run.counts.rejected
            + run.counts.conflict
            + run.counts.failed
            + run.counts.skipped
    );
    run
}

/// The same event in an SQS message.
pub(crate) fn in_message(id: &str, event: &Value) -> Value {
    json!({ "Records": [{
        "messageId": id, "receiptHandle": "r", "body": event.to_string(), "attributes": {}, "messageAttributes": {},
        "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:q", "awsRegion": "us-east-1",
    }] })
}

/// A report's rows.
pub(crate) fn told(report: &str) -> Vec<Told> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_reader(report.as_bytes());
    let header: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let at = |name: &str| header.iter().rposition(|column| column == name).unwrap();
    let (outcome, reason) = (at("outcome"), at("reason"));
    let rows = reader.records().map(Result::unwrap);
    rows.map(|row| (row[0].parse().unwrap(), row[outcome].to_owned(), row[reason].to_owned())).collect()
}

/// Lines and outcomes alone.
pub(crate) fn outcomes(report: &str) -> Vec<(u64, String)> {
    told(report).into_iter().map(|(line, outcome, _)| (line, outcome)).collect()
}

pub(crate) fn fein(text: &str) -> Fein {
    Fein::parse(text).unwrap()
}

/// Less than any test should take.
pub(crate) const SOON: Duration = Duration::from_secs(20);
