//! Who is in the table has an account.

use crosswalk_runs::RunState;

use crate::bed::{Bed, many, refs};

#[tokio::test]
async fn people_get_accounts_as_the_import_makes_them_and_a_second_run_writes_nothing() {
    let bed =
        Bed::with_people(&["k1,Ada@Example.org,Ada.L,Ada,Lovelace", "k2,bo@example.org,,Bo,", "k3,,cy,Cy,"]).await;
    let record = bed.sync().await;
    assert_eq!(record.state, RunState::Partly);
    assert_eq!((record.counts.read, record.counts.created, record.counts.rejected), (3, 2, 1));
    assert_eq!(bed.failed(&record).await, ["person,k3,row 3,rejected,it has no e-mail"]);
    let accounts = bed.accounts().await;
    let ada = &accounts["ada"];
    assert_eq!((ada.enabled, ada.status.as_str()), (true, "CONFIRMED"));
    for (name, value) in [
        ("email", "ada@example.org"),
        ("email_verified", "true"),
        ("preferred_username", "Ada.L"),
        ("given_name", "Ada"),
        ("family_name", "Lovelace"),
    ] {
        assert_eq!(ada.attributes[name], value);
    }
    assert!(!accounts["bo"].attributes.contains_key("preferred_username"));

    let (before, accounts) = bed.everything().await;
    let again = bed.sync().await;
    assert_eq!((again.counts.unchanged, again.counts.rejected), (2, 1));
    let cognito = again.traffic["cognito"];
    assert!(cognito.requests <= 2, "the pool's description and a page of accounts: {cognito:?}");
    let (after, accounts_after) = bed.everything().await;
    assert_eq!(accounts, accounts_after);
    let state = "state/directory-sync/staff.txt";
    assert_ne!(before.get(state), None);
    // The run's id stands in it: which run counted absences last. Nothing else differs.
    let without_head = |text: &[u8]| String::from_utf8(text.to_vec()).unwrap().split_once('\n').unwrap().1.to_owned();
    assert_eq!(without_head(&before[state]), without_head(&after[state]));
}

#[tokio::test]
async fn what_changes_in_the_table_changes_in_the_pool() {
    let bed = Bed::with_people(&["k1,ada@example.org,ada,Ada,Byron", "k2,bo@example.org,bo,Bo,"]).await;
    bed.sync_all().await;
    let id = bed.accounts().await["ada"].id.clone();
    // Case alone is no other e-mail.
    bed.set_people(&["k1,ADA@example.org,ada,Ada,Byron", "k2,bo@example.org,bo,Bo,"]).await;
    let record = bed.sync_all().await;
    assert_eq!((record.counts.unchanged, record.counts.updated), (2, 0));

    bed.set_people(&["k1,lovelace@example.org,ada.l,Ada,Lovelace", "k2,bo@example.org,bo,Bo,"]).await;
    let record = bed.sync_all().await;
    assert_eq!((record.counts.unchanged, record.counts.updated), (1, 1));
    let accounts = bed.accounts().await;
    let ada = &accounts["lovelace"];
    assert_eq!((&ada.id, ada.attributes["family_name"].as_str()), (&id, "Lovelace"));
    assert_eq!(
        (ada.attributes["preferred_username"].as_str(), ada.attributes["email_verified"].as_str()),
        ("ada.l", "true")
    );
}

#[tokio::test]
async fn two_people_swap_their_e_mails() {
    let bed = Bed::with_people(&["k1,ada@example.org,ada", "k2,bo@example.org,bo", "k3,cy@example.org,cy"]).await;
    bed.sync_all().await;
    let before = bed.accounts().await;
    bed.set_people(&["k1,bo@example.org,ada", "k2,ada@example.org,bo", "k3,cy@example.org,cy"]).await;
    let record = bed.sync_all().await;
    assert_eq!((record.counts.updated, record.counts.unchanged), (2, 1));
    let after = bed.accounts().await;
    assert_eq!((&after["ada"].id, &after["bo"].id), (&before["bo"].id, &before["ada"].id));
    // A circle of three is left to people: Cognito has no transaction.
    bed.set_people(&["k1,cy@example.org,ada", "k2,bo@example.org,bo", "k3,ada@example.org,cy"]).await;
    let record = bed.sync().await;
    assert_eq!((record.state, record.counts.conflict), (RunState::Partly, 3));
    assert_eq!(bed.accounts().await, after);
}

#[tokio::test]
async fn of_two_people_with_one_e_mail_neither_is_guessed() {
    let bed = Bed::with_people(&["k1,ada@example.org,ada", "k2,Ada@example.org,bo", "k3,cy@example.org,cy"]).await;
    let record = bed.sync().await;
    assert_eq!((record.counts.conflict, record.counts.created), (2, 1));
    assert_eq!(bed.enabled().await, ["cy"]);
    assert_eq!(bed.failed(&record).await.len(), 2);
}

#[tokio::test]
async fn an_account_that_stands_is_adopted_or_reported() {
    for adopt in ["true", "false"] {
        let bed =
            Bed::with_people(&["k1,ada@example.org,ada,Ada,", "k2,bo@example.org,bo"]).await.with("SYNC_ADOPT", adopt);
        let create = bed.cognito().admin_create_user().user_pool_id(&bed.aws.names.pool_id).username("ada@example.org");
        create.message_action("SUPPRESS".into()).send().await.unwrap();
        let before = bed.accounts().await;
        let record = bed.sync().await;
        let after = bed.accounts().await;
        assert_eq!(after["ada"].id, before["ada"].id);
        if adopt == "true" {
            assert_eq!((record.counts.updated, record.counts.created), (1, 1));
            assert_eq!(after["ada"].attributes["given_name"], "Ada");
        } else {
            assert_eq!((record.counts.conflict, record.counts.created), (1, 1));
            assert_eq!(after["ada"], before["ada"]);
            assert!(bed.failed(&record).await[0].contains(&before["ada"].id));
        }
    }
}

#[tokio::test]
async fn several_pages_of_people_and_accounts() {
    let people = many(0, 150);
    let bed = Bed::with_people(&refs(&people)).await;
    assert_eq!(bed.sync_all().await.counts.created, 150);
    let record = bed.sync_all().await;
    assert_eq!(record.counts.unchanged, 150);
    assert_eq!(record.traffic["cognito"].requests, 1 + 3, "the pool's description, and three pages of 60");
}
