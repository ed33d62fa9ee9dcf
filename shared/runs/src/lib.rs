//! Run records in DynamoDB: the identity of a run, its lease, progress and counts.

use std::time::Duration;

use crosswalk_function_kit::{Clock, Entropy};
use crosswalk_identifier_store::{StoreError, Table};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How one input row or person ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was absent and now stands.
    Created,
    /// Something differed and was changed.
    Updated,
    /// Nothing differed.
    Unchanged,
    /// Nothing differed, and that was noted.
    Verified,
    /// Bad input.
    Rejected,
    /// Taken by another.
    Conflict,
    /// An error on the way.
    Failed,
    /// Left out by policy, or not reached.
    Skipped,
}

impl Outcome {
    /// The word, as in JSON.
    pub fn as_str(self) -> &'static str {
        todo!()
    }

    /// Whether the row is as the file wants it: created, updated, unchanged or verified.
    pub fn is_success(self) -> bool {
        matches!(self, Self::Created | Self::Updated | Self::Unchanged | Self::Verified)
    }
}

/// How many rows ended how. `read` is the sum of the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// All rows.
    pub read: u64,
    /// Rows that were created.
    pub created: u64,
    /// Rows that were updated.
    pub updated: u64,
    /// Rows that were unchanged.
    pub unchanged: u64,
    /// Rows that were verified.
    pub verified: u64,
    /// Rows that were rejected.
    pub rejected: u64,
    /// Rows that were in conflict.
    pub conflict: u64,
    /// Rows that failed.
    pub failed: u64,
    /// Rows that were skipped.
    pub skipped: u64,
}

impl Counts {
    /// Counts one observed outcome.
    pub fn add(&mut self, _outcome: Outcome) {
        todo!()
    }

    /// Rows that are not as the file wants them.
    pub fn unsuccessful(&self) -> u64 {
        self.rejected + self.conflict + self.failed + self.skipped
    }
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// It works, or its lease has not lapsed yet.
    Running,
    /// Every row is as the source wants it.
    Succeeded,
    /// Some rows are not.
    Partly,
    /// Nothing could be done, or the run broke off.
    Failed,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// Rows settled so far.
    pub rows: u64,
    /// Bytes read so far.
    pub bytes: u64,
    /// Of the source's bytes, 0 to 100; null while the size is unknown.
    pub percent: Option<f64>,
}

/// The keys of a run's reports in the bucket.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reports {
    /// Rows that are as the file wants them.
    pub succeeded: Option<String>,
    /// Rows that are not, with the reason.
    pub failed: Option<String>,
    /// This record.
    pub summary: Option<String>,
}

/// A reason and how many rows had it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasonCount {
    /// In words, without personal data.
    pub reason: String,
    /// Rows.
    pub count: u64,
}

/// A run, the same for every way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The run's id.
    pub id: String,
    /// `leave-admins`, `mappings`, `employers`, …; `import` for a file whose kind is not known.
    pub kind: String,
    /// Where it stands.
    pub state: RunState,
    /// Whether it only planned.
    pub dry_run: bool,
    /// What it read: `s3://bucket/key`, a file's name, …
    pub source: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How far it is.
    pub progress: Progress,
    /// Rows by outcome.
    pub counts: Counts,
    /// Where its reports are.
    pub reports: Reports,
    /// The most frequent reasons of unsuccessful rows (or of the failed run), most frequent first, at most 20.
    pub reasons: Vec<ReasonCount>,
}

/// The answer to a claim.
#[derive(Debug)]
pub enum Claim {
    /// The run is ours: a new one, or one whose worker is gone (`takeover`).
    Ours {
        /// To be renewed while the run works.
        lease: Lease,
        /// Whether an earlier worker began it.
        takeover: bool,
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

/// Run records. Clones share one client.
#[derive(Clone, Debug)]
pub struct Runs {}

impl Runs {
    /// How long a lease holds.
    pub const LEASE: Duration = Duration::from_secs(60);
    /// How often it is renewed.
    pub const RENEWAL: Duration = Duration::from_secs(15);

    /// Over the table.
    pub fn new(_table: Table, _clock: Clock, _entropy: Entropy) -> Self {
        todo!()
    }

    /// Claims the run that `record` describes, under a delivery's name.
    pub async fn claim(&self, _record: &RunRecord, _delivery: &str) -> Result<Claim, RunError> {
        todo!()
    }

    /// Renews the lease and writes progress and counts.
    pub async fn renew(&self, _lease: &Lease, _progress: &Progress, _counts: &Counts) -> Result<(), RunError> {
        todo!()
    }

    /// Writes the ended record and gives the lease back.
    pub async fn end(&self, _lease: &Lease, _record: &RunRecord) -> Result<(), RunError> {
        todo!()
    }

    /// Gives the lease back without an end (the worker stops, a later delivery goes on).
    pub async fn release(&self, _lease: &Lease) -> Result<(), RunError> {
        todo!()
    }

    /// One record.
    pub async fn get(&self, _id: &str) -> Result<Option<RunRecord>, StoreError> {
        todo!()
    }

    /// The latest runs of a kind, or of all kinds, newest first; eventually consistent.
    pub async fn list(&self, _kind: Option<&str>, _limit: usize) -> Result<Vec<RunRecord>, StoreError> {
        todo!()
    }
}
