//! Reads a realm through Keycloak's Admin REST API.

use std::collections::BTreeSet;
use std::sync::Arc;

use crosswalk_function_kit::secrets::Secrets;
use crosswalk_reconcile::Incomplete;
use crosswalk_runs::Traffic;

use crate::realm::Realm;
pub use settings::{KeycloakSettings, SETTINGS};

mod settings;

/// A realm to read. Clones share connections and the token.
#[derive(Clone)]
pub struct Keycloak {
    settings: Arc<KeycloakSettings>,
}

/// Which attributes are kept of what is read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Of users.
    pub user_attributes: BTreeSet<String>,
    /// Of groups.
    pub group_attributes: BTreeSet<String>,
}

/// How far a read is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Reading {
    /// Different users so far.
    pub users: u64,
    /// How many users the realm counted before.
    pub users_expected: u64,
    /// Groups whose members have been read.
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
    pub fn new(settings: KeycloakSettings, _secrets: Secrets) -> anyhow::Result<Self> {
        Ok(Self { settings: Arc::new(settings) })
    }

    /// Reads the whole realm: users, groups and members. `watch` is told how far it is.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub async fn read(&self, _wanted: &Wanted, _watch: &(dyn Fn(Reading) + Send + Sync)) -> Result<Realm, ReadError> {
        let _ = &self.settings;
        todo!()
    }

    /// Requests, retries and bytes so far.
    pub fn traffic(&self) -> Traffic {
        todo!()
    }

    /// The realm as a source of runs: `keycloak:<realm>`.
    pub fn source(&self) -> String {
        format!("keycloak:{}", self.settings.realm)
    }
}
