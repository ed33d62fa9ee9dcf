use crosswalk_function_kit::{Clock, Entropy};
use crosswalk_identifier_store::{Change, IdentifierStore, StoreRequest};
use crosswalk_identity::{ExternalId, System};
use crosswalk_people::EMPLOYER_ROLE;

use crate::bed::{Bed, bed, email, fein, line, name, now};

async fn store(bed: &Bed, who: &str, system: &str, id: &str) {
    let store = IdentifierStore::new(bed.table.clone(), Clock::fixed(now()), Entropy::system());
    let request = StoreRequest {
        username: name(who),
        system: System::parse(system).unwrap(),
        external_id: ExternalId::parse(id).unwrap(),
        email: Change::Keep,
        notes: Change::Keep,
        mark: line(9),
    };
    store.store(request).await.unwrap();
}

#[tokio::test]
async fn one_read_gives_all_that_is_known() {
    let bed = bed().await;
    let who = name("Alice");
    assert_eq!(bed.people.overview(&who).await.unwrap(), None);
    bed.people.ensure_person(&who, &email("alice@example.org"), EMPLOYER_ROLE, &line(2)).await.unwrap();
    for number in ["2", "1"] {
        bed.people.ensure_link(&who, &fein(number), &line(2)).await.unwrap();
    }
    for (system, id) in [("nemo", "7"), ("cdcs", "abc")] {
        store(&bed, "alice", system, id).await;
    }
    // Someone whose name begins alike is another person.
    store(&bed, "alice b", "nemo", "8").await;

    let overview = bed.people.overview(&who).await.unwrap().unwrap();
    assert_eq!(overview.person, bed.people.person(&who).await.unwrap());
    assert_eq!(overview.links, bed.people.links(&who).await.unwrap());
    assert_eq!(overview.links.len(), 2);
    let mappings: Vec<_> = overview.mappings.iter().map(|m| (m.system.as_str(), m.external_id.as_str())).collect();
    assert_eq!(mappings, [("cdcs", "abc"), ("nemo", "7")]);
}

#[tokio::test]
async fn someone_of_whom_only_mappings_are_known_is_known() {
    let bed = bed().await;
    store(&bed, "bob", "nemo", "7").await;
    let overview = bed.people.overview(&name("bob")).await.unwrap().unwrap();
    assert_eq!((overview.person, overview.links.len(), overview.mappings.len()), (None, 0, 1));
}

#[tokio::test]
async fn a_person_of_more_than_a_page_is_read_whole() {
    let bed = bed().await;
    bed.people.ensure_person(&name("carol"), &email("carol@example.org"), EMPLOYER_ROLE, &line(2)).await.unwrap();
    let long = "x".repeat(300_000);
    for number in 1..=5 {
        let number = format!("{number:09}");
        let sk = format!("LINK#{number}");
        let attributes =
            [("pk", "PERSON#carol"), ("sk", &sk), ("username", "carol"), ("fein", &number), ("later", &long)];
        bed.put_raw(&attributes).await;
    }
    let overview = bed.people.overview(&name("carol")).await.unwrap().unwrap();
    assert_eq!((overview.links.len(), overview.person.is_some()), (5, true));
}
