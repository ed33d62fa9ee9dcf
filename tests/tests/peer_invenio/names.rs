//! E-mails and usernames that pass between people, in one run.

use std::collections::BTreeMap;

use crosswalk_directory_sync::Field;
use crosswalk_directory_sync::target::Bundle;

use crate::bed::{Bed, create, update};

const NAMES: [&str; 4] = ["ada", "bob", "cyd", "dee"];

async fn bed(name: &str) -> Bed {
    let bed = Bed::new(name).await;
    let results = bed.take(NAMES.into_iter().map(|name| create(name, name)).collect()).await;
    assert!(results.values().all(Result::is_ok), "{results:?}");
    bed
}

/// Who (by full name) holds which e-mail and username, at which version.
async fn holders(bed: &Bed) -> BTreeMap<String, (String, String, i32)> {
    let accounts = bed.target.accounts(&|_| {}).await.unwrap();
    let held = accounts.into_iter().map(|account| {
        let text = |text: Option<Box<str>>| String::from(text.unwrap_or_default());
        let fields = account.fields;
        (text(fields.full_name), (text(fields.email), text(fields.username), account.version))
    });
    held.collect()
}

fn held(name: &str, version: i32) -> (String, String, i32) {
    (format!("{name}@example.org"), name.to_owned(), version)
}

/// Each takes the e-mail and the username of the one beside it.
async fn pass(bed: &Bed, passes: &[(&str, &str)]) -> Bundle {
    let accounts = bed.accounts().await;
    let step = |(from, to): &(&str, &str)| {
        let email = format!("{to}@example.org");
        update(&accounts[&format!("{from}@example.org")], &[(Field::Email, &email), (Field::Username, to)])
    };
    Bundle(passes.iter().map(step).collect())
}

#[tokio::test]
async fn a_swap_a_chain_and_a_circle_come_about() {
    let mut bed = bed("names").await;
    let swap = pass(&bed, &[("ada", "bob"), ("bob", "ada")]).await;
    let results = bed.bundles(vec![swap]).await;
    assert!(results.values().all(Result::is_ok), "{results:?}");
    let found = holders(&bed).await;
    assert_eq!(found["ada"], held("bob", 2));
    assert_eq!(found["bob"], held("ada", 2));
    assert_eq!(found["cyd"], held("cyd", 1));

    // In either order of its steps.
    for (turn, chain) in
        [[("dee", "eve"), ("cyd", "dee"), ("bob", "cyd")], [("cyd", "bob"), ("dee", "cyd"), ("eve", "dee")]]
            .into_iter()
            .enumerate()
    {
        let chain = pass(&bed, &chain).await;
        let results = bed.bundles(vec![chain]).await;
        assert!(results.values().all(Result::is_ok), "turn {turn}: {results:?}");
    }
    let found = holders(&bed).await;
    assert_eq!(found["dee"], held("dee", 3));
    assert_eq!(found["cyd"], held("cyd", 3));
    assert_eq!(found["ada"], held("bob", 4));

    let circle = pass(&bed, &[("ada", "cyd"), ("cyd", "dee"), ("dee", "ada")]).await;
    let before = bed.statements();
    let results = bed.bundles(vec![circle]).await;
    assert!(results.values().all(Result::is_ok), "{results:?}");
    // Begin, lock, release, update, commit.
    assert_eq!(bed.statements() - before, 5);
    let found = holders(&bed).await;
    assert_eq!(found["bob"], held("cyd", 3));
    assert_eq!(found["cyd"], held("dee", 4));
    assert_eq!(found["dee"], held("ada", 4));
    assert_eq!(bed.ask("SELECT count(*) FROM accounts_user WHERE domain <> 'example.org'").await, "0");
}

#[tokio::test]
async fn only_the_usernames_pass_and_a_new_person_takes_one() {
    let bed = bed("names_new").await;
    let accounts = bed.accounts().await;
    let swap = Bundle(vec![
        update(&accounts["ada@example.org"], &[(Field::Username, "bob"), (Field::Displayname, "Bob")]),
        update(&accounts["bob@example.org"], &[(Field::Username, "ada"), (Field::Displayname, "Ada")]),
    ]);
    // The new one takes all that Cyd gives up.
    let taken = Bundle(vec![
        update(&accounts["cyd@example.org"], &[(Field::Email, "cyd2@example.org"), (Field::Username, "cyd2")]),
        create("cyd", "the new Cyd"),
    ]);
    let results = bed.bundles(vec![taken, swap]).await;
    assert!(results.values().all(Result::is_ok), "{results:?}");
    let found = holders(&bed).await;
    assert_eq!(found["ada"], ("ada@example.org".to_owned(), "bob".to_owned(), 2));
    assert_eq!(found["bob"], ("bob@example.org".to_owned(), "ada".to_owned(), 2));
    assert_eq!(found["cyd"], held("cyd2", 2));
    assert_eq!(found["the new Cyd"], held("cyd", 1));
}

#[tokio::test]
async fn a_circle_comes_about_whole_or_not_at_all() {
    let mut bed = bed("names_whole").await;
    bed.run(
        "INSERT INTO accounts_user (email, version_id, created, updated) VALUES ('held@example.org', 1, now(), now())",
    )
    .await;
    let accounts = bed.accounts().await;
    let mut circle = pass(&bed, &[("ada", "bob"), ("bob", "cyd"), ("cyd", "ada")]).await;
    circle.0[2] = update(&accounts["cyd@example.org"], &[(Field::Email, "held@example.org"), (Field::Username, "ada")]);
    let good = Bundle(vec![update(&accounts["dee@example.org"], &[(Field::Email, "dee2@example.org")])]);
    let results = bed.bundles(vec![circle, good]).await;
    let found = holders(&bed).await;
    for name in ["ada", "bob", "cyd"] {
        assert_eq!(found[name], held(name, 1));
        let failure = results[&*accounts[&format!("{name}@example.org")].id].clone().unwrap_err();
        assert!(failure.conflict && failure.reason.contains("the e-mail is held by another account"), "{failure:?}");
        assert!(failure.reason.contains("between 3 accounts"), "{failure:?}");
    }
    assert_eq!(found["dee"], ("dee2@example.org".to_owned(), "dee".to_owned(), 2));

    // One of them was changed by someone else: none is touched, and nothing had to be taken twice.
    bed.run("UPDATE accounts_user SET version_id = 7 WHERE email = 'bob@example.org'").await;
    let circle = Bundle(vec![
        update(&accounts["ada@example.org"], &[(Field::Email, "bob@example.org")]),
        update(&accounts["bob@example.org"], &[(Field::Email, "ada@example.org")]),
    ]);
    let retries = bed.target.traffic().retries;
    let results = bed.bundles(vec![circle]).await;
    assert!(results.values().all(|result| !result.clone().unwrap_err().conflict), "{results:?}");
    assert_eq!(bed.target.traffic().retries, retries);
    assert_eq!(holders(&bed).await["ada"], held("ada", 1));
}
