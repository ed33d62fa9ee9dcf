use crosswalk_identifier_store::{IdentifierStore, Restored};
use crosswalk_identity::{Mapping, Mark};
use jiff::Timestamp;

use crate::support::{Bed, id, nemo, request, system, user};

fn wanted(username: &str, external_id: &str) -> Mapping {
    let created_at: Timestamp = "2026-01-25T10:00:00.123Z".parse().unwrap();
    Mapping {
        username: user(username),
        system: nemo(),
        external_id: id(external_id),
        email: None,
        created_at,
        last_verified_at: Some(created_at),
        last_seen: None,
        notes: Some("kept".into()),
        stored_by: None,
    }
}

fn under(run: &str, mappings: &[Mapping]) -> Vec<(Mapping, Mark)> {
    mappings.iter().zip(1..).map(|(mapping, line)| (mapping.clone(), Mark::line(run, line))).collect()
}

fn short(answers: Vec<Result<Restored, crosswalk_identifier_store::StoreError>>) -> Vec<String> {
    let word = |restored: Restored| match restored {
        Restored::Created => "created".to_owned(),
        Restored::Unchanged => "unchanged".to_owned(),
        Restored::Conflict { owner } => format!("conflict {owner}"),
    };
    answers.into_iter().map(|answer| answer.map_or_else(|error| error.to_string(), word)).collect()
}

async fn planned(store: &IdentifierStore, mappings: &[Mapping], batch: usize) -> Vec<String> {
    let mut planner = store.restore_planner();
    let mut answers = Vec::new();
    for batch in mappings.chunks(batch) {
        let of_batch = planner.plan_many(batch).await.unwrap();
        answers.extend(of_batch.into_iter().map(|answer| answer.map(|(restored, _)| restored)));
    }
    short(answers)
}

#[tokio::test]
async fn many_are_restored_in_their_order_and_a_plan_says_the_same() {
    let bed = Bed::start().await;
    bed.store("standing", "taken").await;
    let mut mappings: Vec<Mapping> = (0..120).map(|n| wanted(&format!("p{n}"), &format!("x{n}"))).collect();
    mappings.extend([
        wanted("Standing", "taken"),
        wanted("standing", "other"),
        wanted("new", "taken"),
        wanted("p7", "x7"),
        wanted("P7", "x8"),
        wanted("p7", "free"),
        wanted("late", "x9"),
        wanted("late", "x-late"),
    ]);
    mappings.push(Mapping { notes: Some("x".repeat(4097)), ..wanted("long", "long") });
    let mut expected = vec!["created".to_owned(); 120];
    expected.extend(
        [
            "unchanged",
            "conflict standing",
            "conflict standing",
            "unchanged",
            "conflict p8",
            "conflict p7",
            "conflict p9",
            "created",
            "the notes have 4097 bytes; at most 4096 are allowed",
        ]
        .map(str::to_owned),
    );
    let before = bed.items().await;
    assert_eq!(planned(&bed.store, &mappings, 50).await, expected);
    assert_eq!(bed.items().await.len(), before.len(), "a plan writes nothing");

    assert_eq!(short(bed.store.restore_many(under("r", &mappings)).await), expected);
    bed.assert_sound().await;
    let standing = bed.store.get(&user("p7"), &nemo()).await.unwrap().unwrap();
    assert_eq!(standing, Mapping { stored_by: Some(Mark::line("r", 8)), ..wanted("p7", "x7") });

    // Another run leaves everything as it is.
    let again: Vec<String> = short(bed.store.restore_many(under("s", &mappings)).await);
    assert_eq!(again[..120], vec!["unchanged".to_owned(); 120]);
    assert_eq!(bed.store.get(&user("p7"), &nemo()).await.unwrap().unwrap(), standing);

    let there = bed.store.standing_many(&[wanted("P7", "x8"), wanted("nobody", "no")]).await.unwrap();
    let [Ok(taken), Ok(free)] = &there[..] else { panic!("{there:?}") };
    assert_eq!(taken.mapping.as_ref().unwrap().external_id, id("x7"));
    assert_eq!(taken.owner, Some(user("p8")));
    assert_eq!((&free.mapping, &free.owner), (&None, &None));
}

#[tokio::test]
async fn writers_of_the_same_mappings_get_one_truth() {
    let bed = Bed::start().await;
    let mappings: Vec<Mapping> = (0..60).map(|n| wanted(&format!("p{n}"), &format!("x{n}"))).collect();
    let reversed: Vec<Mapping> = mappings.iter().rev().cloned().collect();
    let (one, two) =
        tokio::join!(bed.store.restore_many(under("a", &mappings)), bed.store.restore_many(under("b", &reversed)));
    let created = |answers: &[String]| answers.iter().filter(|answer| *answer == "created").count();
    let (one, two) = (short(one), short(two));
    assert_eq!(created(&one) + created(&two), 60, "{one:?} {two:?}");
    assert_eq!(one.iter().chain(&two).filter(|answer| *answer == "unchanged").count(), 60);
    bed.assert_sound().await;
}

#[tokio::test]
async fn every_mapping_is_met_once_whatever_its_system() {
    let bed = Bed::start().await;
    let big = "x".repeat(4000);
    for n in 0..300 {
        let mut request = request(&format!("p{n}"), &format!("x{n}"));
        request.system = system(if n % 2 == 0 { "nemo" } else { "forgotten" });
        request.notes = crosswalk_identifier_store::Change::Set(big.clone());
        bed.store.store(request).await.unwrap();
    }
    let (mut pages, mut met) = (0, std::collections::BTreeSet::new());
    let mut every = bed.store.every_mapping();
    while let Some(page) = every.next_page().await.unwrap() {
        pages += 1;
        for mapping in page {
            let mapping = mapping.unwrap();
            assert!(met.insert((mapping.username.to_string(), mapping.system.to_string())));
        }
    }
    assert!(pages > 1, "one page proves little");
    assert_eq!(met.len(), 300);
}
