//! One worker a run: claims, takeovers, fencing, renewal in the background.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use crosswalk_runs::{Claim, Counts, Lease, Progress, RunError, RunState, Runs, Waited};
use tokio::sync::watch;

use crate::bed::{Bed, bed};
use crate::scenarios::{counts, progress, until};

const SECOND: Duration = Duration::from_secs(1);

async fn end(bed: &Bed, lease: &Lease, state: RunState) -> Result<(), RunError> {
    let mut record = bed.record(&lease.run);
    record.state = state;
    record.ended_at = Some(bed.hand.now());
    record.counts = counts(3);
    bed.runs.end(lease, &record).await
}

pub(crate) async fn raw(bed: &Bed, id: &str) -> HashMap<String, AttributeValue> {
    let get = bed.table.client.get_item().table_name(&bed.table.name).consistent_read(true);
    let key = |text: &str| AttributeValue::S(text.to_owned());
    get.key("pk", key(&format!("RUN#{id}"))).key("sk", key("RUN")).send().await.unwrap().item.unwrap()
}

#[tokio::test]
async fn a_new_run_is_ours_and_runs() {
    let bed = bed().await;
    let record = bed.record("import-1");
    let Claim::Ours { lease, takeover, record: claimed } = bed.runs.claim(&record, "message-1").await.unwrap() else {
        panic!("not ours")
    };
    assert_eq!((lease.fence, takeover, &claimed), (1, false, &record));
    assert_eq!(bed.runs.get("import-1").await.unwrap(), Some(record));
    assert_eq!(bed.runs.get("import-2").await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_16_workers_that_claim_at_once_one_gets_it() {
    let bed = bed().await;
    for round in 0..10 {
        let record = bed.record(&format!("import-{round}"));
        let claims = (0..16).map(|worker| {
            let (runs, record) = (bed.runs.clone(), record.clone());
            tokio::spawn(async move { runs.claim(&record, &format!("worker-{worker}")).await.unwrap() })
        });
        let mut winners = Vec::new();
        let mut told = Vec::new();
        for (worker, claim) in claims.collect::<Vec<_>>().into_iter().enumerate() {
            match claim.await.unwrap() {
                Claim::Ours { takeover, .. } => winners.push((format!("worker-{worker}"), takeover)),
                Claim::Alive { delivery, .. } => told.push(delivery),
                Claim::Ended(record) => panic!("{record:?}"),
            }
        }
        assert_eq!(winners.len(), 1, "{winners:?}");
        assert_eq!(told, vec![winners[0].0.clone(); 15]);
        assert!(!winners[0].1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_16_workers_that_take_over_at_once_one_gets_it() {
    let bed = bed().await;
    let old = bed.claim("import-1").await;
    bed.hand.forward(61 * SECOND);
    let record = bed.record("import-1");
    let claims = (0..16).map(|worker| {
        let (runs, record) = (bed.runs.clone(), record.clone());
        tokio::spawn(async move { runs.claim(&record, &format!("worker-{worker}")).await.unwrap() })
    });
    let mut fences = Vec::new();
    for claim in claims.collect::<Vec<_>>() {
        if let Claim::Ours { lease, takeover, .. } = claim.await.unwrap() {
            assert!(takeover);
            fences.push(lease.fence);
        }
    }
    assert_eq!(fences, [old.fence + 1]);
}

#[tokio::test]
async fn a_run_is_taken_over_only_after_its_lease_lapsed_and_begins_when_it_began() {
    let bed = bed().await;
    let began = bed.hand.now();
    let first = bed.claim("import-1").await;
    bed.hand.forward(30 * SECOND);
    bed.runs.renew(&first, &progress(7), &counts(7)).await.unwrap();
    bed.hand.forward(59 * SECOND);
    let Claim::Alive { delivery, record } = bed.runs.claim(&bed.record("import-1"), "second").await.unwrap() else {
        panic!("the lease holds still")
    };
    assert_eq!((delivery.as_str(), record.counts.created, record.progress), ("delivery", 7, progress(7)));

    bed.hand.forward(SECOND);
    let Claim::Ours { lease, takeover, record } = bed.runs.claim(&bed.record("import-1"), "second").await.unwrap()
    else {
        panic!("the lease has lapsed")
    };
    assert_eq!((lease.fence, takeover, record.started_at), (2, true, began));
}

#[tokio::test]
async fn a_fenced_off_worker_is_told() {
    let bed = bed().await;
    let old = bed.claim("import-1").await;
    bed.hand.forward(60 * SECOND);
    let new = bed.claim("import-1").await;
    let lost = |result: Result<(), RunError>| matches!(result, Err(RunError::Lost { run }) if run == "import-1");
    assert!(lost(bed.runs.renew(&old, &progress(1), &counts(1)).await));
    assert!(lost(end(&bed, &old, RunState::Succeeded).await));
    // To give back what is lost is no error, and takes nothing from the new worker.
    bed.runs.release(&old).await.unwrap();
    assert!(matches!(bed.runs.claim(&bed.record("import-1"), "third").await.unwrap(), Claim::Alive { .. }));
    bed.runs.renew(&new, &progress(2), &counts(2)).await.unwrap();
    let record = bed.runs.get("import-1").await.unwrap().unwrap();
    assert_eq!((record.state, record.counts), (RunState::Running, counts(2)));
}

#[tokio::test]
async fn a_lapsed_lease_that_nobody_took_is_still_ours() {
    let bed = bed().await;
    let lease = bed.claim("import-1").await;
    bed.hand.forward(600 * SECOND);
    bed.runs.renew(&lease, &progress(1), &counts(1)).await.unwrap();
    assert!(matches!(bed.runs.claim(&bed.record("import-1"), "second").await.unwrap(), Claim::Alive { .. }));
}

#[tokio::test]
async fn an_ended_run_stays_as_it_ended() {
    let bed = bed().await;
    let began = bed.hand.now();
    let lease = bed.claim("import-1").await;
    bed.hand.forward(5 * SECOND);
    end(&bed, &lease, RunState::Succeeded).await.unwrap();
    // The answer was lost, and the end is sent again.
    end(&bed, &lease, RunState::Succeeded).await.unwrap();
    assert!(matches!(bed.runs.renew(&lease, &progress(9), &counts(9)).await, Err(RunError::Lost { .. })));
    bed.runs.release(&lease).await.unwrap();
    bed.hand.forward(3600 * SECOND);
    let Claim::Ended(record) = bed.runs.claim(&bed.record("import-1"), "again").await.unwrap() else {
        panic!("not ended")
    };
    assert_eq!((record.state, record.counts, record.started_at), (RunState::Succeeded, counts(3), began));
    assert_eq!(Some(record), bed.runs.get("import-1").await.unwrap());
}

#[tokio::test]
async fn a_run_cannot_end_as_running() {
    let bed = bed().await;
    let lease = bed.claim("import-1").await;
    assert!(matches!(end(&bed, &lease, RunState::Running).await, Err(RunError::Store(_))));
    end(&bed, &lease, RunState::Partly).await.unwrap();
}

#[tokio::test]
async fn a_released_run_goes_on_at_once_and_the_old_worker_is_fenced_off() {
    let bed = bed().await;
    let old = bed.claim("import-1").await;
    bed.runs.release(&old).await.unwrap();
    assert!(matches!(bed.runs.renew(&old, &progress(1), &counts(1)).await, Err(RunError::Lost { .. })));
    let Claim::Ours { lease, takeover, .. } = bed.runs.claim(&bed.record("import-1"), "second").await.unwrap() else {
        panic!("it was released")
    };
    assert!(takeover && lease.fence > old.fence);
}

#[tokio::test]
async fn records_are_kept_400_days_from_the_last_claim_or_end() {
    let bed = bed().await;
    let expiry = async || raw(&bed, "import-1").await["expires_at"].as_n().unwrap().parse::<i64>().unwrap();
    let kept = i64::try_from(Runs::KEPT.as_secs()).unwrap();
    let lease = bed.claim("import-1").await;
    assert_eq!(expiry().await, bed.hand.now().as_second() + kept);
    bed.hand.forward(90 * SECOND);
    end(&bed, &lease, RunState::Succeeded).await.unwrap();
    assert_eq!(expiry().await, bed.hand.now().as_second() + kept);
}

#[tokio::test]
async fn a_run_that_nobody_took_over_is_shown_as_failed() {
    let bed = bed().await;
    let _crashed = bed.claim("import-1").await;
    let lapses = bed.hand.now() + Runs::LEASE;
    bed.hand.forward(Runs::LEASE + Runs::BROKEN_OFF - SECOND);
    assert_eq!(bed.runs.get("import-1").await.unwrap().unwrap().state, RunState::Running);
    bed.hand.forward(SECOND);
    let shown = bed.runs.get("import-1").await.unwrap().unwrap();
    assert_eq!((shown.state, shown.ended_at), (RunState::Failed, Some(lapses)));
    assert!(shown.reasons[0].reason.contains("broke off"), "{:?}", shown.reasons);
    // It can still be taken over, and then runs.
    bed.claim("import-1").await;
    assert_eq!(bed.runs.get("import-1").await.unwrap().unwrap().state, RunState::Running);
}

#[tokio::test]
async fn who_waits_is_given_the_end_or_the_chance_to_take_over() {
    let bed = bed().await;
    let look = Duration::from_millis(10);
    assert_eq!(bed.runs.wait_for_end("import-1", look).await.unwrap(), Waited::Absent);

    let lease = bed.claim("import-1").await;
    let runs = bed.runs.clone();
    let waiting = tokio::spawn(async move { runs.wait_for_end("import-1", look).await.unwrap() });
    tokio::time::sleep(5 * look).await;
    assert!(!waiting.is_finished());
    end(&bed, &lease, RunState::Partly).await.unwrap();
    let Waited::Ended(record) = waiting.await.unwrap() else { panic!("it ended") };
    assert_eq!((record.state, record.counts), (RunState::Partly, counts(3)));

    bed.claim("import-2").await;
    let runs = bed.runs.clone();
    let waiting = tokio::spawn(async move { runs.wait_for_end("import-2", look).await.unwrap() });
    tokio::time::sleep(5 * look).await;
    assert!(!waiting.is_finished());
    bed.hand.forward(60 * SECOND);
    assert!(matches!(waiting.await.unwrap(), Waited::Lapsed(record) if record.id == "import-2"));
}

#[tokio::test]
async fn a_keeper_renews_with_the_latest_progress_until_it_is_stopped() {
    let bed = bed().await;
    let lease = bed.claim("import-1").await;
    let (tell, latest) = watch::channel((Progress::default(), Counts::default()));
    let keeper = bed.runs.keep_every(Duration::from_millis(20), lease.clone(), latest);
    bed.hand.forward(50 * SECOND);
    tell.send_replace((progress(5), counts(5)));
    until(async || bed.runs.get("import-1").await.unwrap().unwrap().counts == counts(5)).await;
    // Renewed at the 50th second: it holds in the 100th.
    bed.hand.forward(50 * SECOND);
    assert!(matches!(bed.runs.claim(&bed.record("import-1"), "second").await.unwrap(), Claim::Alive { .. }));
    assert!(!keeper.is_lost());
    keeper.stop().await;

    tell.send_replace((progress(6), counts(6)));
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(bed.runs.get("import-1").await.unwrap().unwrap().counts, counts(5));
    end(&bed, &lease, RunState::Succeeded).await.unwrap();
}

#[tokio::test]
async fn a_keeper_reports_the_loss() {
    let bed = bed().await;
    let old = bed.claim("import-1").await;
    bed.hand.forward(60 * SECOND);
    bed.claim("import-1").await;
    let (_tell, latest) = watch::channel((Progress::default(), Counts::default()));
    let keeper = bed.runs.keep_every(Duration::from_millis(20), old, latest);
    tokio::time::timeout(10 * SECOND, keeper.lost().cancelled()).await.unwrap();
    assert!(keeper.is_lost());
    keeper.stop().await;
}

#[tokio::test]
async fn a_dropped_keeper_renews_no_more() {
    let bed = bed().await;
    let lease = bed.claim("import-1").await;
    let (tell, latest) = watch::channel((progress(1), counts(1)));
    drop(bed.runs.keep_every(Duration::from_millis(20), lease, latest));
    tell.send_replace((progress(2), counts(2)));
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(bed.runs.get("import-1").await.unwrap().unwrap().counts, Counts::default());
}
