//! A run's item: the record, and the lease beside it.

use std::collections::HashMap;
use std::time::Duration;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::types::AttributeValue;
use crosswalk_function_kit::aws;
use crosswalk_function_kit::retry::Retries;
use crosswalk_identifier_store::{Item, StoreError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{ReasonCount, RunRecord, RunState, Runs, times};

/// The sort key of a run's item.
pub(crate) const SORT_KEY: &str = "RUN";
/// The partition of the index in which all runs are listed.
pub(crate) const LISTING: &str = "RUNS";
/// A lease write is tried for less than the time between two renewals: throttling must not cost a run its lease.
pub(crate) const RETRIES: Retries =
    Retries { first: Duration::from_millis(100), longest: Duration::from_secs(3), times: 7 };

pub(crate) fn partition_key(id: &str) -> String {
    format!("RUN#{id}")
}

/// What an item says about the right to work on the run.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Held {
    pub(crate) fence: u64,
    /// The claim that holds it; tells a claim whose answer was lost from another worker's.
    pub(crate) ticket: String,
    pub(crate) delivery: String,
    pub(crate) lease_until: Timestamp,
}

/// A run as its item has it.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) record: RunRecord,
    pub(crate) held: Held,
}

impl Stored {
    pub(crate) fn read(item: Item) -> Result<Self, StoreError> {
        let key = item.get("pk").and_then(|key| key.as_s().ok()).cloned().unwrap_or_else(|| "RUN#?".into());
        let broken = |error: serde_dynamo::Error| StoreError::Broken { key: key.clone(), reason: error.to_string() };
        let held = serde_dynamo::from_item(item.clone()).map_err(broken)?;
        let record = serde_dynamo::from_item(item).map_err(broken)?;
        Ok(Self { record, held })
    }

    pub(crate) fn has_lapsed(&self, now: Timestamp) -> bool {
        self.held.lease_until <= now
    }

    /// The record as a reader should see it: a run whose worker is long gone does not run.
    pub(crate) fn shown(self, now: Timestamp) -> RunRecord {
        let Self { mut record, held } = self;
        let abandoned = held.lease_until.saturating_add(seconds(Runs::BROKEN_OFF)).unwrap_or(now) <= now;
        if record.state == RunState::Running && abandoned {
            record.state = RunState::Failed;
            record.ended_at = Some(held.lease_until);
            record.reasons.insert(
                0,
                ReasonCount { reason: "the run broke off and nobody took it over: start it again".into(), count: 1 },
            );
        }
        record
    }
}

/// Makes the values of an item or of an update.
pub(crate) fn value(of: impl Serialize) -> Result<AttributeValue, StoreError> {
    serde_dynamo::to_attribute_value(of).map_err(|error| StoreError::Refused(error.to_string()))
}

pub(crate) fn text(of: impl Into<String>) -> AttributeValue {
    AttributeValue::S(of.into())
}

pub(crate) fn time(at: Timestamp) -> AttributeValue {
    text(times::text(at))
}

pub(crate) fn number(of: impl ToString) -> AttributeValue {
    AttributeValue::N(of.to_string())
}

pub(crate) fn seconds(span: Duration) -> jiff::SignedDuration {
    jiff::SignedDuration::try_from(span).unwrap_or(jiff::SignedDuration::MAX)
}

/// The key of a run's item.
pub(crate) fn key(id: &str) -> HashMap<String, AttributeValue> {
    HashMap::from([("pk".into(), text(partition_key(id))), ("sk".into(), text(SORT_KEY))])
}

/// What a failed call means to the caller.
pub(crate) fn failure<E>(error: &SdkError<E>) -> StoreError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let explained = aws::explain(error);
    if aws::is_transient(error) || aws::code(error) == Some("TransactionConflictException") {
        StoreError::Busy(explained)
    } else {
        StoreError::Refused(explained)
    }
}

pub(crate) fn is_busy(error: &StoreError) -> bool {
    matches!(error, StoreError::Busy(_))
}
