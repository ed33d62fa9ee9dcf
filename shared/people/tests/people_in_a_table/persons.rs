use std::time::Duration;

use crosswalk_identity::Mark;
use crosswalk_people::{EMPLOYER_ROLE, Kept, Person};

use crate::bed::{Bed, bed, email, line, name, now, other_run, revision};

async fn ensure(bed: &Bed, who: &str, address: &str, role: &str, mark: &Mark) -> Kept {
    bed.people.ensure_person(&name(who), &email(address), role, mark).await.unwrap()
}

async fn found(bed: &Bed, address: &str) -> Vec<String> {
    let people = bed.people.people_by_email(&email(address)).await.unwrap();
    people.into_iter().map(|person| person.username.to_string()).collect()
}

#[tokio::test]
async fn created_with_the_items_of_both() {
    let bed = bed().await;
    assert_eq!(bed.people.person(&name("Alice")).await.unwrap(), None);
    assert_eq!(ensure(&bed, "Alice", "Alice@Example.org", EMPLOYER_ROLE, &line(2)).await, Kept::Created);
    let person = Person {
        username: name("Alice"),
        email: Some(email("Alice@Example.org")),
        roles: vec![EMPLOYER_ROLE.into()],
        invited_until: None,
        created_at: now(),
        stored_by: Some(line(2)),
    };
    let stored = bed.people.person(&name("aLICE")).await.unwrap().unwrap();
    assert_eq!(stored, person);
    assert_eq!((stored.username.as_str(), stored.email.unwrap().as_str()), ("Alice", "Alice@Example.org"));
    let lead = bed.raw("EMAIL#alice@example.org", "PERSON#alice").await.unwrap();
    assert_eq!(lead["username"].as_s().unwrap(), "Alice");
    assert_eq!(lead["stored_by"].as_s().unwrap(), "import-1#2");
    assert_eq!(found(&bed, "ALICE@example.org").await, ["Alice"]);
    assert_eq!(
        bed.raw("PERSON#alice", "PERSON").await.unwrap()["created_at"].as_s().unwrap(),
        "2026-11-22T10:00:00.000Z"
    );
}

#[tokio::test]
async fn another_spelling_changes_nothing_and_another_role_is_added() {
    let bed = bed().await;
    ensure(&bed, "Alice", "alice@example.org", "STAFF", &line(2)).await;
    assert_eq!(ensure(&bed, "ALICE", "ALICE@example.org", "STAFF", &line(3)).await, Kept::Unchanged);
    assert_eq!(ensure(&bed, "ALICE", "ALICE@example.org", EMPLOYER_ROLE, &line(4)).await, Kept::Updated);
    let stored = bed.people.person(&name("alice")).await.unwrap().unwrap();
    assert_eq!(stored.roles, [EMPLOYER_ROLE, "STAFF"]);
    assert_eq!((stored.username.as_str(), stored.email.unwrap().as_str()), ("Alice", "alice@example.org"));
}

#[tokio::test]
async fn another_e_mail_moves_its_item() {
    let bed = bed().await;
    ensure(&bed, "alice", "old@example.org", EMPLOYER_ROLE, &other_run()).await;
    assert_eq!(ensure(&bed, "alice", "new@example.org", EMPLOYER_ROLE, &line(2)).await, Kept::Updated);
    assert!(found(&bed, "old@example.org").await.is_empty());
    assert_eq!(found(&bed, "new@example.org").await, ["alice"]);
    assert!(bed.sort_keys("EMAIL#old@example.org").await.is_empty());
    assert!(bed.broken().await.is_empty());
}

#[tokio::test]
async fn an_e_mail_may_belong_to_many() {
    let bed = bed().await;
    // More than BatchGetItem takes at once.
    for number in 0..105 {
        let who = format!("person {:03}", 104 - number);
        ensure(&bed, &who, "office@example.org", EMPLOYER_ROLE, &line(number + 2)).await;
    }
    let expected: Vec<_> = (0..105).map(|number| format!("person {number:03}")).collect();
    assert_eq!(found(&bed, "office@example.org").await, expected);
    assert!(found(&bed, "nobody@example.org").await.is_empty());
    let mut asked: Vec<_> = expected.iter().map(|who| name(who)).collect();
    asked.extend([name("Person 000"), name("nobody")]);
    let persons = bed.people.persons(&asked).await.unwrap();
    assert_eq!(persons.into_keys().map(|who| who.to_string()).collect::<Vec<_>>(), expected);
    assert!(bed.people.persons(&[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_person_without_an_e_mail_reads_and_gets_one() {
    let bed = bed().await;
    let attributes =
        [("pk", "PERSON#bob"), ("sk", "PERSON"), ("username", "bob"), ("created_at", "2026-01-02T03:04:05Z")];
    bed.put_raw(&attributes).await;
    let stored = bed.people.person(&name("bob")).await.unwrap().unwrap();
    assert_eq!((stored.email, stored.roles, stored.stored_by), (None, Vec::<String>::new(), None));
    assert_eq!(ensure(&bed, "bob", "bob@example.org", EMPLOYER_ROLE, &line(2)).await, Kept::Updated);
    assert_eq!(found(&bed, "bob@example.org").await, ["bob"]);
    assert_eq!(bed.people.person(&name("bob")).await.unwrap().unwrap().created_at, stored.created_at);
}

#[tokio::test]
async fn a_repeat_gets_the_first_outcomes_again() {
    let bed = bed().await;
    let rows = [
        ("a@example.org", 2, Kept::Created),
        ("a@example.org", 3, Kept::Unchanged),
        ("b@example.org", 4, Kept::Updated),
    ];
    for _ in 0..2 {
        for (address, at, outcome) in rows {
            assert_eq!(ensure(&bed, "alice", address, EMPLOYER_ROLE, &line(at)).await, outcome, "line {at}");
        }
    }
    assert_eq!(revision(&bed.raw("PERSON#alice", "PERSON").await.unwrap()), "2");
    assert!(bed.broken().await.is_empty());
}

#[tokio::test]
async fn a_lost_answer_is_no_other_outcome() {
    let bed = bed().await;
    let (people, lossy) = bed.losing_answers(2);
    let (who, a, b) = (name("alice"), email("a@example.org"), email("b@example.org"));
    assert_eq!(people.ensure_person(&who, &a, EMPLOYER_ROLE, &line(2)).await.unwrap(), Kept::Created);
    assert_eq!(people.ensure_person(&who, &b, EMPLOYER_ROLE, &line(3)).await.unwrap(), Kept::Updated);
    assert_eq!(lossy.left(), 0);
    assert_eq!(revision(&bed.raw("PERSON#alice", "PERSON").await.unwrap()), "2");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_16_workers_one_creates() {
    let bed = bed().await;
    for round in 0..5 {
        let workers = (0..16).map(|worker| {
            let (people, who) = (bed.people.clone(), name(&format!("person {round}")));
            tokio::spawn(async move {
                let mark = Mark::line(format!("run-{worker}"), 2);
                people.ensure_person(&who, &email("office@example.org"), EMPLOYER_ROLE, &mark).await.unwrap()
            })
        });
        let mut created = 0;
        for worker in workers.collect::<Vec<_>>() {
            match worker.await.unwrap() {
                Kept::Created => created += 1,
                kept => assert_eq!(kept, Kept::Unchanged),
            }
        }
        assert_eq!(created, 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn racing_changes_lose_no_role_and_leave_one_e_mail() {
    let bed = bed().await;
    let workers = (0..16).map(|worker| {
        let people = bed.people.clone();
        tokio::spawn(async move {
            let (address, role) = (email(&format!("a{}@example.org", worker % 4)), format!("ROLE{worker:02}"));
            people
                .ensure_person(&name("alice"), &address, &role, &Mark::line(format!("run-{worker}"), 2))
                .await
                .unwrap()
        })
    });
    for worker in workers.collect::<Vec<_>>() {
        worker.await.unwrap();
    }
    let stored = bed.people.person(&name("alice")).await.unwrap().unwrap();
    assert_eq!(stored.roles, (0..16).map(|number| format!("ROLE{number:02}")).collect::<Vec<_>>());
    let mut leads = 0;
    for number in 0..4 {
        leads += bed.sort_keys(&format!("EMAIL#a{number}@example.org")).await.len();
    }
    assert_eq!(leads, 1);
    assert_eq!(found(&bed, stored.email.unwrap().as_str()).await, ["alice"]);
    assert!(bed.broken().await.is_empty());
}

#[tokio::test]
async fn an_invitation_is_noted_kept_and_taken_back() {
    let bed = bed().await;
    let until = Some(now() + Duration::from_secs(7 * 24 * 3600));
    assert!(!bed.people.set_invited_until(&name("alice"), until, &other_run()).await.unwrap());
    ensure(&bed, "alice", "alice@example.org", "STAFF", &line(2)).await;
    assert!(bed.people.set_invited_until(&name("alice"), until, &other_run()).await.unwrap());
    ensure(&bed, "alice", "alice@example.org", EMPLOYER_ROLE, &line(3)).await;
    let stored = bed.people.person(&name("alice")).await.unwrap().unwrap();
    assert_eq!((stored.invited_until, stored.roles.len()), (until, 2));
    assert!(bed.people.set_invited_until(&name("alice"), None, &other_run()).await.unwrap());
    assert_eq!(bed.people.person(&name("alice")).await.unwrap().unwrap().invited_until, None);
}

#[tokio::test]
async fn an_item_that_is_no_person_is_told_without_naming_anyone() {
    let bed = bed().await;
    bed.put_raw(&[
        ("pk", "PERSON#alice"),
        ("sk", "PERSON"),
        ("username", "alice"),
        ("created_at", "yesterday, says alice"),
    ])
    .await;
    let error = bed.people.person(&name("alice")).await.unwrap_err().to_string();
    assert!(error.contains("it is no person") && !error.contains("alice"), "{error}");
}

#[tokio::test]
async fn the_json() {
    let bed = bed().await;
    ensure(&bed, "Zoë", "zoe@example.org", EMPLOYER_ROLE, &line(2)).await;
    let person = bed.people.person(&name("zoë")).await.unwrap().unwrap();
    let json = serde_json::to_string(&person).unwrap();
    insta::assert_snapshot!(json, @r#"{"username":"Zoë","email":"zoe@example.org","roles":["EMPLOYER"],"invited_until":null,"created_at":"2026-11-22T10:00:00.000Z","stored_by":"import-1#2"}"#);
    assert_eq!(serde_json::from_str::<Person>(&json).unwrap(), person);
}
