//! What one run may delete, and what it takes to let more through.

use crosswalk_function_kit::metrics::Metrics;
use crosswalk_people_export::glean::Mode;
use crosswalk_people_export::{ExportError, ExportRequest};
use crosswalk_runs::RunState;
use crosswalk_stand_ins::keycloak::RealmSpec;

use crate::bed::{Bed, reason, request};
use crate::company::{plain, user};

fn allowing() -> ExportRequest {
    ExportRequest { allow_removals: true, ..request() }
}

fn without(users: std::ops::Range<usize>) -> impl FnOnce(&mut RealmSpec) {
    move |realm| users.for_each(|n| realm.remove_user(&format!("u{n:02}")))
}

#[tokio::test]
async fn a_run_that_would_delete_too_many_stops_before_its_first_request() {
    for mode in ["true", "false"] {
        let bed = Bed::in_folder(plain(30, 2)).with("GLEAN_USE_BULK_INDEX", mode);
        bed.export_all().await;
        let held = bed.held();
        bed.glean.forget_log();
        // 10 % of 30 are 3.
        bed.keycloak.change(without(0..4));
        let stopped = bed.export().await;
        assert_eq!(stopped.state, RunState::Failed);
        let told = reason(&stopped);
        for word in ["4", "30", "3", "--allow-removals", "EXPORT_MAX_REMOVALS"] {
            assert!(told.contains(word), "{word}: {told}");
        }
        assert_eq!((bed.glean.log(), bed.held()), (Vec::new(), held));
        let again = bed.export().await;
        assert_eq!(again.state, RunState::Failed, "it stays stopped");
        let through = bed.export_as(&allowing()).await;
        assert_eq!((through.state, through.parts["people"].deleted), (RunState::Succeeded, Some(4)));
        bed.assert_whole();
        let forced = bed.glean.log().iter().filter(|entry| entry.force_stale_deletion).count();
        assert_eq!(forced, 0, "13 % need no force");
    }
}

/// The alarm on a guard that stopped a run, and the one on rows that failed, ask for these.
#[tokio::test]
async fn a_stopped_run_is_told_as_a_metric() {
    let mut bed = Bed::in_folder(plain(30, 2));
    let (metrics, lines) = Metrics::kept("people-export");
    bed.metrics = metrics;
    let told =
        |name: &str| -> Vec<u64> { lines.lock().unwrap().iter().filter_map(|line| line[name].as_u64()).collect() };
    bed.export_all().await;
    assert_eq!((told("GuardStops"), told("RunsFailed"), told("RowsRead")), (vec![0], vec![0], vec![32]));
    bed.keycloak.change(without(0..4));
    assert_eq!(bed.export().await.state, RunState::Failed);
    assert_eq!((told("GuardStops"), told("RunsFailed")), (vec![0, 1], vec![0, 1]));
    assert_eq!(told("Calls").len(), 4, "Keycloak's and Glean's of each run");
}

/// Whom Glean held before is not known: were it forced to delete, they would all go with the one who left.
#[tokio::test]
async fn a_small_base_forces_nobody_out() {
    let bed = Bed::in_folder(plain(30, 2));
    bed.export_all().await;
    let fresh = tempfile::TempDir::new().unwrap();
    let bed = bed.with("CROSSWALK_STATE_DIR", fresh.path().to_str().unwrap());
    let trial = ExportRequest { mode: Some(Mode::Individual), max_users: Some(3), ..request() };
    assert_eq!(bed.export_as(&trial).await.state, RunState::Succeeded);
    bed.keycloak.change(without(0..12));
    bed.keycloak.change(|realm| realm.users.push(user("u00")));
    let record = bed.export_as(&request()).await;
    assert_eq!(record.state, RunState::Failed, "two of three");
    bed.keycloak.change(|realm| realm.users.push(user("u01")));
    bed.glean.forget_log();
    let record = bed.export().await;
    assert_eq!((record.state, record.parts["people"].deleted), (RunState::Succeeded, Some(1)), "{}", reason(&record));
    assert_eq!(bed.glean.people().len(), 29, "the one by name, and no stranger");
    assert!(bed.glean.log().iter().all(|entry| !entry.force_stale_deletion));
}

#[tokio::test]
async fn a_stopped_run_names_who_cannot_be_exported() {
    let bed = Bed::in_folder(plain(30, 2));
    bed.export_all().await;
    bed.keycloak.change(|realm| {
        for n in 0..10 {
            realm.user_mut(&format!("u{n:02}")).unwrap().attributes.clear();
        }
    });
    let record = bed.export().await;
    let people = record.parts["people"];
    assert_eq!((record.state, people.read, people.rejected, people.skipped), (RunState::Failed, 30, 10, 20));
    assert!(reason(&record).contains("10 of the 30 people"), "{}", reason(&record));
    assert!(bed.report(record.reports.failed.as_ref()).await.contains(",u03,rejected,"));
}

#[tokio::test]
async fn a_realm_of_which_nobody_can_be_exported_is_a_failure() {
    let bed = Bed::in_folder(plain(12, 2));
    bed.keycloak.change(|realm| realm.users.iter_mut().for_each(|user| user.attributes.clear()));
    let record = bed.export_as(&allowing()).await;
    assert_eq!((record.state, record.parts["people"].rejected, bed.glean.log().len()), (RunState::Failed, 12, 0));
    assert!(reason(&record).contains("none of the realm's users"), "{}", reason(&record));
}

#[tokio::test]
async fn what_the_guard_allows_goes_without_force() {
    let bed = Bed::in_folder(plain(30, 2)).with_small_pages();
    bed.export_all().await;
    bed.keycloak.change(without(0..3));
    let record = bed.export_all().await;
    assert_eq!(record.parts["people"].deleted, Some(3));
    assert!(bed.glean.log().iter().all(|entry| !entry.force_stale_deletion));
}

#[tokio::test]
async fn glean_is_forced_only_where_removals_were_allowed_and_reach_a_fifth() {
    let bed = Bed::in_folder(plain(30, 2)).with_small_pages();
    bed.export_all().await;
    bed.glean.forget_log();
    bed.keycloak.change(without(0..6));
    let record = bed.export_as(&allowing()).await;
    assert_eq!((record.state, record.parts["people"].deleted), (RunState::Succeeded, Some(6)));
    bed.assert_whole();
    let forced: Vec<_> = bed.glean.log().into_iter().filter(|entry| entry.force_stale_deletion).collect();
    assert!(forced.len() == 1 && forced[0].last, "{forced:?}");
}

#[tokio::test]
async fn teams_are_guarded_as_people_are() {
    let bed = Bed::in_folder(plain(30, 10)).with("EXPORT_MAX_REMOVALS", "1");
    bed.export_all().await;
    bed.glean.forget_log();
    bed.keycloak.change(|realm| realm.groups.retain(|group| group.name.as_str() > "g1"));
    let stopped = bed.export().await;
    assert!(stopped.state == RunState::Failed && reason(&stopped).contains("teams"), "{}", reason(&stopped));
    assert_eq!(bed.glean.log(), []);
    let record = bed.export_as(&allowing()).await;
    assert_eq!((record.state, record.parts["teams"].deleted), (RunState::Succeeded, Some(2)));
    bed.assert_whole();
}

#[tokio::test]
async fn where_no_team_is_left_each_is_deleted() {
    for mode in ["true", "false"] {
        let bed = Bed::in_folder(plain(6, 3)).with("GLEAN_USE_BULK_INDEX", mode);
        bed.export_all().await;
        assert_eq!(bed.glean.teams().len(), 3);
        bed.glean.forget_log();
        bed.keycloak.change(|realm| realm.groups.clear());
        let record = bed.export_as(&allowing()).await;
        assert_eq!((record.state, record.parts["teams"].deleted), (RunState::Succeeded, Some(3)));
        bed.assert_whole();
        let sent = bed.sent();
        assert_eq!((sent["deleteteam"], sent.get("bulkindexteams")), (3, None), "{sent:?}");
    }
}

#[tokio::test]
async fn a_first_run_has_no_guard_and_no_limit_holds_a_newcomer() {
    let bed = Bed::in_folder(plain(3, 1)).with("EXPORT_MAX_REMOVALS", "0");
    bed.export_all().await;
    bed.keycloak.change(|realm| realm.users.push(crate::company::user("newcomer")));
    bed.export_all().await;
    bed.keycloak.change(without(0..1));
    assert_eq!(bed.export().await.state, RunState::Failed, "0 lets nobody go");
}

#[tokio::test]
async fn max_users_deletes_nobody() {
    let bed = Bed::in_folder(plain(12, 2));
    bed.export_all().await;
    bed.glean.forget_log();
    let some = ExportRequest { max_users: Some(3), ..request() };
    let refused = bed.try_export(&some).await.unwrap_err();
    assert!(matches!(&refused, ExportError::Refused(told) if told.contains("MAX_USERS")), "{refused}");
    assert_eq!(bed.glean.log(), []);
    let planned = bed.dry_run(&some).await;
    assert!(planned.plan.is_empty() && planned.stopped.is_none(), "{}", planned.plan);

    let bed = bed.with("GLEAN_USE_BULK_INDEX", "false");
    bed.keycloak.change(|realm| {
        for user in &mut realm.users {
            user.last_name = Some("Newname".to_owned());
        }
        realm.remove_user("u11");
    });
    let record = bed.export_as(&some).await;
    let people = record.parts["people"];
    assert_eq!((record.state, people.updated, people.skipped, people.deleted), (RunState::Succeeded, 3, 8, Some(0)));
    assert_eq!((bed.glean.people().len(), bed.sent()["indexemployee"]), (12, 3));
    bed.export_all().await;
}

#[tokio::test]
async fn nobody_is_deleted_where_that_is_set() {
    let bed = Bed::in_folder(plain(12, 2)).with("GLEAN_USE_BULK_INDEX", "false");
    bed.export_all().await;
    let bed = bed.with("GLEAN_DISABLE_STALE_DATA_DELETION", "true");
    bed.keycloak.change(without(0..6));
    let record = bed.export().await;
    assert_eq!((record.state, record.counts.deleted), (RunState::Succeeded, Some(0)), "{}", reason(&record));
    assert_eq!(bed.glean.people().len(), 12);
    let sent = bed.sent();
    assert!(!sent.contains_key("deleteemployee") && !sent.contains_key("deleteteam"), "{sent:?}");
}
