//! Sends people and teams to Glean's Indexing API.

use std::sync::Arc;

use crosswalk_function_kit::secrets::Secrets;
use crosswalk_function_kit::Entropy;
use crosswalk_runs::Traffic;

pub use settings::{GleanSettings, Mode, SETTINGS};
use types::{Employee, Team};

mod settings;
pub mod types;

/// Glean's people and teams. Clones share connections and the pace.
#[derive(Clone)]
pub struct Glean {
    settings: Arc<GleanSettings>,
}

/// What a bulk upload replaces.
#[derive(Debug, Clone, Copy)]
pub enum Upload<'a> {
    /// All people.
    People(&'a [Employee]),
    /// All teams.
    Teams(&'a [Team]),
}

/// How a bulk upload is to be made.
#[derive(Debug, Clone, Copy, Default)]
pub struct UploadOptions {
    /// An earlier upload may be unfinished: `forceRestartUpload` on the first page.
    pub restart: bool,
    /// `disableStaleDataDeletionCheck` on the last page, which makes Glean delete although 20 % or more go (people only).
    pub force_stale_deletion: bool,
}

/// Why Glean does not hold what it should. The messages hold no secret and no personal data.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The endpoint is gone (410): bulk uploads have been removed, the individual way is left.
    #[error("Glean has removed {0} (410)")]
    Gone(&'static str),
    /// An answer was lost, and the repeated page is known already (409), or another upload is under way: the next run must
    /// force a restart.
    #[error("{0}")]
    Conflict(String),
    /// Refused for good (400, 401, 403, …): status and Glean's text, shortened.
    #[error("{0}")]
    Refused(String),
    /// As often as it was tried, throttled, unavailable or broken off.
    #[error("{0}")]
    Unreachable(String),
    /// The caller's check right before a last page or a deletion said no: nothing more was sent.
    #[error("{0}")]
    Stopped(String),
}

/// One change of the individual way.
#[derive(Debug, Clone, Copy)]
pub enum Change<'a> {
    /// `indexemployee`.
    IndexPerson(&'a Employee),
    /// `deleteemployee`, by e-mail.
    DeletePerson(&'a str),
    /// `indexteam`.
    IndexTeam(&'a Team),
    /// `deleteteam`, by id.
    DeleteTeam(&'a str),
}

/// Is asked right before what cannot be undone (a last page, a deletion) whether the run still has its turn.
#[async_trait::async_trait]
pub trait Confirm: Send + Sync {
    /// Whether it has; the error says why not.
    async fn confirm(&self) -> Result<(), String>;
}

impl Glean {
    /// Nothing is asked yet.
    ///
    /// # Errors
    /// The HTTP client cannot be built.
    pub fn new(settings: GleanSettings, _secrets: Secrets, _entropy: Entropy) -> anyhow::Result<Self> {
        Ok(Self { settings: Arc::new(settings) })
    }

    /// Replaces all people or all teams in pages, one at a time. There must be at least one. `watch` is told how many have
    /// been sent.
    ///
    /// # Errors
    /// See [`SendError`]; the upload is then left unfinished, and nothing becomes stale.
    pub async fn upload(
        &self,
        _upload: Upload<'_>,
        _options: UploadOptions,
        _confirm: &dyn Confirm,
        _watch: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<(), SendError> {
        let _ = &self.settings;
        todo!()
    }

    /// Makes one change.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn change(&self, _change: Change<'_>, _confirm: &dyn Confirm) -> Result<(), SendError> {
        todo!()
    }

    /// `processallemployeesandteams`: has Glean process at once what was sent.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn process_all(&self) -> Result<(), SendError> {
        todo!()
    }

    /// Requests, retries and bytes so far.
    pub fn traffic(&self) -> Traffic {
        todo!()
    }

    /// What Glean said that is no error and should be known: successes with warnings (400), a deprecation. Once each,
    /// without personal data.
    pub fn warnings(&self) -> Vec<String> {
        todo!()
    }
}
