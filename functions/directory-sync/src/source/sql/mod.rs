//! A table, or a query, of PostgreSQL, MySQL, MariaDB or SQLite, read in one consistent transaction.

use crosswalk_function_kit::Deadline;
use crosswalk_function_kit::secrets::Secrets;
use crosswalk_function_kit::settings::{Environment, Setting, SettingsError};

use super::{Read, ReadError};

/// What is read from the environment.
pub const SETTINGS: &[Setting] = &[];

/// How the database is reached, and which columns are read.
#[derive(Debug, Clone)]
pub struct SqlSettings {
    /// The columns of external ids, in the order of `SYNC_MAPPINGS`.
    pub external_ids: Vec<String>,
}

impl SqlSettings {
    /// Reads the environment; `external_ids` are the columns that `SYNC_MAPPINGS` names.
    ///
    /// # Errors
    /// Everything that is missing or does not read, together.
    pub fn from_env(_environment: &Environment, external_ids: &[&str]) -> Result<Self, SettingsError> {
        Ok(Self { external_ids: external_ids.iter().map(|name| (*name).to_owned()).collect() })
    }

    /// The kind of database, and the table, for the run's record. Where the URI is a secret that is not fetched yet, its host is not known.
    pub fn place(&self) -> String {
        String::new()
    }
}

/// Reads all rows.
///
/// # Errors
/// [`ReadError`].
pub async fn read(
    _settings: &SqlSettings,
    _secrets: &Secrets,
    _deadline: Deadline,
    _read: &(dyn Fn(u64) + Send + Sync),
) -> Result<Read, ReadError> {
    Err(ReadError::Source("SQL is not built yet".to_owned()))
}
