//! A run's item: the record, and the lease beside it.

use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use crosswalk_function_kit::retry::Retries;
use crosswalk_identifier_store::{Item, ItemKey, StoreError};
use crosswalk_identity::times;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{RunRecord, RunState, Runs};

/// The partition of the index in which all runs are listed.
pub(crate) const LISTING: &str = "RUNS";
/// A lease write is tried for less than the time between two renewals: throttling must not cost a run its lease.
pub(crate) const RETRIES: Retries =
    Retries { first: Duration::from_millis(100), longest: Duration::from_secs(3), times: 7 };

/// The key of a run's item.
pub(crate) fn key(id: &str) -> ItemKey {
    ItemKey::new(format!("RUN#{id}"), "RUN")
}

/// Where a run stands in the listing: by the time of its start.
pub(crate) fn listed(record: &RunRecord) -> String {
    format!("{}#{}", times::text(record.started_at), record.id)
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
        let key = ItemKey::of(&item).map_or_else(|| "without a key".to_owned(), |key| key.pk);
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
        let Self { record, held } = self;
        let abandoned = later(held.lease_until, Runs::BROKEN_OFF) <= now;
        if record.state == RunState::Running && abandoned { broken_off(record, held.lease_until) } else { record }
    }
}

/// The record of a run that nobody works on any more, and whose worker was last known to live then.
pub(crate) fn broken_off(mut record: RunRecord, ended_at: Timestamp) -> RunRecord {
    record.fail("the run broke off and nobody took it over: start it again");
    record.ended_at = Some(ended_at);
    record
}

/// Makes the values of an item or of an update.
pub(crate) fn value(of: impl Serialize) -> Result<AttributeValue, StoreError> {
    serde_dynamo::to_attribute_value(of).map_err(StoreError::unbuilt)
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

/// So long after a moment.
pub(crate) fn later(moment: Timestamp, by: Duration) -> Timestamp {
    let by = SignedDuration::try_from(by).unwrap_or(SignedDuration::MAX);
    moment.saturating_add(by).unwrap_or(Timestamp::MAX)
}
