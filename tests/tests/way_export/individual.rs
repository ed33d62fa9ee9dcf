//! One by one: only what changed is sent.

use crosswalk_function_kit::{Deadline, Entropy};
use crosswalk_people_export::handler;
use crosswalk_runs::RunState;
use crosswalk_stand_ins::glean::{Fault, Faults, On, Rule, When};
use crosswalk_stand_ins::keycloak::Faults as KeycloakFaults;
use serde_json::json;

use crate::bed::{Bed, reason, request};
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

/// Glean holds somebody of whom the run never heard that they arrived.
#[tokio::test]
async fn who_was_sent_by_a_run_that_broke_off_is_deleted_when_they_leave() {
    let bed = bed();
    bed.export_all().await;
    bed.keycloak.change(|realm| realm.users.push(user("newcomer")));
    let hold = bed.glean.hold(On::path("indexemployee"), When::BeforeAnswered);
    {
        let (request, exporter) = (request(), bed.exporter());
        tokio::select! {
            _ = exporter.export(&request, Deadline::NONE, &|_| {}) => panic!("the answer is held"),
            () = hold.reached() => {}
        }
    }
    hold.release();
    assert_eq!(bed.glean.people().len(), 31);
    bed.keycloak.change(|realm| realm.remove_user("newcomer"));
    let record = loop {
        match bed.try_export(&request()).await.unwrap() {
            crosswalk_people_export::Ran::Ended(record) => break record,
            crosswalk_people_export::Ran::Busy { .. } => tokio::task::yield_now().await,
        }
    };
    assert_eq!((record.state, record.parts["people"].deleted), (RunState::Succeeded, Some(1)));
    bed.assert_whole();
}

#[tokio::test]
async fn a_change_whose_answers_were_lost_is_not_believed_either_way() {
    let bed = bed();
    bed.export_all().await;
    let title = |title: &'static str| {
        bed.keycloak.change(move |realm| {
            realm.user_mut("u04").unwrap().attributes.insert("title".to_owned(), vec![title.to_owned()]);
        });
    };
    let before = bed.held();
    title("Director");
    bed.glean.fail(Faults::rules([Rule::new(Fault::BreakAfter, On::path("indexemployee"))]));
    let record = bed.export().await;
    assert_eq!((record.state, record.parts["people"].failed), (RunState::Failed, 1), "{}", reason(&record));
    assert_ne!(bed.held(), before, "Glean took it");
    bed.glean.fail(Faults::default());
    bed.keycloak.change(|realm| {
        realm.user_mut("u04").unwrap().attributes.remove("title");
    });
    let record = bed.export().await;
    assert_eq!((record.state, record.parts["people"].updated), (RunState::Succeeded, 1));
}

#[tokio::test]
async fn where_nothing_is_taken_the_invocation_fails() {
    for (status, requests) in [(401, 30), (503, usize::MAX)] {
        let bed = bed();
        bed.glean.fail(Faults::rules([Rule::new(Fault::Status(status), On::default())]));
        let handled = handler::handle(&bed.exporter(), json!({}), &Entropy::system(), Deadline::NONE).await;
        let told = handled.unwrap_err().to_string();
        assert!(told.contains(&status.to_string()), "{told}");
        assert!(bed.glean.log().len() < requests, "a token that is not taken is not tried with everybody");
        bed.glean.fail(Faults::default());
        bed.export_all().await;
    }
}

#[tokio::test]
async fn many_who_are_refused_for_themselves_stop_nobody_else() {
    let bed = Bed::in_folder(plain(80, 3)).with("GLEAN_USE_BULK_INDEX", "false");
    bed.export_all().await;
    bed.keycloak.change(|realm| {
        for n in 0..79 {
            let title = vec!["Director".to_owned()];
            realm.user_mut(&format!("u{n:02}")).unwrap().attributes.insert("title".to_owned(), title);
        }
        realm.remove_user("u79");
    });
    bed.glean.fail(Faults::rules([Rule::new(Fault::Status(400), On::path("indexemployee")).times(70)]));
    let record = bed.export().await;
    let people = record.parts["people"];
    assert_eq!((record.state, people.failed, people.updated, people.deleted), (RunState::Partly, 70, 9, Some(1)));
}
