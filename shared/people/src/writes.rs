//! Optimistic, marked writes: what was read decides, and the write holds only while that still stands.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use aws_sdk_dynamodb::types::builders::PutBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use crosswalk_function_kit::retry::{Retries, retry};
use crosswalk_identifier_store::{Action, Calls, Item, ItemKey, RunLines, StoreError, Transacted, Written};
use crosswalk_identity::Mark;
use serde::de::DeserializeOwned;

/// What storing an employer, person or link did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It was absent.
    Created,
    /// Something differed.
    Updated,
    /// Nothing differed, and nothing was written.
    Unchanged,
}

impl Kept {
    /// The word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
        }
    }

    fn from_word(word: &str) -> Option<Self> {
        [Self::Created, Self::Updated, Self::Unchanged].into_iter().find(|kept| kept.as_str() == word)
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How often one change is decided anew because another writer was faster. Of any number of writers one is done in each
/// round, so this outlasts a few dozen on one item; more never meet on one person or employer.
const CONTENTION: Retries = Retries { first: Duration::from_millis(10), longest: Duration::from_secs(1), times: 14 };

const REVISION: &str = "revision";
const STORED_BY: &str = "stored_by";

/// Why one round of an optimistic change did not settle it.
#[derive(Debug)]
pub(crate) enum Round {
    /// Another writer was faster: read again.
    Contended,
    /// It cannot be done.
    Failed(StoreError),
}

impl From<StoreError> for Round {
    fn from(error: StoreError) -> Self {
        Self::Failed(error)
    }
}

/// Repeats `round` (read, decide, write) until no other writer comes between.
pub(crate) async fn settle<T, Fut>(round: impl FnMut() -> Fut) -> Result<T, StoreError>
where
    Fut: Future<Output = Result<T, Round>>,
{
    retry(CONTENTION, |round| matches!(round, Round::Contended), round).await.map_err(|round| match round {
        Round::Contended => StoreError::Busy("others kept changing the same item".into()),
        Round::Failed(error) => error,
    })
}

/// What this very row (or request) did to the item before, if it did.
pub(crate) fn first_outcome(item: &Item, mark: &Mark) -> Option<Kept> {
    let by_line = RunLines::of(item).and_then(|lines| lines.first_outcome(mark).and_then(Kept::from_word));
    let by_request = || {
        let own = mark.line.is_none() && stored_by(item).as_ref() == Some(mark);
        own.then(|| if revision(item) == Some(1) { Kept::Created } else { Kept::Updated })
    };
    by_line.or_else(by_request)
}

/// Whether a later line of the same run wrote the item last. Rows that share a key take effect in file order, so the
/// earlier line was settled before; it left no outcome, so it had found nothing to change. To apply it now would undo the
/// later line.
pub(crate) fn is_superseded(item: &Item, mark: &Mark) -> bool {
    stored_by(item).is_some_and(|last| last.by == mark.by && last.line > mark.line && mark.line.is_some())
}

pub(crate) fn stored_by(item: &Item) -> Option<Mark> {
    item.get(STORED_BY)?.as_s().ok()?.parse().ok()
}

fn revision(item: &Item) -> Option<u64> {
    item.get(REVISION)?.as_n().ok()?.parse().ok()
}

/// The item to write in the place of `before`: its attributes (also those that this release does not know) overlaid with
/// `attributes`, where an absent value removes one, and with the writer's mark.
pub(crate) fn successor<const N: usize>(
    key: &ItemKey,
    before: Option<&Item>,
    attributes: [(&str, Option<AttributeValue>); N],
    mark: &Mark,
    kept: Kept,
) -> Item {
    let mut item = before.cloned().unwrap_or_default();
    item.extend(key.attributes());
    for (name, value) in attributes {
        match value {
            Some(value) => item.insert(name.to_owned(), value),
            None => item.remove(name),
        };
    }
    let next = before.and_then(revision).unwrap_or(0) + 1;
    item.insert(REVISION.to_owned(), AttributeValue::N(next.to_string()));
    item.insert(STORED_BY.to_owned(), text(mark.to_string()));
    let lines = before.and_then(RunLines::of);
    if let Some(lines) = RunLines::after(lines.as_ref(), mark, kept.as_str()) {
        item.insert(RunLines::ATTRIBUTE.to_owned(), lines.attribute());
    }
    item
}

/// A put of `item` that holds only while `before` is what stands.
pub(crate) fn put_over(calls: &Calls, item: Item, before: Option<&Item>) -> Result<Put, StoreError> {
    let put = put(calls, item).return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
    let put = match before {
        None => put.condition_expression("attribute_not_exists(pk)"),
        Some(before) => match revision(before) {
            Some(revision) => put
                .condition_expression("#revision = :revision")
                .expression_attribute_names("#revision", REVISION)
                .expression_attribute_values(":revision", AttributeValue::N(revision.to_string())),
            None => put
                .condition_expression("attribute_exists(pk) AND attribute_not_exists(#revision)")
                .expression_attribute_names("#revision", REVISION),
        },
    };
    built(put)
}

/// A put without a condition, for an item that another one of the same transaction guards.
pub(crate) fn put_along(calls: &Calls, item: Item) -> Result<Put, StoreError> {
    built(put(calls, item))
}

fn put(calls: &Calls, item: Item) -> PutBuilder {
    Put::builder().table_name(calls.table_name()).set_item(Some(item))
}

fn built(put: PutBuilder) -> Result<Put, StoreError> {
    put.build().map_err(StoreError::unbuilt)
}

pub(crate) fn as_action(put: Put) -> TransactWriteItem {
    TransactWriteItem::builder().put(put).build()
}

pub(crate) fn delete(calls: &Calls, key: &ItemKey) -> Result<TransactWriteItem, StoreError> {
    let delete = Delete::builder().table_name(calls.table_name()).set_key(Some(key.attributes())).build();
    let delete = delete.map_err(StoreError::unbuilt)?;
    Ok(TransactWriteItem::builder().delete(delete).build())
}

/// Sends one put.
pub(crate) async fn write(calls: &Calls, put: &Put) -> Result<(), Round> {
    match calls.put(put).await? {
        Written::Done => Ok(()),
        // Also when only the answer of our own first attempt was lost: the next round reads our mark.
        Written::Refused { .. } => Err(Round::Contended),
    }
}

/// Sends one transaction.
pub(crate) async fn transact(calls: &Calls, actions: &[TransactWriteItem]) -> Result<(), Round> {
    match calls.transact(actions).await? {
        Transacted::Done => Ok(()),
        Transacted::Cancelled(answers) => {
            let invalid = answers.into_iter().find_map(|answer| match answer {
                Action::Invalid(why) => Some(why),
                Action::Fine | Action::Refused { .. } => None,
            });
            Err(invalid.map_or(Round::Contended, |why| Round::Failed(StoreError::Refused(why))))
        }
    }
}

pub(crate) fn text(of: impl Into<String>) -> AttributeValue {
    AttributeValue::S(of.into())
}

/// Reads an item as what it should be.
pub(crate) fn read<T: DeserializeOwned>(item: Item) -> Result<T, StoreError> {
    let key = ItemKey::of(&item).map_or_else(|| "without a key".to_owned(), |key| key.masked());
    // Serde's texts may repeat a value, which may be personal: the name of the type is what a log may hold.
    serde_dynamo::from_item(item)
        .map_err(|_| StoreError::Broken { key, reason: format!("it is no {}", kind_of::<T>()) })
}

fn kind_of<T>() -> String {
    let path = std::any::type_name::<T>();
    path.rsplit("::").next().unwrap_or(path).to_lowercase()
}

/// Sorts found items by their keys.
pub(crate) fn in_order(found: HashMap<ItemKey, Item>) -> impl Iterator<Item = Item> {
    let mut all: Vec<_> = found.into_iter().collect();
    all.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    all.into_iter().map(|(_, item)| item)
}
