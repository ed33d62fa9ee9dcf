//! Conflicts, throttles, broken connections and lost answers; and how many requests things cost.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crosswalk_function_kit::retry::Retries;
use crosswalk_identifier_store::{Change, Moved, StoreError, StoreRequest};
use crosswalk_identity::Mark;
use futures::FutureExt;

use crate::support::{Bed, id, line, mark, nemo, request, short, user};
use crate::wire::Fault;

/// The tokens of the transactions that went through, distinct.
fn tokens(bed: &Bed) -> (usize, BTreeSet<String>) {
    let seen = bed.wire.seen();
    let transactions: Vec<_> = seen.iter().filter(|seen| seen.operation == "TransactWriteItems").collect();
    let mut bodies = BTreeMap::new();
    for transaction in &transactions {
        let token = transaction.body["ClientRequestToken"].as_str().unwrap();
        let first = bodies.entry(token.to_owned()).or_insert(&transaction.body);
        assert_eq!(*first, &transaction.body, "DynamoDB refuses a token that comes with other actions");
    }
    (transactions.len(), bodies.into_keys().collect())
}

#[tokio::test]
async fn what_things_cost() {
    let bed = Bed::start().await;
    bed.wire.seen();
    bed.store("alice", "1").await;
    assert_eq!(bed.wire.counts(), "BatchGetItem 1, TransactWriteItems 1");
    bed.store("alice", "1").await;
    assert_eq!(bed.wire.counts(), "BatchGetItem 1, UpdateItem 1", "a verified row has no transaction");
    bed.store("bob", "1").await;
    assert_eq!(bed.wire.counts(), "BatchGetItem 1");
    bed.store.get(&user("alice"), &nemo()).await.unwrap();
    assert_eq!(bed.wire.counts(), "GetItem 1");
    bed.store.get_by_external_id(&nemo(), &id("1")).await.unwrap();
    assert_eq!(bed.wire.counts(), "GetItem 2");
    bed.store.list(&user("alice")).await.unwrap();
    assert_eq!(bed.wire.counts(), "Query 1");
    bed.store.delete(&user("alice"), &nemo()).await.unwrap();
    assert_eq!(bed.wire.counts(), "GetItem 1, TransactWriteItems 1");

    let batch = || (0..100).map(|n| request(&format!("user{n}"), &format!("{n}"))).collect::<Vec<_>>();
    bed.store.store_many(batch()).await;
    assert_eq!(bed.wire.counts(), "BatchGetItem 2, TransactWriteItems 2", "50 mappings a transaction");
    bed.store.store_many(batch()).await;
    assert_eq!(bed.wire.counts(), "BatchGetItem 2, UpdateItem 100");
    let planned = bed.store.plan_many(batch()).await;
    assert_eq!(bed.wire.counts(), "BatchGetItem 2");
    assert!(planned.iter().all(|planned| short(planned.as_ref().unwrap()) == "verified"));
    let other_ids = (0..99).map(|n| request(&format!("user{n}"), &format!("new{n}"))).collect();
    bed.store.store_many(other_ids).await;
    assert_eq!(bed.wire.counts(), "BatchGetItem 2, TransactWriteItems 3", "33 changes a transaction");
    bed.assert_sound().await;
}

#[tokio::test]
async fn large_rows_are_packed_by_bytes_too() {
    let bed = Bed::start().await;
    let row = |n: usize| StoreRequest {
        notes: Change::Set("n".repeat(4096)),
        ..line("run", n as u64, &format!("{n:0>500}"), &format!("{n:0>1000}"))
    };
    let answers = bed.store.store_many((0..50).map(row).collect()).await;
    assert!(answers.iter().all(|answer| short(answer.as_ref().unwrap()) == "created"));
    for seen in bed.wire.seen() {
        assert!(seen.body.to_string().len() < 3 * 1024 * 1024);
    }
    bed.assert_sound().await;
}

#[tokio::test]
async fn conflicts_and_throttles_in_a_cancellation_are_tried_again_with_the_same_token() {
    let bed = Bed::start().await;
    for (n, code) in ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"].into_iter().enumerate()
    {
        bed.wire.inject("TransactWriteItems", [Fault::Cancelled(code), Fault::Cancelled(code)]);
        assert_eq!(short(&bed.store(&format!("user{n}"), &format!("{n}")).await), "created", "{code}");
        let (transactions, tokens) = tokens(&bed);
        assert_eq!((transactions, tokens.len()), (3, 1), "{code}");
    }
    bed.wire.inject("TransactWriteItems", [Fault::Cancelled("TransactionConflict")]);
    let moved = bed.store.move_to(&nemo(), &id("1"), &user("user1"), &user("zoe"), mark()).await.unwrap();
    assert!(matches!(moved, Moved::Done(_)));
    bed.wire.inject("TransactWriteItems", [Fault::Cancelled("TransactionConflict")]);
    let swapped = bed.store.swap(&nemo(), &user("user0"), &user("zoe"), mark()).await.unwrap();
    assert!(matches!(swapped, Moved::Done(_)));
    bed.wire.inject("TransactWriteItems", [Fault::Cancelled("TransactionConflict")]);
    assert!(bed.store.delete(&user("zoe"), &nemo()).await.unwrap().is_some());
    bed.wire.inject("TransactGetItems", [Fault::Error(400, "TransactionCanceledException")]);
    assert_eq!(bed.store.swap(&nemo(), &user("user0"), &user("zoe"), mark()).await.unwrap(), Moved::NotFound);
    bed.assert_sound().await;
}

#[tokio::test]
async fn throttles_and_broken_connections_are_tried_again() {
    let bed = Bed::start().await;
    let faults = || {
        [
            Fault::Error(400, "ThrottlingException"),
            Fault::Error(400, "ProvisionedThroughputExceededException"),
            Fault::Error(500, "InternalServerError"),
            Fault::Error(503, "ServiceUnavailable"),
            Fault::Broken,
        ]
    };
    for operation in ["BatchGetItem", "TransactWriteItems"] {
        bed.wire.inject(operation, faults());
    }
    bed.wire.inject("TransactWriteItems", [Fault::Error(400, "TransactionInProgressException")]);
    assert_eq!(short(&bed.store("alice", "1").await), "created");
    assert_eq!(bed.wire.counts(), "BatchGetItem 6, TransactWriteItems 7");
    bed.wire.inject("UpdateItem", faults());
    bed.wire.inject("UpdateItem", [Fault::Error(400, "TransactionConflictException")]);
    assert_eq!(short(&bed.store("alice", "1").await), "verified");
    assert_eq!(bed.wire.counts(), "BatchGetItem 1, UpdateItem 7");
    bed.wire.inject("GetItem", faults());
    assert_eq!(bed.id_of("alice").await.as_deref(), Some("1"));
    bed.wire.inject("Query", faults());
    assert_eq!(bed.store.list_system(&nemo(), None, 10).await.unwrap().items.len(), 1);
    bed.wire.inject("TransactGetItems", faults());
    bed.store.swap(&nemo(), &user("alice"), &user("bob"), mark()).await.unwrap();
    bed.wire.inject("Scan", faults());
    bed.assert_sound().await;
    bed.wire.seen();
}

#[tokio::test]
async fn what_lasts_ends_as_busy_or_refused() {
    let bed = Bed::start().await;
    let store = bed.store.clone().with_retries(Retries {
        first: Duration::from_millis(1),
        longest: Duration::from_millis(2),
        times: 2,
    });
    bed.wire.inject("TransactWriteItems", std::iter::repeat_with(|| Fault::Cancelled("TransactionConflict")).take(3));
    let error = store.store(request("alice", "1")).await.unwrap_err();
    assert_eq!(error, StoreError::Busy("TransactionConflict".into()));
    bed.wire.inject("BatchGetItem", std::iter::repeat_with(|| Fault::Error(400, "ThrottlingException")).take(3));
    let errors = store.store_many(vec![request("alice", "1"), request("bob", "2")]).await;
    assert!(errors.iter().all(|error| matches!(error, Err(StoreError::Busy(why)) if why.starts_with("Throttling"))));
    bed.wire.inject("GetItem", [Fault::Error(400, "AccessDeniedException")]);
    let error = store.get(&user("alice"), &nemo()).await.unwrap_err();
    assert!(matches!(&error, StoreError::Refused(why) if why.contains("AccessDenied")), "{error}");
    bed.wire.seen();
    assert!(bed.items().await.is_empty());
}

#[tokio::test]
async fn a_lost_answer_is_the_rows_own_success() {
    let bed = Bed::start().await;
    // The token is remembered: DynamoDB repeats its answer.
    bed.wire.inject("TransactWriteItems", [Fault::LostAnswer]);
    assert_eq!(short(&bed.store("alice", "1").await), "created");
    let (transactions, distinct) = tokens(&bed);
    assert_eq!((transactions, distinct.len()), (2, 1));
    // It is forgotten: the condition fails on what this very request wrote.
    for (who, what, told) in [("bob", "2", "created"), ("bob", "3", "updated 2"), ("alice", "4", "updated 1")] {
        bed.wire.inject("TransactWriteItems", [Fault::LostAnswer, Fault::ForgottenToken]);
        assert_eq!(short(&bed.store(who, what).await), told);
        assert_eq!(bed.wire.counts(), "BatchGetItem 1, TransactWriteItems 2");
    }
    // A plain update has no token.
    bed.wire.inject("UpdateItem", [Fault::LostAnswer]);
    assert_eq!(short(&bed.store("bob", "3").await), "verified");
    bed.wire.inject("UpdateItem", [Fault::LostAnswer]);
    let notes = StoreRequest { notes: Change::Set("x".into()), ..request("bob", "3") };
    assert_eq!(short(&bed.store.store(notes).await.unwrap()), "updated 3");
    // All rows of a transaction at once.
    bed.wire.inject("TransactWriteItems", [Fault::LostAnswer, Fault::ForgottenToken]);
    let rows = (0..20).map(|n| line("run", n, &format!("user{n}"), &format!("id{n}"))).collect();
    let answers = bed.store.store_many(rows).await;
    assert!(answers.iter().all(|answer| short(answer.as_ref().unwrap()) == "created"));
    // Move, swap, delete.
    bed.wire.inject("TransactWriteItems", [Fault::LostAnswer, Fault::ForgottenToken]);
    let moved = bed.store.move_to(&nemo(), &id("3"), &user("bob"), &user("carol"), mark()).await.unwrap();
    assert!(matches!(moved, Moved::Done(_)));
    bed.wire.inject("TransactWriteItems", [Fault::LostAnswer, Fault::ForgottenToken]);
    let swapped = bed.store.swap(&nemo(), &user("alice"), &user("carol"), mark()).await.unwrap();
    assert!(matches!(swapped, Moved::Done(_)));
    assert_eq!(bed.id_of("alice").await.as_deref(), Some("3"));
    bed.wire.inject("TransactWriteItems", [Fault::LostAnswer]);
    assert!(bed.store.delete(&user("alice"), &nemo()).await.unwrap().is_some());
    bed.wire.seen();
    bed.assert_sound().await;
}

#[tokio::test]
async fn a_failed_condition_is_never_tried_again() {
    let bed = Bed::start().await;
    let other = bed.store.clone();
    let taking = async move {
        other.store(request("bob", "1")).await.unwrap();
    };
    bed.wire.inject("TransactWriteItems", [Fault::Meanwhile(taking.boxed())]);
    assert_eq!(short(&bed.store("alice", "1").await), "conflict bob");
    // Each has read once and tried once.
    assert_eq!(bed.wire.counts(), "BatchGetItem 2, TransactWriteItems 2");
    bed.assert_sound().await;
}

#[tokio::test]
async fn a_row_that_was_overtaken_is_decided_anew() {
    let bed = Bed::start().await;
    bed.store("alice", "1").await;
    let overtake = |what: &'static str| {
        let other = bed.store.clone();
        async move {
            other.store(request("alice", what)).await.unwrap();
        }
        .boxed()
    };
    bed.wire.inject("UpdateItem", [Fault::Meanwhile(overtake("2"))]);
    assert_eq!(short(&bed.store("alice", "1").await), "updated 2", "it was to be verified");
    bed.wire.inject("TransactWriteItems", [Fault::Meanwhile(overtake("3"))]);
    assert_eq!(short(&bed.store("alice", "3").await), "verified", "it was to be changed");
    let other = bed.store.clone();
    let deleting = async move {
        other.delete(&user("alice"), &nemo()).await.unwrap();
    };
    bed.wire.inject("UpdateItem", [Fault::Meanwhile(deleting.boxed())]);
    assert_eq!(short(&bed.store("alice", "3").await), "created", "it was to be verified");
    bed.assert_sound().await;
}

#[tokio::test]
async fn one_conflict_never_fails_its_neighbours() {
    let bed = Bed::start().await;
    let other = bed.store.clone();
    let taking = async move {
        other.store(request("eve", "id7")).await.unwrap();
        other.store(request("user9", "elsewhere")).await.unwrap();
        other.store(request("user11", "id11")).await.unwrap();
    };
    bed.wire.inject("TransactWriteItems", [Fault::Meanwhile(taking.boxed()), Fault::Cancelled("TransactionConflict")]);
    let rows = (0..40).map(|n| line("run", n, &format!("user{n}"), &format!("id{n}"))).collect();
    let answers = bed.store.store_many(rows).await;
    for (n, answer) in answers.iter().enumerate() {
        let expected = match n {
            7 => "conflict eve",
            9 => "updated elsewhere",
            11 => "verified",
            _ => "created",
        };
        assert_eq!(short(answer.as_ref().unwrap()), expected, "row {n}");
    }
    bed.assert_sound().await;
}

#[tokio::test]
async fn a_transaction_that_stays_in_conflict_is_split() {
    let bed = Bed::start().await;
    bed.wire.inject("TransactWriteItems", std::iter::repeat_with(|| Fault::Cancelled("TransactionConflict")).take(4));
    let rows = (0..10).map(|n| line("run", n, &format!("user{n}"), &format!("id{n}"))).collect();
    let answers = bed.store.store_many(rows).await;
    assert!(answers.iter().all(|answer| short(answer.as_ref().unwrap()) == "created"));
    let (transactions, tokens) = tokens(&bed);
    assert_eq!((transactions, tokens.len()), (4 + 10, 1 + 10), "four times together, then each alone");
}

#[tokio::test]
async fn one_row_that_dynamodb_will_not_take_fails_alone() {
    let bed = Bed::start().await;
    bed.wire.inject(
        "TransactWriteItems",
        [Fault::Error(400, "ValidationException"), Fault::Error(400, "ValidationException")],
    );
    let rows = (0..10).map(|n| line("run", n, &format!("user{n}"), &format!("id{n}"))).collect();
    let answers = bed.store.store_many(rows).await;
    let failed = answers.iter().filter(|answer| matches!(answer, Err(StoreError::Refused(_)))).count();
    assert_eq!((failed, answers.len()), (1, 10));
    bed.wire.inject("TransactWriteItems", [Fault::Cancelled("ItemCollectionSizeLimitExceeded")]);
    let rows = (20..30).map(|n| line("run", n, &format!("user{n}"), &format!("id{n}"))).collect();
    let answers = bed.store.store_many(rows).await;
    assert!(matches!(&answers[0], Err(StoreError::Refused(why)) if why.starts_with("ItemCollection")));
    assert!(answers[1..].iter().all(|answer| short(answer.as_ref().unwrap()) == "created"));
    bed.assert_sound().await;
}

#[tokio::test]
async fn unprocessed_keys_are_asked_again() {
    let bed = Bed::start().await;
    let rows = || (0..30).map(|n| request(&format!("user{n}"), &format!("{n}"))).collect::<Vec<_>>();
    bed.store.store_many(rows()).await;
    bed.wire.seen();
    bed.wire.inject("BatchGetItem", [Fault::Unprocessed, Fault::Unprocessed, Fault::Unprocessed]);
    let answers = bed.store.store_many(rows()).await;
    assert!(answers.iter().all(|answer| short(answer.as_ref().unwrap()) == "verified"));
    let asked: Vec<usize> = bed
        .wire
        .seen()
        .iter()
        .filter(|seen| seen.operation == "BatchGetItem")
        .map(|seen| seen.body["RequestItems"][&bed.raw.name]["Keys"].as_array().unwrap().len())
        .collect();
    assert_eq!(asked, [60, 30, 15, 8]);
}

#[tokio::test]
async fn a_reverse_lookup_reads_again_when_the_mapping_no_longer_points_back() {
    let bed = Bed::start().await;
    bed.store("alice", "1").await;
    let other = bed.store.clone();
    let moving = async move {
        other.move_to(&nemo(), &id("1"), &user("alice"), &user("bob"), mark()).await.unwrap();
    };
    bed.wire.seen();
    // Between the owner item and the mapping.
    bed.wire.inject("GetItem", [Fault::Meanwhile(async {}.boxed()), Fault::Meanwhile(moving.boxed())]);
    let found = bed.store.get_by_external_id(&nemo(), &id("1")).await.unwrap().unwrap();
    assert_eq!(found.username, user("bob"));
    assert_eq!(bed.wire.counts(), "GetItem 4, TransactGetItems 1, TransactWriteItems 1");
    let other = bed.store.clone();
    let deleting = async move {
        other.delete(&user("bob"), &nemo()).await.unwrap();
    };
    bed.wire.inject("GetItem", [Fault::Meanwhile(async {}.boxed()), Fault::Meanwhile(deleting.boxed())]);
    assert_eq!(bed.store.get_by_external_id(&nemo(), &id("1")).await.unwrap(), None);
}

#[tokio::test]
async fn an_error_tells_no_ones_name() {
    let bed = Bed::start().await;
    bed.wire.inject("GetItem", [Fault::Error(400, "ValidationException")]);
    let error = bed.store.get(&user("alice@example.org"), &nemo()).await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("alice"));
    let torn = bed.raw.client.put_item().table_name(&bed.raw.name);
    let key = crosswalk_identifier_store::ItemKey::new("PERSON#alice@example.org", "MAPPING#nemo").attributes();
    torn.set_item(Some(key)).send().await.unwrap();
    let error = bed.store.store(StoreRequest { mark: Mark::request("r"), ..request("alice@example.org", "1") }).await;
    let error = error.unwrap_err();
    assert!(matches!(&error, StoreError::Broken { key, .. } if key == "PERSON#a***@e***/MAPPING#nemo"), "{error}");
}
