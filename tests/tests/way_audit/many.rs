//! Many people: exactly the gaps that were planted, in flat memory, measured on a worker process of its own.

use std::collections::{BTreeSet, HashMap};
use std::process::Stdio;

use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use crosswalk_function_kit::settings::Environment;
use crosswalk_local_aws::testbed::Testbed;
use futures::{StreamExt, stream};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

const CREATED: &str = "2026-11-01T00:00:00.000Z";

type Item = HashMap<String, AttributeValue>;

fn item(attributes: &[(&str, &str)]) -> Item {
    attributes.iter().map(|(name, value)| ((*name).to_owned(), AttributeValue::S((*value).to_owned()))).collect()
}

/// The two items of a mapping, as the store writes them.
fn mapping(username: &str, system: &str, email: Option<&str>, created: &str) -> Vec<Item> {
    let shard = Sha256::digest(username)[0] >> 4;
    let mut attributes = vec![
        ("username", username),
        ("system", system),
        ("external_id", username),
        ("created_at", created),
        ("listed", username),
    ];
    attributes.extend(email.map(|email| ("email", email)));
    let (pk, sk) = (format!("PERSON#{username}"), format!("MAPPING#{system}"));
    let listing = format!("SYSTEM#{system}#{shard:x}");
    attributes.extend([("pk", pk.as_str()), ("sk", sk.as_str()), ("listing", listing.as_str())]);
    let owner = format!("EXTERNAL#{system}#{username}");
    vec![
        item(&attributes),
        item(&[("pk", &owner), ("sk", "OWNER"), ("username", username), ("username_key", username)]),
    ]
}

/// A person's two items.
fn person(username: &str, email: &str) -> Vec<Item> {
    let (pk, lead) = (format!("PERSON#{username}"), format!("EMAIL#{email}"));
    let mut person =
        item(&[("pk", &pk), ("sk", "PERSON"), ("username", username), ("email", email), ("created_at", CREATED)]);
    person.insert("roles".to_owned(), AttributeValue::L(Vec::new()));
    vec![person, item(&[("pk", &lead), ("sk", &pk), ("username", username), ("email", email)])]
}

/// What is planted among many people, each of whom CDCS and NEMO know.
#[derive(Default)]
struct Planted {
    items: Vec<Item>,
    people: u64,
    /// `username,email,system,also`.
    missing: BTreeSet<String>,
    stale: u64,
    broken: u64,
}

impl Planted {
    fn among(people: usize) -> Self {
        let mut planted = Self::default();
        for n in 0..people {
            planted.add(n);
        }
        planted
    }

    fn add(&mut self, n: usize) {
        let (name, email) = (format!("person{n:05}"), format!("person{n:05}@example.org"));
        let mut items = Vec::new();
        let mut lacks = |row: String| self.missing.insert(row);
        self.people += 1;
        match n % 500 {
            // In NEMO alone.
            1 => {
                items.extend(mapping(&name, "nemo", Some(&email), CREATED));
                lacks(format!("{name},{email},cdcs,"));
            }
            // A person's item alone.
            2 => {
                items.extend(person(&name, &email));
                lacks(format!("{name},{email},cdcs,"));
                lacks(format!("{name},{email},nemo,"));
            }
            // Two usernames with half of it each.
            3 => {
                let other = format!("other{n:05}");
                items.extend(mapping(&name, "nemo", Some(&email), CREATED));
                items.extend(mapping(&other, "cdcs", None, CREATED));
                items.extend(person(&other, &email));
            }
            // Two usernames, and neither in CDCS.
            4 => {
                let other = format!("other{n:05}");
                items.extend(mapping(&name, "nemo", Some(&email), CREATED));
                items.extend(mapping(&name, "sharepoint", None, CREATED));
                items.extend(person(&other, &email));
                lacks(format!("{name},{email},cdcs,{other}"));
            }
            // All there, and one of it long ago.
            5 => {
                items.extend(mapping(&name, "nemo", None, "2020-01-01T00:00:00.000Z"));
                items.extend(mapping(&name, "cdcs", None, CREATED));
                self.stale += 1;
            }
            // All there, but that an owner's item is gone.
            6 => {
                items.extend(mapping(&name, "nemo", None, CREATED));
                items.extend(mapping(&name, "cdcs", None, CREATED).into_iter().take(1));
                self.broken += 1;
            }
            _ => {
                items.extend(mapping(&name, "nemo", Some(&email), CREATED));
                items.extend(mapping(&name, "cdcs", None, CREATED));
            }
        }
        self.items.extend(items);
    }
}

/// Puts all items into the table, many at a time.
async fn put(aws: &Testbed, items: Vec<Item>) {
    let client = aws_sdk_dynamodb::Client::new(&aws.config);
    let puts: Vec<WriteRequest> = items
        .into_iter()
        .map(|item| PutRequest::builder().set_item(Some(item)).build().unwrap())
        .map(|put| WriteRequest::builder().put_request(put).build())
        .collect();
    let calls: Vec<_> = puts
        .chunks(25)
        .map(|some| client.batch_write_item().request_items(&aws.names.table, some.to_vec()).send())
        .collect();
    let mut answers = stream::iter(calls).buffer_unordered(4);
    while let Some(answer) = answers.next().await {
        assert!(answer.unwrap().unprocessed_items().is_none_or(HashMap::is_empty));
    }
}

/// Audits so many people in a worker; its peak memory in KiB.
async fn peak_kib(people: usize) -> u64 {
    let aws = Testbed::start().await;
    let Planted { items, people, missing, stale, broken } = Planted::among(people);
    put(&aws, items).await;
    let mut worker = tokio::process::Command::new(env!("CARGO_BIN_EXE_audit-worker"))
        .env("AWS_ENDPOINT_URL", aws.config.endpoint_url().unwrap())
        .env("CROSSWALK_TABLE", &aws.names.table)
        .env("CROSSWALK_BUCKET", &aws.names.bucket)
        .env("AUDIT_REQUIRED_SYSTEMS", "nemo,cdcs")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    worker.stdin.take().unwrap().write_all(b"{}").await.unwrap();
    let output = worker.wait_with_output().await.unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines = text.lines();
    let run = serde_json::from_str::<Value>(lines.next().unwrap()).unwrap()["run"].take();
    assert_eq!((run["counts"]["read"].as_u64(), run["state"].as_str()), (Some(people), Some("succeeded")));
    assert_eq!((&run["audit"]["stale"], &run["audit"]["broken"]), (&json!(stale), &json!(broken)));
    let key = format!("{}missing.csv", run["audit"]["reports"].as_str().unwrap());
    let object = crosswalk_tests::s3_client(&aws).get_object().bucket(&aws.names.bucket).key(key).send().await.unwrap();
    let report = String::from_utf8(object.body.collect().await.unwrap().to_vec()).unwrap();
    let rows: BTreeSet<String> = report.lines().skip(1).map(str::to_owned).collect();
    assert_eq!(rows.len() + 1, report.lines().count(), "no row stands twice");
    assert!(rows == missing, "{:?}", rows.symmetric_difference(&missing).take(10).collect::<Vec<_>>());
    lines.next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn exactly_the_planted_gaps_among_many_in_flat_memory() {
    let many = Environment::of_process().get(PEOPLE).map_or(LARGE, |people| people.parse().unwrap());
    let (small, large) = tokio::join!(peak_kib(SMALL), peak_kib(many));
    eprintln!("peak memory: {small} KiB for {SMALL} people, {large} KiB for {many}");
    // Both fill whole pages of the table. A hash and a few numbers are held of each name, some 60 bytes with the room that a
    // map keeps free; the rest is the allocator's noise.
    let names = 2 * (many - SMALL) as u64;
    assert!(large < small + 16 * 1024 + names * 100 / 1024, "{small} KiB for {SMALL} people, {large} KiB for {many}");
}

/// How many people there are, if it is set: 50,000 take two minutes of a debug build's time, nearly all of it the embedded
/// DynamoDB's.
const PEOPLE: &str = "CROSSWALK_TEST_AUDIT_PEOPLE";
const SMALL: usize = 5_000;
const LARGE: usize = 12_000;
