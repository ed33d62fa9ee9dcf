//! Many writers at once.

use std::sync::Arc;

use crosswalk_identifier_store::{Checked, Stored};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use crate::support::{Bed, id, mark, nemo, request, user};

const TASKS: usize = 16;

/// Rounds of `store`, one id at a time.
const SINGLE: usize = 200;
/// Rounds of `store_many`: so many batches of so many ids, each id claimed by all tasks.
const BATCHES: usize = 40;
const BATCH: usize = 20;

/// A thousand rounds in all: each external id is claimed by 16 people at the same moment.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_sixteen_that_claim_one_id_exactly_one_wins() {
    let bed = Bed::start().await;
    let barrier = Arc::new(Barrier::new(TASKS));
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let (store, barrier) = (bed.store.clone(), barrier.clone());
        tasks.spawn(async move {
            let claim = |round: usize| request(&format!("user{task}-{round}"), &format!("id{round}"));
            let mut answers = Vec::new();
            for round in 0..SINGLE {
                barrier.wait().await;
                answers.push(store.store(claim(round)).await.unwrap());
            }
            for batch in 0..BATCHES {
                barrier.wait().await;
                let first = SINGLE + batch * BATCH;
                let batch = store.store_many((first..first + BATCH).map(claim).collect()).await;
                answers.extend(batch.into_iter().map(|answer| answer.unwrap()));
            }
            answers
        });
    }
    let answers = tasks.join_all().await;
    let rounds = answers[0].len();
    assert_eq!(rounds, 1000);
    for round in 0..rounds {
        let mut winners = answers.iter().filter_map(|answers| match &answers[round] {
            Stored::Created(mapping) => Some(mapping.username.clone()),
            _ => None,
        });
        let winner = winners.next().expect("one wins");
        assert_eq!(winners.next(), None, "round {round}");
        let conflict = Stored::Conflict { owner: winner };
        let losers = answers.iter().filter(|answers| answers[round] == conflict).count();
        assert_eq!(losers, TASKS - 1, "round {round}");
    }
    let checked = bed.store.check_integrity(|broken| panic!("{broken}")).await.unwrap();
    assert_eq!(checked, Checked { mappings: 1000, owners: 1000, broken: 0 });
}

/// All operations at once on a handful of people and ids, where nearly every one meets another.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_any_interleaving_each_item_has_its_counterpart() {
    let bed = Bed::start().await;
    let people = ["alice", "bob", "carol", "dora"];
    let ids = ["1", "2", "3", "4", "5"];
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let store = bed.store.clone();
        tasks.spawn(async move {
            let mut rng = StdRng::seed_from_u64(task as u64);
            for _ in 0..25 {
                let (a, b) = (*people.choose(&mut rng).unwrap(), *people.choose(&mut rng).unwrap());
                let what = *ids.choose(&mut rng).unwrap();
                match rng.random_range(0..8) {
                    0..3 => drop(store.store(request(a, what)).await.unwrap()),
                    3 => {
                        let rows = ids.iter().zip(people).map(|(what, who)| request(who, what)).collect();
                        store.store_many(rows).await.into_iter().for_each(|answer| drop(answer.unwrap()));
                    }
                    4 => drop(store.delete(&user(a), &nemo()).await.unwrap()),
                    5 => drop(store.move_to(&nemo(), &id(what), &user(a), &user(b), mark()).await.unwrap()),
                    6 => drop(store.swap(&nemo(), &user(a), &user(b), mark()).await.unwrap()),
                    _ => {
                        // A lookup while others write never sees half a mapping.
                        let found = store.get_by_external_id(&nemo(), &id(what)).await.unwrap();
                        assert!(found.is_none_or(|mapping| mapping.external_id == id(what)));
                    }
                }
            }
        });
    }
    // Nor does a check.
    while !tasks.is_empty() {
        bed.store.check_integrity(|broken| panic!("{broken}")).await.unwrap();
        if let Ok(Some(ended)) = tokio::time::timeout(std::time::Duration::from_millis(20), tasks.join_next()).await {
            ended.unwrap();
        }
    }
    bed.assert_sound().await;
}
