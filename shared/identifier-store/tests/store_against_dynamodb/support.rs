//! A table of the test's own, a clock that it drives, and short ways to say what it stores.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use aws_sdk_dynamodb::Client;
use crosswalk_function_kit::{Clock, Entropy};
use crosswalk_identifier_store::{Change, IdentifierStore, Item, Moved, StoreRequest, Stored, Table};
use crosswalk_identity::{ExternalId, Mapping, Mark, System, Username};
use crosswalk_local_aws::testbed::Testbed;
use jiff::Timestamp;

use crate::wire::Wire;

pub(crate) struct Bed {
    pub(crate) store: IdentifierStore,
    /// Past the store and its faults.
    pub(crate) raw: Table,
    /// Between the store and its DynamoDB.
    pub(crate) wire: Wire,
    pub(crate) time: Time,
    _testbed: Testbed,
}

/// The time that the store is told, in milliseconds since the epoch.
#[derive(Clone)]
pub(crate) struct Time(Arc<AtomicI64>);

impl Time {
    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::Relaxed)).unwrap()
    }

    pub(crate) fn pass(&self) -> Timestamp {
        self.0.fetch_add(61_001, Ordering::Relaxed);
        self.now()
    }
}

impl Bed {
    pub(crate) async fn start() -> Self {
        let testbed = Testbed::start_table_only().await;
        let wire = Wire::around(testbed.config.http_client().unwrap());
        let config = testbed.config.to_builder().http_client(wire.clone()).build();
        let name = testbed.names.table.clone();
        let start: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let time = Time(Arc::new(AtomicI64::new(start.as_millisecond())));
        let clock = Clock::from_fn({
            let time = time.clone();
            move || time.now()
        });
        let store = IdentifierStore::new(Table::new(Client::new(&config), &name), clock, Entropy::system());
        let raw = Table::new(Client::new(&testbed.config), &name);
        Self { store, raw, wire, time, _testbed: testbed }
    }

    /// Every item of the table, past the store, strongly consistent.
    pub(crate) async fn items(&self) -> Vec<Item> {
        let scan = self.raw.client.scan().table_name(&self.raw.name).consistent_read(true);
        scan.into_paginator().items().send().collect::<Result<_, _>>().await.unwrap()
    }

    /// Nothing is broken, and both constraints hold, by a reading past the store: as many owner items as mapping items,
    /// each pair pointing at each other.
    pub(crate) async fn assert_sound(&self) {
        let checked = self.store.check_integrity(|broken| panic!("{broken}")).await.unwrap();
        let (mut mappings, mut owners) = (BTreeMap::new(), BTreeMap::new());
        for item in self.items().await {
            let text = |name: &str| item[name].as_s().unwrap().clone();
            if text("sk") == "OWNER" {
                owners.insert(text("pk"), text("username_key"));
            } else {
                let id = format!("EXTERNAL#{}#{}", text("system"), text("external_id"));
                let before = mappings.insert(id, text("pk").strip_prefix("PERSON#").unwrap().to_owned());
                assert_eq!(before, None, "one external id, two people");
            }
        }
        assert_eq!(mappings, owners);
        assert_eq!((checked.mappings, checked.owners), (mappings.len() as u64, owners.len() as u64));
    }

    pub(crate) async fn store(&self, username: &str, external_id: &str) -> Stored {
        self.store.store(request(username, external_id)).await.unwrap()
    }

    pub(crate) async fn id_of(&self, username: &str) -> Option<String> {
        let mapping = self.store.get(&user(username), &nemo()).await.unwrap();
        mapping.map(|mapping| mapping.external_id.to_string())
    }
}

pub(crate) fn user(text: &str) -> Username {
    Username::parse(text).unwrap()
}

pub(crate) fn id(text: &str) -> ExternalId {
    ExternalId::parse(text).unwrap()
}

pub(crate) fn system(text: &str) -> System {
    System::parse(text).unwrap()
}

pub(crate) fn nemo() -> System {
    system("nemo")
}

/// A mark that nobody else bears.
pub(crate) fn mark() -> Mark {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    Mark::request(format!("request-{}", NEXT.fetch_add(1, Ordering::Relaxed)))
}

pub(crate) fn request(username: &str, external_id: &str) -> StoreRequest {
    StoreRequest {
        username: user(username),
        system: nemo(),
        external_id: id(external_id),
        email: Change::Keep,
        notes: Change::Keep,
        mark: mark(),
    }
}

/// One line of a run.
pub(crate) fn line(run: &str, line: u64, username: &str, external_id: &str) -> StoreRequest {
    StoreRequest { mark: Mark::line(run, line), ..request(username, external_id) }
}

/// A mapping in full: `Debug` is masked, and `==` takes two spellings of a username for one.
pub(crate) fn full(mapping: &Mapping) -> String {
    serde_json::to_string(mapping).unwrap()
}

/// An answer in full.
pub(crate) fn told(stored: &Stored) -> String {
    match stored {
        Stored::Created(mapping) => format!("created {}", full(mapping)),
        Stored::Updated { mapping, previous } => format!("updated {previous} {}", full(mapping)),
        Stored::Verified(mapping) => format!("verified {}", full(mapping)),
        Stored::Conflict { owner } => format!("conflict {owner}"),
    }
}

/// Its outcome in short: `created`, `updated 41`, `verified`, `conflict alice`.
pub(crate) fn short(stored: &Stored) -> String {
    match stored {
        Stored::Created(_) => "created".into(),
        Stored::Updated { previous, .. } => format!("updated {previous}"),
        Stored::Verified(_) => "verified".into(),
        Stored::Conflict { owner } => format!("conflict {owner}"),
    }
}

pub(crate) fn told_move(moved: &Moved) -> String {
    match moved {
        Moved::Done(mappings) => mappings.iter().map(full).collect::<Vec<_>>().join(" "),
        Moved::NotFound => "not found".into(),
        Moved::Conflict { owner } => format!("conflict {owner}"),
    }
}
