//! One by one: only what changed is sent.

use crosswalk_runs::RunState;
use crosswalk_stand_ins::glean::{Fault, Faults, On, Rule};
use crosswalk_stand_ins::keycloak::Faults as KeycloakFaults;

use crate::bed::{Bed, reason};
use crate::company::{plain, user};

fn bed() -> Bed {
    Bed::in_folder(plain(30, 3)).with("GLEAN_USE_BULK_INDEX", "false")
}

#[tokio::test]
async fn only_changes_are_sent() {
    let bed = bed();
    bed.export_all().await;
    let sent = bed.sent();
    assert_eq!((sent["indexemployee"], sent["indexteam"], sent.len()), (30, 3, 3), "{sent:?}");
    assert!(bed.glean.most_at_once() <= 4, "{}", bed.glean.most_at_once());
    bed.glean.forget_log();
    bed.keycloak.change(|realm| {
        realm.user_mut("u04").unwrap().attributes.insert("title".to_owned(), vec!["Director".to_owned()]);
        realm.users.push(user("newcomer"));
        realm.remove_user("u29");
    });
    let record = bed.export_all().await;
    let sent = bed.sent();
    assert_eq!((sent["indexemployee"], sent["deleteemployee"], sent["indexteam"]), (2, 1, 1), "{sent:?}");
    assert_eq!((sent["processallemployeesandteams"], sent.len()), (1, 4), "{sent:?}");
    let people = record.parts["people"];
    assert_eq!((people.created, people.updated, people.unchanged, people.deleted), (1, 1, 28, Some(1)));
}

#[tokio::test]
async fn it_goes_on_from_what_a_bulk_upload_left() {
    let bed = Bed::in_folder(plain(30, 3));
    bed.export_all().await;
    let bed = bed.with("GLEAN_USE_BULK_INDEX", "false");
    bed.keycloak.change(|realm| realm.users.push(user("newcomer")));
    bed.glean.forget_log();
    bed.export_all().await;
    assert_eq!(bed.sent()["indexemployee"], 1);
}

#[tokio::test]
async fn an_incomplete_read_deletes_nobody() {
    let bed = bed();
    bed.export_all().await;
    bed.glean.forget_log();
    bed.keycloak.change(|realm| realm.remove_user("u29"));
    bed.keycloak.fail(KeycloakFaults { count_off_by: 1, ..KeycloakFaults::default() });
    let record = bed.export().await;
    assert_eq!((record.state, bed.glean.log(), bed.glean.people().len()), (RunState::Failed, Vec::new(), 30));
}

#[tokio::test]
async fn one_failure_stops_none_of_the_others() {
    let bed = bed();
    let refused = Rule::new(Fault::Status(400), On::path("indexemployee")).skip(3).times(1);
    bed.glean.fail(Faults::rules([refused]));
    let record = bed.export().await;
    assert_eq!((record.state, record.parts["people"].failed), (RunState::Partly, 1), "{}", reason(&record));
    assert_eq!((record.parts["people"].created, bed.glean.people().len(), bed.glean.teams().len()), (29, 29, 3));
    assert!(bed.report(record.reports.failed.as_ref()).await.contains("@example.org,failed,"));
    bed.glean.forget_log();
    bed.export_all().await;
    assert_eq!(bed.sent()["indexemployee"], 1, "only who had failed");
}

#[tokio::test]
async fn a_deletion_that_failed_is_tried_again() {
    let bed = bed();
    bed.export_all().await;
    bed.keycloak.change(|realm| realm.remove_user("u29"));
    bed.glean.fail(Faults::rules([Rule::new(Fault::Status(400), On::path("deleteemployee")).times(1)]));
    let record = bed.export().await;
    assert_eq!((record.state, record.parts["people"].deleted), (RunState::Partly, Some(0)));
    assert_eq!(bed.glean.people().len(), 30);
    let record = bed.export_all().await;
    assert_eq!(record.parts["people"].deleted, Some(1));
}

#[tokio::test]
async fn an_answer_that_was_lost_costs_one_request_more() {
    let bed = bed();
    bed.glean.fail(Faults::rules([Rule::new(Fault::BreakAfter, On::path("indexemployee")).skip(2).times(2)]));
    let record = bed.export_all().await;
    assert_eq!((record.traffic["glean"].retries, bed.sent()["indexemployee"]), (2, 32));
}

#[tokio::test]
async fn who_is_still_in_the_realm_has_not_left() {
    let bed = bed();
    bed.export_all().await;
    // Without a department they cannot be exported any more; they are not deleted for that.
    bed.keycloak.change(|realm| {
        realm.user_mut("u05").unwrap().attributes.clear();
    });
    let record = bed.export().await;
    assert_eq!((record.state, record.parts["people"].rejected), (RunState::Partly, 1));
    assert_eq!((bed.glean.people().len(), record.parts["people"].deleted), (30, Some(0)));
}
