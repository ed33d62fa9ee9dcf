use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use crosswalk_csv_import::handler::handle;
use crosswalk_function_kit::{Clock, Deadline};
use crosswalk_runs::{Claim, Lease, RunRecord, RunState};
use serde_json::json;

use crate::bench::{Bench, EMPLOYERS, LEAVE_ADMINS, SOON, deliver, deliver_within, in_message, outcomes, told};

const KEY: &str = "imports/employers/a.csv";

/// As if the worker had been killed before the run's end was written, and its lease had lapsed since.
pub(crate) async fn forget_the_end(bench: &Bench, run: &RunRecord) {
    let dynamodb = aws_sdk_dynamodb::Client::new(&bench.testbed.config);
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let update = dynamodb.update_item().table_name(&bench.testbed.names.table);
    let update = update.key("pk", text(&format!("RUN#{}", run.id))).key("sk", text("RUN"));
    let update = update
        .update_expression("SET #state = :running, lease_until = :past, ended_at = :null")
        .condition_expression("attribute_exists(pk)")
        .expression_attribute_names("#state", "state")
        .expression_attribute_values(":running", text("running"))
        .expression_attribute_values(":null", AttributeValue::Null(true))
        .expression_attribute_values(":past", text("2020-01-01T00:00:00.000Z"));
    update.send().await.unwrap();
}

/// As if another worker had taken the run over.
pub(crate) async fn fence_off(bench: &Bench, run: &str) -> Lease {
    let dynamodb = aws_sdk_dynamodb::Client::new(&bench.testbed.config);
    let text = |text: &str| AttributeValue::S(text.to_owned());
    let update = dynamodb.update_item().table_name(&bench.testbed.names.table);
    let update = update.key("pk", text(&format!("RUN#{run}"))).key("sk", text("RUN"));
    let update = update
        .update_expression("SET fence = :fence, lease_until = :future")
        .condition_expression("attribute_exists(pk)")
        .expression_attribute_values(":fence", AttributeValue::N("99".to_owned()))
        .expression_attribute_values(":future", text("2100-01-01T00:00:00.000Z"));
    update.send().await.unwrap();
    Lease { run: run.to_owned(), fence: 99 }
}

/// Claims the run of an event, as another worker would.
pub(crate) async fn claim(bench: &Bench, run_id: &str, delivery: &str) -> Lease {
    let record = RunRecord::begin(run_id, "employers", "s3://b/k", Clock::system().now());
    match bench.runs().claim(&record, delivery).await.unwrap() {
        Claim::Ours { lease, .. } => lease,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn run_id(bench: &Bench, event: &serde_json::Value) -> String {
    let sequencer = event.pointer("/Records/0/s3/object/sequencer").and_then(serde_json::Value::as_str).unwrap();
    crosswalk_runs::run_id::for_object(&bench.testbed.names.bucket, KEY, None, sequencer)
}

#[tokio::test]
async fn the_same_event_again_writes_nothing_and_tells_the_same() {
    let bench = Bench::start().await;
    let event = bench.put(KEY, EMPLOYERS).await;
    let first = deliver(&bench.importer(), event.clone()).await;
    let before = bench.everything().await;
    assert_eq!(deliver(&bench.importer(), event.clone()).await, first);
    let answer = handle(&bench.importer(), in_message("m1", &event), Deadline::NONE).await.unwrap();
    assert_eq!(answer, json!({ "batchItemFailures": [] }));
    assert_eq!(bench.everything().await, before);
}

#[tokio::test]
async fn five_at_once_are_one_run() {
    let bench = Bench::start().await;
    bench.drop_in("imports/employers/e.csv", EMPLOYERS).await;
    let event = bench.put("imports/leave-admins/a.csv", LEAVE_ADMINS).await;
    let importers: Vec<_> = (0..5).map(|_| bench.importer()).collect();
    let deliveries = importers.iter().map(|importer| deliver(importer, event.clone()));
    let runs = tokio::time::timeout(SOON, futures::future::join_all(deliveries)).await.unwrap();
    for run in &runs {
        assert_eq!(run, &runs[0]);
    }
    assert_eq!((runs[0].state, runs[0].counts.created), (RunState::Succeeded, 5));
    assert_eq!(bench.accounts().await.len(), 3);
}

#[tokio::test]
async fn while_another_worker_is_alive() {
    let bench = Bench::start().await;
    let event = bench.put(KEY, EMPLOYERS).await;
    let lease = claim(&bench, &run_id(&bench, &event), "m1").await;
    let importer = bench.importer();
    // The same message must come again; another one is a duplicate.
    let answer = handle(&importer, in_message("m1", &event), Deadline::NONE).await.unwrap();
    assert_eq!(answer, json!({ "batchItemFailures": [{ "itemIdentifier": "m1" }] }));
    let answer = handle(&importer, in_message("m2", &event), Deadline::NONE).await.unwrap();
    assert_eq!(answer, json!({ "batchItemFailures": [] }));
    // A direct invocation waits for the result, and gives up before its own end.
    let near = handle(&importer, event.clone(), Deadline::within(Duration::from_secs(6))).await;
    assert!(near.unwrap_err().to_string().contains("under way elsewhere"));
    let waiting = deliver(&importer, event);
    let ending = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let mut record = bench.runs().get(&lease.run).await.unwrap().unwrap();
        record.state = RunState::Succeeded;
        bench.runs().end(&lease, &record).await.unwrap();
    };
    let (run, ()) = tokio::time::timeout(SOON, async { tokio::join!(waiting, ending) }).await.unwrap();
    assert_eq!((run.state, run.counts.read), (RunState::Succeeded, 0));
}

#[tokio::test]
async fn after_a_crash_the_next_delivery_takes_over() {
    let bench = Bench::start().await;
    let event = bench.put(KEY, EMPLOYERS).await;
    let id = run_id(&bench, &event);
    claim(&bench, &id, "m1").await;
    let dead = bench.runs().get(&id).await.unwrap().unwrap();
    forget_the_end(&bench, &dead).await;
    let answer = handle(&bench.importer(), in_message("m1", &event), Deadline::NONE).await.unwrap();
    assert_eq!(answer, json!({ "batchItemFailures": [] }));
    let run = bench.runs().get(&id).await.unwrap().unwrap();
    assert_eq!((run.state, run.counts.created, run.started_at), (RunState::Succeeded, 4, dead.started_at));
}

#[tokio::test]
async fn a_body_that_is_no_event_is_returned_and_a_test_event_is_not() {
    let bench = Bench::start().await;
    let importer = bench.importer();
    let answer = handle(&importer, in_message("m1", &json!("hello")), Deadline::NONE).await.unwrap();
    assert_eq!(answer, json!({ "batchItemFailures": [{ "itemIdentifier": "m1" }] }));
    let test = json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "b" });
    let answer = handle(&importer, in_message("m1", &test), Deadline::NONE).await.unwrap();
    assert_eq!(answer, json!({ "batchItemFailures": [] }));
    assert_eq!(handle(&importer, test, Deadline::NONE).await.unwrap(), json!({ "runs": [] }));
    assert!(handle(&importer, json!({ "hello": 1 }), Deadline::NONE).await.is_err());
}

#[tokio::test]
async fn near_the_deadline_rows_are_skipped_and_told_so() {
    let bench = Bench::start().await;
    let event = bench.put("imports/mappings/nemo/a.csv", "username,external_id\nada,1\n,2\ngrace,3\n").await;
    // Its whole time is its margin: nothing may start.
    let deadline = Deadline::within(Duration::from_millis(1));
    tokio::time::sleep(Duration::from_millis(5)).await;
    let run = deliver_within(&bench.importer(), event, deadline).await;
    assert_eq!((run.state, run.counts.skipped, run.counts.rejected), (RunState::Partly, 2, 1));
    let failed = bench.failed(&run).await;
    assert_eq!(told(&failed)[0].2, "not reached: drop this file in again");
    assert_eq!(outcomes(&failed).iter().map(|row| row.0).collect::<Vec<_>>(), [2, 3, 4]);
    assert_eq!(bench.id_of("ada", "nemo").await, None);
    let again = bench.drop_in("imports/mappings/nemo/failed.csv", failed).await;
    assert_eq!((again.counts.created, again.counts.rejected), (2, 1));
}
