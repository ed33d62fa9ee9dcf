//! Who is gone, and who only seems to be.

use crosswalk_runs::RunState;

use crate::bed::{Bed, many, refs, request};

const ADA: &str = "k1,ada@example.org,ada";
const BO: &str = "k2,bo@example.org,bo";

#[tokio::test]
async fn who_leaves_is_deactivated_after_three_runs_and_may_return() {
    let bed = Bed::with_people(&[ADA, BO]).await;
    bed.sync_all().await;
    bed.set_people(&[BO]).await;
    for _ in 0..2 {
        let record = bed.sync_all().await;
        assert_eq!((record.counts.read, record.counts.unchanged, record.counts.deactivated), (1, 1, Some(0)));
        assert_eq!(bed.enabled().await, ["ada", "bo"]);
    }
    let record = bed.sync_all().await;
    assert_eq!(record.counts.deactivated, Some(1));
    assert_eq!(bed.enabled().await, ["bo"]);
    assert_eq!(bed.sync_all().await.counts.deactivated, Some(0));
    bed.set_people(&[ADA, BO]).await;
    let record = bed.sync_all().await;
    assert_eq!((record.counts.reactivated, record.counts.updated), (Some(1), 1));
    assert_eq!(bed.enabled().await, ["ada", "bo"]);
    // The count starts anew.
    bed.set_people(&[BO]).await;
    bed.sync_all().await;
    bed.sync_all().await;
    assert_eq!(bed.enabled().await, ["ada", "bo"]);
}

#[tokio::test]
async fn absence_must_last_in_hours_too_and_deletion_is_a_second_setting() {
    let bed = Bed::with_people(&[ADA, BO])
        .await
        .with("SYNC_ABSENT_RUNS", "1")
        .with("SYNC_ABSENT_HOURS", "48")
        .with("SYNC_DELETE_RUNS", "5")
        .with("SYNC_DELETE_HOURS", "100");
    bed.sync_all().await;
    bed.set_people(&[BO]).await;
    bed.sync_all().await;
    bed.forward(47);
    bed.sync_all().await;
    assert_eq!(bed.enabled().await, ["ada", "bo"]);
    bed.forward(2);
    bed.sync_all().await;
    assert_eq!(bed.enabled().await, ["bo"]);
    bed.sync_all().await;
    bed.sync_all().await;
    assert_eq!(bed.accounts().await.len(), 2, "not long enough");
    bed.forward(60);
    assert_eq!(bed.sync_all().await.counts.deleted, Some(1));
    assert_eq!(bed.accounts().await.len(), 1);
    assert_eq!(bed.sync_all().await.counts.unchanged, 1);
}

#[tokio::test]
async fn a_run_that_comes_again_counts_no_absence_twice() {
    let bed = Bed::with_people(&[ADA, BO]).await.with("SYNC_ABSENT_RUNS", "2");
    bed.sync_all().await;
    bed.set_people(&[BO]).await;
    let request = request();
    for _ in 0..3 {
        assert_eq!(bed.sync_as(&request).await.state, RunState::Succeeded);
    }
    assert_eq!(bed.enabled().await, ["ada", "bo"]);
}

#[tokio::test]
async fn an_empty_source_and_one_without_half_its_people_change_nothing() {
    let people = many(0, 20);
    let bed = Bed::with_people(&refs(&people)).await.with("SYNC_ABSENT_RUNS", "1");
    bed.sync_all().await;
    let everybody = bed.accounts().await;
    bed.set_people(&[]).await;
    for _ in 0..2 {
        let record = bed.sync().await;
        assert_eq!(record.state, RunState::Failed);
        let reason = &record.reasons[0].reason;
        assert!(reason.contains("the source is empty") && reason.contains("20 accounts are managed"), "{reason}");
    }
    assert_eq!(bed.accounts().await, everybody);

    bed.set_people(&refs(&many(0, 10))).await;
    for _ in 0..2 {
        let record = bed.sync().await;
        assert_eq!(record.state, RunState::Failed);
        let reason = &record.reasons[0].reason;
        assert!(reason.contains("removes 10 of the 20 active accounts"), "{reason}");
        assert!(reason.contains("allows 1") && reason.contains("--allow-removals"), "{reason}");
        assert_eq!(bed.accounts().await, everybody);
    }
    let record = bed.sync_as(&crosswalk_directory_sync::SyncRequest { allow_removals: true, ..request() }).await;
    assert_eq!((record.state, record.counts.deactivated), (RunState::Succeeded, Some(10)));
    assert_eq!(bed.enabled().await.len(), 10);
}

#[tokio::test]
async fn whom_the_source_disables_counts_for_the_guard_and_gets_no_account_at_first_sight() {
    let people = many(0, 4);
    let bed = Bed::with_people(&refs(&people)).await;
    bed.sync_all().await;
    let off = |n: usize| format!("{},no", people[n]);
    let mut changed = people.clone();
    (changed[0], changed[1]) = (off(0), off(1));
    bed.set_people(&refs(&changed)).await;
    let record = bed.sync().await;
    assert_eq!(record.state, RunState::Failed, "two of four are more than 5 %");
    assert_eq!(bed.enabled().await.len(), 4);
    changed[1] = people[1].clone();
    changed.push("k9,nobody@example.org,nobody,,,no".to_owned());
    bed.set_people(&refs(&changed)).await;
    let record = bed.sync_all().await;
    assert_eq!((record.counts.updated, record.counts.deactivated, record.counts.skipped), (1, Some(1), 1));
    assert_eq!(bed.enabled().await, ["p1", "p2", "p3"]);
    bed.set_people(&refs(&people)).await;
    assert_eq!(bed.sync_all().await.counts.reactivated, Some(1));
}

#[tokio::test]
async fn who_is_rejected_is_still_there() {
    let bed = Bed::with_people(&[ADA, BO]).await.with("SYNC_ABSENT_RUNS", "1");
    bed.sync_all().await;
    bed.set_people(&["k1,,ada", BO]).await;
    for _ in 0..3 {
        let record = bed.sync().await;
        assert_eq!((record.state, record.counts.rejected), (RunState::Partly, 1));
    }
    assert_eq!(bed.enabled().await, ["ada", "bo"]);
}
