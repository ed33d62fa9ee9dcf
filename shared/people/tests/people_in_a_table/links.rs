use crosswalk_identity::Mark;
use crosswalk_people::{EMPLOYER_ROLE, Kept, Link};

use crate::bed::{Bed, bed, email, employer, fein, line, name, other_run};

const A: &str = "000000001";
const B: &str = "000000002";

async fn ensure(bed: &Bed, who: &str, number: &str, mark: &Mark) -> (Kept, Link) {
    bed.people.ensure_link(&name(who), &fein(number), mark).await.unwrap()
}

#[tokio::test]
async fn a_link_and_its_reverse_stand_together() {
    let bed = bed().await;
    assert_eq!(bed.people.link(&name("Alice"), &fein(A)).await.unwrap(), None);
    let (kept, link) = ensure(&bed, "Alice", A, &line(2)).await;
    assert_eq!((kept, link.username.as_str(), link.fein.as_str()), (Kept::Created, "Alice", A));
    assert_eq!(bed.people.link(&name("alice"), &fein(A)).await.unwrap(), Some(link.clone()));
    assert_eq!(ensure(&bed, "alice", A, &line(3)).await, (Kept::Unchanged, link));
    for (pk, sk) in [("PERSON#alice", "LINK#000000001"), ("EMPLOYER#000000001", "ADMINISTRATOR#alice")] {
        let item = bed.raw(pk, sk).await.unwrap();
        assert_eq!((item["username"].as_s().unwrap().as_str(), item["fein"].as_s().unwrap().as_str()), ("Alice", A));
        assert_eq!(item["stored_by"].as_s().unwrap(), "import-1#2");
    }
}

#[tokio::test]
async fn both_directions_are_listed_in_order() {
    let bed = bed().await;
    for (at, (who, number)) in [("bob", B), ("bob", A), ("alice", B), ("Zoë", A)].into_iter().enumerate() {
        ensure(&bed, who, number, &line(at as u64 + 2)).await;
    }
    let feins: Vec<_> = bed.people.links(&name("bob")).await.unwrap().into_iter().map(|link| link.fein).collect();
    assert_eq!(feins, [fein(A), fein(B)]);
    let administrators = async |number| -> Vec<String> {
        let links = bed.people.administrators(&fein(number)).await.unwrap();
        assert!(links.iter().all(|link| link.fein == fein(number)));
        links.into_iter().map(|link| link.username.to_string()).collect()
    };
    assert_eq!(administrators(A).await, ["bob", "Zoë"]);
    assert_eq!(administrators(B).await, ["alice", "bob"]);
    assert!(administrators("3").await.is_empty());
    assert!(bed.people.links(&name("carol")).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_repeat_and_a_lost_answer_get_the_first_outcome() {
    let bed = bed().await;
    for _ in 0..2 {
        assert_eq!(ensure(&bed, "alice", A, &line(2)).await.0, Kept::Created);
        assert_eq!(ensure(&bed, "alice", A, &line(3)).await.0, Kept::Unchanged);
    }
    let (people, lossy) = bed.losing_answers(1);
    assert_eq!(people.ensure_link(&name("alice"), &fein(B), &line(4)).await.unwrap().0, Kept::Created);
    assert_eq!(lossy.left(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_16_workers_one_makes_the_link() {
    let bed = bed().await;
    bed.people.ensure_person(&name("alice"), &email("alice@example.org"), EMPLOYER_ROLE, &line(1)).await.unwrap();
    for number in 1..=5_u32 {
        let number = number.to_string();
        bed.people.put_employer(&employer(&number, "Example", None), &line(1)).await.unwrap();
        let workers = (0..16).map(|worker| {
            let (people, number) = (bed.people.clone(), fein(&number));
            tokio::spawn(async move {
                let mark = Mark::line(format!("run-{worker}"), 2);
                people.ensure_link(&name("alice"), &number, &mark).await.unwrap().0
            })
        });
        let mut created = 0;
        for worker in workers.collect::<Vec<_>>() {
            created += usize::from(worker.await.unwrap() == Kept::Created);
        }
        assert_eq!(created, 1);
    }
    assert_eq!(bed.people.links(&name("alice")).await.unwrap().len(), 5);
    assert!(bed.broken().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_fineos_user_id_is_fixed_once() {
    let bed = bed().await;
    ensure(&bed, "alice", A, &line(2)).await;
    let workers = (0..16).map(|worker| {
        let people = bed.people.clone();
        tokio::spawn(async move {
            let (proposed, mark) = (format!("user-{worker}"), Mark::line(format!("run-{worker}"), 2));
            people.fix_fineos_user_id(&name("alice"), &fein(A), &proposed, &mark).await.unwrap()
        })
    });
    let mut fixed = Vec::new();
    for worker in workers.collect::<Vec<_>>() {
        fixed.push(worker.await.unwrap());
    }
    fixed.dedup();
    assert_eq!(fixed.len(), 1, "{fixed:?}");
    let again = bed.people.fix_fineos_user_id(&name("alice"), &fein(A), "another", &line(9)).await.unwrap();
    assert_eq!(again, fixed[0]);
    let link = bed.people.link(&name("alice"), &fein(A)).await.unwrap().unwrap();
    assert_eq!((link.fineos_user_id, link.fineos_web_id), (Some(again), None));
}

#[tokio::test]
async fn a_fixed_user_id_outlives_a_lost_answer() {
    let bed = bed().await;
    ensure(&bed, "alice", A, &line(2)).await;
    let (people, lossy) = bed.losing_answers(1);
    assert_eq!(people.fix_fineos_user_id(&name("alice"), &fein(A), "user-1", &line(2)).await.unwrap(), "user-1");
    assert_eq!(lossy.left(), 0);
}

#[tokio::test]
async fn a_confirmed_registration_is_kept_and_its_rows_repeat_their_outcomes() {
    let bed = bed().await;
    let (who, number) = (name("alice"), fein(A));
    ensure(&bed, "alice", A, &other_run()).await;
    let user = bed.people.fix_fineos_user_id(&who, &number, "user-1", &line(5)).await.unwrap();
    bed.people.confirm_fineos(&who, &number, "web-1", &line(5)).await.unwrap();
    let (kept, link) = ensure(&bed, "alice", A, &line(5)).await;
    // Line 5 found the link and registered it.
    assert_eq!(kept, Kept::Updated);
    assert_eq!(link.fineos_user_id, Some(user));
    assert_eq!((link.fineos_web_id.as_deref(), link.fineos_confirmed_by), (Some("web-1"), Some(line(5))));
    let before = bed.raw("PERSON#alice", "LINK#000000001").await;
    bed.people.confirm_fineos(&who, &number, "web-1", &line(5)).await.unwrap();
    assert_eq!(bed.raw("PERSON#alice", "LINK#000000001").await, before);

    // The row that makes a link and registers it made it.
    ensure(&bed, "alice", B, &line(6)).await;
    bed.people.confirm_fineos(&who, &fein(B), "web-2", &line(6)).await.unwrap();
    assert_eq!(ensure(&bed, "alice", B, &line(6)).await.0, Kept::Created);
    let administrators = bed.people.administrators(&fein(B)).await.unwrap();
    assert_eq!(administrators[0].fineos_web_id.as_deref(), Some("web-2"));
}

#[tokio::test]
async fn without_a_link_nothing_is_registered() {
    let bed = bed().await;
    assert!(bed.people.fix_fineos_user_id(&name("alice"), &fein(A), "user-1", &line(2)).await.is_err());
    assert!(bed.people.confirm_fineos(&name("alice"), &fein(A), "web-1", &line(2)).await.is_err());
    assert!(bed.sort_keys("PERSON#alice").await.is_empty());
}

#[tokio::test]
async fn the_json() {
    let bed = bed().await;
    let (_, link) = ensure(&bed, "Alice", A, &line(2)).await;
    insta::assert_snapshot!(serde_json::to_string(&link).unwrap(), @r#"{"username":"Alice","fein":"000000001","fineos_user_id":null,"fineos_web_id":null,"fineos_confirmed_by":null}"#);
}
