//! Every rule of a store, a lookup, a listing of a person, a move, a swap, a delete and a restore.

use crosswalk_identifier_store::{Change, Item, MAX_NOTES_BYTES, Moved, Restored, StoreError, StoreRequest, Stored};
use crosswalk_identity::{Email, Mapping, Mark};

use crate::support::{Bed, full, id, line, mark, nemo, request, short, system, told, user};

fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

async fn item(bed: &Bed, pk: &str, sk: &str) -> Option<Item> {
    bed.items().await.into_iter().find(|item| item["pk"].as_s().unwrap() == pk && item["sk"].as_s().unwrap() == sk)
}

fn text(item: &Item, name: &str) -> Option<String> {
    Some(item.get(name)?.as_s().unwrap().clone())
}

#[tokio::test]
async fn a_first_store_creates_both_items() {
    let bed = Bed::start().await;
    let now = bed.time.now();
    let given = StoreRequest {
        email: Change::Set(email("Zoe@example.org")),
        notes: Change::Set("lab 7".into()),
        ..line("run-1", 2, " Zo\u{eb} ", "12345")
    };
    let stored = bed.store.store(given).await.unwrap();
    let mapping = Mapping {
        username: user("Zo\u{eb}"),
        system: nemo(),
        external_id: id("12345"),
        email: Some(email("Zoe@example.org")),
        created_at: now,
        last_verified_at: None,
        last_seen: None,
        notes: Some("lab 7".into()),
        stored_by: Some(Mark::line("run-1", 2)),
    };
    assert_eq!(told(&stored), format!("created {}", full(&mapping)));
    assert_eq!(bed.store.get(&user("ZOE\u{308}"), &nemo()).await.unwrap().map(|m| full(&m)), Some(full(&mapping)));

    let person = item(&bed, "PERSON#zo\u{eb}", "MAPPING#nemo").await.unwrap();
    assert_eq!(text(&person, "username").as_deref(), Some("Zo\u{eb}"));
    assert_eq!(text(&person, "created_at").as_deref(), Some("2026-11-22T10:00:00.000Z"));
    assert_eq!(text(&person, "stored_by").as_deref(), Some("run-1#2"));
    assert!(!person.contains_key("last_verified_at"));
    // The first 4 bits of SHA-256("zoë") are 0010.
    assert_eq!(text(&person, "listing").as_deref(), Some("SYSTEM#nemo#2"));
    assert_eq!(text(&person, "listed").as_deref(), Some("zo\u{eb}"));

    let owner = item(&bed, "EXTERNAL#nemo#12345", "OWNER").await.unwrap();
    let mut names: Vec<&str> = owner.keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["pk", "sk", "stored_by", "username", "username_key"]);
    assert_eq!(text(&owner, "username").as_deref(), Some("Zo\u{eb}"));
    assert_eq!(text(&owner, "username_key").as_deref(), Some("zo\u{eb}"));
    bed.assert_sound().await;
}

#[tokio::test]
async fn a_later_store_verifies_or_updates_and_keeps_what_was_not_given() {
    let bed = Bed::start().await;
    let created = bed.time.now();
    let first = StoreRequest {
        email: Change::Set(email("Alice@example.org")),
        notes: Change::Set("first".into()),
        ..request("Alice", "1")
    };
    bed.store.store(first).await.unwrap();

    let verified = bed.time.pass();
    let again = StoreRequest { email: Change::Set(email("alice@EXAMPLE.org")), ..request("ALICE", "1") };
    let Stored::Verified(mapping) = bed.store.store(again).await.unwrap() else { panic!("nothing differs") };
    assert_eq!((mapping.created_at, mapping.last_verified_at), (created, Some(verified)));
    assert_eq!((mapping.username.as_str(), mapping.email.as_ref().unwrap().as_str()), ("Alice", "Alice@example.org"));
    assert_eq!(mapping.notes.as_deref(), Some("first"));

    let updated = bed.time.pass();
    let Stored::Updated { mapping, previous } = bed.store("alice", "2").await else { panic!("the id differs") };
    assert_eq!((previous.as_str(), mapping.external_id.as_str()), ("1", "2"));
    assert_eq!((mapping.created_at, mapping.last_verified_at), (created, Some(updated)));
    assert_eq!(mapping.notes.as_deref(), Some("first"));
    assert!(bed.store.get_by_external_id(&nemo(), &id("1")).await.unwrap().is_none());
    let owner = item(&bed, "EXTERNAL#nemo#2", "OWNER").await.unwrap();
    assert_eq!(text(&owner, "username").as_deref(), Some("Alice"));

    let notes = StoreRequest { notes: Change::Set("second".into()), ..request("alice", "2") };
    assert_eq!(short(&bed.store.store(notes).await.unwrap()), "updated 2");
    let clear = StoreRequest { email: Change::Clear, notes: Change::Clear, ..request("alice", "2") };
    let Stored::Updated { mapping, .. } = bed.store.store(clear.clone()).await.unwrap() else { panic!("cleared") };
    assert_eq!((mapping.email, mapping.notes), (None, None));
    assert_eq!(short(&bed.store.store(StoreRequest { mark: mark(), ..clear }).await.unwrap()), "verified");
    assert_eq!(bed.store.get(&user("alice"), &nemo()).await.unwrap().unwrap().email, None);
    bed.assert_sound().await;
}

#[tokio::test]
async fn an_external_id_has_one_owner_a_system() {
    let bed = Bed::start().await;
    bed.store("Alice", "1").await;
    assert_eq!(short(&bed.store("bob", "1").await), "conflict Alice");
    assert_eq!(bed.id_of("bob").await, None);
    // Ids are exact, and each system has its own.
    assert_eq!(short(&bed.store("bob", "1x").await), "created");
    let elsewhere = StoreRequest { system: system("nemo_campus_b"), ..request("bob", "1") };
    assert_eq!(short(&bed.store.store(elsewhere).await.unwrap()), "created");
    // Someone who has another id does not lose it over a conflict.
    assert_eq!(short(&bed.store("bob", "1").await), "conflict Alice");
    assert_eq!(bed.id_of("bob").await.as_deref(), Some("1x"));
    // An id that was given up is free.
    bed.store("alice", "2").await;
    assert_eq!(short(&bed.store("bob", "1").await), "updated 1x");
    bed.assert_sound().await;
}

#[tokio::test]
async fn lookups() {
    let bed = Bed::start().await;
    bed.store("alice", "a/b?c#d%e").await;
    let other = StoreRequest { system: system("cdcs"), ..request("Alice", "7") };
    bed.store.store(other).await.unwrap();
    let found = bed.store.get_by_external_id(&nemo(), &id("a/b?c#d%e")).await.unwrap().unwrap();
    assert_eq!(found.username.as_str(), "alice");
    assert!(bed.store.get_by_external_id(&system("cdcs"), &id("a/b?c#d%e")).await.unwrap().is_none());
    assert!(bed.store.get(&user("nobody"), &nemo()).await.unwrap().is_none());
    let systems: Vec<String> =
        bed.store.list(&user("ALICE")).await.unwrap().iter().map(|mapping| mapping.system.to_string()).collect();
    assert_eq!(systems, ["cdcs", "nemo"]);
    assert!(bed.store.list(&user("nobody")).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_delete_takes_both_items() {
    let bed = Bed::start().await;
    bed.store("alice", "1").await;
    let deleted = bed.store.delete(&user("ALICE"), &nemo()).await.unwrap().unwrap();
    assert_eq!(deleted.external_id.as_str(), "1");
    assert!(bed.items().await.is_empty());
    assert_eq!(bed.store.delete(&user("alice"), &nemo()).await.unwrap(), None);
    assert_eq!(short(&bed.store("bob", "1").await), "created");
}

#[tokio::test]
async fn a_move_passes_the_mapping_on() {
    let bed = Bed::start().await;
    let given = StoreRequest { notes: Change::Set("kept".into()), ..request("Alice", "1") };
    bed.store.store(given).await.unwrap();
    let created = bed.time.now();
    bed.time.pass();
    let (nemo, one) = (nemo(), id("1"));
    let go = |from: &'static str, to: &'static str, mark: Mark| {
        let (store, nemo, one) = (bed.store.clone(), nemo.clone(), one.clone());
        async move { store.move_to(&nemo, &one, &user(from), &user(to), mark).await.unwrap() }
    };
    assert_eq!(go("bob", "carol", mark()).await, Moved::Conflict { owner: user("alice") });
    assert_eq!(
        bed.store.move_to(&nemo, &id("9"), &user("alice"), &user("bob"), mark()).await.unwrap(),
        Moved::NotFound
    );

    let first = mark();
    let Moved::Done(mappings) = go("alice", "Bob", first.clone()).await else { panic!("moved") };
    let [mapping] = &mappings[..] else { panic!("one mapping") };
    assert_eq!((mapping.username.as_str(), mapping.external_id.as_str()), ("Bob", "1"));
    assert_eq!((mapping.created_at, mapping.notes.as_deref()), (created, Some("kept")));
    assert_eq!(mapping.stored_by, Some(first.clone()));
    assert_eq!(bed.id_of("alice").await, None);
    assert_eq!(bed.store.get_by_external_id(&nemo, &one).await.unwrap().unwrap().username.as_str(), "Bob");
    // A repeat is the first success, and says the same.
    assert_eq!(go("alice", "Bob", first).await, Moved::Done(mappings.clone()));
    assert_eq!(go("bob", "BOB", mark()).await, Moved::Done(mappings));

    bed.store("carol", "3").await;
    assert_eq!(go("bob", "carol", mark()).await, Moved::Conflict { owner: user("carol") });
    assert_eq!(bed.id_of("bob").await.as_deref(), Some("1"));
    bed.assert_sound().await;
}

#[tokio::test]
async fn a_swap_exchanges_the_ids() {
    let bed = Bed::start().await;
    let given = StoreRequest { notes: Change::Set("of alice".into()), ..request("alice", "1") };
    bed.store.store(given).await.unwrap();
    let (nemo, alice, bob) = (nemo(), user("alice"), user("bob"));
    assert_eq!(bed.store.swap(&nemo, &alice, &bob, mark()).await.unwrap(), Moved::NotFound);
    bed.store("bob", "2").await;
    let first = mark();
    let done = bed.store.swap(&nemo, &alice, &bob, first.clone()).await.unwrap();
    let Moved::Done(mappings) = &done else { panic!("swapped") };
    let told: Vec<_> =
        mappings.iter().map(|m| (m.username.as_str(), m.external_id.as_str(), m.notes.as_deref())).collect();
    assert_eq!(told, [("alice", "2", Some("of alice")), ("bob", "1", None)]);
    // A repeat does not swap back.
    assert_eq!(bed.store.swap(&nemo, &alice, &bob, first).await.unwrap(), done);
    assert_eq!(bed.id_of("alice").await.as_deref(), Some("2"));
    assert_eq!(bed.store.get_by_external_id(&nemo, &id("1")).await.unwrap().unwrap().username, bob);
    let Moved::Done(one) = bed.store.swap(&nemo, &alice, &alice, mark()).await.unwrap() else { panic!("with oneself") };
    assert_eq!(one[0].external_id.as_str(), "2");
    bed.assert_sound().await;
}

#[tokio::test]
async fn a_restore_keeps_the_given_times_and_changes_nothing_that_stands() {
    let bed = Bed::start().await;
    let mapping = Mapping {
        username: user("Alice"),
        system: nemo(),
        external_id: id("1"),
        email: Some(email("alice@example.org")),
        created_at: "2019-03-01T08:00:00.250Z".parse().unwrap(),
        last_verified_at: Some("2020-03-01T08:00:00Z".parse().unwrap()),
        last_seen: Some("2021-03-01T08:00:00Z".parse().unwrap()),
        notes: None,
        stored_by: None,
    };
    let first = Mark::line("migration", 4);
    assert_eq!(bed.store.restore(mapping.clone(), first.clone()).await.unwrap(), Restored::Created);
    let restored = Mapping { stored_by: Some(first.clone()), ..mapping.clone() };
    assert_eq!(full(&bed.store.get(&user("alice"), &nemo()).await.unwrap().unwrap()), full(&restored));
    assert_eq!(bed.store.restore(mapping.clone(), first).await.unwrap(), Restored::Created, "its own success");

    let later = Mapping { created_at: bed.time.now(), ..mapping.clone() };
    assert_eq!(bed.store.restore(later, mark()).await.unwrap(), Restored::Unchanged);
    let other_id = Mapping { external_id: id("2"), ..mapping.clone() };
    assert_eq!(bed.store.restore(other_id, mark()).await.unwrap(), Restored::Conflict { owner: user("alice") });
    let other_person = Mapping { username: user("bob"), ..mapping };
    assert_eq!(bed.store.restore(other_person, mark()).await.unwrap(), Restored::Conflict { owner: user("alice") });
    assert_eq!(full(&bed.store.get(&user("alice"), &nemo()).await.unwrap().unwrap()), full(&restored));

    // A store of a restored mapping keeps what it does not know better.
    let Stored::Verified(verified) = bed.store("alice", "1").await else { panic!("nothing differs") };
    assert_eq!((verified.created_at, verified.last_seen), (restored.created_at, restored.last_seen));
    bed.assert_sound().await;
}

#[tokio::test]
async fn notes_have_a_limit_that_fails_their_row_alone() {
    let bed = Bed::start().await;
    let noted = |who: &str, bytes: usize| StoreRequest { notes: Change::Set("n".repeat(bytes)), ..request(who, who) };
    let answers =
        bed.store.store_many(vec![noted("a", MAX_NOTES_BYTES), noted("b", MAX_NOTES_BYTES + 1), noted("c", 1)]).await;
    assert_eq!(answers[1], Err(StoreError::Notes { bytes: 4097 }));
    assert!(answers[0].is_ok() && answers[2].is_ok());
    assert_eq!(bed.id_of("b").await, None);
}

#[tokio::test]
async fn attributes_of_a_later_version_survive() {
    let bed = Bed::start().await;
    bed.store("alice", "1").await;
    let update = bed.raw.client.update_item().table_name(&bed.raw.name);
    let update =
        update.set_key(Some(crosswalk_identifier_store::ItemKey::new("PERSON#alice", "MAPPING#nemo").attributes()));
    let value = aws_sdk_dynamodb::types::AttributeValue::S("kept".into());
    update.update_expression("SET shoe_size = :v").expression_attribute_values(":v", value).send().await.unwrap();
    assert_eq!(short(&bed.store("alice", "2").await), "updated 1");
    let person = item(&bed, "PERSON#alice", "MAPPING#nemo").await.unwrap();
    assert_eq!(text(&person, "shoe_size").as_deref(), Some("kept"));
}

#[tokio::test]
async fn duplicates_in_a_batch_take_effect_in_file_order() {
    let bed = Bed::start().await;
    bed.store("dora", "40").await;
    let rows = [
        ("alice", "1"),
        ("bob", "1"),   // taken by the row before
        ("alice", "2"), // gives 1 up
        ("carol", "1"), // and so this may have it
        ("alice", "2"),
        ("dora", "41"), // gives 40 up, which is known from the table alone
        ("erin", "40"),
        ("bob", "2"),
        ("ALICE", "3"),
        ("bob", "2"),
    ];
    let batch: Vec<StoreRequest> = rows.iter().map(|(who, what)| request(who, what)).collect();
    let planned = bed.store.plan_many(batch.clone()).await;
    let before = bed.items().await.len();
    let answers = bed.store.store_many(batch).await;
    assert_eq!(before, 2, "a plan writes nothing");
    let told: Vec<String> = answers.iter().map(|answer| short(answer.as_ref().unwrap())).collect();
    let expected = [
        "created",
        "conflict alice",
        "updated 1",
        "created",
        "verified",
        "updated 40",
        "created",
        "conflict alice",
        "updated 2",
        "created",
    ];
    assert_eq!(told, expected);
    assert_eq!(planned, answers, "the plan is what is done");
    bed.assert_sound().await;
}

#[tokio::test]
async fn a_planner_sees_earlier_batches() {
    let bed = Bed::start().await;
    bed.store("alice", "1").await;
    let mut planner = bed.store.planner();
    let mut told = Vec::new();
    for (who, what) in [("bob", "1"), ("alice", "2"), ("bob", "1"), ("carol", "2"), ("alice", "2"), ("bob", "3")] {
        let answer = planner.plan_many(vec![request(who, what)]).await.remove(0).unwrap();
        told.push(short(&answer));
    }
    assert_eq!(told, ["conflict alice", "updated 1", "created", "conflict alice", "verified", "updated 1"]);
    assert_eq!(bed.items().await.len(), 2);
    assert_eq!(bed.id_of("alice").await.as_deref(), Some("1"));
}
