//! Runs, their turns, and their repeats.

use std::time::Duration;

use crosswalk_function_kit::{Deadline, Entropy};
use crosswalk_nemo_harvest::{Ran, handler};
use crosswalk_runs::RunState;
use crosswalk_stand_ins::nemo::{Faults, NemoStandIn, TOKEN, UserSpec};
use serde_json::{Value, json};

use crate::bed::{Bed, ended, request, users};

#[tokio::test]
async fn an_event_that_comes_again_is_the_same_run() {
    let bed = Bed::with_users(&users(3)).await;
    let event: Value = serde_json::from_str(include_str!("../../../events/nemo-harvest.schedule.json")).unwrap();
    let harvester = bed.harvester();
    let handle = async || handler::handle(&harvester, event.clone(), &Entropy::system(), Deadline::NONE).await.unwrap();
    let first = handle().await;
    assert_eq!((&first["run"]["state"], &first["run"]["counts"]["created"]), (&json!("succeeded"), &json!(3)));
    bed.nemo.take_requests();
    assert_eq!(handle().await, first);
    assert!(bed.nemo.take_requests().is_empty());

    let event: Value = serde_json::from_str(include_str!("../../../events/nemo-harvest.dry-run.json")).unwrap();
    let planned = handler::handle(&harvester, event, &Entropy::system(), Deadline::NONE).await.unwrap();
    assert_eq!((&planned["steps"], &planned["run"]["dry_run"]), (&json!(0), &json!(true)));
}

#[tokio::test]
async fn a_run_that_failed_is_repeated_as_the_same_run() {
    let bed = Bed::with_users(&users(25)).await;
    bed.nemo.fail(Faults { forbidden: ["usage_events"].into(), ..Faults::default() });
    let event = json!({"schedule": "nightly", "scheduled_at": "2026-11-22T04:00:00Z"});
    let harvester = bed.harvester();
    let handle = async || handler::handle(&harvester, event.clone(), &Entropy::system(), Deadline::NONE).await;
    let error = handle().await.unwrap_err().to_string();
    assert!(error.contains("failed: the token's user may not read usage events"), "{error}");
    let before = bed.everything_but_runs().await;
    assert!(before.keys().all(|key| !key.starts_with("state/")), "a failed run leaves no state");
    bed.nemo.fail(Faults::default());
    assert_eq!(handle().await.unwrap()["run"]["counts"]["created"], 25);
}

#[tokio::test]
async fn a_run_that_was_stopped_half_way_gets_its_first_outcomes_again() {
    let bed = Bed::with_users(&users(4)).await;
    let request = request();
    // As if the run had broken off after it stored, and before it kept its state.
    bed.harvest_as(&request).await;
    let s3 = crosswalk_tests::s3_client(&bed.aws);
    s3.delete_object().bucket(&bed.aws.names.bucket).key("state/nemo-harvest/nemo.txt").send().await.unwrap();
    forget_run(&bed, &request.run_id).await;
    let before = bed.mapping("user1").await;
    let counts = bed.harvest_as(&request).await.parts["mappings"];
    assert_eq!((counts.created, counts.verified), (4, 0));
    assert_eq!(bed.mapping("user1").await, before);
}

async fn forget_run(bed: &Bed, id: &str) {
    use aws_sdk_dynamodb::types::AttributeValue::S;
    let client = aws_sdk_dynamodb::Client::new(&bed.aws.config);
    let delete = client.delete_item().table_name(&bed.aws.names.table);
    delete.key("pk", S(format!("RUN#{id}"))).key("sk", S("RUN".to_owned())).send().await.unwrap();
}

#[tokio::test]
async fn a_run_whose_time_is_up_stores_nothing_that_it_could_not_end() {
    let bed = Bed::with_users(&users(3)).await;
    bed.used(&[(1, 1, 5)]);
    let (harvester, request) = (bed.harvester(), request());
    // Less than what is kept for the end.
    let near = Deadline::within(Duration::from_secs(5));
    let record = ended(harvester.harvest(&request, near, &|_| {}).await.unwrap());
    assert!(record.reasons[0].reason.contains("the time was up before NEMO was read"), "{record:?}");
    assert!(bed.mappings().await.is_empty());
    let record = bed.harvest_as(&request).await;
    let (mappings, seen) = (record.parts["mappings"], record.parts["last_seen"]);
    assert_eq!((record.state, mappings.created, seen.updated), (RunState::Succeeded, 3, 1));
}

#[tokio::test]
async fn each_nemo_has_a_system_and_a_turn_of_its_own() {
    let bed = Bed::with_users(&users(2)).await;
    let other = NemoStandIn::start(vec![UserSpec::new(1, "user2"), UserSpec::new(2, "user1")]).unwrap();
    bed.harvest_all().await;
    // Under the same system, the other's ids would be somebody else's.
    let told = {
        let harvester = bed.harvester_with(&[("NEMO_URL", other.url())]);
        let record = ended(harvester.harvest(&request(), Deadline::NONE, &|_| {}).await.unwrap());
        assert_eq!(record.state, RunState::Failed);
        record.reasons[0].reason.clone()
    };
    assert!(told.contains("NEMO_SYSTEM") && other.take_requests().is_empty(), "{told}");
    let settings = [
        ("NEMO_URL", other.url()),
        ("NEMO_TOKEN", TOKEN),
        ("NEMO_SYSTEM", "nemo_b"),
        ("CROSSWALK_SYSTEMS", "nemo,nemo_b"),
    ];
    let record = ended(bed.harvester_with(&settings).harvest(&request(), Deadline::NONE, &|_| {}).await.unwrap());
    assert_eq!((record.state, record.parts["mappings"].created), (RunState::Succeeded, 2));
    assert_eq!(bed.mappings().await, ["user1 = 1", "user2 = 2"]);
}

#[tokio::test]
async fn of_two_runs_at_once_one_works() {
    let bed = Bed::with_users(&users(45)).await;
    let (one, other) = (bed.harvester(), bed.harvester());
    let (a, b) = (request(), request());
    let (one, other) =
        futures::future::join(one.harvest(&a, Deadline::NONE, &|_| {}), other.harvest(&b, Deadline::NONE, &|_| {}))
            .await;
    let busy = [one.unwrap(), other.unwrap()].iter().filter(|harvested| matches!(harvested, Ran::Busy { .. })).count();
    assert_eq!(busy, 1);
    assert_eq!(bed.mappings().await.len(), 45);
}
