//! Reads a realm through Keycloak's Admin REST API.
//!
//! `users` and `groups` (with their `members`) are read at the same time, through one connection limit and with one
//! token (`api`, `calls`, `token`). Each is read again until it is proven to be whole (`proof`).

use std::collections::BTreeSet;
use std::sync::Arc;

use crosswalk_function_kit::retry::Retries;
use crosswalk_function_kit::secrets::Secrets;
use crosswalk_reconcile::Incomplete;
use crosswalk_runs::Traffic;

use crate::realm::Realm;
use calls::Calls;
use progress::Progress;
pub use settings::{KeycloakSettings, SETTINGS};

mod api;
mod calls;
#[cfg(test)]
mod fake_realm;
mod groups;
mod members;
mod progress;
mod proof;
mod settings;
#[cfg(test)]
mod tests;
mod token;
mod users;

/// A realm to read. Clones share connections and the token.
#[derive(Clone)]
pub struct Keycloak {
    calls: Arc<Calls>,
}

/// Which attributes are kept of what is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Of users.
    pub user_attributes: BTreeSet<Arc<str>>,
    /// Of groups.
    pub group_attributes: BTreeSet<Arc<str>>,
}

/// How far a read is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reading {
    /// Different users so far. It starts over when they are read again.
    pub users: u64,
    /// How many users the realm counted before.
    pub users_expected: u64,
    /// Groups whose members have been read. It starts over when they are read again.
    pub groups: u64,
    /// How many groups the realm counted before.
    pub groups_expected: u64,
}

/// Why the realm was not read. Nothing may be concluded from it. The messages hold no secret and no personal data.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The read did not reach its proven end, three times.
    #[error("Keycloak's {what} did not read to a proven end: {why}")]
    Incomplete {
        /// `users` or `groups`.
        what: &'static str,
        /// What was missing.
        why: Incomplete,
    },
    /// A request failed for good: status, what was asked, what to do.
    #[error("{0}")]
    Refused(String),
    /// Keycloak did not answer, or broke off, as often as it was asked.
    #[error("{0}")]
    Unreachable(String),
}

impl Keycloak {
    /// Nothing is asked yet.
    ///
    /// # Errors
    /// The HTTP client cannot be built.
    pub fn new(settings: KeycloakSettings, secrets: Secrets) -> anyhow::Result<Self> {
        Self::with_retries(settings, secrets, Retries::default())
    }

    fn with_retries(settings: KeycloakSettings, secrets: Secrets, retries: Retries) -> anyhow::Result<Self> {
        Ok(Self { calls: Arc::new(Calls::new(Arc::new(settings), secrets, retries)?) })
    }

    /// Reads the whole realm: users, groups and members. `watch` is told how far it is.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn read(&self, wanted: &Wanted, watch: &(dyn Fn(Reading) + Send + Sync)) -> Result<Realm, ReadError> {
        let progress = Progress::new(watch);
        let users = users::read(&self.calls, wanted, &progress);
        let groups = groups::read(&self.calls, wanted, &progress);
        let (users, groups) = futures::try_join!(users, groups)?;
        Ok(Realm { users, groups })
    }

    /// Requests (for tokens too) and retries since this was made, by all clones. Bodies are not counted: requests have
    /// none but the token's, and the client library does not tell the answers' size.
    pub fn traffic(&self) -> Traffic {
        self.calls.traffic()
    }

    /// The realm as a source of runs: `keycloak:<realm>`.
    pub fn source(&self) -> String {
        format!("keycloak:{}", self.calls.settings().realm)
    }
}
