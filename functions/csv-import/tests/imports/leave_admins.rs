use aws_sdk_cognitoidentityprovider::types::{AttributeType, MessageActionType};
use crosswalk_function_kit::Clock;
use crosswalk_identity::Username;
use crosswalk_runs::{Outcome, RunState};

use crate::bench::{Bench, EMPLOYERS, LEAVE_ADMINS, deliver, outcomes, told};

async fn with_employers() -> Bench {
    let bench = Bench::start().await;
    let run = bench.drop_in("imports/employers/employers.csv", EMPLOYERS).await;
    assert_eq!((run.state, run.counts.created), (RunState::Succeeded, 4));
    bench
}

fn confirmed(emails: &[&str]) -> Vec<(String, String)> {
    emails.iter().map(|email| ((*email).to_owned(), "CONFIRMED".to_owned())).collect()
}

#[tokio::test]
async fn five_rows_make_three_accounts_and_five_links() {
    let bench = with_employers().await;
    let run = bench.drop_in("imports/leave-admins/test users.csv", LEAVE_ADMINS).await;
    assert_eq!((run.state, run.kind.as_str()), (RunState::Succeeded, "leave-admins"));
    assert_eq!((run.counts.read, run.counts.created), (5, 5));
    assert_eq!(run.progress.percent, Some(100.0));
    assert_eq!(
        bench.accounts().await.into_iter().map(|(email, status)| (email.to_lowercase(), status)).collect::<Vec<_>>(),
        confirmed(&["bruce@example.org", "charles@example.org", "dunkin@example.org"])
    );
    assert_eq!(bench.links_of("bruce@example.org").await, ["111111111", "847847847"]);
    assert_eq!(bench.links_of("charles@example.org").await, ["222222222"]);
    assert_eq!(bench.links_of("dunkin@example.org").await, ["114444444", "222222222"]);
    let person = bench.people().person(&Username::parse("charles@example.org").unwrap()).await.unwrap().unwrap();
    assert_eq!(
        (person.username.as_str(), person.roles.as_slice()),
        ("Charles@example.org", ["EMPLOYER".to_owned()].as_slice())
    );

    let again = bench.drop_in("imports/leave-admins/test users.csv", LEAVE_ADMINS).await;
    assert_ne!(again.id, run.id);
    assert_eq!((again.state, again.counts.unchanged), (RunState::Succeeded, 5));
}

#[tokio::test]
async fn a_byte_order_mark_semicolons_and_crlf_change_nothing() {
    let bench = with_employers().await;
    let text = format!("\u{feff}{}", LEAVE_ADMINS.replace(',', ";").replace('\n', "\r\n"));
    let run = bench.drop_in("imports/leave-admins/bom.csv", text).await;
    assert_eq!((run.state, run.counts.created), (RunState::Succeeded, 5));
    assert_eq!(outcomes(&bench.succeeded(&run).await).iter().map(|row| row.0).collect::<Vec<_>>(), [2, 3, 4, 5, 6]);
}

#[tokio::test]
async fn a_misspelt_header_is_a_failed_run_that_says_so() {
    let bench = with_employers().await;
    let run = bench.drop_in("imports/leave-admins/broken.csv", LEAVE_ADMINS.replace("fein", "fien")).await;
    assert_eq!((run.state, run.counts.read), (RunState::Failed, 0));
    assert!(run.reasons[0].reason.contains("Did you mean `fein` by `fien`?"), "{:?}", run.reasons);
    assert!(bench.accounts().await.is_empty());
    let summary = bench.object(run.reports.summary.as_deref().unwrap()).await;
    assert_eq!(serde_json::from_str::<crosswalk_runs::RunRecord>(&summary).unwrap(), run);
}

#[tokio::test]
async fn an_unknown_employer_makes_no_account_and_the_others_go_on() {
    let bench = with_employers().await;
    let text = "fein,email\n999999998,lee@example.org\n,mia@example.org\n847847847,bruce@example.org\n";
    let run = bench.drop_in("imports/leave-admins/a.csv", text).await;
    assert_eq!((run.state, run.counts.created, run.counts.rejected), (RunState::Partly, 1, 2));
    assert_eq!(bench.accounts().await, confirmed(&["bruce@example.org"]));
    let failed = told(&bench.failed(&run).await);
    assert_eq!(failed[0].0, 2);
    assert!(failed[0].2.contains("import the employer first"), "{failed:?}");
    assert!(failed[1].2.contains("the FEIN is empty"), "{failed:?}");
    // Nothing of a person in what is counted and logged.
    assert!(run.reasons.iter().all(|reason| !reason.reason.contains('@') && !reason.reason.contains("999999998")));
}

#[tokio::test]
async fn a_stuck_account_is_repaired_and_a_confirmed_one_is_left() {
    let bench = with_employers().await;
    let cognito = aws_sdk_cognitoidentityprovider::Client::new(&bench.testbed.config);
    let pool = &bench.testbed.names.pool_id;
    let create = async |email: &str| {
        let attribute = |name: &str, value: &str| AttributeType::builder().name(name).value(value).build().unwrap();
        let create = cognito.admin_create_user().user_pool_id(pool).username(email);
        let create =
            create.user_attributes(attribute("email", email)).user_attributes(attribute("email_verified", "true"));
        create.message_action(MessageActionType::Suppress).send().await.unwrap();
    };
    create("bruce@example.org").await;
    create("dunkin@example.org").await;
    let set = cognito.admin_set_user_password().user_pool_id(pool).username("dunkin@example.org");
    set.password("Own-Passw0rd!").permanent(true).send().await.unwrap();
    let first = bench
        .drop_in(
            "imports/leave-admins/a.csv",
            "fein,email\n847847847,bruce@example.org\n114444444,dunkin@example.org\n",
        )
        .await;
    // New links, whatever the accounts were.
    assert_eq!((first.state, first.counts.created), (RunState::Succeeded, 2));
    assert_eq!(bench.accounts().await, confirmed(&["bruce@example.org", "dunkin@example.org"]));
    let reasons = told(&bench.succeeded(&first).await);
    assert!(reasons[0].2.contains("stuck") && !reasons[1].2.contains("account"), "{reasons:?}");
}

#[tokio::test]
async fn a_pool_that_does_not_do_fails_the_run_and_not_each_row() {
    let bench = with_employers().await;
    let environment = bench.environment().with("COGNITO_IDENTITY_POOL_ID", "us-east-1_Absent000");
    let importer = bench.importer_with(&environment, Clock::system());
    let run = deliver(&importer, bench.put("imports/leave-admins/a.csv", LEAVE_ADMINS).await).await;
    assert_eq!((run.state, run.counts.read), (RunState::Failed, 5));
    assert_eq!(run.counts.failed + run.counts.skipped, 5);
    assert!(run.reasons[0].reason.contains("COGNITO_IDENTITY_POOL_ID"), "{:?}", run.reasons);
    assert_eq!(outcomes(&bench.failed(&run).await).len(), 5);

    let environment = bench.environment().with("COGNITO_IDENTITY_POOL_ID", "");
    let importer = bench.importer_with(&environment, Clock::system());
    let run = deliver(&importer, bench.put("imports/leave-admins/b.csv", LEAVE_ADMINS).await).await;
    assert_eq!(run.state, RunState::Failed);
    assert!(run.reasons[0].reason.contains("COGNITO_IDENTITY_POOL_ID is not set"), "{:?}", run.reasons);
}

#[tokio::test]
async fn a_repeat_after_a_crash_tells_the_first_outcomes_again() {
    let bench = with_employers().await;
    let text = format!("{LEAVE_ADMINS}222222222,charles@example.org,again\n");
    let event = bench.put("imports/leave-admins/a.csv", text).await;
    let first = deliver(&bench.importer(), event.clone()).await;
    let (succeeded, failed) = (bench.succeeded(&first).await, bench.failed(&first).await);
    assert_eq!((first.counts.created, first.counts.unchanged), (5, 1));
    crate::deliveries::forget_the_end(&bench, &first).await;
    let second = deliver(&bench.importer(), event).await;
    assert_eq!((second.id.as_str(), second.state), (first.id.as_str(), RunState::Succeeded));
    // Accounts bear no mark; the links that each row made do.
    assert_eq!(second.counts, first.counts);
    assert_eq!(outcomes(&bench.succeeded(&second).await), outcomes(&succeeded));
    assert_eq!(bench.failed(&second).await, failed);
    assert_eq!(Outcome::Created.as_str(), "created");
}
