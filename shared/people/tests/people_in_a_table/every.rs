use crosswalk_function_kit::{Clock, Entropy};
use crosswalk_identifier_store::{Change, IdentifierStore, StoreRequest};
use crosswalk_identity::{ExternalId, System};
use crosswalk_people::{EMPLOYER_ROLE, Known};

use crate::bed::{Bed, bed, email, employer, line, name, now};

impl Bed {
    async fn map(&self, username: &str, system: &str, id: &str, mark: u64) {
        let request = StoreRequest {
            username: name(username),
            system: System::parse(system).unwrap(),
            external_id: ExternalId::parse(id).unwrap(),
            email: Change::Keep,
            notes: Change::Keep,
            mark: line(mark),
        };
        let store = IdentifierStore::new(self.table.clone(), Clock::fixed(now()), Entropy::system());
        store.store(request).await.unwrap();
    }

    /// `username` and what it is.
    async fn every_known(&self) -> Vec<String> {
        let (mut every, mut told) = (self.people.every_known(), Vec::new());
        while let Some(page) = every.next_page().await.unwrap() {
            told.extend(page.into_iter().map(|known| match known {
                Known::Person(person) => format!("{} person", person.username),
                Known::Mapping(mapping) => format!("{} {}", mapping.username, mapping.system),
                Known::Unreadable { username, system } => {
                    format!("{} {:?} unreadable", username.unwrap(), system.as_ref().map(System::as_str))
                }
            }));
        }
        told.sort();
        told
    }
}

#[tokio::test]
async fn people_and_mappings_are_met_and_nothing_else() {
    let bed = bed().await;
    assert!(bed.every_known().await.is_empty());
    bed.people.put_employer(&employer("1", "Example", None), &line(1)).await.unwrap();
    bed.people.ensure_person(&name("alice"), &email("alice@example.org"), EMPLOYER_ROLE, &line(2)).await.unwrap();
    bed.map("alice", "nemo", "1", 3).await;
    bed.map("bo", "nemo", "2", 4).await;
    assert_eq!(bed.every_known().await, ["alice nemo", "alice person", "bo nemo"]);
}

#[tokio::test]
async fn what_does_not_read_is_told_by_its_key() {
    let bed = bed().await;
    bed.put_raw(&[("pk", "PERSON#cy"), ("sk", "MAPPING#nemo"), ("username", "cy")]).await;
    bed.put_raw(&[("pk", "PERSON#di"), ("sk", "PERSON"), ("username", "eve")]).await;
    assert_eq!(bed.every_known().await, ["cy Some(\"nemo\") unreadable", "di None unreadable"]);
}
