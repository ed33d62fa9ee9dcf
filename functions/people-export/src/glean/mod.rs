//! Sends people and teams to Glean's Indexing API.
//!
//! [`Glean::upload`] (bulk) cuts pages and sends one after the other; [`Glean::change`] (individual) sends one change. Both
//! go through the one place that sends, tries again and counts, and what Glean answers is understood in one place too.

use std::fmt;
use std::sync::Arc;

use anyhow::Context;
use crosswalk_function_kit::secrets::Secrets;
use crosswalk_function_kit::{Deadline, Entropy};
use crosswalk_runs::Traffic;

use client::{Client, Request, Tally, Untaken};
pub use settings::{GleanSettings, Mode, SETTINGS, UnknownMode};
use types::{Employee, Team};

mod answer;
mod bulk;
mod client;
mod individual;
mod pages;
mod settings;
#[cfg(test)]
mod tests;
pub mod types;

/// Glean's people and teams. Clones share connections, pace, counts and warnings.
#[derive(Clone)]
pub struct Glean {
    client: Arc<Client>,
    tally: Arc<Tally>,
    entropy: Entropy,
    deadline: Deadline,
}

/// What a bulk upload replaces.
#[derive(Debug, Clone, Copy)]
pub enum Upload<'a> {
    /// All people.
    People(&'a [Employee]),
    /// All teams.
    Teams(&'a [Team]),
}

impl Upload<'_> {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::People(people) => people.len(),
            Self::Teams(teams) => teams.len(),
        }
    }

    /// Whether there is none; such an upload is refused.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
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
    /// This request is refused for good (400, …): status and Glean's text, shortened.
    #[error("{0}")]
    Refused(String),
    /// The token is not taken (401, 403) or cannot be had, or this is no Glean (404, a redirect): no other request would be
    /// taken either.
    #[error("{0}")]
    Denied(String),
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
    pub fn new(settings: GleanSettings, secrets: Secrets, entropy: Entropy) -> anyhow::Result<Self> {
        let client = Client::new(settings, secrets).context("no HTTP client for Glean can be built")?;
        Ok(Self { client: Arc::new(client), tally: Arc::default(), entropy, deadline: Deadline::NONE })
    }

    /// The same connections and pace for one run: counts and warnings begin anew, and no retry waits past the deadline.
    #[must_use]
    pub fn for_run(&self, deadline: Deadline) -> Self {
        Self { tally: Arc::default(), deadline, ..self.clone() }
    }

    /// Replaces all people or all teams in pages, one at a time. There must be at least one. `watch` is told how many have
    /// been sent. `confirm` is asked each time right before the last page is sent.
    ///
    /// # Errors
    /// See [`SendError`]; the upload is then left unfinished, and nothing becomes stale.
    pub async fn upload(
        &self,
        upload: Upload<'_>,
        options: UploadOptions,
        confirm: &dyn Confirm,
        watch: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<(), SendError> {
        match upload {
            Upload::People(people) => bulk::upload(self, people, options, confirm, watch).await,
            Upload::Teams(teams) => bulk::upload(self, teams, options, confirm, watch).await,
        }
    }

    /// Makes one change. `confirm` is asked each time right before a deletion is sent; one of somebody who is not there
    /// succeeds.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn change(&self, change: Change<'_>, confirm: &dyn Confirm) -> Result<(), SendError> {
        individual::change(self, change, confirm).await
    }

    /// `processallemployeesandteams`: has Glean process at once what was sent.
    ///
    /// # Errors
    /// See [`SendError`].
    pub async fn process_all(&self) -> Result<(), SendError> {
        individual::process_all(self).await
    }

    /// Requests, retries and bytes so far.
    pub fn traffic(&self) -> Traffic {
        self.tally.traffic()
    }

    /// What Glean said that is no error and should be known: successes with warnings (400), a deprecation. Once each,
    /// without personal data.
    pub fn warnings(&self) -> Vec<String> {
        self.tally.warnings()
    }

    /// Boxed: an exchange's future is large and deep, and would lie within that of each caller up to the handler's.
    async fn post(&self, request: &Request<'_>) -> Result<(), Untaken> {
        Box::pin(self.client.post(request, self.deadline, &self.tally)).await
    }
}

impl fmt::Debug for Glean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Glean({})", self.client.settings.api_url)
    }
}
