//! Where people come from: an LDAP directory, or a table of an SQL database.

pub mod ldap;
pub mod sql;

use crosswalk_function_kit::Deadline;
use crosswalk_function_kit::secrets::{SecretError, Secrets};
use crosswalk_reconcile::{Complete, Incomplete, Snapshot};

use crate::Entry;
use ldap::LdapSettings;
use sql::SqlSettings;

/// Where people come from.
#[derive(Debug, Clone)]
pub enum Source {
    /// An LDAP directory.
    Ldap(LdapSettings),
    /// A table, or a query, of an SQL database.
    Sql(SqlSettings),
}

/// What was read.
#[derive(Debug)]
pub struct Read {
    /// The entries: all of them.
    pub snapshot: Snapshot<Complete, Entry>,
    /// What should be known and is no fault, such as how many referrals were not followed.
    pub warnings: Vec<String>,
    /// What it took: searches and pages, or statements.
    pub requests: u64,
}

/// Why a source could not be read to its end. Nothing may be concluded from what was read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// A secret cannot be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The server cannot be reached, refuses, or broke off; the message says which server (never with a password) and what to
    /// do.
    #[error("{0}")]
    Source(String),
    /// What was read is not all.
    #[error(transparent)]
    Incomplete(#[from] Incomplete),
}

impl Source {
    /// Reads everybody. `read` is told how many entries have come so far.
    ///
    /// # Errors
    /// [`ReadError`]; so also when the deadline comes before the end.
    pub async fn read(
        &self,
        secrets: &Secrets,
        deadline: Deadline,
        read: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<Read, ReadError> {
        match self {
            Self::Ldap(settings) => ldap::read(settings, secrets, deadline, read).await,
            Self::Sql(settings) => sql::read(settings, secrets, deadline, read).await,
        }
    }

    /// Where it is, for the run's record: `ldap://host/base DN`, `postgres://host/database`; never with a password.
    pub fn place(&self) -> String {
        match self {
            Self::Ldap(settings) => settings.place(),
            Self::Sql(settings) => settings.place(),
        }
    }
}
