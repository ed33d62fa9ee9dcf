//! The conditional writes of a run's item: sent alone, or together with its turn's.

use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{AttributeValue, Put, ReturnValuesOnConditionCheckFailure, Update};
use crosswalk_identifier_store::{Item, ItemKey, StoreError};
use jiff::Timestamp;

use crate::stored::{self, Stored, key, later, listed, number, text, time, value};
use crate::{Counts, Lease, Progress, RunRecord, RunState, Runs};

impl Runs {
    /// A new run.
    pub(crate) fn putting(&self, record: &RunRecord, delivery: &str, ticket: &str) -> Result<Put, StoreError> {
        let item = self.item(record, 1, delivery, ticket)?;
        let put = Put::builder().table_name(self.calls.table_name()).set_item(Some(item));
        refused(
            put.condition_expression("attribute_not_exists(pk)")
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
                .build(),
        )
    }

    /// The run in the place of its own ended record, while that stands as it was read.
    pub(crate) fn beginning_again(
        &self,
        record: &RunRecord,
        ended: &Stored,
        delivery: &str,
        ticket: &str,
    ) -> Result<Put, StoreError> {
        let item = self.item(record, ended.held.fence + 1, delivery, ticket)?;
        let put = Put::builder().table_name(self.calls.table_name()).set_item(Some(item));
        refused(
            put.condition_expression("#fence = :fence AND #state = :state")
                .expression_attribute_names("#fence", "fence")
                .expression_attribute_names("#state", "state")
                .expression_attribute_values(":fence", number(ended.held.fence))
                .expression_attribute_values(":state", value(ended.record.state)?)
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
                .build(),
        )
    }

    /// Takes over what `seen` says, if it still stands so.
    pub(crate) fn taking_over(
        &self,
        seen: &Lease,
        lapsed: Timestamp,
        delivery: &str,
        ticket: &str,
    ) -> Result<Update, StoreError> {
        // The lapsed time is part of the condition: its worker may have renewed since it was read.
        let update = self
            .under_fence(seen, " AND #lease_until = :lapsed")
            .expression_attribute_names("#lease_until", "lease_until")
            .expression_attribute_values(":lapsed", time(lapsed));
        let sets = [
            ("fence", number(seen.fence + 1)),
            ("lease_until", time(self.lease_end())),
            ("delivery", text(delivery)),
            ("ticket", text(ticket)),
            ("expires_at", number(self.expiry())),
        ];
        setting(update, sets)
    }

    /// Renews the lease and writes progress and counts.
    pub(crate) fn renewing(&self, lease: &Lease, progress: &Progress, counts: &Counts) -> Result<Update, StoreError> {
        let sets =
            [("lease_until", time(self.lease_end())), ("progress", value(progress)?), ("counts", value(counts)?)];
        setting(self.under_fence(lease, ""), sets)
    }

    /// Writes the ended record: what was known when the run was claimed is left as it is stored, and what is absent from
    /// the record's JSON is absent from the item.
    pub(crate) fn ending(&self, lease: &Lease, record: &RunRecord) -> Result<Update, StoreError> {
        if record.state == RunState::Running {
            let refusal = format!("the run {} cannot end in the state running", lease.run);
            return Err(StoreError::Refused(refusal));
        }
        let mut sets = vec![
            ("state", value(record.state)?),
            ("ended_at", time(record.ended_at.unwrap_or_else(|| self.clock.now()))),
            ("progress", value(record.progress)?),
            ("counts", value(record.counts)?),
            ("reports", value(&record.reports)?),
            ("reasons", value(&record.reasons)?),
            ("expires_at", number(self.expiry())),
        ];
        let mut set_if = |is: bool, name, value| {
            if is {
                sets.push((name, value))
            }
        };
        set_if(!record.warnings.is_empty(), "warnings", value(&record.warnings)?);
        set_if(!record.parts.is_empty(), "parts", value(&record.parts)?);
        set_if(!record.traffic.is_empty(), "traffic", value(&record.traffic)?);
        set_if(record.continues, "continues", value(record.continues)?);
        set_if(record.plan.is_some(), "plan", value(&record.plan)?);
        set_if(record.audit.is_some(), "audit", value(&record.audit)?);
        setting(self.under_fence(lease, ""), sets)
    }

    /// Gives the lease back without an end.
    pub(crate) fn releasing(&self, lease: &Lease) -> Result<Update, StoreError> {
        // The fencing number moves on, so that a renewal that is still on its way cannot bring the lease back.
        let sets = [("lease_until", time(self.clock.now())), ("fence", number(lease.fence + 1))];
        setting(self.under_fence(lease, ""), sets)
    }

    fn item(&self, record: &RunRecord, fence: u64, delivery: &str, ticket: &str) -> Result<Item, StoreError> {
        let mut item: Item = refused(serde_dynamo::to_item(record))?;
        item.extend(key(&record.id).attributes());
        item.extend([
            ("listing".into(), text(stored::LISTING)),
            ("listed".into(), text(listed(record))),
            ("fence".into(), number(fence)),
            ("ticket".into(), text(ticket)),
            ("delivery".into(), text(delivery)),
            ("lease_until".into(), time(self.lease_end())),
            ("expires_at".into(), number(self.expiry())),
        ]);
        Ok(item)
    }

    /// An update that is done only while the lease's fencing number stands and the run has not ended.
    fn under_fence(&self, lease: &Lease, and: &str) -> UpdateBuilder {
        self.update(&key(&lease.run))
            .condition_expression(format!("#fence = :fence AND #state = :running{and}"))
            .expression_attribute_names("#fence", "fence")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":fence", number(lease.fence))
            .expression_attribute_values(":running", text("running"))
    }

    /// An update of an item that tells what stands if its condition fails.
    pub(crate) fn update(&self, key: &ItemKey) -> UpdateBuilder {
        Update::builder()
            .table_name(self.calls.table_name())
            .set_key(Some(key.attributes()))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }

    pub(crate) fn lease_end(&self) -> Timestamp {
        later(self.clock.now(), Self::LEASE)
    }

    /// Seconds since the epoch, as DynamoDB's TTL wants it.
    pub(crate) fn expiry(&self) -> i64 {
        later(self.clock.now(), Self::KEPT).as_second()
    }
}

/// The update, setting these attributes.
pub(crate) fn setting(
    mut update: UpdateBuilder,
    sets: impl IntoIterator<Item = (&'static str, AttributeValue)>,
) -> Result<Update, StoreError> {
    let mut clauses = Vec::new();
    for (name, value) in sets {
        clauses.push(format!("#{name} = :new_{name}"));
        update = update
            .expression_attribute_names(format!("#{name}"), name)
            .expression_attribute_values(format!(":new_{name}"), value);
    }
    refused(update.update_expression(format!("SET {}", clauses.join(", "))).build())
}

/// What cannot be built or written as an item is refused before it is sent.
pub(crate) fn refused<T>(built: Result<T, impl std::fmt::Display>) -> Result<T, StoreError> {
    built.map_err(StoreError::unbuilt)
}
