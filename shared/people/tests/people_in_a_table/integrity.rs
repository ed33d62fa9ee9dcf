use crosswalk_people::EMPLOYER_ROLE;

use crate::bed::{Bed, bed, email, employer, fein, line, name};

/// A person, an employer and a link, all whole.
async fn whole() -> Bed {
    let bed = bed().await;
    let mark = line(2);
    bed.people.put_employer(&employer("1", "Example", None), &mark).await.unwrap();
    bed.people.ensure_person(&name("alice"), &email("alice@example.org"), EMPLOYER_ROLE, &mark).await.unwrap();
    bed.people.ensure_link(&name("alice"), &fein("1"), &mark).await.unwrap();
    assert!(bed.broken().await.is_empty());
    bed
}

#[tokio::test]
async fn what_is_whole_is_counted_and_not_reported() {
    let bed = whole().await;
    let checked = bed.people.check_integrity(|broken| panic!("{broken:?}")).await.unwrap();
    assert_eq!((checked.items, checked.broken), (5, 0));
}

#[tokio::test]
async fn a_missing_half_is_reported_by_the_other() {
    for (pk, sk, reported) in [
        ("EMAIL#alice@example.org", "PERSON#alice", vec!["PERSON#alice / PERSON: the person's e-mail has no item"]),
        ("EMPLOYER#000000001", "ADMINISTRATOR#alice", vec!["PERSON#alice / LINK#000000001: the link has no reverse"]),
        ("PERSON#alice", "LINK#000000001", vec!["EMPLOYER#000000001 / ADMINISTRATOR#alice: the reverse has no link"]),
        ("EMPLOYER#000000001", "EMPLOYER", vec!["PERSON#alice / LINK#000000001: the link's employer is absent"]),
        (
            "PERSON#alice",
            "PERSON",
            vec![
                "EMAIL#alice@example.org / PERSON#alice: the person whom the e-mail leads to is absent",
                "PERSON#alice / LINK#000000001: the link's person is absent",
            ],
        ),
    ] {
        let bed = whole().await;
        bed.delete_raw(pk, sk).await;
        assert_eq!(bed.broken().await, reported, "{pk} {sk}");
    }
}

#[tokio::test]
async fn what_leads_astray_stands_elsewhere_or_does_not_read_is_reported() {
    let bed = whole().await;
    bed.put_raw(&[("pk", "EMAIL#old@example.org"), ("sk", "PERSON#alice")]).await;
    let born = ("created_at", "2026-01-02T03:04:05Z");
    bed.put_raw(&[("pk", "PERSON#bob"), ("sk", "PERSON"), ("username", "carol"), born]).await;
    bed.put_raw(&[("pk", "PERSON#dave"), ("sk", "PERSON"), ("username", "dave")]).await;
    bed.put_raw(&[("pk", "EMPLOYER#000000002"), ("sk", "EMPLOYER"), ("fein", "000000002")]).await;
    // Nothing of ours.
    bed.put_raw(&[("pk", "PERSON#erin"), ("sk", "MAPPING#nemo")]).await;
    assert_eq!(
        bed.broken().await,
        [
            "EMAIL#old@example.org / PERSON#alice: the person whom the e-mail leads to has another e-mail",
            "EMPLOYER#000000002 / EMPLOYER: does not read: it is no employer",
            "PERSON#bob / PERSON: what it holds belongs under another key",
            "PERSON#dave / PERSON: does not read: it is no person",
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn writes_that_go_on_meanwhile_raise_no_false_alarm() {
    let bed = whole().await;
    let people = bed.people.clone();
    let writer = tokio::spawn(async move {
        for round in 0..60_u64 {
            let address = email(&format!("alice{}@example.org", round % 3));
            let mark = crosswalk_identity::Mark::line(format!("run-{round}"), 2);
            people.ensure_person(&name("alice"), &address, EMPLOYER_ROLE, &mark).await.unwrap();
        }
    });
    while !writer.is_finished() {
        assert_eq!(bed.broken().await, Vec::<String>::new());
    }
    writer.await.unwrap();
}

#[tokio::test]
async fn more_than_a_page_is_looked_at() {
    let bed = whole().await;
    let long = "x".repeat(200_000);
    for number in 2..=9 {
        let number = format!("{number:09}");
        let pk = format!("EMPLOYER#{number}");
        bed.put_raw(&[("pk", &pk), ("sk", "EMPLOYER"), ("fein", &number), ("name", &long)]).await;
    }
    let checked = bed.people.check_integrity(|broken| panic!("{broken:?}")).await.unwrap();
    assert_eq!(checked.items, 13);
}
