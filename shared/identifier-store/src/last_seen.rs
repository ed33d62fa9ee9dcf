//! When a system last saw somebody at work: `last_seen`, which only ever moves forward.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure, Update};
use crosswalk_identity::{ExternalId, System, Username, times};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt, stream};
use jiff::Timestamp;

use crate::items::{MappingItem, mapping_key};
use crate::{IdentifierStore, StoreError, Written};

/// How many are written side by side.
const AT_ONCE: usize = 16;

/// Somebody who was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// The person.
    pub username: Username,
    /// The system that saw them.
    pub system: System,
    /// Under which external id. A mapping that has another one by now is not theirs.
    pub external_id: ExternalId,
    /// When.
    pub at: Timestamp,
}

/// What became of a sighting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// `last_seen` was earlier or absent, and is now this time.
    Moved,
    /// `last_seen` is as late or later; nothing was written.
    Unchanged,
    /// There is no mapping of this person and external id.
    NotFound,
}

impl IdentifierStore {
    /// Moves `last_seen` of each mapping forward: one plain update each, conditional on external id and time, so that it
    /// neither makes a mapping nor moves back, in whatever order sightings come and however often. The mark and
    /// `last_verified_at` stay as they are: nobody has stored the mapping anew. The answers stand in the order of the
    /// sightings.
    pub async fn seen_many(&self, sightings: &[Sighting]) -> Vec<Result<Seen, StoreError>> {
        // Boxed: an SDK's call is deeper than what callers nest it in should be.
        let mut calls: Vec<BoxFuture<'_, _>> = Vec::with_capacity(sightings.len());
        for sighting in sightings {
            calls.push(self.seen(sighting).boxed());
        }
        stream::iter(calls).buffered(AT_ONCE).collect().await
    }

    async fn seen(&self, sighting: &Sighting) -> Result<Seen, StoreError> {
        let Sighting { username, system, external_id, at } = sighting;
        let text = |text: &str| AttributeValue::S(text.to_owned());
        let names = [("#id", "external_id"), ("#seen", "last_seen")];
        let update = Update::builder()
            .table_name(self.calls.table_name())
            .set_key(Some(mapping_key(username, system).attributes()))
            .update_expression("SET #seen = :at")
            // Texts of times sort as the times do.
            .condition_expression("#id = :id AND (attribute_not_exists(#seen) OR #seen < :at)")
            .set_expression_attribute_names(Some(names.map(|(short, name)| (short.into(), name.into())).into()))
            .set_expression_attribute_values(Some(HashMap::from([
                (":id".to_owned(), text(external_id.as_str())),
                (":at".to_owned(), text(&times::text(*at))),
            ])))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(StoreError::unbuilt)?;
        let standing = match self.calls.update(&update).await? {
            Written::Done => return Ok(Seen::Moved),
            Written::Refused { standing } => standing.map(MappingItem::read).transpose()?,
        };
        let theirs = standing.is_some_and(|standing| standing.mapping.external_id == *external_id);
        Ok(if theirs { Seen::Unchanged } else { Seen::NotFound })
    }
}
