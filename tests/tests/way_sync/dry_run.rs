//! What a run would do.

use crosswalk_directory_sync::SyncRequest;
use crosswalk_runs::RunState;

use crate::bed::{Bed, request};

#[tokio::test]
async fn a_dry_run_tells_the_plan_and_writes_nothing() {
    let bed = Bed::with_people(&["k1,ada@example.org,ada", "k2,bo@example.org,bo", "k3,cy@example.org,cy"])
        .await
        .with("SYNC_ABSENT_RUNS", "1");
    bed.sync_all().await;
    bed.set_people(&["k1,ada@example.org,lovelace", "k2,bo@example.org,bo", "k4,dee@example.org,dee", "k5,,eve"]).await;
    let before = bed.everything().await;
    let planned = bed.dry_run(&request()).await;
    assert_eq!(bed.everything().await, before);
    let told = planned.plan.to_string();
    for line in [
        "update k1, account ",
        "    username: ada => lovelace",
        "create k4",
        "    email: dee@example.org",
        "deactivate k3 (absent)",
    ] {
        assert!(told.contains(line), "{line}: {told}");
    }
    assert_eq!((planned.absent, planned.stopped.as_deref()), (1, None));
    let counts = planned.record.counts;
    assert_eq!((counts.read, counts.created, counts.updated, counts.unchanged, counts.rejected), (4, 1, 1, 1, 1));
    assert!(planned.record.dry_run && planned.rows.len() == 1);

    // The run does just that.
    let hash = planned.plan.hash().to_owned();
    let record = bed.sync_as(&SyncRequest { plan_hash: Some(hash.clone()), ..request() }).await;
    assert_eq!((record.plan.as_deref(), record.counts), (Some(hash.as_str()), counts));
    assert_eq!(bed.enabled().await, ["ada", "bo", "dee"]);
}

#[tokio::test]
async fn another_plan_than_the_one_that_was_looked_at_is_refused() {
    let bed = Bed::with_people(&["k1,ada@example.org,ada"]).await;
    let hash = bed.dry_run(&request()).await.plan.hash().to_owned();
    bed.set_people(&["k1,ada@example.org,ada", "k2,bo@example.org,bo"]).await;
    let record = bed.sync_as(&SyncRequest { plan_hash: Some(hash.clone()), ..request() }).await;
    assert_eq!(record.state, RunState::Failed);
    assert!(record.reasons[0].reason.contains(&format!("the plan is no longer {hash}")), "{:?}", record.reasons);
    assert_eq!((record.counts.read, record.counts.skipped), (2, 2));
    assert!(bed.accounts().await.is_empty());
}

#[tokio::test]
async fn a_dry_run_says_what_the_guard_would_stop() {
    let bed = Bed::with_people(&["k1,ada@example.org,ada", "k2,bo@example.org,bo", "k3,cy@example.org,cy"])
        .await
        .with("SYNC_ABSENT_RUNS", "1");
    bed.sync_all().await;
    bed.set_people(&["k3,cy@example.org,cy"]).await;
    let planned = bed.dry_run(&request()).await;
    assert!(planned.stopped.unwrap().contains("removes 2 of the 3 active accounts"));
    assert_eq!(planned.record.state, RunState::Failed);
}
