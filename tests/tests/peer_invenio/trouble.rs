//! Bad rows, other writers, and connections that break.

use std::time::Duration;

use crosswalk_directory_sync::target::Bundle;
use crosswalk_directory_sync::{Field, Step};
use crosswalk_function_kit::Deadline;
use tokio::sync::mpsc;

use crate::bed::{Bed, apply, connect, create, sql, update};

/// Waits until a question of the database is answered `true`.
async fn until(bed: &mut Bed, question: &str) {
    for _ in 0..1_000 {
        if bed.ask(question).await == "true" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within 10 s: {question}");
}

fn people(from: usize, to: usize) -> Vec<Step> {
    (from..to).map(|n| create(&format!("person{n:05}"), "A Person")).collect()
}

#[tokio::test]
async fn bad_rows_do_not_keep_the_good_ones_of_their_batch() {
    let mut bed = Bed::new("trouble_rows").await;
    bed.run(
        "INSERT INTO accounts_user (email, username, version_id, created, updated) VALUES \
         ('person00017@example.org', 'other', 1, now(), now()), ('other@example.org', 'person00500', 1, now(), now())",
    )
    .await;
    let mut steps = people(0, 1_000);
    for (n, displayname) in [(700, "x".repeat(256)), (999, "nul\0".to_owned())] {
        let change = steps[n].changes.iter_mut().find(|change| change.field == Field::Displayname).unwrap();
        change.new = displayname.into();
    }
    let before = bed.statements();
    let results = bed.take(steps).await;
    let told: Vec<_> = results
        .iter()
        .filter_map(|(key, result)| {
            result.as_ref().err().map(|failure| (key.as_str(), failure.conflict, &*failure.reason))
        })
        .collect();
    assert_eq!(
        told,
        [
            ("person00017", true, "the e-mail is held by another account"),
            ("person00500", true, "the username is held by another account"),
            ("person00700", false, "a value is longer than its column in Invenio's database"),
            ("person00999", false, "a value holds a character that Invenio's database cannot store"),
        ]
    );
    assert_eq!(bed.ask("SELECT count(*) FROM accounts_user").await, "998");
    let statements = bed.statements() - before;
    assert!(statements <= 1 + 4 * 2 * 10, "{statements}");
    assert!(bed.target.traffic().retries == statements - 1);
}

#[tokio::test]
async fn who_was_changed_or_deleted_meanwhile_is_left_alone() {
    let mut bed = Bed::new("trouble_versions").await;
    bed.take(people(0, 100)).await;
    let accounts = bed.accounts().await;
    bed.run(
        "UPDATE accounts_user SET profile = '{\"full_name\": \"Theirs\"}', version_id = 2 WHERE username = 'person00003'; \
         DELETE FROM accounts_user WHERE username = 'person00004'",
    )
    .await;
    let results =
        bed.take(accounts.values().map(|account| update(account, &[(Field::FullName, "Ours")])).collect()).await;
    for (email, account) in &accounts {
        let result = &results[&*account.id];
        if matches!(email.as_str(), "person00003@example.org" | "person00004@example.org") {
            let failure = result.clone().unwrap_err();
            assert!(!failure.conflict && failure.reason.contains("by someone else meanwhile"), "{failure:?}");
        } else {
            assert!(result.is_ok());
        }
    }
    let now = bed.accounts().await;
    assert_eq!(now["person00003@example.org"].fields.full_name.as_deref(), Some("Theirs"));
    assert_eq!(now["person00005@example.org"].fields.full_name.as_deref(), Some("Ours"));
    assert_eq!(now.len(), 99);
}

#[tokio::test]
async fn a_row_that_another_holds_is_passed_over() {
    let mut bed = Bed::new("trouble_locks").await;
    bed.take(people(0, 10)).await;
    let accounts = bed.accounts().await;
    bed.run("BEGIN; UPDATE accounts_user SET password = 'x' WHERE username = 'person00003'").await;
    let results =
        bed.take(accounts.values().map(|account| update(account, &[(Field::FullName, "Ours")])).collect()).await;
    bed.run("ROLLBACK").await;
    assert_eq!(results.values().filter(|result| result.is_ok()).count(), 9);
    assert!(results[&*accounts["person00003@example.org"].id].is_err());
    let now = bed.accounts().await;
    assert_eq!(now["person00003@example.org"].version, 1);
    assert_eq!(now["person00004@example.org"].version, 2);
}

#[tokio::test]
async fn a_connection_that_breaks_ends_the_run_and_what_was_committed_was_told() {
    let mut bed = Bed::new("trouble_killed").await;
    bed.run(
        "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF NEW.username = 'person01500' THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN NEW; END $$; \
         CREATE TRIGGER die BEFORE INSERT ON accounts_user FOR EACH ROW EXECUTE FUNCTION die()",
    )
    .await;
    let bundles = || people(0, 3_000).into_iter().map(|step| Bundle(vec![step])).collect();
    let (told, result) = apply(&bed.target, bundles()).await;
    let error = result.unwrap_err().to_string();
    assert!(error.contains("broke off") && error.contains("/trouble_killed"), "{error}");
    assert!(told.len() == 1_000 && told.values().all(Result::is_ok));
    assert_eq!(bed.ask("SELECT count(*) FROM accounts_user").await, "1000");

    // The same target connects anew.
    bed.run("DROP TRIGGER die ON accounts_user").await;
    let (told, result) = apply(&bed.target, bundles()).await;
    result.unwrap();
    assert_eq!(told.values().filter(|result| result.is_ok()).count(), 2_000);
    assert_eq!(bed.ask("SELECT count(*) FROM accounts_user").await, "3000");

    // So does one whose connection was lost while nothing used it.
    let others = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                  WHERE datname = current_database() AND application_name = 'crosswalk'";
    assert_eq!(bed.ask(others).await, "1");
    until(
        &mut bed,
        &format!("SELECT count(*) = 0 FROM ({}) AS a", others.replace("count(pg_terminate_backend(pid))", "*")),
    )
    .await;
    assert_eq!(bed.accounts().await.len(), 3_000);
}

#[tokio::test]
async fn what_is_dropped_half_way_is_rolled_back() {
    let mut bed = Bed::new("trouble_dropped").await;
    bed.take(people(0, 10)).await;
    bed.run(
        "CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF NEW.username = 'person00007' THEN PERFORM pg_advisory_xact_lock(1); END IF; RETURN NEW; END $$; \
         CREATE TRIGGER wait BEFORE UPDATE ON accounts_user FOR EACH ROW EXECUTE FUNCTION wait()",
    )
    .await;
    bed.run("SELECT pg_advisory_lock(1)").await;
    let accounts = bed.accounts().await;
    let steps = accounts.values().map(|account| Bundle(vec![update(account, &[(Field::FullName, "Ours")])])).collect();
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let waits = "SELECT count(*) > 0 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted";
    let mut watcher =
        Bed { uri: bed.uri.clone(), sql: sql(&bed.uri).await, target: connect(&bed.uri, &[]).await.unwrap() };
    tokio::select! {
        _ = bed.target.apply(steps, Deadline::NONE, &sender) => panic!("it did not wait"),
        () = until(&mut watcher, waits) => {}
    }
    drop(sender);
    assert!(receiver.recv().await.is_none());
    bed.run("SELECT pg_advisory_unlock(1)").await;
    // The server ends the transaction by itself.
    until(
        &mut bed,
        "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name = 'crosswalk' AND \
        datname = current_database() AND xact_start IS NOT NULL",
    )
    .await;
    assert!(bed.accounts().await.values().all(|account| account.version == 1));
}

#[tokio::test]
async fn nothing_is_begun_when_the_deadline_is_near() {
    let bed = Bed::new("trouble_deadline").await;
    let bundles = people(0, 10).into_iter().map(|step| Bundle(vec![step])).collect();
    let (sender, mut receiver) = mpsc::unbounded_channel();
    bed.target.apply(bundles, Deadline::within(Duration::from_secs(5)), &sender).await.unwrap();
    drop(sender);
    assert!(receiver.recv().await.is_none());
    assert!(bed.accounts().await.is_empty());
}
