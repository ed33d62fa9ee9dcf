//! How many statements, and how much memory, many people take.

use std::sync::atomic::{AtomicU64, Ordering};

use crosswalk_directory_sync::Field;
use crosswalk_directory_sync::target::Bundle;
use tokio::time::Instant;

use crate::bed::{Bed, create, update};

#[tokio::test]
async fn ten_thousand_people_take_ten_statements() {
    let mut bed = Bed::new("scale").await;
    let people: Vec<_> = (0..10_000).map(|n| create(&format!("Person{n}"), &format!("Person {n}"))).collect();
    let (before, begun) = (bed.statements(), Instant::now());
    assert!(bed.take(people).await.values().all(Result::is_ok));
    assert_eq!(bed.statements() - before, 10);
    eprintln!("10,000 created in {:?}", begun.elapsed());

    let accounts = bed.accounts().await;
    assert_eq!(accounts.len(), 10_000);
    let steps: Vec<_> = accounts.values().map(|account| update(account, &[(Field::FullName, "Changed")])).collect();
    let (before, begun) = (bed.statements(), Instant::now());
    assert!(bed.take(steps).await.values().all(Result::is_ok));
    // Begin, lock, update, commit for each thousand.
    assert_eq!(bed.statements() - before, 40);
    eprintln!("10,000 changed in {:?}", begun.elapsed());

    // Every two of them swap their e-mails: as many statements, and one more for the release.
    let accounts: Vec<_> = bed.accounts().await.into_values().collect();
    let swaps = accounts.chunks(2).map(|pair| {
        let email = |of: usize| pair[of].fields.email.as_deref().unwrap();
        Bundle(vec![update(&pair[0], &[(Field::Email, email(1))]), update(&pair[1], &[(Field::Email, email(0))])])
    });
    let before = bed.statements();
    assert!(bed.bundles(swaps.collect()).await.values().all(Result::is_ok));
    assert_eq!(bed.statements() - before, 50);
    assert_eq!(bed.ask("SELECT count(*) FROM accounts_user WHERE version_id = 3").await, "10000");
}

#[tokio::test]
async fn a_hundred_thousand_accounts_are_read_by_one_statement() {
    let mut bed = Bed::new("scale_read").await;
    bed.run(
        "INSERT INTO accounts_user (email, username, displayname, profile, active, version_id, created, updated) \
         SELECT 'person' || n || '@example.org', 'person' || n, 'Person' || n, \
         jsonb_build_object('full_name', 'Person Number ' || n), true, 1, now(), now() FROM generate_series(1, 100000) AS n",
    )
    .await;
    let (before, told, begun, resident) = (bed.statements(), AtomicU64::new(0), Instant::now(), resident());
    let accounts = bed.target.accounts(&|read| told.store(read, Ordering::Relaxed)).await.unwrap();
    eprintln!("100,000 read in {:?}, {} KiB more", begun.elapsed(), self::resident().saturating_sub(resident));
    assert_eq!(bed.statements() - before, 1);
    assert_eq!((accounts.len(), told.into_inner()), (100_000, 100_000));
}

/// What the process holds, in KiB: with the other tests beside it, no number to assert.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse().unwrap_or(0)
}
