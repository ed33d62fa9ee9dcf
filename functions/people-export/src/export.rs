//! One run: take the turn, read, plan, pass the guard, send, end.

use crosswalk_function_kit::secrets::Secrets;
use crosswalk_function_kit::{Clock, Deadline, Entropy};
use crosswalk_reconcile::Plan;
use crosswalk_runs::files::Files;
use crosswalk_runs::{Ledger, RunRecord};
use jiff::Timestamp;

use crate::ExportSettings;
use crate::glean::Mode;
use crate::keycloak::Reading;
use crate::mapping::{Desired, Kind};
use crate::plan::Step;

/// What to do.
#[derive(Debug, Clone)]
pub struct ExportRequest {
    /// The run's id: the same for a repeat of the same event.
    pub run_id: String,
    /// What started it: `schedule`, `invocation`, `crosswalk export`.
    pub delivery: String,
    /// Another way of sending than the settings say.
    pub mode: Option<Mode>,
    /// Only so many users, another number than the settings say.
    pub max_users: Option<usize>,
    /// Let a plan through that removes more than the guard allows.
    pub allow_removals: bool,
}

/// Where runs, state and reports are kept.
#[derive(Debug, Clone)]
pub struct Place {
    /// The runs.
    pub ledger: Ledger,
    /// State and reports.
    pub files: Files,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Exported {
    /// The run has ended, with or without success; or it had succeeded before.
    Ended(RunRecord),
    /// Another run is at it: Glean takes one upload at a time.
    Busy {
        /// The run.
        run: String,
        /// When its lease lapses unless it is renewed; none where a process holds a lock.
        until: Option<Timestamp>,
    },
}

/// What a run would do.
#[derive(Debug)]
pub struct DryRun {
    /// The record as the run's would be, if each request succeeded.
    pub record: RunRecord,
    /// The steps.
    pub plan: Plan<Step>,
    /// People and teams as they would be sent, and who is left out.
    pub desired: Desired,
    /// What the guard says, if it would stop the run.
    pub stopped: Option<String>,
}

/// Why a run did not come to an end: its turn was lost, or the record could not be written. What will not pass by itself is
/// a run with state failed.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The run's record, or the right to work on it.
    #[error(transparent)]
    Run(#[from] crosswalk_runs::RunError),
    /// The state or a report.
    #[error(transparent)]
    Files(#[from] crosswalk_runs::files::FilesError),
}


/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watched {
    /// It reads the realm.
    Reading(Reading),
    /// It sends to Glean.
    Sending {
        /// People or teams.
        kind: Kind,
        /// So many have been sent.
        sent: u64,
        /// Of so many.
        of: u64,
    },
}

/// Exports. Cheap to make: connections are made on first use.
pub struct Exporter {
    settings: ExportSettings,
    place: Place,
    clock: Clock,
    entropy: Entropy,
}

impl Exporter {
    /// Nothing is called yet.
    ///
    /// # Errors
    /// An HTTP client cannot be built.
    pub fn new(
        settings: ExportSettings,
        place: Place,
        _secrets: Secrets,
        clock: Clock,
        entropy: Entropy,
    ) -> anyhow::Result<Self> {
        Ok(Self { settings, place, clock, entropy })
    }

    /// Exports once. `watch` is told how far it is.
    ///
    /// # Errors
    /// What may pass: a repeat goes on.
    pub async fn export(
        &self,
        _request: &ExportRequest,
        _deadline: Deadline,
        _watch: &(dyn Fn(Watched) + Send + Sync),
    ) -> Result<Exported, ExportError> {
        let _ = (&self.settings, &self.place, &self.clock, &self.entropy);
        todo!()
    }

    /// Reads everything and plans; writes nothing anywhere.
    ///
    /// # Errors
    /// The realm or the state cannot be read.
    pub async fn dry_run(
        &self,
        _request: &ExportRequest,
        _watch: &(dyn Fn(Watched) + Send + Sync),
    ) -> Result<DryRun, ExportError> {
        todo!()
    }
}
