use crosswalk_identifier_store::{Item, StoreError, Written};
use jiff::Timestamp;

use crate::stored::{Stored, key};
use crate::{Counts, Progress, RunRecord, RunState, Runs};

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
    #[error("the run {run} was taken over by another worker, or its lease could not be renewed in time")]
    Lost {
        /// The run.
        run: String,
    },
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The folder that holds runs where there is no table.
    #[error("the folder of runs: {0}")]
    Folder(String),
}

impl Runs {
    /// A claim looks again at most this often because another one was faster.
    const ROUNDS: usize = 20;

    /// Claims the run that `record` describes, under a delivery's name, for [`Self::LEASE`]. Of any number of workers that
    /// claim a run at once, one gets it.
    ///
    /// # Errors
    /// The store.
    pub async fn claim(&self, record: &RunRecord, delivery: &str) -> Result<Claim, RunError> {
        let ticket = self.entropy.uuid().to_string();
        for _ in 0..Self::ROUNDS {
            let Some(standing) = self.put_new(record, delivery, &ticket).await? else {
                let lease = Lease { run: record.id.clone(), fence: 1 };
                return Ok(Claim::Ours { lease, takeover: false, record: record.clone() });
            };
            let Stored { record: stored, held } = Stored::read(standing)?;
            // Our own put, or takeover of the round before, whose answer was lost.
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
            let seen = Lease { run: stored.id.clone(), fence: held.fence };
            if self.take_over(&seen, held.lease_until, delivery, &ticket).await? {
                let lease = Lease { fence: seen.fence + 1, ..seen };
                return Ok(Claim::Ours { lease, takeover: true, record: stored });
            }
        }
        Err(StoreError::Busy(format!("the run {} is claimed by many workers at once", record.id)).into())
    }

    /// Renews the lease and writes progress and counts.
    ///
    /// # Errors
    /// [`RunError::Lost`] if another worker has taken the run over or it has ended; throttling is tried again first.
    pub async fn renew(&self, lease: &Lease, progress: &Progress, counts: &Counts) -> Result<(), RunError> {
        match self.calls.update(&self.renewing(lease, progress, counts)?).await? {
            Written::Done => Ok(()),
            Written::Refused { .. } => Err(RunError::Lost { run: lease.run.clone() }),
        }
    }

    /// Writes the ended record and gives the lease back. Of `record`, what was known when the run was claimed (id, kind,
    /// source, start) is left as it is stored.
    ///
    /// # Errors
    /// [`RunError::Lost`] if another worker has taken the run over; a record that says `running` is refused.
    pub async fn end(&self, lease: &Lease, record: &RunRecord) -> Result<(), RunError> {
        let written = self.calls.update(&self.ending(lease, record)?).await?;
        let Some(standing) = self.standing_after(written, &lease.run).await? else {
            return Ok(());
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
        self.calls.update(&self.releasing(lease)?).await?;
        Ok(())
    }

    /// Puts the run's item if there is none; otherwise the one that stands.
    async fn put_new(&self, record: &RunRecord, delivery: &str, ticket: &str) -> Result<Option<Item>, StoreError> {
        let put = self.putting(record, delivery, ticket)?;
        let standing = self.standing_after(self.calls.put(&put).await?, &record.id).await?;
        standing.map(|item| item.ok_or_else(|| gone(&record.id))).transpose()
    }

    /// Takes over what `seen` says, if it still stands so; says whether it did.
    async fn take_over(
        &self,
        seen: &Lease,
        lapsed: Timestamp,
        delivery: &str,
        ticket: &str,
    ) -> Result<bool, StoreError> {
        let update = self.taking_over(seen, lapsed, delivery, ticket)?;
        Ok(self.calls.update(&update).await? == Written::Done)
    }

    /// None if the write was done; otherwise the item in its way. Not every DynamoDB hands that out with the refusal.
    async fn standing_after(&self, written: Written, id: &str) -> Result<Option<Option<Item>>, StoreError> {
        match written {
            Written::Done => Ok(None),
            Written::Refused { standing: Some(item) } => Ok(Some(Some(item))),
            Written::Refused { standing: None } => Ok(Some(self.calls.get(&key(id)).await?)),
        }
    }
}

fn gone(id: &str) -> StoreError {
    StoreError::Busy(format!("the run {id} was deleted while it was claimed"))
}
