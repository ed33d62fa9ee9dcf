use crosswalk_identity::Mark;
use crosswalk_people::Kept;

use crate::bed::{bed, employer, fein, line, other_run, revision};

const NUMBER: &str = "04-2127847";
const PK: &str = "EMPLOYER#042127847";

#[tokio::test]
async fn created_updated_unchanged() {
    let bed = bed().await;
    let people = &bed.people;
    assert_eq!(people.employer(&fein(NUMBER)).await.unwrap(), None);
    let first = employer(NUMBER, "Example Mills", None);
    assert_eq!(people.put_employer(&first, &line(2)).await.unwrap(), Kept::Created);
    assert_eq!(people.employer(&fein(NUMBER)).await.unwrap(), Some(first.clone()));
    assert_eq!(people.put_employer(&first, &line(3)).await.unwrap(), Kept::Unchanged);
    let renamed = employer(NUMBER, "Example Mills Inc", None);
    assert_eq!(people.put_employer(&renamed, &line(4)).await.unwrap(), Kept::Updated);
    let known = employer(NUMBER, "Example Mills Inc", Some("77"));
    assert_eq!(people.put_employer(&known, &line(5)).await.unwrap(), Kept::Updated);
    // No id in the file keeps the stored one.
    assert_eq!(people.put_employer(&renamed, &line(6)).await.unwrap(), Kept::Unchanged);
    assert_eq!(people.employer(&fein(NUMBER)).await.unwrap(), Some(known));
    assert_eq!(revision(&bed.raw(PK, "EMPLOYER").await.unwrap()), "3");
}

#[tokio::test]
async fn a_repeat_gets_the_first_outcomes_again_and_writes_nothing() {
    let bed = bed().await;
    bed.people.put_employer(&employer(NUMBER, "Old", None), &other_run()).await.unwrap();
    let rows = [("Old", 2), ("A", 3), ("B", 5), ("B", 6)].map(|(name, at)| (employer(NUMBER, name, None), line(at)));
    let outcomes = [Kept::Unchanged, Kept::Updated, Kept::Updated, Kept::Unchanged];
    let mut standing = None;
    for _ in 0..3 {
        for ((row, mark), outcome) in rows.iter().zip(outcomes) {
            assert_eq!(bed.people.put_employer(row, mark).await.unwrap(), outcome, "{mark}");
        }
        let item = bed.raw(PK, "EMPLOYER").await.unwrap();
        assert_eq!(*standing.get_or_insert(item.clone()), item);
    }
    assert_eq!(bed.people.employer(&fein(NUMBER)).await.unwrap().unwrap().name, "B");
}

#[tokio::test]
async fn a_repeated_request_gets_its_outcome_again() {
    let bed = bed().await;
    let (first, second) = (Mark::request("request-1"), Mark::request("request-2"));
    for _ in 0..2 {
        assert_eq!(bed.people.put_employer(&employer(NUMBER, "A", None), &first).await.unwrap(), Kept::Created);
    }
    for _ in 0..2 {
        assert_eq!(bed.people.put_employer(&employer(NUMBER, "B", None), &second).await.unwrap(), Kept::Updated);
    }
}

#[tokio::test]
async fn a_lost_answer_is_no_other_outcome() {
    let bed = bed().await;
    let (people, lossy) = bed.losing_answers(2);
    assert_eq!(people.put_employer(&employer(NUMBER, "A", None), &line(2)).await.unwrap(), Kept::Created);
    assert_eq!(people.put_employer(&employer(NUMBER, "B", None), &line(3)).await.unwrap(), Kept::Updated);
    assert_eq!(lossy.left(), 0);
    assert_eq!(revision(&bed.raw(PK, "EMPLOYER").await.unwrap()), "2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_16_writers_one_creates_and_none_is_lost() {
    let bed = bed().await;
    let writers = (0..16).map(|number| {
        let people = bed.people.clone();
        let row = employer(NUMBER, &format!("name {number}"), None);
        tokio::spawn(async move { people.put_employer(&row, &Mark::line(format!("run-{number}"), 2)).await.unwrap() })
    });
    let mut created = 0;
    for writer in writers.collect::<Vec<_>>() {
        match writer.await.unwrap() {
            Kept::Created => created += 1,
            kept => assert_eq!(kept, Kept::Updated),
        }
    }
    assert_eq!(created, 1);
    // Each write was over the one that it had read.
    assert_eq!(revision(&bed.raw(PK, "EMPLOYER").await.unwrap()), "16");
}

#[tokio::test]
async fn what_a_later_release_keeps_is_not_lost() {
    let bed = bed().await;
    let attributes = [("pk", PK), ("sk", "EMPLOYER"), ("fein", "042127847"), ("name", "A"), ("later", "kept")];
    bed.put_raw(&attributes).await;
    // It has no revision either.
    assert_eq!(bed.people.put_employer(&employer(NUMBER, "B", None), &line(2)).await.unwrap(), Kept::Updated);
    let item = bed.raw(PK, "EMPLOYER").await.unwrap();
    assert_eq!(item["later"].as_s().unwrap(), "kept");
    assert_eq!(item["name"].as_s().unwrap(), "B");
}

#[tokio::test]
async fn many_are_read_at_once() {
    let bed = bed().await;
    let all: Vec<_> = (1..=120).map(|number| employer(&number.to_string(), &format!("name {number}"), None)).collect();
    for (at, employer) in all.iter().enumerate() {
        bed.people.put_employer(employer, &line(at as u64 + 2)).await.unwrap();
    }
    let mut asked: Vec<_> = all.iter().map(|employer| employer.fein.clone()).collect();
    // One twice, and one that nobody knows.
    asked.extend([fein("1"), fein("999999999")]);
    let found = bed.people.employers(&asked).await.unwrap();
    assert_eq!(found.into_values().collect::<Vec<_>>(), all);
    assert!(bed.people.employers(&[]).await.unwrap().is_empty());
}

#[test]
fn the_json() {
    let json = serde_json::to_string(&employer(NUMBER, "Example Mills", None)).unwrap();
    insta::assert_snapshot!(json, @r#"{"fein":"042127847","name":"Example Mills","fineos_employer_id":null}"#);
}
