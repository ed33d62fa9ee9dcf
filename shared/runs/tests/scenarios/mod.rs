//! What holds for runs that exclude each other wherever they are kept; each test binary runs it over a ledger of its own.

pub(crate) mod hand;

use std::collections::BTreeMap;
use std::time::Duration;

use crosswalk_runs::{
    AuditCounts, Begin, Counts, Held, Ledger, Outcome, Progress, ReasonCount, Reports, RunError, RunRecord, RunState,
    Traffic,
};

use self::hand::Hand;

/// No renewal comes in the way of a clock that jumps.
pub(crate) const NEVER: Duration = Duration::from_secs(24 * 60 * 60);
const TURN: &str = "people-export#9f86d081";

/// A ledger, and the clock that it looks at.
pub(crate) struct Scene {
    pub(crate) ledger: Ledger,
    pub(crate) hand: Hand,
}

impl Scene {
    pub(crate) fn record(&self, id: &str) -> RunRecord {
        RunRecord::begin(id, "people-export", "https://id.example.org/realms/staff", self.hand.now())
    }

    pub(crate) async fn try_begin(&self, id: &str) -> Begin {
        self.ledger.begin_every(NEVER, &self.record(id), TURN, "schedule").await.unwrap()
    }

    /// Begins what must be free.
    pub(crate) async fn begin(&self, id: &str) -> Held {
        match self.try_begin(id).await {
            Begin::Ours(held) => held,
            other => panic!("{id}: {other:?}"),
        }
    }

    /// Who has the turn.
    pub(crate) async fn busy(&self, id: &str) -> String {
        match self.try_begin(id).await {
            Begin::Busy { run, .. } => run,
            other => panic!("{id}: {other:?}"),
        }
    }

    pub(crate) async fn get(&self, id: &str) -> RunRecord {
        self.ledger.get(id).await.unwrap().unwrap()
    }
}

pub(crate) fn counts(created: u64) -> Counts {
    let mut counts = Counts::default();
    (0..created).for_each(|_| counts.add(Outcome::Created));
    counts
}

pub(crate) fn progress(rows: u64) -> Progress {
    Progress { rows, bytes: 7 * rows, percent: Some(12.5) }
}

/// Ended, with everything that a record can say.
pub(crate) fn ended(begun: &RunRecord, state: RunState) -> RunRecord {
    let reason = |reason: &str| ReasonCount { reason: reason.into(), count: 2 };
    let traffic = Traffic { requests: 12, retries: 1, bytes_sent: 345, bytes_received: Some(678) };
    RunRecord {
        state,
        ended_at: Some(begun.started_at + Duration::from_millis(1_250)),
        progress: Progress { rows: 3, bytes: 120, percent: Some(100.0) },
        counts: counts(3),
        reports: Reports { summary: Some("reports/x/summary.json".into()), ..Reports::default() },
        reasons: vec![reason("the department is missing")],
        warnings: vec![reason("the name is filtered")],
        parts: BTreeMap::from([("people".into(), counts(2)), ("teams".into(), counts(1))]),
        traffic: BTreeMap::from([
            ("glean".into(), traffic),
            ("keycloak".into(), Traffic { bytes_received: None, ..traffic }),
        ]),
        plan: Some("c0ffee".into()),
        audit: Some(AuditCounts { complete: 2, stale: 1, ..AuditCounts::default() }),
        ..begun.clone()
    }
}

pub(crate) fn is_lost(result: Result<(), RunError>, id: &str) -> bool {
    matches!(result, Err(RunError::Lost { run }) if run == id)
}

pub(crate) async fn until(mut done: impl AsyncFnMut() -> bool) {
    for _ in 0..1_500 {
        if done().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it did not come about within 30 seconds");
}

/// Two workers each of eight runs.
pub(crate) async fn of_16_that_begin_at_once_one_gets_the_turn(scene: &Scene) {
    for round in 0..5 {
        let begins = (0..16).map(|worker| {
            let (ledger, record) = (scene.ledger.clone(), scene.record(&format!("run-{round}-{}", worker % 8)));
            tokio::spawn(async move { ledger.begin_every(NEVER, &record, TURN, "schedule").await.unwrap() })
        });
        let (mut winners, mut told) = (Vec::new(), Vec::new());
        for begin in begins.collect::<Vec<_>>() {
            match begin.await.unwrap() {
                Begin::Ours(held) => winners.push(held),
                Begin::Busy { run, .. } => told.push(run),
                Begin::Ended(record) => panic!("{record:?}"),
            }
        }
        let winner = winners.pop().unwrap();
        let id = winner.record().id.clone();
        assert!(winners.is_empty(), "{winners:?}");
        assert_eq!(told, vec![id.clone(); 15]);
        winner.confirm().await.unwrap();
        // Who was turned away has left nothing.
        for run in 0..8 {
            let other = format!("run-{round}-{run}");
            assert_eq!(scene.ledger.get(&other).await.unwrap().is_some(), other == id);
        }
        winner.end(&ended(&scene.get(&id).await, RunState::Succeeded)).await.unwrap();
    }
}

pub(crate) async fn a_turn_excludes_its_own_runs_only(scene: &Scene) {
    let held = scene.begin("run-1").await;
    assert_eq!((scene.busy("run-2").await, scene.busy("run-1").await), ("run-1".into(), "run-1".into()));
    assert_eq!(scene.ledger.get("run-2").await.unwrap(), None);
    let other = scene.ledger.begin(&scene.record("run-3"), "another turn", "schedule").await.unwrap();
    let Begin::Ours(other) = other else { panic!("{other:?}") };
    // A run works under one turn at a time.
    let moved = scene.ledger.begin(&scene.record("run-1"), "a third turn", "schedule").await.unwrap();
    assert!(matches!(&moved, Begin::Busy { run, .. } if run == "run-1"), "{moved:?}");
    let third = scene.ledger.begin(&scene.record("run-4"), "a third turn", "schedule").await.unwrap();
    assert!(matches!(third, Begin::Ours(_)), "{third:?}");
    held.confirm().await.unwrap();
    other.confirm().await.unwrap();
}

pub(crate) async fn a_run_that_ended_gives_the_turn_back_and_keeps_all_that_it_said(scene: &Scene) {
    let held = scene.begin("run-1").await;
    assert_eq!(held.record(), &scene.record("run-1"));
    assert_eq!(scene.get("run-1").await, scene.record("run-1"));
    let told = ended(held.record(), RunState::Partly);
    scene.hand.forward(Duration::from_secs(2));
    // What was known when it began stays as it is stored.
    let renamed = RunRecord { source: "elsewhere".into(), started_at: scene.hand.now(), ..told.clone() };
    held.end(&renamed).await.unwrap();
    assert_eq!(scene.get("run-1").await, told);

    let held = scene.begin("run-2").await;
    let untimed = RunRecord { ended_at: None, ..ended(held.record(), RunState::Failed) };
    scene.hand.forward(Duration::from_secs(2));
    held.end(&untimed).await.unwrap();
    assert_eq!(scene.get("run-2").await.ended_at, Some(scene.hand.now()));
    // Nothing else in its way: nor in that of a run which knew no more than when it began.
    let held = scene.begin("run-3").await;
    let bare = RunRecord { state: RunState::Succeeded, ended_at: Some(scene.hand.now()), ..held.record().clone() };
    held.end(&bare).await.unwrap();
    assert_eq!(scene.get("run-3").await, bare);
}

pub(crate) async fn a_run_that_did_what_it_could_is_not_begun_again(scene: &Scene) {
    for state in [RunState::Succeeded, RunState::Partly] {
        let id = format!("run-{}", state.as_str());
        let held = scene.begin(&id).await;
        let told = ended(held.record(), state);
        held.end(&told).await.unwrap();
        scene.hand.forward(Duration::from_secs(3600));
        let again = async || match scene.try_begin(&id).await {
            Begin::Ended(record) => record,
            other => panic!("{other:?}"),
        };
        assert_eq!(again().await, told);
        // It took no turn, and needs none.
        let other = scene.begin(&format!("run-2-{}", state.as_str())).await;
        assert_eq!(again().await, told);
        other.confirm().await.unwrap();
        other.release().await.unwrap();
    }
}

pub(crate) async fn a_run_that_failed_begins_again_from_nothing(scene: &Scene) {
    let held = scene.begin("run-1").await;
    held.end(&ended(&scene.record("run-1"), RunState::Failed)).await.unwrap();
    scene.hand.forward(Duration::from_secs(90));

    // What the caller's record says of an outcome does not count: there is none yet.
    let record = RunRecord { ended_at: Some(scene.hand.now()), counts: counts(9), ..scene.record("run-1") };
    let Begin::Ours(held) = scene.ledger.begin_every(NEVER, &record, TURN, "retry").await.unwrap() else {
        panic!("it is not begun again")
    };
    assert_eq!(held.record(), &scene.record("run-1"));
    assert_eq!(scene.get("run-1").await, scene.record("run-1"));
    held.confirm().await.unwrap();
    // Nor is anything of the first time left after the second.
    let bare = RunRecord { state: RunState::Succeeded, ended_at: Some(scene.hand.now()), ..scene.record("run-1") };
    held.end(&bare).await.unwrap();
    assert_eq!(scene.get("run-1").await, bare);
}

pub(crate) async fn a_run_that_continues_is_gone_on_with(scene: &Scene) {
    let held = scene.begin("run-1").await;
    let first_leg = RunRecord { continues: true, ..ended(held.record(), RunState::Partly) };
    held.end(&first_leg).await.unwrap();
    assert_eq!(scene.get("run-1").await, first_leg);
    scene.hand.forward(Duration::from_secs(90));

    let held = scene.begin("run-1").await;
    let second_leg = RunRecord { state: RunState::Running, ended_at: None, continues: false, ..first_leg.clone() };
    assert_eq!(held.record(), &second_leg);
    assert_eq!(scene.get("run-1").await, second_leg);
    // Its end is the run's, and its event is then answered with what all legs did.
    let told = ended(held.record(), RunState::Succeeded);
    held.end(&told).await.unwrap();
    assert_eq!(scene.get("run-1").await, told);
    assert!(matches!(scene.try_begin("run-1").await, Begin::Ended(record) if record == told));
}

pub(crate) async fn a_released_run_is_gone_on_with_at_once(scene: &Scene) {
    let began = scene.record("run-1");
    let interval = Duration::from_millis(20);
    let Begin::Ours(held) = scene.ledger.begin_every(interval, &began, TURN, "schedule").await.unwrap() else {
        panic!("it is free")
    };
    held.tell(progress(5), counts(5));
    until(async || scene.get("run-1").await.counts == counts(5)).await;
    assert_eq!(scene.get("run-1").await, RunRecord { progress: progress(5), counts: counts(5), ..began.clone() });
    held.release().await.unwrap();
    scene.hand.forward(Duration::from_secs(1));
    let again = scene.begin("run-1").await;
    assert_eq!(again.record(), &RunRecord { progress: progress(5), counts: counts(5), ..began });
    again.release().await.unwrap();
    // And the turn is another's as well.
    scene.begin("run-2").await.end(&ended(&scene.record("run-2"), RunState::Succeeded)).await.unwrap();
}

pub(crate) async fn a_run_cannot_end_as_running(scene: &Scene) {
    let held = scene.begin("run-1").await;
    let refused = held.end(&ended(&scene.record("run-1"), RunState::Running)).await;
    assert!(matches!(refused, Err(RunError::Store(_) | RunError::Folder(_))), "{refused:?}");
}

pub(crate) async fn runs_are_listed_newest_first(scene: &Scene) {
    for (number, kind) in ["people-export", "directory-sync", "people-export"].into_iter().enumerate() {
        let record = RunRecord { kind: kind.into(), ..scene.record(&format!("run-{number}")) };
        let Begin::Ours(held) = scene.ledger.begin(&record, TURN, "schedule").await.unwrap() else {
            panic!("it is free")
        };
        held.end(&ended(&record, RunState::Succeeded)).await.unwrap();
        scene.hand.forward(Duration::from_millis(7));
    }
    let ids = async |kind, limit| -> Vec<String> {
        scene.ledger.list(kind, limit).await.unwrap().into_iter().map(|record| record.id).collect()
    };
    // The table's index is eventually consistent.
    until(async || ids(None, 100).await.len() == 3).await;
    assert_eq!(ids(None, 100).await, ["run-2", "run-1", "run-0"]);
    assert_eq!(ids(None, 2).await, ["run-2", "run-1"]);
    assert_eq!(ids(Some("people-export"), 100).await, ["run-2", "run-0"]);
    assert!(ids(Some("nemo-harvest"), 100).await.is_empty());
    assert_eq!(scene.ledger.list(None, 1).await.unwrap()[0].warnings.len(), 1);
}
