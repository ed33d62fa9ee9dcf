//! Runs that exclude each other: of those that take the same turn, one works at a time.

use std::path::PathBuf;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::{Counts, Progress, RunError, RunRecord, Runs};
use crosswalk_function_kit::Clock;

/// Where runs that exclude each other are kept: in DynamoDB or, without AWS, in a folder. Clones share one client.
#[derive(Debug, Clone)]
pub enum Ledger {
    /// In the table, with leases.
    Table(Runs),
    /// In a folder, with a lock that goes with the process.
    Folder {
        /// The folder, made when the first run begins.
        folder: PathBuf,
        /// Tells the time.
        clock: Clock,
    },
}

/// The answer to a beginning.
#[derive(Debug)]
pub enum Begin {
    /// The turn and the run are ours: a new run, one whose worker is gone, or one that ended without success.
    Ours(Held),
    /// This very run has succeeded before.
    Succeeded(RunRecord),
    /// Another run, or another worker of this one, has the turn.
    Busy {
        /// The run that has it.
        run: String,
        /// When its lease lapses unless it is renewed; none where a process holds a lock.
        until: Option<Timestamp>,
    },
}

/// The turn and the run, renewed in the background while it is held. Dropped without an end, the lease lapses by itself
/// (in a folder: the lock is given back at once).
#[derive(Debug)]
pub struct Held {
    record: RunRecord,
}

impl Ledger {
    /// Takes `turn` for the run that `record` describes; `delivery` names the event or command.
    ///
    /// # Errors
    /// The store.
    pub async fn begin(&self, _record: &RunRecord, _turn: &str, _delivery: &str) -> Result<Begin, RunError> {
        todo!()
    }

    /// The record of a run.
    ///
    /// # Errors
    /// The store.
    pub async fn get(&self, _id: &str) -> Result<Option<RunRecord>, RunError> {
        todo!()
    }

    /// The latest runs of a kind, or of all kinds, newest first, at most `limit`.
    ///
    /// # Errors
    /// The store.
    pub async fn list(&self, _kind: Option<&str>, _limit: usize) -> Result<Vec<RunRecord>, RunError> {
        todo!()
    }
}

impl Held {
    /// The record to go on from: it began when its first worker did.
    pub fn record(&self) -> &RunRecord {
        &self.record
    }

    /// Has the latest progress written with the next renewal.
    pub fn tell(&self, _progress: Progress, _counts: Counts) {
        todo!()
    }

    /// Is cancelled when the turn was, or may have been, taken by another; the work must then stop.
    pub fn lost(&self) -> CancellationToken {
        todo!()
    }

    /// Makes sure, with a conditional write, that the turn is still ours, and renews it: right before what cannot be undone.
    ///
    /// # Errors
    /// [`RunError::Lost`] if it is not; the store.
    pub async fn confirm(&self) -> Result<(), RunError> {
        todo!()
    }

    /// Writes the ended record and gives the turn back.
    ///
    /// # Errors
    /// [`RunError::Lost`]; the store; a record that says `running` is refused.
    pub async fn end(self, _record: &RunRecord) -> Result<(), RunError> {
        todo!()
    }

    /// Gives the turn back without an end: the next one goes on at once.
    ///
    /// # Errors
    /// The store.
    pub async fn release(self) -> Result<(), RunError> {
        todo!()
    }
}
