//! Calls to DynamoDB, with one rule about what is tried again.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::retry::RetryConfig;
use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::transact_write_items::TransactWriteItemsError;
use aws_sdk_dynamodb::types::{
    AttributeValue, CancellationReason, Get, KeysAndAttributes, Put, ReturnValuesOnConditionCheckFailure,
    TransactGetItem, TransactWriteItem, Update,
};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use crosswalk_function_kit::retry::{Retries, retry};
use crosswalk_function_kit::{Entropy, aws};
use futures::{StreamExt, TryStreamExt, stream};

use crate::{Item, ItemKey, StoreError, Table};

/// BatchGetItem's and TransactWriteItems' limit (items, actions).
pub const MAX_IN_ONE_CALL: usize = 100;

/// How many batch reads run side by side.
const READS_AT_ONCE: usize = 4;

/// Calls to one table. Clones share one client.
///
/// **What is tried again**, with full jitter: throttling, TransactionConflict (also as the reason of a cancelled
/// transaction, which the SDK never repeats), TransactionInProgress, a broken connection, an answer that was lost, and
/// 5xx. **Never** ConditionalCheckFailed: that is an answer. The SDK's own retries are off, so that there is one loop.
///
/// **A repeated transaction carries the same ClientRequestToken**: if the first attempt did its work and only the answer
/// was lost, DynamoDB repeats the answer, not the work. The token is drawn here, for one list of actions, and never
/// leaves: a changed list is a new call with a new token, so IdempotentParameterMismatch cannot arise. A repeated plain
/// write has no token; its condition fails on its own success, and the old item, which bears the writer's mark, says so.
#[derive(Clone, Debug)]
pub struct Calls {
    table: Table,
    entropy: Entropy,
    retries: Retries,
}

/// How a conditional write ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Written {
    /// It is done.
    Done,
    /// Its condition does not hold.
    Refused {
        /// The item as it stands; none if there is none.
        standing: Option<Item>,
    },
}

/// How a transaction ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Transacted {
    /// All of it is done.
    Done,
    /// None of it is done: one answer an action, in their order; at least one is not [`Action::Fine`].
    Cancelled(Vec<Action>),
}

/// What one action had to do with the transaction's cancellation.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Nothing: it may be sent again.
    Fine,
    /// Its condition does not hold.
    Refused {
        /// The item as it stands; none if there is none.
        standing: Option<Item>,
    },
    /// DynamoDB will not take it at all (too large, …).
    Invalid(String),
}

/// Why one attempt failed.
enum Failure {
    Transient(String),
    Final(StoreError),
}

impl From<Failure> for StoreError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Transient(why) => Self::Busy(why),
            Failure::Final(error) => error,
        }
    }
}

impl Calls {
    /// How often and how long things are tried again unless [`Self::with_retries`] says otherwise: about 5 seconds on
    /// average in all, within the patience of an API's client, and past DynamoDB's split of a hot partition's burst.
    pub const RETRIES: Retries =
        Retries { first: Duration::from_millis(25), longest: Duration::from_secs(2), times: 10 };

    /// Over a table.
    pub fn new(table: Table, entropy: Entropy) -> Self {
        let config = table.client.config().to_builder().retry_config(RetryConfig::disabled()).build();
        let table = Table::new(Client::from_conf(config), table.name);
        Self { table, entropy, retries: Self::RETRIES }
    }

    /// The same with other retries.
    pub fn with_retries(mut self, retries: Retries) -> Self {
        self.retries = retries;
        self
    }

    /// The table's name, for building actions.
    pub fn table_name(&self) -> &str {
        &self.table.name
    }

    /// One item, strongly consistent.
    ///
    /// # Errors
    /// DynamoDB stayed busy or refused.
    pub async fn get(&self, key: &ItemKey) -> Result<Option<Item>, StoreError> {
        let attempt = || async {
            let call = self.table.client.get_item().table_name(&self.table.name).set_key(Some(key.attributes()));
            Ok(call.consistent_read(true).send().await.map_err(|e| failure(&e))?.item)
        };
        self.repeated(attempt).await
    }

    /// Many items, each strongly consistent, in calls of 100; keys that DynamoDB left unprocessed are asked again. What
    /// is absent is absent from the answer. A key may be named twice.
    ///
    /// # Errors
    /// DynamoDB stayed busy or refused.
    pub async fn get_many(
        &self,
        keys: impl IntoIterator<Item = ItemKey>,
    ) -> Result<HashMap<ItemKey, Item>, StoreError> {
        let distinct: Vec<ItemKey> = keys.into_iter().collect::<HashSet<_>>().into_iter().collect();
        let calls: Vec<Vec<Item>> =
            distinct.chunks(MAX_IN_ONE_CALL).map(|keys| keys.iter().map(ItemKey::attributes).collect()).collect();
        let parts: Vec<Vec<Item>> = stream::iter(calls.into_iter().map(|keys| self.get_hundred(keys)))
            .buffer_unordered(READS_AT_ONCE)
            .try_collect()
            .await?;
        Ok(parts.into_iter().flatten().filter_map(|item| Some((ItemKey::of(&item)?, item))).collect())
    }

    async fn get_hundred(&self, keys: Vec<Item>) -> Result<Vec<Item>, StoreError> {
        let left_and_found = Mutex::new((keys, Vec::new()));
        let attempt = || async {
            let keys = left_and_found.lock().unwrap_or_else(PoisonError::into_inner).0.clone();
            let keys = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build();
            let keys = keys.map_err(|e| Failure::Final(StoreError::Refused(e.to_string())))?;
            let call = self.table.client.batch_get_item().request_items(&self.table.name, keys);
            let answer = call.send().await.map_err(|e| failure(&e))?;
            let mut left_and_found = left_and_found.lock().unwrap_or_else(PoisonError::into_inner);
            let (left, found) = &mut *left_and_found;
            found.extend(answer.responses.unwrap_or_default().into_values().flatten());
            *left = answer.unprocessed_keys.unwrap_or_default().into_values().flat_map(|keys| keys.keys).collect();
            if left.is_empty() { Ok(()) } else { Err(Failure::Transient("keys were left unprocessed".into())) }
        };
        self.repeated(attempt).await?;
        Ok(left_and_found.into_inner().unwrap_or_else(PoisonError::into_inner).1)
    }

    /// Up to 100 items as they stood together at one moment (TransactGetItems), in the order of the keys.
    ///
    /// # Errors
    /// DynamoDB stayed busy or refused.
    pub async fn get_together(&self, keys: &[ItemKey]) -> Result<Vec<Option<Item>>, StoreError> {
        let attempt = || async {
            let mut call = self.table.client.transact_get_items();
            for key in keys {
                let get = Get::builder().table_name(&self.table.name).set_key(Some(key.attributes())).build();
                let get = get.map_err(|e| Failure::Final(StoreError::Refused(e.to_string())))?;
                call = call.transact_items(TransactGetItem::builder().get(get).build());
            }
            let answer = call.send().await.map_err(|error| match error.code() {
                // A read has no condition: only a conflict or throttling cancels it.
                Some("TransactionCanceledException") => Failure::Transient(aws::explain(&error)),
                _ => failure(&error),
            })?;
            Ok(answer.responses.unwrap_or_default().into_iter().map(|part| part.item).collect())
        };
        self.repeated(attempt).await
    }

    /// All items of one partition whose sort key begins so, in its order, strongly consistent.
    ///
    /// # Errors
    /// DynamoDB stayed busy or refused.
    pub async fn partition(&self, pk: &str, sk_prefix: &str) -> Result<Vec<Item>, StoreError> {
        let (mut items, mut start) = (Vec::new(), None);
        loop {
            let attempt = || async {
                let call = self.table.client.query().table_name(&self.table.name).consistent_read(true);
                let call = call.key_condition_expression("#pk = :pk AND begins_with(#sk, :prefix)");
                let call = call
                    .expression_attribute_names("#pk", Table::DESCRIPTION.partition_key)
                    .expression_attribute_names("#sk", Table::DESCRIPTION.sort_key)
                    .expression_attribute_values(":pk", AttributeValue::S(pk.to_owned()))
                    .expression_attribute_values(":prefix", AttributeValue::S(sk_prefix.to_owned()));
                call.set_exclusive_start_key(start.clone()).send().await.map_err(|e| failure(&e))
            };
            let page = self.repeated(attempt).await?;
            items.extend(page.items.unwrap_or_default());
            start = page.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() {
                return Ok(items);
            }
        }
    }

    /// One page of a listing in the index, eventually consistent, at most `limit` items, after the item with the key
    /// `after` if given. Beside the items, whether there may be more.
    ///
    /// # Errors
    /// DynamoDB stayed busy or refused.
    pub async fn listing(
        &self,
        listing: &str,
        after: Option<(&ItemKey, &str)>,
        limit: usize,
        descending: bool,
    ) -> Result<(Vec<Item>, bool), StoreError> {
        let start = after.map(|(key, listed)| {
            let mut start = key.attributes();
            let text = |text: &str| AttributeValue::S(text.to_owned());
            start.insert(Table::DESCRIPTION.index_partition_key.to_owned(), text(listing));
            start.insert(Table::DESCRIPTION.index_sort_key.to_owned(), text(listed));
            start
        });
        let limit = i32::try_from(limit).unwrap_or(i32::MAX);
        let attempt = || async {
            let call = self.table.client.query().table_name(&self.table.name).index_name(Table::DESCRIPTION.index);
            let call = call
                .key_condition_expression("#listing = :listing")
                .expression_attribute_names("#listing", Table::DESCRIPTION.index_partition_key)
                .expression_attribute_values(":listing", AttributeValue::S(listing.to_owned()))
                .scan_index_forward(!descending);
            call.limit(limit).set_exclusive_start_key(start.clone()).send().await.map_err(|e| failure(&e))
        };
        let page = self.repeated(attempt).await?;
        let more = page.last_evaluated_key.is_some_and(|key| !key.is_empty());
        Ok((page.items.unwrap_or_default(), more))
    }

    /// One page of the whole table, strongly consistent, of those items whose sort key is `sk` or begins with
    /// `sk_prefix`; and where the next page starts.
    ///
    /// # Errors
    /// DynamoDB stayed busy or refused.
    pub async fn scan(
        &self,
        sk: &str,
        sk_prefix: &str,
        start: Option<Item>,
    ) -> Result<(Vec<Item>, Option<Item>), StoreError> {
        let attempt = || async {
            let call = self.table.client.scan().table_name(&self.table.name).consistent_read(true);
            let call = call
                .filter_expression("#sk = :sk OR begins_with(#sk, :prefix)")
                .expression_attribute_names("#sk", Table::DESCRIPTION.sort_key)
                .expression_attribute_values(":sk", AttributeValue::S(sk.to_owned()))
                .expression_attribute_values(":prefix", AttributeValue::S(sk_prefix.to_owned()));
            call.set_exclusive_start_key(start.clone()).send().await.map_err(|e| failure(&e))
        };
        let page = self.repeated(attempt).await?;
        Ok((page.items.unwrap_or_default(), page.last_evaluated_key.filter(|key| !key.is_empty())))
    }

    /// Puts one item, under the action's condition. A repeat after a lost answer finds its own item standing: the caller
    /// tells it by its mark.
    ///
    /// # Errors
    /// DynamoDB stayed busy or refused the call itself.
    pub async fn put(&self, put: &Put) -> Result<Written, StoreError> {
        let attempt = || async {
            let call = self.table.client.put_item().table_name(&put.table_name).set_item(Some(put.item.clone()));
            let call = call
                .set_condition_expression(put.condition_expression.clone())
                .set_expression_attribute_names(put.expression_attribute_names.clone())
                .set_expression_attribute_values(put.expression_attribute_values.clone())
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
            match call.send().await {
                Ok(_) => Ok(Written::Done),
                Err(error) => match error.as_service_error() {
                    Some(aws_sdk_dynamodb::operation::put_item::PutItemError::ConditionalCheckFailedException(
                        failed,
                    )) => Ok(Written::Refused { standing: failed.item.clone().filter(|item| !item.is_empty()) }),
                    _ => Err(failure(&error)),
                },
            }
        };
        self.repeated(attempt).await
    }

    /// Updates one item, under the action's condition. A repeat after a lost answer finds its own item standing: the
    /// caller tells it by its mark.
    ///
    /// # Errors
    /// DynamoDB stayed busy or refused the call itself.
    pub async fn update(&self, update: &Update) -> Result<Written, StoreError> {
        let attempt = || async {
            let call = self.table.client.update_item().table_name(&update.table_name).set_key(Some(update.key.clone()));
            let call = call
                .update_expression(&update.update_expression)
                .set_condition_expression(update.condition_expression.clone())
                .set_expression_attribute_names(update.expression_attribute_names.clone())
                .set_expression_attribute_values(update.expression_attribute_values.clone())
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
            match call.send().await {
                Ok(_) => Ok(Written::Done),
                Err(error) => match error.as_service_error() {
                    Some(
                        aws_sdk_dynamodb::operation::update_item::UpdateItemError::ConditionalCheckFailedException(
                            failed,
                        ),
                    ) => Ok(Written::Refused { standing: failed.item.clone().filter(|item| !item.is_empty()) }),
                    _ => Err(failure(&error)),
                },
            }
        };
        self.repeated(attempt).await
    }

    /// Up to 100 actions on distinct items, all or none. Each conditional action should ask for the old item
    /// (`ReturnValuesOnConditionCheckFailure::AllOld`).
    ///
    /// # Errors
    /// DynamoDB stayed busy or refused the transaction as a whole.
    pub async fn transact(&self, actions: &[TransactWriteItem]) -> Result<Transacted, StoreError> {
        self.transact_with(actions, self.retries).await
    }

    /// [`Self::transact`], tried again at most so often.
    pub(crate) async fn transact_briefly(
        &self,
        actions: &[TransactWriteItem],
        times: usize,
    ) -> Result<Transacted, StoreError> {
        self.transact_with(actions, Retries { times: times.min(self.retries.times), ..self.retries }).await
    }

    async fn transact_with(&self, actions: &[TransactWriteItem], retries: Retries) -> Result<Transacted, StoreError> {
        let token = self.entropy.uuid().to_string();
        let attempt = || async {
            let call = self.table.client.transact_write_items().client_request_token(&token);
            match call.set_transact_items(Some(actions.to_vec())).send().await {
                Ok(_) => Ok(Transacted::Done),
                Err(error) => match error.as_service_error() {
                    Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) => {
                        judge(cancelled.cancellation_reasons(), actions.len(), &error)
                    }
                    _ => Err(failure(&error)),
                },
            }
        };
        Ok(retry(retries, is_transient, attempt).await?)
    }

    async fn repeated<T, Fut>(&self, attempt: impl FnMut() -> Fut) -> Result<T, StoreError>
    where
        Fut: Future<Output = Result<T, Failure>>,
    {
        Ok(retry(self.retries, is_transient, attempt).await?)
    }
}

/// A cancellation whose reasons are all transient is tried again as it is; one with a lasting reason goes to the caller,
/// who takes that action out and sends the others again.
fn judge<E: ProvideErrorMetadata + std::error::Error + 'static>(
    reasons: &[CancellationReason],
    expected: usize,
    error: &SdkError<E, HttpResponse>,
) -> Result<Transacted, Failure> {
    if reasons.len() != expected {
        return Err(Failure::Final(StoreError::Refused(aws::explain(error))));
    }
    let actions: Vec<Action> = reasons
        .iter()
        .map(|reason| match reason.code() {
            Some("ConditionalCheckFailed") => {
                Action::Refused { standing: reason.item.clone().filter(|item| !item.is_empty()) }
            }
            None | Some("None") => Action::Fine,
            Some(code) if is_transient_code(code) => Action::Fine,
            Some(code) => Action::Invalid(format!("{code}: {}", reason.message().unwrap_or("no reason given"))),
        })
        .collect();
    if actions.iter().all(|action| *action == Action::Fine) {
        let codes: HashSet<&str> = reasons.iter().filter_map(CancellationReason::code).collect();
        let mut codes: Vec<&str> = codes.into_iter().filter(|code| *code != "None").collect();
        codes.sort_unstable();
        return Err(Failure::Transient(codes.join(", ")));
    }
    Ok(Transacted::Cancelled(actions))
}

fn is_transient(failure: &Failure) -> bool {
    matches!(failure, Failure::Transient(_))
}

/// Codes of cancellation reasons, and of errors that are DynamoDB's own (the others are every service's).
fn is_transient_code(code: &str) -> bool {
    matches!(
        code.strip_suffix("Exception").unwrap_or(code),
        "TransactionConflict"
            | "ReplicatedWriteConflict"
            | "ThrottlingError"
            | "ProvisionedThroughputExceeded"
            | "RequestLimitExceeded"
    )
}

/// The text is code and message: never the error's `Debug`, which would show the items that a condition found.
fn failure<E: ProvideErrorMetadata + std::error::Error + 'static>(error: &SdkError<E, HttpResponse>) -> Failure {
    let why = aws::explain(error);
    if aws::is_transient(error) || aws::code(error).is_some_and(is_transient_code) {
        Failure::Transient(why)
    } else {
        Failure::Final(StoreError::Refused(why))
    }
}
