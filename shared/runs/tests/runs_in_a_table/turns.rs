//! Turns in the table: both leases at once, takeovers, fencing, lost answers.

use std::time::Duration;

use crosswalk_identifier_store::{Item, ItemKey};
use crosswalk_runs::{Begin, Claim, Ledger, RunError, RunRecord, RunState, Runs};

use crate::bed::{Bed, bed};
use crate::lease::raw;
use crate::scenarios::{self, NEVER, Scene, counts, ended, is_lost, progress};

const SECOND: Duration = Duration::from_secs(1);
const TURN: &str = "people-export#9f86d081";

async fn raw_turn(bed: &Bed) -> Item {
    let key = ItemKey::new(format!("TURN#{TURN}"), "TURN").attributes();
    let get = bed.table.client.get_item().table_name(&bed.table.name).consistent_read(true);
    get.set_key(Some(key)).send().await.unwrap().item.unwrap()
}

async fn fences(bed: &Bed, run: &str) -> (u64, u64) {
    let fence = |item: &Item| item["fence"].as_n().unwrap().parse().unwrap();
    (fence(&raw_turn(bed).await), fence(&raw(bed, run).await))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_16_that_begin_at_once_one_gets_the_turn() {
    scenarios::of_16_that_begin_at_once_one_gets_the_turn(&bed().await.scene()).await;
}

#[tokio::test]
async fn a_turn_excludes_its_own_runs_only() {
    scenarios::a_turn_excludes_its_own_runs_only(&bed().await.scene()).await;
}

#[tokio::test]
async fn a_run_that_ended_gives_the_turn_back_and_keeps_all_that_it_said() {
    scenarios::a_run_that_ended_gives_the_turn_back_and_keeps_all_that_it_said(&bed().await.scene()).await;
}

#[tokio::test]
async fn a_run_that_did_what_it_could_is_not_begun_again() {
    scenarios::a_run_that_did_what_it_could_is_not_begun_again(&bed().await.scene()).await;
}

#[tokio::test]
async fn a_run_that_failed_begins_again_from_nothing() {
    scenarios::a_run_that_failed_begins_again_from_nothing(&bed().await.scene()).await;
}

#[tokio::test]
async fn a_run_that_continues_is_gone_on_with() {
    scenarios::a_run_that_continues_is_gone_on_with(&bed().await.scene()).await;
}

#[tokio::test]
async fn a_released_run_is_gone_on_with_at_once() {
    scenarios::a_released_run_is_gone_on_with_at_once(&bed().await.scene()).await;
}

#[tokio::test]
async fn a_run_cannot_end_as_running() {
    scenarios::a_run_cannot_end_as_running(&bed().await.scene()).await;
}

#[tokio::test]
async fn runs_are_listed_newest_first() {
    scenarios::runs_are_listed_newest_first(&bed().await.scene()).await;
}

#[tokio::test]
async fn a_turn_is_busy_until_its_lease_lapses_and_confirming_renews_it() {
    let bed = bed().await;
    let scene = bed.scene();
    let held = scene.begin("run-1").await;
    let until = async || match scene.try_begin("run-2").await {
        Begin::Busy { run, until } if run == "run-1" => until.unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!(until().await, bed.hand.now() + Runs::LEASE);
    bed.hand.forward(59 * SECOND);
    held.tell(progress(7), counts(7));
    held.confirm().await.unwrap();
    assert_eq!(until().await, bed.hand.now() + Runs::LEASE);
    // The run's own lease goes along, and so does its progress.
    let Claim::Alive { record, delivery } = bed.runs.claim(&scene.record("run-1"), "other").await.unwrap() else {
        panic!("the run's lease holds")
    };
    assert_eq!((record.progress, record.counts, delivery.as_str()), (progress(7), counts(7), "schedule"));
    assert_eq!(fences(&bed, "run-1").await, (1, 1));
}

#[tokio::test]
async fn a_lapsed_turn_is_taken_over_by_its_own_run_and_the_old_worker_is_fenced_off() {
    let bed = bed().await;
    let scene = bed.scene();
    let began = scene.record("run-1");
    let (first, second) = (scene.begin("run-1").await, scene.begin_lapsed("run-1").await);
    assert_eq!(second.record(), &began);
    assert_eq!(fences(&bed, "run-1").await, (2, 2));
    let lost = first.lost();
    assert!(!lost.is_cancelled());
    assert!(is_lost(first.confirm().await, "run-1"));
    assert!(lost.is_cancelled() && is_lost(first.confirm().await, "run-1"));
    assert!(is_lost(first.end(&ended(&began, RunState::Failed)).await, "run-1"));
    assert_eq!(scene.get("run-1").await, began);
    second.confirm().await.unwrap();

    let third = scene.begin_lapsed("run-1").await;
    // To give back what is lost is no error, and takes nothing from the new worker.
    second.release().await.unwrap();
    assert_eq!(scene.busy("run-2").await, "run-1");
    third.confirm().await.unwrap();
    assert_eq!(fences(&bed, "run-1").await, (3, 3));
}

#[tokio::test]
async fn a_lapsed_turn_is_another_runs() {
    let bed = bed().await;
    let scene = bed.scene();
    let first = scene.begin("run-1").await;
    let second = scene.begin_lapsed("run-2").await;
    assert_eq!((scene.busy("run-1").await, scene.busy("run-3").await), ("run-2".into(), "run-2".into()));
    // The first run's own item still stands as it left it: the turn's tells.
    assert!(is_lost(first.confirm().await, "run-1"));
    assert!(is_lost(first.end(&ended(&scene.record("run-1"), RunState::Succeeded)).await, "run-1"));
    assert_eq!(scene.get("run-1").await.state, RunState::Running);
    second.end(&ended(&scene.record("run-2"), RunState::Succeeded)).await.unwrap();
    let again = scene.begin("run-1").await;
    assert_eq!(fences(&bed, "run-1").await, (4, 2));
    again.confirm().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_16_that_take_over_at_once_one_gets_the_turn() {
    let bed = bed().await;
    let scene = bed.scene();
    let _crashed = scene.begin("run-0").await;
    bed.hand.forward(Runs::LEASE);
    let begins = (0..16).map(|worker| {
        let (ledger, record) = (scene.ledger.clone(), scene.record(&format!("run-{}", worker % 8)));
        tokio::spawn(async move { ledger.begin_every(NEVER, &record, TURN, "schedule").await.unwrap() })
    });
    let mut winners = Vec::new();
    for begin in begins.collect::<Vec<_>>() {
        if let Begin::Ours(held) = begin.await.unwrap() {
            winners.push(held);
        }
    }
    assert_eq!(winners.len(), 1, "{winners:?}");
    winners[0].confirm().await.unwrap();
}

#[tokio::test]
async fn a_dropped_turn_lapses_by_itself() {
    let bed = bed().await;
    let scene = bed.scene();
    let Begin::Ours(held) =
        scene.ledger.begin_every(Duration::from_millis(20), &scene.record("run-1"), TURN, "x").await.unwrap()
    else {
        panic!("it is free")
    };
    held.confirm().await.unwrap();
    let standing = raw_turn(&bed).await;
    drop(held);
    bed.hand.forward(Runs::LEASE - SECOND);
    // A renewal would show by now.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(raw_turn(&bed).await, standing);
    assert_eq!(scene.busy("run-2").await, "run-1");
    bed.hand.forward(SECOND);
    scene.begin("run-2").await.confirm().await.unwrap();
}

#[tokio::test]
async fn the_background_tells_the_loss() {
    let bed = bed().await;
    let scene = bed.scene();
    let interval = Duration::from_millis(20);
    let Begin::Ours(held) = scene.ledger.begin_every(interval, &scene.record("run-1"), TURN, "x").await.unwrap() else {
        panic!("it is free")
    };
    // Somebody deletes the turn, and another run takes a new one under the same fencing number.
    let key = ItemKey::new(format!("TURN#{TURN}"), "TURN").attributes();
    bed.table.client.delete_item().table_name(&bed.table.name).set_key(Some(key)).send().await.unwrap();
    let other = scene.begin("run-2").await;
    tokio::time::timeout(30 * SECOND, held.lost().cancelled()).await.unwrap();
    assert!(is_lost(held.confirm().await, "run-1"));
    other.confirm().await.unwrap();
}

#[tokio::test]
async fn a_lapsed_lease_that_nobody_took_is_still_ours() {
    let bed = bed().await;
    let scene = bed.scene();
    let held = scene.begin("run-1").await;
    bed.hand.forward(600 * SECOND);
    held.confirm().await.unwrap();
    assert_eq!(scene.busy("run-2").await, "run-1");
    bed.hand.forward(600 * SECOND);
    held.end(&ended(&scene.record("run-1"), RunState::Failed)).await.unwrap();
    assert_eq!(scene.get("run-1").await.state, RunState::Failed);
}

#[tokio::test]
async fn lost_answers_cost_nothing() {
    let bed = bed().await;
    let (runs, throttled) = bed.throttled();
    let scene = Scene { ledger: Ledger::Table(runs), hand: bed.hand.clone() };
    let began = scene.record("run-1");
    throttled.next_of("TransactWriteItems", 2);
    let held = scene.begin("run-1").await;
    assert_eq!((throttled.left(), held.record(), fences(&bed, "run-1").await), (0, &began, (1, 1)));

    throttled.next_of("TransactWriteItems", 1);
    held.confirm().await.unwrap();
    throttled.next_of("TransactGetItems", 2);
    assert_eq!(scene.busy("run-2").await, "run-1");

    throttled.next_of("TransactWriteItems", 1);
    held.end(&ended(&began, RunState::Failed)).await.unwrap();
    assert_eq!((throttled.left(), scene.get("run-1").await), (0, ended(&began, RunState::Failed)));

    // A beginning anew, a takeover and a release.
    throttled.next_of("TransactWriteItems", 1);
    let crashed = scene.begin("run-1").await;
    bed.hand.forward(Runs::LEASE);
    throttled.next_of("TransactWriteItems", 1);
    let held = scene.begin("run-1").await;
    assert_eq!((throttled.left(), fences(&bed, "run-1").await.1), (0, 3));
    assert!(is_lost(crashed.confirm().await, "run-1"));
    held.confirm().await.unwrap();
    throttled.next_of("TransactWriteItems", 1);
    held.release().await.unwrap();
    assert_eq!(throttled.left(), 0);
    scene.begin("run-2").await.confirm().await.unwrap();
}

#[tokio::test]
async fn throttling_that_outlasts_the_retries_is_no_loss() {
    let bed = bed().await;
    let (runs, throttled) = bed.throttled();
    let scene = Scene { ledger: Ledger::Table(runs), hand: bed.hand.clone() };
    let held = scene.begin("run-1").await;
    throttled.next_of("TransactWriteItems", 8);
    let failed = held.confirm().await;
    assert!(matches!(failed, Err(RunError::Store(_))), "{failed:?}");
    assert!(!held.lost().is_cancelled());
    held.confirm().await.unwrap();
}

#[tokio::test]
async fn a_crashed_beginning_holds_turn_and_run_for_one_lease() {
    let bed = bed().await;
    let (runs, throttled) = bed.throttled();
    let scene = Scene { ledger: Ledger::Table(runs), hand: bed.hand.clone() };
    // All answers are lost: the worker gives up, and does not know that it has the turn.
    throttled.next_of("TransactWriteItems", 8);
    let failed = scene.ledger.begin_every(NEVER, &scene.record("run-1"), TURN, "schedule").await;
    assert!(matches!(failed, Err(RunError::Store(_))), "{failed:?}");
    assert_eq!((scene.busy("run-1").await, scene.busy("run-2").await), ("run-1".into(), "run-1".into()));
    bed.hand.forward(Runs::LEASE);
    assert_eq!(
        scene.begin("run-1").await.record(),
        &RunRecord { started_at: bed.hand.now() - Runs::LEASE, ..scene.record("run-1") }
    );
}

impl Scene {
    /// Begins what was held until now by a worker that no longer renews.
    async fn begin_lapsed(&self, id: &str) -> crosswalk_runs::Held {
        self.hand.forward(Runs::LEASE - SECOND);
        self.busy(id).await;
        self.hand.forward(SECOND);
        self.begin(id).await
    }
}
