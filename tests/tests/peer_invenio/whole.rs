//! The whole sync: who is in a users' table has an account, and Invenio's own models read it.

use crosswalk_runs::RunState;
use serde_json::json;
use tokio::time::Instant;

use crate::models::Models;
use crate::users::{User, Users};

const ADA: User = ["k1", "ada@example.org", "Ada", "Ada", "L"];
const BOB: User = ["k2", "bob@example.org", "bob", "Bob", "B"];
const CYD: User = ["k3", "cyd@example.org", "cyd", "Cyd", "C"];

#[tokio::test]
async fn ten_thousand_people_and_a_second_run_that_writes_nothing() {
    let mut users = Users::new("whole").await;
    users
        .run(
            "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 10000) \
             INSERT INTO users SELECT 'k' || n, 'Person' || n || '@Example.org', 'Person-' || n, 'Zoë', 'Ångström ' || n FROM n",
        )
        .await;
    let begun = Instant::now();
    let record = users.sync_all().await;
    eprintln!("10,000 people: the first run took {:?}", begun.elapsed());
    assert_eq!((record.counts.read, record.counts.created), (10_000, 10_000));
    // Connecting, the table's columns, the accounts, and ten batches of creations.
    assert_eq!(record.traffic["invenio"].requests, 13);
    let (rows, state) = (users.rows().await, users.state());

    let begun = Instant::now();
    let record = users.sync_all().await;
    eprintln!("10,000 people: the second run took {:?}", begun.elapsed());
    assert_eq!((record.counts.read, record.counts.unchanged), (10_000, 10_000));
    assert_eq!(record.traffic["invenio"].requests, 3);
    assert!(users.rows().await == rows && users.state() == state, "the second run wrote something");

    // One in a hundred marries.
    users.run("UPDATE users SET last_name = 'King' WHERE id LIKE '%00'").await;
    let record = users.sync_all().await;
    assert_eq!((record.counts.unchanged, record.counts.updated), (9_900, 100));
    // Begin, lock, update and commit of one batch.
    assert_eq!(record.traffic["invenio"].requests, 3 + 4);
    assert_eq!(users.bed.ask("SELECT count(*) FROM accounts_user WHERE version_id = 2").await, "100");

    let mut models = Models::of(&users.bed);
    assert_eq!(models.ask("validate_all", json!({})), 10_000);
    let found = models.ask("find", json!({ "email": "person7@example.org" }));
    assert_eq!((&found["username"], &found["full_name"]), (&json!("Person-7"), &json!("Zoë Ångström 7")));
}

#[tokio::test]
async fn who_cannot_have_an_account_is_told_why_and_stops_nobody() {
    let mut users = Users::new("whole_rejected").await;
    let people: [User; 9] = [
        ADA,
        ["k4", "john.smith@example.org", "j.smith", "John", "Smith"],
        ["k5", "jd@example.org", "jd", "J", "D"],
        ["k6", "abc@example.org", "1abc", "A", "BC"],
        ["k7", "", "nomail", "No", "Mail"],
        ["k8", "office@example.org", "front", "Front", "Office"],
        ["k9", "Office@Example.org", "back", "Back", "Office"],
        ["", "keyless@example.org", "keyless", "Key", "Less"],
        BOB,
    ];
    users.set(&people).await;
    for created in [2, 0] {
        let record = users.sync().await;
        assert_eq!(record.state, RunState::Partly);
        let counts = record.counts;
        assert_eq!((counts.read, counts.created, counts.unchanged), (9, created, 2 - created));
        assert_eq!((counts.rejected, counts.conflict), (5, 2));
        let told = users.failed(&record);
        assert_eq!(told.len(), 7);
        // Rows are numbered in the order of their keys, whatever order the table has.
        for (at, key, word) in [
            (0, "person,,row 1,rejected", "no value of the stable key"),
            (1, "person,k4,row 4,rejected", "its username does not do"),
            (2, "person,k5,row 5,rejected", "its username does not do"),
            (3, "person,k6,row 6,rejected", "its username does not do"),
            (4, "person,k7,row 7,rejected", "it has no e-mail"),
            (5, "person,k8,row 8,conflict", "another entry has the same e-mail"),
            (6, "person,k9,row 9,conflict", "another entry has the same e-mail"),
        ] {
            assert!(told[at].starts_with(key) && told[at].contains(word), "{told:?}");
        }
    }
    assert_eq!(users.holders().await, ["Ada L ada ada@example.org Ada t 1", "Bob B bob bob@example.org bob t 1"]);

    // Who had an account and is rejected now keeps it.
    users.set(&[ADA, ["k2", "bob@example.org", "b.o.b", "Bob", "B"]]).await;
    for _ in 0..4 {
        assert_eq!(users.sync().await.counts.rejected, 1);
    }
    assert_eq!(users.holders().await[1], "Bob B bob bob@example.org bob t 1");
}

#[tokio::test]
async fn e_mails_and_usernames_are_swapped_in_one_run() {
    let mut users = Users::new("whole_swap").await;
    users.set(&[ADA, BOB, CYD]).await;
    users.sync_all().await;
    // Ada and Bob swap both; Cyd passes hers on to somebody new.
    users
        .set(&[
            ["k1", "bob@example.org", "bob", "Ada", "L"],
            ["k2", "ada@example.org", "Ada", "Bob", "B"],
            ["k3", "cyd.c@example.org", "cyd-c", "Cyd", "C"],
            ["k4", "cyd@example.org", "cyd", "The other", "Cyd"],
        ])
        .await;
    let record = users.sync_all().await;
    assert_eq!((record.counts.updated, record.counts.created), (3, 1));
    let expected = [
        "Ada L bob bob@example.org bob t 2",
        "Bob B ada ada@example.org Ada t 2",
        "Cyd C cyd-c cyd.c@example.org cyd-c t 2",
        "The other Cyd cyd cyd@example.org cyd t 1",
    ];
    assert_eq!(users.holders().await, expected);
    // The e-mails go back, in a circle of three, and the usernames stay.
    users
        .set(&[
            ["k1", "ada@example.org", "bob", "Ada", "L"],
            ["k2", "cyd.c@example.org", "Ada", "Bob", "B"],
            ["k3", "bob@example.org", "cyd-c", "Cyd", "C"],
            ["k4", "cyd@example.org", "cyd", "The other", "Cyd"],
        ])
        .await;
    assert_eq!(users.sync_all().await.counts.updated, 3);
    let rows = users.rows().await;
    assert_eq!(users.sync_all().await.counts.unchanged, 4);
    assert_eq!(users.rows().await, rows);
    assert_eq!(users.holders().await[2], "Cyd C cyd-c bob@example.org cyd-c t 3");
    assert_eq!(Models::of(&users.bed).ask("validate_all", json!({})), 4);
}

#[tokio::test]
async fn who_leaves_for_three_runs_cannot_log_in_until_they_return() {
    let users = Users::new("whole_leaver").await;
    users.set(&[ADA, BOB]).await;
    users.sync_all().await;
    let mut models = Models::of(&users.bed);
    models.ask("set_password", json!({ "email": "ada@example.org", "password": "correct horse" }));
    users.set(&[BOB]).await;
    for deactivated in [0, 0, 1] {
        assert_eq!(models.log_in("ada@example.org")["status"], 200);
        assert_eq!(users.sync_all().await.counts.deactivated, Some(deactivated));
    }
    assert_eq!(models.log_in("ada@example.org")["status"], 400);
    // An empty table is no table without people.
    users.set(&[]).await;
    let record = users.sync().await;
    assert!(record.reasons[0].reason.contains("the source is empty"), "{:?}", record.reasons);
    users.set(&[ADA, BOB]).await;
    let record = users.sync_all().await;
    assert_eq!((record.counts.reactivated, record.counts.updated), (Some(1), 1));
    assert_eq!(models.log_in("ada@example.org")["status"], 200);
}

#[tokio::test]
async fn an_account_that_the_models_made_is_adopted_whatever_its_case() {
    let mut users = Users::new("whole_adopt").await;
    let mut models = Models::of(&users.bed);
    models.ask("create", json!({ "email": "Bob@Example.org", "username": "BOB", "full_name": "Robert B" }));
    let theirs = models.ask("set_password", json!({ "email": "bob@example.org", "password": "correct horse" }));
    let same = models.ask("create", json!({ "email": "ada@example.org", "username": "Ada", "full_name": "Ada L" }));
    // Whose username alone is somebody's.
    models.ask("create", json!({ "email": "other@example.org", "username": "cyd", "full_name": "Another Cyd" }));
    users.set(&[["k1", "ADA@example.ORG", "Ada", "Ada", "L"], ["k2", "bOB@example.org", "bob", "Bob", "B"], CYD]).await;
    let record = users.sync().await;
    assert_eq!((record.counts.updated, record.counts.conflict, record.counts.created), (2, 1, 0));
    let told = users.failed(&record);
    assert!(told[0].contains("has its username, and another e-mail"), "{told:?}");
    assert_eq!(
        users.holders().await,
        [
            // Nothing differed.
            "Ada L ada ada@example.org Ada t 1",
            "Another Cyd cyd other@example.org cyd t 1",
            // Once by its password, and once by us.
            "Bob B bob bob@example.org bob t 3",
        ]
    );
    let found = models.ask("find", json!({ "email": "ada@example.org" }));
    assert_eq!(found, same);
    // What a sync has nothing to do with stays the models' own.
    let found = models.ask("find", json!({ "email": "bob@example.org" }));
    for own in ["id", "created", "has_password", "confirmed", "preferences"] {
        assert_eq!(found[own], theirs[own], "{own}");
    }
    let record = users.sync().await;
    assert_eq!((record.counts.unchanged, record.counts.conflict), (2, 1));
    assert_eq!(models.ask("validate_all", json!({})), 3);
}
