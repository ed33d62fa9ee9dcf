//! Two runs at once, runs that break off, and events that come again.

use std::time::Duration;

use crosswalk_function_kit::{Clock, Deadline, Entropy};
use crosswalk_people_export::{Ran, handler};
use crosswalk_runs::RunState;
use crosswalk_stand_ins::glean::{Fault, Faults, On, Rule, When};
use crosswalk_stand_ins::keycloak::Faults as KeycloakFaults;
use serde_json::{Value, json};

use crate::bed::{Bed, request};
use crate::company::plain;

const LAST: On = On::path("bulkindexemployees").last_page();

#[tokio::test]
async fn of_two_runs_one_works_and_the_other_says_who() {
    for aws in [false, true] {
        let realm = plain(24, 2);
        let bed = if aws { Bed::on_aws(realm).await } else { Bed::in_folder(realm) };
        let bed = bed.with_small_pages();
        let hold = bed.glean.hold(LAST, When::BeforeTaken);
        let (first, second) = (request(), request());
        let exporter = bed.exporter();
        let working = exporter.export(&first, Deadline::NONE, &|_| {});
        let meanwhile = async {
            hold.reached().await;
            let sent = bed.glean.log().len();
            let busy = bed.try_export(&second).await.unwrap();
            assert_eq!(bed.glean.log().len(), sent, "it sends nothing");
            hold.release();
            busy
        };
        let (worked, busy) = tokio::join!(working, meanwhile);
        let Ran::Busy { run, until } = busy else { panic!("both work") };
        assert_eq!((run, until.is_some()), (first.run_id.clone(), aws));
        assert!(matches!(worked.unwrap(), Ran::Ended(record) if record.state == RunState::Succeeded));
        bed.assert_whole();
        assert_eq!(bed.export_as(&second).await.state, RunState::Succeeded);
    }
}

#[tokio::test]
async fn a_crash_before_the_last_page_is_made_good_by_the_next_run() {
    for aws in [false, true] {
        let realm = plain(24, 2);
        let bed = if aws { Bed::on_aws(realm).await } else { Bed::in_folder(realm) };
        let bed = bed.with_small_pages();
        bed.export_all().await;
        let held = bed.held();
        bed.keycloak.change(|realm| realm.remove_user("u00"));
        let hold = bed.glean.hold(LAST, When::BeforeTaken);
        let (crashed, exporter) = (request(), bed.exporter());
        {
            let working = exporter.export(&crashed, Deadline::NONE, &|_| {});
            tokio::select! {
                _ = working => panic!("the last page is held"),
                () = hold.reached() => {}
            }
        }
        while bed.glean.under_way() > 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        hold.release();
        assert_eq!(bed.held(), held, "nobody is stale");
        bed.glean.forget_log();
        // In a folder the turn went with the process; in the table its lease lapses.
        let later = Clock::from_fn(|| Clock::system().now() + Duration::from_secs(120));
        let exporter = bed.exporter_at(later);
        let record = loop {
            match exporter.export(&crashed, Deadline::NONE, &|_| {}).await.unwrap() {
                Ran::Ended(record) => break record,
                Ran::Busy { .. } if !aws => tokio::task::yield_now().await,
                Ran::Busy { until, .. } => panic!("it has not lapsed: {until:?}"),
            }
        };
        assert_eq!((record.state, record.id), (RunState::Succeeded, crashed.run_id));
        bed.assert_whole();
        let log = bed.glean.log();
        assert!(log[0].first && log[0].restart, "{:?}", log[0]);
        assert!(log.iter().filter(|entry| entry.path == "bulkindexteams").all(|entry| !entry.restart));
    }
}

#[tokio::test]
async fn a_crash_right_after_the_last_page_is_made_good_too() {
    let bed = Bed::in_folder(plain(24, 2)).with_small_pages();
    let hold = bed.glean.hold(LAST, When::BeforeAnswered);
    let (crashed, exporter) = (request(), bed.exporter());
    {
        let working = exporter.export(&crashed, Deadline::NONE, &|_| {});
        tokio::select! {
            _ = working => panic!("the answer is held"),
            () = hold.reached() => {}
        }
    }
    hold.release();
    assert_eq!((bed.glean.people().len(), bed.glean.teams().len()), (24, 0));
    loop {
        match exporter.export(&crashed, Deadline::NONE, &|_| {}).await.unwrap() {
            Ran::Ended(record) => break assert_eq!(record.state, RunState::Succeeded),
            Ran::Busy { .. } => tokio::task::yield_now().await,
        }
    }
    bed.assert_whole();
}

fn scheduled() -> Value {
    json!({ "schedule": "arn:aws:scheduler:us-east-1:000000000000:schedule/default/people-export",
        "scheduled_at": "2026-11-22T05:00:00Z" })
}

async fn handle(bed: &Bed, event: Value) -> anyhow::Result<Value> {
    handler::handle(&bed.exporter(), event, &Entropy::system(), Deadline::NONE).await
}

#[tokio::test]
async fn a_schedules_event_twice_is_once() {
    for aws in [false, true] {
        let realm = plain(12, 2);
        let bed = if aws { Bed::on_aws(realm).await } else { Bed::in_folder(realm) };
        let first = handle(&bed, scheduled()).await.unwrap();
        bed.assert_whole();
        let (sent, read) = (bed.glean.log().len(), bed.keycloak.requests().total());
        bed.keycloak.change(|realm| realm.remove_user("u00"));
        let again = handle(&bed, scheduled()).await.unwrap();
        assert_eq!(first, again, "the same summary");
        assert_eq!((bed.glean.log().len(), bed.keycloak.requests().total()), (sent, read), "nothing is read or sent");
        let mut later = scheduled();
        later["scheduled_at"] = json!("2026-11-22T06:00:00Z");
        assert_ne!(handle(&bed, later).await.unwrap()["run"]["id"], first["run"]["id"]);
        bed.assert_whole();
    }
}

#[tokio::test]
async fn an_event_whose_run_failed_runs_again() {
    for aws in [false, true] {
        let realm = plain(12, 2);
        let bed = if aws { Bed::on_aws(realm).await } else { Bed::in_folder(realm) };
        bed.keycloak.fail(KeycloakFaults { count_off_by: 1, ..KeycloakFaults::default() });
        let failed = handle(&bed, scheduled()).await.unwrap_err().to_string();
        assert!(failed.contains("the source counts"), "a failed run is a failed invocation: {failed}");
        assert_eq!(bed.glean.log(), []);
        bed.keycloak.fail(KeycloakFaults::default());
        bed.glean.fail(Faults::rules([Rule::new(Fault::Status(400), On::path("bulkindexteams"))]));
        let failed = handle(&bed, scheduled()).await.unwrap_err().to_string();
        assert!(failed.contains("400"), "{failed}");
        bed.glean.fail(Faults::default());
        let run = handle(&bed, scheduled()).await.unwrap();
        assert_eq!(run["run"]["state"], "succeeded");
        bed.assert_whole();
    }
}

/// Somebody is rejected in most realms: a run that did what it could is not done again.
#[tokio::test]
async fn the_event_of_a_partly_successful_run_is_answered_with_its_summary() {
    let bed = Bed::in_folder(plain(12, 2));
    bed.keycloak.change(|realm| realm.user_mut("u05").unwrap().attributes.clear());
    let first = handle(&bed, scheduled()).await.unwrap();
    assert_eq!(first["run"]["state"], "partly");
    let sent = bed.glean.log().len();
    assert_eq!(handle(&bed, scheduled()).await.unwrap(), first);
    assert_eq!(bed.glean.log().len(), sent);
}
