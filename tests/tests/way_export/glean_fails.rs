//! A Glean that fails: what may pass is tried again, what was lost is begun anew, and nobody is dropped on the way.

use crosswalk_runs::RunState;
use crosswalk_stand_ins::glean::{Fault, Faults, On, Random, Rule};

use crate::bed::{Bed, reason};
use crate::company::plain;

const PEOPLE: On = On::path("bulkindexemployees");
const TEAMS: On = On::path("bulkindexteams");

#[tokio::test]
async fn thirty_in_a_hundred_requests_fail() {
    for (mode, seed) in [("true", 1), ("true", 2), ("false", 3), ("false", 4)] {
        let bed = Bed::in_folder(plain(40, 8)).with("GLEAN_PAGE_SIZE", "2").with("GLEAN_USE_BULK_INDEX", mode);
        bed.glean.fail(Faults { random: Some(Random::new(0.3, seed)), ..Faults::default() });
        let record = bed.export_all().await;
        let failed = bed.glean.log().iter().filter(|entry| entry.status != Some(200)).count() as u64;
        assert!(failed > 3 && record.traffic["glean"].retries == failed, "{failed}, {:?}", record.traffic);
    }
}

#[tokio::test]
async fn an_answer_that_was_lost_is_made_good_by_the_next_run() {
    for (name, on) in [("people", PEOPLE), ("teams", TEAMS)] {
        for (at, on) in [("first", on.first_page()), ("last", on.last_page())] {
            let bed = Bed::in_folder(plain(24, 6)).with_small_pages();
            bed.export_all().await;
            bed.keycloak.change(|realm| realm.remove_user("u00"));
            bed.glean.fail(Faults::rules([Rule::new(Fault::BreakAfter, on).times(1)]));
            let record = bed.export().await;
            assert_eq!(record.state, RunState::Failed, "{at} page of {name}");
            assert!(reason(&record).contains("409"), "{}", reason(&record));
            assert!(reason(&record).contains("restart"), "{}", reason(&record));
            bed.glean.forget_log();
            bed.export_all().await;
            let first = bed.glean.log().into_iter().find(|entry| entry.first && entry.path.ends_with(name_of(name)));
            assert!(first.unwrap().restart, "{at} page of {name}");
            bed.glean.forget_log();
            bed.export_all().await;
            assert!(bed.glean.log().iter().all(|entry| !entry.restart), "once");
        }
    }
}

fn name_of(kind: &str) -> &'static str {
    if kind == "people" { "employees" } else { "teams" }
}

#[tokio::test]
async fn a_page_in_the_middle_may_come_twice() {
    let bed = Bed::in_folder(plain(24, 2)).with_small_pages();
    let lost = Rule::new(Fault::BreakAfter, PEOPLE.not_last_page()).skip(1).times(1);
    bed.glean.fail(Faults::rules([lost]));
    let record = bed.export_all().await;
    assert_eq!(record.traffic["glean"].retries, 1);
}

#[tokio::test]
async fn another_upload_under_way_is_a_conflict_that_the_next_run_clears() {
    let bed = Bed::in_folder(plain(24, 2)).with_small_pages();
    bed.export_all().await;
    // Somebody else's, whom no lease of ours keeps out.
    let url = format!("{}/api/index/v1/bulkindexemployees", bed.glean.url());
    let page = serde_json::json!({ "uploadId": "other", "isFirstPage": true,
        "employees": [{ "email": "other@example.org", "department": "Other" }] });
    let other = reqwest::Client::new().post(url).bearer_auth("stand-in-token").json(&page).send().await.unwrap();
    assert_eq!(other.status().as_u16(), 200);
    let record = bed.export().await;
    assert_eq!(record.state, RunState::Failed);
    assert!(reason(&record).contains("409"), "{}", reason(&record));
    assert_eq!(bed.glean.people().len(), 24);
    bed.export_all().await;
}

#[tokio::test]
async fn an_upload_that_fails_for_good_is_left_unfinished_and_nobody_is_stale() {
    for fault in [Fault::Status(503), Fault::Status(400), Fault::BreakBefore] {
        let bed = Bed::in_folder(plain(24, 2)).with_small_pages();
        bed.export_all().await;
        let held = bed.held();
        bed.keycloak.change(|realm| realm.remove_user("u00"));
        bed.glean.fail(Faults::rules([Rule::new(fault, PEOPLE.last_page())]));
        bed.glean.forget_log();
        let record = bed.export().await;
        assert_eq!(record.state, RunState::Failed, "{fault:?}");
        assert_eq!(bed.held(), held, "{fault:?}");
        assert!(bed.glean.unfinished().0.is_some());
        assert!(!bed.sent().contains_key("bulkindexteams"), "teams wait for people: {:?}", bed.sent());
        bed.glean.fail(Faults::default());
        bed.export_all().await;
    }
}

#[tokio::test]
async fn retry_after_is_obeyed() {
    let bed = Bed::in_folder(plain(6, 1));
    bed.glean.fail(Faults::rules([Rule::new(Fault::Throttle(Some(2)), PEOPLE).times(1)]));
    bed.export_all().await;
    let log = bed.glean.log();
    assert_eq!((log[0].status, log[1].path.as_str()), (Some(429), "bulkindexemployees"));
    assert!((log[1].at - log[0].at).as_secs() >= 2, "{:?}", log[1].at - log[0].at);
    assert_eq!(log[0].upload_id, log[1].upload_id, "never under another id");
}

#[tokio::test]
async fn pages_that_are_too_large_are_halved() {
    let bed = Bed::in_folder(plain(40, 4));
    bed.glean.fail(Faults { max_bytes: Some(6_000), ..Faults::default() });
    bed.export_all().await;
    let log = bed.glean.log();
    assert!(log.iter().any(|entry| entry.status == Some(413)));
    let taken = log.iter().filter(|entry| entry.status == Some(200) && entry.path == "bulkindexemployees");
    assert_eq!(taken.map(|entry| entry.items).sum::<usize>(), 40);
    let ids: std::collections::BTreeSet<_> =
        log.iter().filter(|entry| entry.path == "bulkindexemployees").map(|entry| entry.upload_id.clone()).collect();
    assert_eq!(ids.len(), 1, "one upload");
}

#[tokio::test]
async fn where_bulk_is_gone_the_run_goes_on_one_by_one() {
    for gone in [vec!["bulkindexemployees", "bulkindexteams"], vec!["bulkindexemployees"], vec!["bulkindexteams"]] {
        let bed = Bed::in_folder(plain(24, 4));
        bed.export_all().await;
        bed.keycloak.change(|realm| {
            realm.remove_user("u00");
            realm.user_mut("u01").unwrap().last_name = Some("Newname".to_owned());
        });
        bed.glean.fail(Faults { gone: gone.clone(), ..Faults::default() });
        bed.glean.forget_log();
        let record = bed.export_all().await;
        assert!(record.warnings.iter().any(|told| told.reason.contains("410")), "{:?}", record.warnings);
        assert_eq!((record.parts["people"].updated, record.parts["people"].deleted), (1, Some(1)), "{gone:?}");
        if gone.contains(&"bulkindexemployees") {
            let sent = bed.sent();
            assert_eq!((sent["indexemployee"], sent["deleteemployee"], sent["indexteam"]), (1, 1, 1), "{sent:?}");
        }
    }
}

/// The people were uploaded in bulk and are to be processed, although no team has changed.
#[tokio::test]
async fn where_bulk_is_gone_for_teams_alone_the_people_are_processed() {
    let bed = Bed::in_folder(plain(12, 2));
    bed.export_all().await;
    bed.glean.forget_log();
    bed.glean.fail(Faults::rules([Rule::new(Fault::Status(410), On::path("bulkindexteams"))]));
    bed.export_all().await;
    let sent = bed.sent();
    assert_eq!((sent["bulkindexemployees"], sent["processallemployeesandteams"]), (1, 1), "{sent:?}");
}
