//! Once is twice: the same event again, at once, for a vanished object, and after a worker was killed half way.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be set up ends it")]

use std::process::Stdio;
use std::time::Duration;

use crosswalk_csv_import::handler;
use crosswalk_function_kit::{Clock, Deadline, Entropy};
use crosswalk_identifier_store::{IdentifierStore, Table};
use crosswalk_identity::System;
use crosswalk_local_aws::testbed::Testbed;
use crosswalk_runs::{RunState, Runs};
use crosswalk_tests::{environment, importer, in_sqs, mappings_file, read_report, s3_client, s3_event};
use jiff::SignedDuration;
use serde_json::Value;
use tokio::io::AsyncWriteExt;

async fn put(aws: &Testbed, key: &str, body: &str) {
    let body = aws_sdk_s3::primitives::ByteStream::from(body.as_bytes().to_vec());
    s3_client(aws).put_object().bucket(&aws.names.bucket).key(key).body(body).send().await.unwrap();
}

fn table(aws: &Testbed) -> Table {
    Table::new(aws_sdk_dynamodb::Client::new(&aws.config), aws.names.table.clone())
}

async fn count_mappings(aws: &Testbed, system: &str) -> usize {
    let store = IdentifierStore::new(table(aws), Clock::system(), Entropy::system());
    let system = System::parse(system).unwrap();
    let (mut cursor, mut total) = (None, 0);
    loop {
        let page = store.list_system(&system, cursor.as_deref(), 1000).await.unwrap();
        total += page.items.len();
        cursor = page.next_cursor;
        if cursor.is_none() {
            return total;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_event_five_times_at_once_is_one_run() {
    let aws = Testbed::start().await;
    let file = mappings_file(2_000);
    let key = "imports/mappings/nemo/five.csv";
    put(&aws, key, &file).await;
    let event = s3_event(&aws, key, "0A").await;
    let environment = environment(&aws);
    let workers = (0..5).map(|_| {
        let importer = importer(&aws, &environment, Clock::system()).unwrap();
        let event = event.clone();
        tokio::spawn(async move { handler::handle(&importer, event, Deadline::NONE).await.unwrap() })
    });
    let answers: Vec<Value> =
        futures::future::join_all(workers).await.into_iter().map(|answer| answer.unwrap()).collect();
    // A direct invocation waits for the result, so all five tell of the same run and the same counts.
    for answer in &answers {
        assert_eq!(answer["runs"][0]["id"], answers[0]["runs"][0]["id"]);
        assert_eq!(answer["runs"][0]["counts"]["created"], 2_000, "{answer}");
    }
    assert_eq!(count_mappings(&aws, "nemo").await, 2_000);

    // A sixth, later: the same summary, and nothing written.
    let importer = importer(&aws, &environment, Clock::system()).unwrap();
    let sixth = handler::handle(&importer, event, Deadline::NONE).await.unwrap();
    assert_eq!(sixth["runs"][0], answers[0]["runs"][0]);
    // The object put again has a new sequencer: a new run.
    let again = s3_event(&aws, key, "0B").await;
    let answer = handler::handle(&importer, again, Deadline::NONE).await.unwrap();
    assert_ne!(answer["runs"][0]["id"], sixth["runs"][0]["id"]);
    assert_eq!(answer["runs"][0]["counts"]["verified"], 2_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_gone_ends_in_a_clear_summary() {
    let aws = Testbed::start().await;
    let event = s3_event(&aws, "imports/mappings/nemo/gone.csv", "0A").await;
    let importer = importer(&aws, &environment(&aws), Clock::system()).unwrap();
    let answer = handler::handle(&importer, in_sqs(&event, "m-1"), Deadline::NONE).await.unwrap();
    // Not returned: the queue must not try it for ever.
    assert_eq!(answer["batchItemFailures"].as_array().map(Vec::len), Some(0), "{answer}");
    let runs = Runs::new(table(&aws), Clock::system(), Entropy::system()).list(None, 10).await.unwrap();
    assert_eq!((runs.len(), runs[0].state), (1, RunState::Failed));
    assert!(!runs[0].reasons[0].reason.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_worker_lives_other_messages_are_acknowledged_and_its_own_comes_again() {
    let aws = Testbed::start().await;
    let file = mappings_file(8_000);
    let key = "imports/mappings/nemo/alive.csv";
    put(&aws, key, &file).await;
    let event = s3_event(&aws, key, "0A").await;
    let environment = environment(&aws);
    let first = importer(&aws, &environment, Clock::system()).unwrap();
    let message = in_sqs(&event, "m-1");
    let working = tokio::spawn(async move { handler::handle(&first, message, Deadline::NONE).await.unwrap() });
    let runs = Runs::new(table(&aws), Clock::system(), Entropy::system());
    while runs.list(None, 1).await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let second = importer(&aws, &environment, Clock::system()).unwrap();
    let same = handler::handle(&second, in_sqs(&event, "m-1"), Deadline::NONE).await.unwrap();
    assert_eq!(same["batchItemFailures"][0]["itemIdentifier"], "m-1");
    let other = handler::handle(&second, in_sqs(&event, "m-2"), Deadline::NONE).await.unwrap();
    assert_eq!(other["batchItemFailures"].as_array().map(Vec::len), Some(0));
    assert!(!working.is_finished(), "the first worker was too quick for this test: give it more rows");
    assert_eq!(working.await.unwrap()["batchItemFailures"].as_array().map(Vec::len), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_killed_half_way_loses_nothing_and_does_nothing_twice() {
    const ROWS: usize = 8_000;
    let aws = Testbed::start().await;
    // Every tenth row is there twice, and two rows claim an id that is taken: outcomes of all kinds.
    let mut file = mappings_file(ROWS);
    for n in (0..ROWS).step_by(10) {
        file.push_str(&format!("person{n},{n},,\n"));
    }
    file.push_str("stranger,1,,\nstranger,,,\n");
    let key = "imports/mappings/nemo/killed.csv";
    put(&aws, key, &file).await;
    let event = s3_event(&aws, key, "0A").await;

    let endpoint = aws.config.endpoint_url().unwrap().to_owned();
    let mut worker = tokio::process::Command::new(env!("CARGO_BIN_EXE_import-worker"))
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("CROSSWALK_TABLE", &aws.names.table)
        .env("CROSSWALK_BUCKET", &aws.names.bucket)
        .env("COGNITO_IDENTITY_POOL_ID", &aws.names.pool_id)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut stdin = worker.stdin.take().unwrap();
    stdin.write_all(in_sqs(&event, "m-1").to_string().as_bytes()).await.unwrap();
    drop(stdin);

    let before = loop {
        let written = count_mappings(&aws, "nemo").await;
        if written > ROWS / 10 {
            break written;
        }
        assert!(worker.try_wait().unwrap().is_none(), "the worker ended before it could be killed");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    worker.kill().await.unwrap();
    assert!(before < ROWS, "the worker was too quick for this test: give it more rows");

    // Its lease still holds: the message comes back later.
    let environment = environment(&aws);
    let early = importer(&aws, &environment, Clock::system()).unwrap();
    let answer = handler::handle(&early, in_sqs(&event, "m-1"), Deadline::NONE).await.unwrap();
    assert_eq!(answer["batchItemFailures"][0]["itemIdentifier"], "m-1");

    // After it has lapsed, the next delivery takes over.
    let system = Clock::system();
    let later = Clock::from_fn(move || system.now() + SignedDuration::from_secs(90));
    let next = importer(&aws, &environment, later).unwrap();
    let answer = handler::handle(&next, in_sqs(&event, "m-1"), Deadline::NONE).await.unwrap();
    assert_eq!(answer["batchItemFailures"].as_array().map(Vec::len), Some(0), "{answer}");

    let runs = Runs::new(table(&aws), Clock::system(), Entropy::system()).list(None, 10).await.unwrap();
    assert_eq!(runs.len(), 1);
    let run = &runs[0];
    let counts = run.counts;
    assert_eq!(run.state, RunState::Partly);
    assert_eq!(
        (counts.read, counts.created, counts.verified, counts.conflict, counts.rejected),
        (ROWS as u64 + ROWS as u64 / 10 + 2, ROWS as u64, ROWS as u64 / 10, 1, 1),
        "{run:?}"
    );
    assert_eq!(count_mappings(&aws, "nemo").await, ROWS);
    let store = IdentifierStore::new(table(&aws), Clock::system(), Entropy::system());
    let mut broken = Vec::new();
    store.check_integrity(|item| broken.push(item)).await.unwrap();
    assert!(broken.is_empty(), "{broken:?}");
    let s3 = s3_client(&aws);
    let report = s3.get_object().bucket(&aws.names.bucket).key(run.reports.succeeded.as_ref().unwrap()).send().await;
    let rows = read_report(&report.unwrap().body.collect().await.unwrap().to_vec()).unwrap();
    assert_eq!(rows.len(), ROWS + ROWS / 10);
    assert!(rows.is_sorted_by_key(|row| row.line));
}
