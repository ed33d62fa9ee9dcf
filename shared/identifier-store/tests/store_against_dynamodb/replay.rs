//! Once is twice: a run that crashed half way is delivered again.

use crosswalk_identifier_store::{Change, StoreRequest, Stored};

use crate::support::{Bed, full, line, mark, request, short};

fn rows() -> Vec<StoreRequest> {
    let mut rows = vec![
        line("run", 2, "alice", "1"),
        line("run", 3, "bob", "2"),
        line("run", 4, "alice", "1"), // the same again
        line("run", 5, "alice", "3"), // another id
        line("run", 6, "carol", "2"), // taken
        line("run", 7, "dora", "1"),  // given up by line 5
        line("run", 8, "alice", "3"),
        line("run", 9, "bob", "2"),
        line("run", 10, "alice", "1"), // now dora's
    ];
    rows[7].notes = Change::Set("late".into());
    rows
}

const OUTCOMES: [&str; 9] = [
    "created",
    "created",
    "verified",
    "updated 1",
    "conflict bob",
    "created",
    "verified",
    "updated 2",
    "conflict dora",
];

fn told(answers: &[Result<Stored, crosswalk_identifier_store::StoreError>]) -> Vec<String> {
    answers.iter().map(|answer| short(answer.as_ref().unwrap())).collect()
}

async fn state(bed: &Bed) -> Vec<String> {
    let mut state = Vec::new();
    for who in ["alice", "bob", "carol", "dora"] {
        state.extend(bed.store.list(&crate::support::user(who)).await.unwrap().iter().map(full));
    }
    state
}

#[tokio::test]
async fn the_same_run_again_gets_the_first_outcomes_and_writes_nothing() {
    let bed = Bed::start().await;
    assert_eq!(told(&bed.store.store_many(rows()).await), OUTCOMES);
    let before = bed.items().await.len();
    let first = state(&bed).await;
    bed.time.pass();
    bed.wire.seen();
    assert_eq!(told(&bed.store.store_many(rows()).await), OUTCOMES);
    assert_eq!(bed.wire.counts(), "BatchGetItem 1");
    for row in rows() {
        bed.store.store(row).await.unwrap();
    }
    assert_eq!(told(&bed.store.plan_many(rows()).await), OUTCOMES);
    assert_eq!(state(&bed).await, first);
    assert_eq!(bed.items().await.len(), before);
}

#[tokio::test]
async fn a_run_that_crashed_after_any_row_ends_as_if_it_had_run_once() {
    let whole = Bed::start().await;
    whole.store.store_many(rows()).await;
    let whole = state(&whole).await;
    for done in 0..rows().len() {
        let bed = Bed::start().await;
        for row in rows().into_iter().take(done) {
            bed.store.store(row).await.unwrap();
        }
        assert_eq!(told(&bed.store.store_many(rows()).await), OUTCOMES, "after {done} rows");
        assert_eq!(state(&bed).await, whole, "after {done} rows");
        bed.assert_sound().await;
    }
}

#[tokio::test]
async fn a_dead_runs_repeat_does_not_undo_a_later_request() {
    let bed = Bed::start().await;
    bed.store.store(line("run", 2, "alice", "1")).await.unwrap();
    bed.store.store(StoreRequest { mark: mark(), ..request("alice", "2") }).await.unwrap();
    assert_eq!(short(&bed.store.store(line("run", 2, "alice", "1")).await.unwrap()), "created");
    assert_eq!(bed.id_of("alice").await.as_deref(), Some("2"));
    // Another run is another matter.
    assert_eq!(short(&bed.store.store(line("run-b", 2, "alice", "1")).await.unwrap()), "updated 2");
}

#[tokio::test]
async fn two_deliveries_at_once_agree() {
    let bed = Bed::start().await;
    let rows: Vec<StoreRequest> =
        (0..60).map(|n| line("run", n, &format!("user{}", n % 45), &format!("{}", n % 45))).collect();
    let (a, b) = tokio::join!(bed.store.store_many(rows.clone()), bed.store.store_many(rows));
    assert_eq!(told(&a), told(&b));
    assert_eq!(told(&a).iter().filter(|told| *told == "created").count(), 45);
    bed.assert_sound().await;
}
