//! What one account's row holds afterwards.

use crosswalk_directory_sync::Field;

use crate::bed::{Bed, activate, create, deactivate, delete, update};

#[tokio::test]
async fn an_account_lives_its_life() {
    let mut bed = Bed::new("rows").await;
    let created = bed.take(vec![create("Ada", "Ada Lovelace")]).await["Ada"].clone().unwrap();
    let account = bed.accounts().await.remove("ada@example.org").unwrap();
    assert_eq!((&account.id, account.active, account.version), (&created.account, true, 1));
    assert_eq!(account.fields.username.as_deref(), Some("ada"));
    assert_eq!(account.fields.displayname.as_deref(), Some("Ada"));
    let row =
        "SELECT (domain, password, confirmed_at = created, updated = created, profile, blocked_at) FROM accounts_user";
    assert_eq!(bed.ask(row).await, r#"(example.org,,t,t,"{""full_name"": ""Ada Lovelace""}",)"#);

    // Another module's key stays, and so does what the step does not name.
    bed.run("UPDATE accounts_user SET profile = profile || '{\"affiliations\": \"Analytical Society\"}'").await;
    let step = update(&account, &[(Field::Email, "ada@sub.example.org"), (Field::FullName, "Ada King")]);
    assert!(bed.take(vec![step]).await[&*account.id].is_ok());
    let row = "SELECT (username, domain, profile, version_id, updated > created) FROM accounts_user";
    assert_eq!(
        bed.ask(row).await,
        r#"(ada,sub.example.org,"{""full_name"": ""Ada King"", ""affiliations"": ""Analytical Society""}",2,t)"#
    );

    let account = bed.accounts().await.remove("ada@sub.example.org").unwrap();
    assert!(bed.take(vec![deactivate(&account)]).await[&*account.id].is_ok());
    let account = bed.accounts().await.remove("ada@sub.example.org").unwrap();
    assert!(!account.active && account.version == 3);
    assert!(bed.take(vec![activate(&account)]).await[&*account.id].is_ok());
    let account = bed.accounts().await.remove("ada@sub.example.org").unwrap();
    assert!(account.active && account.version == 4);
    // Nothing to change: the row is as it was.
    assert!(bed.take(vec![update(&account, &[])]).await[&*account.id].is_ok());
    assert_eq!(bed.accounts().await["ada@sub.example.org"].version, 4);
    assert!(bed.take(vec![delete(&account)]).await[&*account.id].is_ok());
    assert!(bed.accounts().await.is_empty());
}

#[tokio::test]
async fn a_profile_that_is_none_becomes_one() {
    let mut bed = Bed::with("rows_profile", &[("INVENIO_CONFIRM", "false")]).await;
    bed.take(["ada", "bob", "cyd"].map(|name| create(name, name)).into()).await;
    bed.run(
        "UPDATE accounts_user SET profile = CASE username WHEN 'ada' THEN NULL WHEN 'bob' THEN '[1]'::jsonb ELSE 'null' END, \
         active = NULL",
    )
    .await;
    let accounts = bed.accounts().await;
    let steps = accounts.values().map(|account| update(account, &[(Field::FullName, "New")])).collect();
    assert!(bed.take(steps).await.values().all(Result::is_ok));
    let odd =
        "SELECT count(*) FROM accounts_user WHERE profile <> '{\"full_name\": \"New\"}' OR confirmed_at IS NOT NULL";
    assert_eq!(bed.ask(odd).await, "0");
    assert!(bed.accounts().await.values().all(|account| !account.active));
    // A change of something else leaves a null alone.
    bed.run("UPDATE accounts_user SET profile = NULL").await;
    let steps = bed.accounts().await.values().map(activate).collect();
    assert!(bed.take(steps).await.values().all(Result::is_ok));
    assert_eq!(bed.ask("SELECT count(*) FROM accounts_user WHERE profile IS NULL AND active").await, "3");
}

#[tokio::test]
async fn other_modules_rows_keep_an_account() {
    let mut bed = Bed::new("rows_delete").await;
    bed.run("CREATE TABLE oauthclient_remoteaccount (user_id int NOT NULL REFERENCES accounts_user)").await;
    bed.take(["ada", "bob"].map(|name| create(name, name)).into()).await;
    bed.run("INSERT INTO oauthclient_remoteaccount SELECT id FROM accounts_user WHERE username = 'ada'").await;
    let accounts = bed.accounts().await;
    let results = bed.take(accounts.values().map(delete).collect()).await;
    let failure = results[&*accounts["ada@example.org"].id].clone().unwrap_err();
    assert!(failure.reason.contains("rows of the table oauthclient_remoteaccount belong to"), "{failure:?}");
    assert!(!failure.conflict);
    assert_eq!(bed.accounts().await.into_keys().collect::<Vec<_>>(), ["ada@example.org"]);
}
