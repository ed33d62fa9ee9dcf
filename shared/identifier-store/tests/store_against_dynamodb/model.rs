//! The store against a plain map in memory: random operations on few people, ids and systems; after each one, the answer
//! and the whole table, item by item, are what the model says.

use std::collections::{BTreeMap, BTreeSet};

use crosswalk_identifier_store::{Change, Restored, StoreRequest, Stored};
use crosswalk_identity::{Email, ExternalId, Mapping, Mark, System, Username};
use jiff::Timestamp;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use crate::support::{Bed, full, id, mark, system, told, told_move, user};

#[derive(Debug, Clone)]
struct Row {
    username: &'static str,
    system: &'static str,
    external_id: &'static str,
    email: Change<&'static str>,
    notes: Change<&'static str>,
}

#[derive(Debug, Clone)]
enum Operation {
    Store(Row),
    StoreMany(Vec<Row>),
    Plan(Vec<Vec<Row>>),
    Restore(Row),
    Delete(&'static str, &'static str),
    Move(&'static str, &'static str, &'static str, &'static str),
    Swap(&'static str, &'static str, &'static str),
    Get(&'static str, &'static str),
    Reverse(&'static str, &'static str),
    List(&'static str),
    ListSystem(&'static str, usize),
}

fn person() -> impl Strategy<Value = &'static str> {
    // The last two are one person, and so are the first two.
    prop::sample::select(vec!["alice", "ALICE", "bob", "zoe\u{308}", "Zo\u{eb}"])
}

fn any_system() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["nemo", "cdcs"])
}

fn any_id() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["1", "2", "a#b", "A#b"])
}

fn change(values: &[&'static str]) -> impl Strategy<Value = Change<&'static str>> {
    let set = prop::sample::select(values.to_vec()).prop_map(Change::Set);
    prop_oneof![3 => Just(Change::Keep), 1 => Just(Change::Clear), 2 => set]
}

fn row() -> impl Strategy<Value = Row> {
    let emails = change(&["a@example.org", "A@example.org", "b@example.org"]);
    (person(), any_system(), any_id(), emails, change(&["x", "y\nz"]))
        .prop_map(|(username, system, external_id, email, notes)| Row { username, system, external_id, email, notes })
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    prop::collection::vec(row(), 1..8)
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        4 => row().prop_map(Operation::Store),
        4 => rows().prop_map(Operation::StoreMany),
        2 => prop::collection::vec(rows(), 1..3).prop_map(Operation::Plan),
        2 => row().prop_map(Operation::Restore),
        2 => (person(), any_system()).prop_map(|(a, s)| Operation::Delete(a, s)),
        3 => (any_system(), any_id(), person(), person()).prop_map(|(s, i, a, b)| Operation::Move(s, i, a, b)),
        2 => (any_system(), person(), person()).prop_map(|(s, a, b)| Operation::Swap(s, a, b)),
        1 => (person(), any_system()).prop_map(|(a, s)| Operation::Get(a, s)),
        1 => (any_system(), any_id()).prop_map(|(s, i)| Operation::Reverse(s, i)),
        1 => person().prop_map(Operation::List),
        1 => (any_system(), 1..4usize).prop_map(|(s, n)| Operation::ListSystem(s, n)),
    ]
}

impl Row {
    fn request(&self, mark: Mark) -> StoreRequest {
        StoreRequest {
            username: user(self.username),
            system: system(self.system),
            external_id: id(self.external_id),
            email: match self.email {
                Change::Keep => Change::Keep,
                Change::Clear => Change::Clear,
                Change::Set(email) => Change::Set(Email::parse(email).unwrap()),
            },
            notes: match self.notes {
                Change::Keep => Change::Keep,
                Change::Clear => Change::Clear,
                Change::Set(notes) => Change::Set(notes.to_owned()),
            },
            mark,
        }
    }
}

/// What should stand: a map by person and system. That an id has one owner is looked up, not kept.
#[derive(Debug, Clone, Default)]
struct Model(BTreeMap<(Username, System), Mapping>);

impl Model {
    fn holder(&self, system: &System, external_id: &ExternalId) -> Option<&Mapping> {
        self.0.values().find(|mapping| mapping.system == *system && mapping.external_id == *external_id)
    }

    fn get(&self, username: &Username, system: &System) -> Option<&Mapping> {
        self.0.get(&(username.clone(), system.clone()))
    }

    fn put(&mut self, mapping: Mapping) {
        self.0.insert((mapping.username.clone(), mapping.system.clone()), mapping);
    }

    fn store(&mut self, request: &StoreRequest, now: Timestamp) -> String {
        let StoreRequest { username, system, external_id, email, notes, mark } = request;
        if let Some(holder) = self.holder(system, external_id)
            && holder.username != *username
        {
            return told(&Stored::Conflict { owner: holder.username.clone() });
        }
        let before = self.get(username, system).cloned();
        let mut mapping = before.clone().unwrap_or_else(|| Mapping {
            username: username.clone(),
            system: system.clone(),
            external_id: external_id.clone(),
            email: None,
            created_at: now,
            last_verified_at: None,
            last_seen: None,
            notes: None,
            stored_by: None,
        });
        mapping.external_id = external_id.clone();
        match email {
            Change::Keep => {}
            Change::Clear => mapping.email = None,
            // Another spelling of the same address changes nothing.
            Change::Set(email) if mapping.email.as_ref() == Some(email) => {}
            Change::Set(email) => mapping.email = Some(email.clone()),
        }
        match notes {
            Change::Keep => {}
            Change::Clear => mapping.notes = None,
            Change::Set(notes) => mapping.notes = Some(notes.clone()),
        }
        let same = before.as_ref() == Some(&mapping);
        mapping.stored_by = Some(mark.clone());
        mapping.last_verified_at = before.as_ref().map(|_| now);
        self.put(mapping.clone());
        told(&match before {
            None => Stored::Created(mapping),
            Some(_) if same => Stored::Verified(mapping),
            Some(before) => Stored::Updated { mapping, previous: before.external_id },
        })
    }

    fn restore(&mut self, mapping: &Mapping, mark: &Mark) -> Restored {
        let standing = self.get(&mapping.username, &mapping.system);
        match (self.holder(&mapping.system, &mapping.external_id), standing) {
            (Some(holder), _) if holder.username == mapping.username => Restored::Unchanged,
            (Some(other), _) | (None, Some(other)) => Restored::Conflict { owner: other.username.clone() },
            (None, None) => {
                self.put(Mapping { stored_by: Some(mark.clone()), ..mapping.clone() });
                Restored::Created
            }
        }
    }

    fn move_to(&mut self, system: &System, id: &ExternalId, from: &Username, to: &Username, mark: &Mark) -> String {
        let Some(standing) = self.holder(system, id).cloned() else { return "not found".into() };
        if standing.username != *from {
            return format!("conflict {}", standing.username);
        }
        if from == to {
            return full(&standing);
        }
        if self.get(to, system).is_some() {
            return format!("conflict {to}");
        }
        self.0.remove(&(from.clone(), system.clone()));
        let moved = Mapping { username: to.clone(), stored_by: Some(mark.clone()), ..standing };
        self.put(moved.clone());
        full(&moved)
    }

    fn swap(&mut self, system: &System, a: &Username, b: &Username, mark: &Mark) -> String {
        let (Some(of_a), Some(of_b)) = (self.get(a, system).cloned(), self.get(b, system).cloned()) else {
            return "not found".into();
        };
        if a == b {
            return full(&of_a);
        }
        let new_a = Mapping { external_id: of_b.external_id.clone(), stored_by: Some(mark.clone()), ..of_a.clone() };
        let new_b = Mapping { external_id: of_a.external_id, stored_by: Some(mark.clone()), ..of_b };
        self.put(new_a.clone());
        self.put(new_b.clone());
        format!("{} {}", full(&new_a), full(&new_b))
    }

    /// Every item that should stand, attribute by attribute, but for `run_lines` and the owner items' marks.
    fn items(&self) -> BTreeSet<BTreeMap<String, String>> {
        let mut items = BTreeSet::new();
        for mapping in self.0.values() {
            let (username, key) = (mapping.username.to_string(), mapping.username.key().to_owned());
            let (system, external_id) = (mapping.system.to_string(), mapping.external_id.to_string());
            let time = |at: Timestamp| format!("{at:.3}");
            let shard = Sha256::digest(key.as_bytes())[0] >> 4;
            let attributes = [
                ("pk", Some(format!("PERSON#{key}"))),
                ("sk", Some(format!("MAPPING#{system}"))),
                ("username", Some(username.clone())),
                ("system", Some(system.clone())),
                ("external_id", Some(external_id.clone())),
                ("email", mapping.email.as_ref().map(ToString::to_string)),
                ("created_at", Some(time(mapping.created_at))),
                ("last_verified_at", mapping.last_verified_at.map(time)),
                ("last_seen", mapping.last_seen.map(time)),
                ("notes", mapping.notes.clone()),
                ("stored_by", mapping.stored_by.as_ref().map(ToString::to_string)),
                ("listing", Some(format!("SYSTEM#{system}#{shard:x}"))),
                ("listed", Some(key.clone())),
            ];
            let present = attributes.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
            items.insert(present.collect());
            let owner = [
                ("pk", format!("EXTERNAL#{system}#{external_id}")),
                ("sk", "OWNER".to_owned()),
                ("username", username),
                ("username_key", key),
            ];
            items.insert(owner.into_iter().map(|(name, value)| (name.to_owned(), value)).collect());
        }
        items
    }
}

async fn standing(bed: &Bed) -> BTreeSet<BTreeMap<String, String>> {
    let items = bed.items().await.into_iter().map(|item| {
        let owner = item["sk"].as_s().unwrap() == "OWNER";
        let kept = item.into_iter().filter(|(name, _)| name != "run_lines" && !(owner && name == "stored_by"));
        kept.map(|(name, value)| (name, value.as_s().unwrap().clone())).collect()
    });
    items.collect()
}

async fn step(bed: &Bed, model: &mut Model, run: &str, operation: &Operation) {
    let (store, now, mark) = (&bed.store, bed.time.pass(), mark());
    // Rows of a batch are lines of one run, as an import's are.
    let requests = |batch: &[Row], from: usize| -> Vec<StoreRequest> {
        batch.iter().zip(from..).map(|(row, line)| row.request(Mark::line(run, line as u64))).collect()
    };
    match operation {
        Operation::Store(row) => {
            let request = row.request(mark);
            let expected = model.store(&request, now);
            assert_eq!(told(&store.store(request).await.unwrap()), expected);
        }
        Operation::StoreMany(batch) => {
            let requests = requests(batch, 0);
            let expected: Vec<String> = requests.iter().map(|request| model.store(request, now)).collect();
            let answers = store.store_many(requests).await;
            let answers: Vec<String> = answers.iter().map(|answer| told(answer.as_ref().unwrap())).collect();
            assert_eq!(answers, expected);
        }
        Operation::Plan(batches) => {
            let (mut planned, mut planner, mut from) = (model.clone(), store.planner(), 0);
            for batch in batches {
                let requests = requests(batch, from);
                from += batch.len();
                let expected: Vec<String> = requests.iter().map(|request| planned.store(request, now)).collect();
                let answers = planner.plan_many(requests).await;
                let answers: Vec<String> = answers.iter().map(|answer| told(answer.as_ref().unwrap())).collect();
                // A verified row's time is not carried from batch to batch: it changes no outcome.
                let outcome = |text: &String| text.split(" {").next().unwrap().to_owned();
                let outcomes = |texts: &[String]| texts.iter().map(outcome).collect::<Vec<_>>();
                assert_eq!(outcomes(&answers), outcomes(&expected));
            }
        }
        Operation::Restore(row) => {
            let mut scratch = Model::default();
            let long_ago: Timestamp = "2019-03-01T08:00:00.250Z".parse().unwrap();
            scratch.store(&row.request(mark.clone()), long_ago);
            let mapping = Mapping { last_seen: Some(long_ago), ..scratch.0.into_values().next().unwrap() };
            let expected = model.restore(&mapping, &mark);
            assert_eq!(store.restore(mapping, mark).await.unwrap(), expected);
        }
        Operation::Delete(a, s) => {
            let (a, s) = (user(a), system(s));
            let expected = model.0.remove(&(a.clone(), s.clone()));
            assert_eq!(store.delete(&a, &s).await.unwrap().map(|m| full(&m)), expected.map(|m| full(&m)));
        }
        Operation::Move(s, i, a, b) => {
            let (s, i, a, b) = (system(s), id(i), user(a), user(b));
            let expected = model.move_to(&s, &i, &a, &b, &mark);
            assert_eq!(told_move(&store.move_to(&s, &i, &a, &b, mark).await.unwrap()), expected);
        }
        Operation::Swap(s, a, b) => {
            let (s, a, b) = (system(s), user(a), user(b));
            let expected = model.swap(&s, &a, &b, &mark);
            assert_eq!(told_move(&store.swap(&s, &a, &b, mark).await.unwrap()), expected);
        }
        Operation::Get(a, s) => {
            let (a, s) = (user(a), system(s));
            assert_eq!(store.get(&a, &s).await.unwrap().as_ref().map(full), model.get(&a, &s).map(full));
        }
        Operation::Reverse(s, i) => {
            let (s, i) = (system(s), id(i));
            let found = store.get_by_external_id(&s, &i).await.unwrap();
            assert_eq!(found.as_ref().map(full), model.holder(&s, &i).map(full));
        }
        Operation::List(a) => {
            let a = user(a);
            let expected: Vec<String> = model.0.values().filter(|m| m.username == a).map(full).collect();
            let found = store.list(&a).await.unwrap();
            assert_eq!(found.iter().map(full).collect::<Vec<_>>(), expected);
        }
        Operation::ListSystem(s, limit) => {
            let (s, mut found, mut cursor) = (system(s), BTreeSet::new(), None);
            loop {
                let page = store.list_system(&s, cursor.as_deref(), *limit).await.unwrap();
                for mapping in &page.items {
                    assert!(found.insert(full(mapping)), "listed twice");
                }
                cursor = page.next_cursor;
                if cursor.is_none() {
                    break;
                }
            }
            let expected: BTreeSet<String> = model.0.values().filter(|m| m.system == s).map(full).collect();
            assert_eq!(found, expected);
        }
    }
    assert_eq!(standing(bed).await, model.items());
    store.check_integrity(|broken| panic!("{broken}")).await.unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_store_is_its_model(operations in prop::collection::vec(operation(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let bed = Bed::start().await;
            let mut model = Model::default();
            for (number, operation) in operations.iter().enumerate() {
                step(&bed, &mut model, &format!("run-{number}"), operation).await;
            }
        });
    }
}
