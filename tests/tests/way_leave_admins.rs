//! Leave administrators: a CSV in S3 becomes Cognito accounts, people with a role, and employer links.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be set up ends it")]

use aws_sdk_cognitoidentityprovider as cognito;
use crosswalk_runs::{Outcome, RunState};
use crosswalk_tests::{House, s3_client};
use serde_json::json;

const EMPLOYERS: &str = include_str!("../fixtures/employers.csv");
const LEAVE_ADMINS: &str = include_str!("../fixtures/leave-admins.csv");

async fn accounts(house: &House) -> Vec<cognito::types::UserType> {
    let client = cognito::Client::new(&house.aws.config);
    let users = client.list_users().user_pool_id(&house.aws.names.pool_id).send().await.unwrap();
    users.users().to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn five_rows_three_emails_four_feins_make_three_accounts_and_five_links() {
    let house = House::start().await.unwrap();
    let employers = house.import("imports/employers/2026.csv", EMPLOYERS).await.unwrap();
    assert_eq!((employers.state, employers.counts.created), (RunState::Succeeded, 4));

    let run = house.import("imports/leave-admins/first.csv", LEAVE_ADMINS).await.unwrap();
    assert_eq!(run.state, RunState::Succeeded, "{run:?}");
    assert_eq!((run.counts.read, run.counts.created), (5, 5));
    assert_eq!(run.kind, "leave-admins");

    let accounts = accounts(&house).await;
    assert_eq!(accounts.len(), 3);
    for account in &accounts {
        assert_eq!(account.user_status().map(|status| status.as_str()), Some("CONFIRMED"));
    }

    let mut links = 0;
    for (username, expected) in [("anna@example.org", 2), ("ben@example.org", 1), ("CARLA@example.org", 2)] {
        let (status, person) = house.get(&format!("/people/{username}")).await.unwrap();
        assert_eq!(status, 200, "{person}");
        assert_eq!(person["roles"], json!(["EMPLOYER"]));
        assert_eq!(person["links"].as_array().unwrap().len(), expected, "{person}");
        links += expected;
    }
    assert_eq!(links, 5);

    let (_, employer) = house.get("/employers/000123450").await.unwrap();
    assert_eq!(employer["administrators"][0]["username"], "Carla@Example.org");

    let succeeded = house.report(run.reports.succeeded.as_ref()).await.unwrap();
    assert_eq!(succeeded.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 3, 4, 5, 6]);
    assert_eq!(succeeded[2].cells[3], "People, and places");

    // Dropped in again: a new run, and nothing to do.
    house.drop_file("imports/leave-admins/first.csv", LEAVE_ADMINS).await.unwrap();
    let runs = house.ended_runs("imports/leave-admins/first.csv", 2).await.unwrap();
    assert_ne!(runs[0].id, runs[1].id);
    assert_eq!(runs[1].counts.unchanged, 5, "{:?}", runs[1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bom_and_windows_line_ends_change_nothing() {
    let house = House::start().await.unwrap();
    house.import("imports/employers/2026.csv", EMPLOYERS).await.unwrap();
    let windows = format!("\u{feff}{}", LEAVE_ADMINS.replace('\n', "\r\n"));
    let run = house.import("imports/leave-admins/bom.csv", windows).await.unwrap();
    assert_eq!((run.state, run.counts.created), (RunState::Succeeded, 5), "{run:?}");
    let succeeded = house.report(run.reports.succeeded.as_ref()).await.unwrap();
    assert_eq!(succeeded.iter().map(|row| row.line).collect::<Vec<_>>(), [2, 3, 4, 5, 6]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_misspelt_header_rejects_the_file_and_says_what_was_meant() {
    let house = House::start().await.unwrap();
    let misspelt = LEAVE_ADMINS.replacen("fein", "fien", 1);
    let run = house.import("imports/leave-admins/misspelt.csv", misspelt).await.unwrap();
    assert_eq!((run.state, run.counts.read), (RunState::Failed, 0), "{run:?}");
    let reason = &run.reasons[0].reason;
    assert!(reason.contains("fein") && reason.contains("fien"), "{reason}");
    assert_eq!(accounts(&house).await.len(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_bad_row_is_named_and_the_others_go_on() {
    let house = House::start().await.unwrap();
    house.import("imports/employers/2026.csv", EMPLOYERS).await.unwrap();
    let file = "fein,email\n\
        04-2127847,dora@example.org\n\
        ,empty@example.org\n\
        12x,letters@example.org\n\
        987654321,not-an-address\n\
        555555555,unknown@example.org\n\
        123456789,=cmd@example.org\n\
        123456789,emil@example.org\n";
    let run = house.import("imports/leave-admins/mixed.csv", file).await.unwrap();
    assert_eq!(run.state, RunState::Partly);
    let counts = run.counts;
    assert_eq!(counts.read, 7);
    assert_eq!(counts.read, counts.created + counts.rejected + counts.failed, "{counts:?}");
    let failed = house.report(run.reports.failed.as_ref()).await.unwrap();
    assert_eq!(failed.iter().map(|row| row.line).collect::<Vec<_>>()[..4], [3, 4, 5, 6]);
    assert!(failed[3].reason.to_lowercase().contains("employer"), "{failed:?}");
    for row in &failed {
        assert!(!row.reason.is_empty());
        assert_ne!(row.outcome, Outcome::Created.as_str());
    }
    // An unknown employer makes no account; the two good rows (and at most the odd address) do.
    let names: Vec<String> = accounts(&house)
        .await
        .iter()
        .flat_map(|account| account.attributes().iter().filter(|a| a.name() == "email").filter_map(|a| a.value()))
        .map(str::to_owned)
        .collect();
    assert!(names.contains(&"dora@example.org".to_owned()) && names.contains(&"emil@example.org".to_owned()));
    assert!(!names.contains(&"unknown@example.org".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_csv_can_be_mended_and_dropped_back_in() {
    let house = House::start().await.unwrap();
    house.import("imports/employers/2026.csv", EMPLOYERS).await.unwrap();
    let file = "fein,email,note\n555555555,fred@example.org,=1+1\n123456789,gina@example.org,plain\n";
    let run = house.import("imports/leave-admins/again.csv", file).await.unwrap();
    assert_eq!((run.counts.created, run.counts.read), (1, 2), "{run:?}");
    let report = house.object(run.reports.failed.as_ref().unwrap()).await.unwrap();
    let text = String::from_utf8(report.clone()).unwrap();
    assert!(text.contains("'=1+1"), "a cell that a spreadsheet would run is guarded: {text}");

    house.import("imports/employers/late.csv", "fein,name\n555555555,Latecomer\n").await.unwrap();
    let again = house.import("imports/leave-admins/failed.csv", report).await.unwrap();
    assert_eq!((again.state, again.counts.created, again.counts.read), (RunState::Succeeded, 1, 1), "{again:?}");
    let succeeded = house.report(again.reports.succeeded.as_ref()).await.unwrap();
    assert_eq!(succeeded.len(), 1);
    // The guard came off on the way in and is put on again on the way out: once, not twice.
    assert!(succeeded[0].cells.contains(&"'=1+1".to_owned()), "{succeeded:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_do_not_trigger_another_run() {
    let house = House::start().await.unwrap();
    let run = house.import("imports/employers/2026.csv", EMPLOYERS).await.unwrap();
    let summary: serde_json::Value =
        serde_json::from_slice(&house.object(run.reports.summary.as_ref().unwrap()).await.unwrap()).unwrap();
    assert_eq!(summary["id"], run.id.as_str());
    assert_eq!(summary["counts"]["created"], 4);
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    let (_, runs) = house.get("/runs").await.unwrap();
    assert_eq!(runs["items"].as_array().unwrap().len(), 1, "{runs}");
    let objects = s3_client(&house.aws).list_objects_v2().bucket(&house.aws.names.bucket).send().await.unwrap();
    assert!(objects.contents().iter().all(|o| {
        let key = o.key().unwrap_or_default();
        key.starts_with("imports/") || key.starts_with(&format!("reports/{}/", run.id))
    }));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_somebody_disabled_fails_its_row_and_stays_so() {
    let house = House::start().await.unwrap();
    house.import("imports/employers/2026.csv", EMPLOYERS).await.unwrap();
    house.import("imports/leave-admins/first.csv", LEAVE_ADMINS).await.unwrap();
    let client = cognito::Client::new(&house.aws.config);
    let pool = &house.aws.names.pool_id;
    client.admin_disable_user().user_pool_id(pool).username("ben@example.org").send().await.unwrap();

    let run = house.import("imports/leave-admins/again.csv", LEAVE_ADMINS).await.unwrap();
    assert_eq!((run.state, run.counts.failed, run.counts.unchanged), (RunState::Partly, 1, 4), "{run:?}");
    let failed = house.report(run.reports.failed.as_ref()).await.unwrap();
    assert!(failed[0].line == 4 && failed[0].reason.contains("disabled"), "{failed:?}");
    let account = client.admin_get_user().user_pool_id(pool).username("ben@example.org").send().await.unwrap();
    assert!(!account.enabled());
}
