use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::UpdateItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::{ReturnValue, ReturnValuesOnConditionCheckFailure};
use crosswalk_function_kit::retry::retry;
use crosswalk_identifier_store::{Item, StoreError};
use jiff::Timestamp;

use crate::stored::{self, Stored, failure, is_busy, key, number, seconds, text, time, value};
use crate::{Counts, Progress, RunRecord, RunState, Runs, times};

/// The answer to a claim.
#[derive(Debug)]
pub enum Claim {
    /// The run is ours: a new one, or one whose worker is gone (`takeover`).
    Ours {
        /// To be renewed while the run works.
        lease: Lease,
        /// Whether an earlier worker began it.
        takeover: bool,
        /// The record to go on from: it began when its first worker did.
        record: RunRecord,
    },
    /// Another worker holds it.
    Alive {
        /// The delivery (SQS message id, …) under which that worker claimed it.
        delivery: String,
        /// The record so far.
        record: RunRecord,
    },
    /// It has ended.
    Ended(RunRecord),
}

/// The right to work on a run until it lapses. A number that only grows fences off a worker whose lease lapsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The run.
    pub run: String,
    /// The fencing number.
    pub fence: u64,
}

/// Why a run's record could not be written.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Another worker has taken the run over; this one must stop.
    #[error("the run {run} was taken over by another worker")]
    Lost {
        /// The run.
        run: String,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How a conditional write went.
enum Written {
    /// It was done; the item as it stands now, where it was asked for.
    Done(Option<Item>),
    /// The condition did not hold; the item that stands there.
    Refused(Option<Item>),
}

impl Runs {
    /// Claims are decided by what another claim just wrote at most this often in a row.
    const ROUNDS: usize = 20;

    /// Claims the run that `record` describes, under a delivery's name, for [`Self::LEASE`]. Of any number of workers that
    /// claim a run at once, one gets it.
    ///
    /// # Errors
    /// The store.
    pub async fn claim(&self, record: &RunRecord, delivery: &str) -> Result<Claim, RunError> {
        let ticket = self.entropy.uuid().to_string();
        let mut standing = match self.put_new(record, delivery, &ticket).await? {
            Written::Done(_) => {
                let lease = Lease { run: record.id.clone(), fence: 1 };
                return Ok(Claim::Ours { lease, takeover: false, record: record.clone() });
            }
            Written::Refused(item) => item,
        };
        for _ in 0..Self::ROUNDS {
            let item = match standing {
                Some(item) => item,
                // Not every DynamoDB hands the old item out with the refusal.
                None => self.fetch(&record.id).await?.ok_or_else(|| gone(&record.id))?,
            };
            let Stored { record: stored, held } = Stored::read(item.clone())?;
            if held.ticket == ticket {
                let lease = Lease { run: stored.id.clone(), fence: held.fence };
                return Ok(Claim::Ours { lease, takeover: held.fence > 1, record: stored });
            }
            if stored.state != RunState::Running {
                return Ok(Claim::Ended(stored));
            }
            if held.lease_until > self.clock.now() {
                return Ok(Claim::Alive { delivery: held.delivery, record: stored });
            }
            standing = match self.take_over(&stored.id, held.fence, held.lease_until, delivery, &ticket).await? {
                Written::Done(item) => item,
                Written::Refused(item) => item,
            };
        }
        Err(StoreError::Busy(format!("the run {} is claimed by many workers at once", record.id)).into())
    }

    /// Renews the lease and writes progress and counts.
    ///
    /// # Errors
    /// [`RunError::Lost`] if another worker has taken the run over or it has ended; throttling is tried again first.
    pub async fn renew(&self, lease: &Lease, progress: &Progress, counts: &Counts) -> Result<(), RunError> {
        let (progress, counts) = (value(progress)?, value(counts)?);
        let write = || {
            self.under_fence(lease)
                .update_expression("SET #lease_until = :lease_until, #progress = :progress, #counts = :counts")
                .expression_attribute_names("#lease_until", "lease_until")
                .expression_attribute_names("#progress", "progress")
                .expression_attribute_names("#counts", "counts")
                .expression_attribute_values(":lease_until", time(self.lease_end()))
                .expression_attribute_values(":progress", progress.clone())
                .expression_attribute_values(":counts", counts.clone())
        };
        match update(write).await? {
            Written::Done(_) => Ok(()),
            Written::Refused(_) => Err(RunError::Lost { run: lease.run.clone() }),
        }
    }

    /// Writes the ended record and gives the lease back. Of `record`, what was known when the run was claimed (id, kind,
    /// source, start) is left as it is stored.
    ///
    /// # Errors
    /// [`RunError::Lost`] if another worker has taken the run over; a record that says `running` is refused.
    pub async fn end(&self, lease: &Lease, record: &RunRecord) -> Result<(), RunError> {
        if record.state == RunState::Running {
            let refusal = format!("the run {} cannot end in the state running", lease.run);
            return Err(StoreError::Refused(refusal).into());
        }
        let ended_at = record.ended_at.unwrap_or_else(|| self.clock.now());
        let (progress, counts) = (value(record.progress)?, value(record.counts)?);
        let (reports, reasons) = (value(&record.reports)?, value(&record.reasons)?);
        let state = value(record.state)?;
        let write = || {
            self.under_fence(lease)
                .update_expression(
                    "SET #state = :state, #ended_at = :ended_at, #progress = :progress, #counts = :counts, \
                     #reports = :reports, #reasons = :reasons, #expires_at = :expires_at",
                )
                .expression_attribute_names("#ended_at", "ended_at")
                .expression_attribute_names("#progress", "progress")
                .expression_attribute_names("#counts", "counts")
                .expression_attribute_names("#reports", "reports")
                .expression_attribute_names("#reasons", "reasons")
                .expression_attribute_names("#expires_at", "expires_at")
                .expression_attribute_values(":state", state.clone())
                .expression_attribute_values(":ended_at", time(ended_at))
                .expression_attribute_values(":progress", progress.clone())
                .expression_attribute_values(":counts", counts.clone())
                .expression_attribute_values(":reports", reports.clone())
                .expression_attribute_values(":reasons", reasons.clone())
                .expression_attribute_values(":expires_at", number(self.expiry()))
        };
        let standing = match update(write).await? {
            Written::Done(_) => return Ok(()),
            Written::Refused(Some(item)) => Some(item),
            Written::Refused(None) => self.fetch(&lease.run).await?,
        };
        // An end whose answer was lost finds the run ended under its own fencing number: nobody else can have done that.
        match standing.map(Stored::read).transpose()? {
            Some(Stored { record, held }) if held.fence == lease.fence && record.state != RunState::Running => Ok(()),
            _ => Err(RunError::Lost { run: lease.run.clone() }),
        }
    }

    /// Gives the lease back without an end: the worker stops, a later delivery goes on at once. A run that was taken over
    /// in the meantime is left to its new worker.
    ///
    /// # Errors
    /// The store.
    pub async fn release(&self, lease: &Lease) -> Result<(), RunError> {
        // The fencing number moves on, so that a renewal that is still on its way cannot bring the lease back.
        let write = || {
            self.under_fence(lease)
                .update_expression("SET #lease_until = :now, #fence = :next")
                .expression_attribute_names("#lease_until", "lease_until")
                .expression_attribute_values(":now", time(self.clock.now()))
                .expression_attribute_values(":next", number(lease.fence + 1))
        };
        update(write).await?;
        Ok(())
    }

    async fn put_new(&self, record: &RunRecord, delivery: &str, ticket: &str) -> Result<Written, StoreError> {
        let mut item: Item = serde_dynamo::to_item(record).map_err(|error| StoreError::Refused(error.to_string()))?;
        item.extend(key(&record.id));
        item.extend([
            ("listing".into(), text(stored::LISTING)),
            ("listed".into(), text(format!("{}#{}", times::text(record.started_at), record.id))),
            ("fence".into(), number(1)),
            ("ticket".into(), text(ticket)),
            ("delivery".into(), text(delivery)),
            ("lease_until".into(), time(self.lease_end())),
            ("expires_at".into(), number(self.expiry())),
        ]);
        let attempt = async || {
            let answer = self
                .table
                .client
                .put_item()
                .table_name(&self.table.name)
                .set_item(Some(item.clone()))
                .condition_expression("attribute_not_exists(pk)")
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
                .send()
                .await;
            match answer {
                Ok(_) => Ok(Written::Done(None)),
                Err(error) => match error.as_service_error() {
                    Some(PutItemError::ConditionalCheckFailedException(refusal)) => {
                        Ok(Written::Refused(refusal.item().cloned()))
                    }
                    _ => Err(failure(&error)),
                },
            }
        };
        retry(stored::RETRIES, is_busy, attempt).await
    }

    async fn take_over(
        &self,
        id: &str,
        fence: u64,
        lapsed: Timestamp,
        delivery: &str,
        ticket: &str,
    ) -> Result<Written, StoreError> {
        let seen = Lease { run: id.to_owned(), fence };
        let write = || {
            // The lapsed time is part of the condition: its worker may have renewed since it was read.
            self.under_fence_and(&seen, "#lease_until = :lapsed")
                .update_expression(
                    "SET #fence = :next, #lease_until = :lease_until, #delivery = :delivery, #ticket = :ticket, \
                     #expires_at = :expires_at",
                )
                .expression_attribute_names("#lease_until", "lease_until")
                .expression_attribute_names("#delivery", "delivery")
                .expression_attribute_names("#ticket", "ticket")
                .expression_attribute_names("#expires_at", "expires_at")
                .expression_attribute_values(":lapsed", time(lapsed))
                .expression_attribute_values(":next", number(fence + 1))
                .expression_attribute_values(":lease_until", time(self.lease_end()))
                .expression_attribute_values(":delivery", text(delivery))
                .expression_attribute_values(":ticket", text(ticket))
                .expression_attribute_values(":expires_at", number(self.expiry()))
                .return_values(ReturnValue::AllNew)
        };
        update(write).await
    }

    /// An update that is done only while the lease's fencing number stands and the run has not ended.
    fn under_fence(&self, lease: &Lease) -> UpdateItemFluentBuilder {
        self.update_if(lease, "#fence = :fence AND #state = :running".to_owned())
    }

    fn under_fence_and(&self, lease: &Lease, condition: &str) -> UpdateItemFluentBuilder {
        self.update_if(lease, format!("#fence = :fence AND #state = :running AND {condition}"))
    }

    fn update_if(&self, lease: &Lease, condition: String) -> UpdateItemFluentBuilder {
        self.table
            .client
            .update_item()
            .table_name(&self.table.name)
            .set_key(Some(key(&lease.run)))
            .condition_expression(condition)
            .expression_attribute_names("#fence", "fence")
            .expression_attribute_names("#state", "state")
            .expression_attribute_values(":fence", number(lease.fence))
            .expression_attribute_values(":running", text("running"))
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
    }

    fn lease_end(&self) -> Timestamp {
        self.clock.now().saturating_add(seconds(Self::LEASE)).unwrap_or(Timestamp::MAX)
    }

    /// Seconds since the epoch, as DynamoDB's TTL wants it.
    fn expiry(&self) -> i64 {
        self.clock.now().saturating_add(seconds(Self::KEPT)).unwrap_or(Timestamp::MAX).as_second()
    }
}

fn gone(id: &str) -> StoreError {
    StoreError::Busy(format!("the run {id} was deleted while it was claimed"))
}

/// Sends the update until it is done or refused for good; `write` makes it anew each time, with the time of that moment.
async fn update(write: impl Fn() -> UpdateItemFluentBuilder) -> Result<Written, StoreError> {
    let attempt = async || match write().send().await {
        Ok(answer) => Ok(Written::Done(answer.attributes)),
        Err(error) => match error.as_service_error() {
            Some(UpdateItemError::ConditionalCheckFailedException(refusal)) => {
                Ok(Written::Refused(refusal.item().cloned()))
            }
            _ => Err(failure(&error)),
        },
    };
    retry(stored::RETRIES, is_busy, attempt).await
}
