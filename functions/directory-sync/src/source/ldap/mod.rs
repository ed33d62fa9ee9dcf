//! An LDAP directory, read by paged searches (RFC 2696).

use crosswalk_function_kit::Deadline;
use crosswalk_function_kit::secrets::Secrets;
use crosswalk_function_kit::settings::{Environment, Setting, SettingsError};

use super::{Read, ReadError};

/// What is read from the environment.
pub const SETTINGS: &[Setting] = &[];

/// How the directory is reached, and which attributes are read.
#[derive(Debug, Clone)]
pub struct LdapSettings {
    /// The attributes of external ids, in the order of `SYNC_MAPPINGS`.
    pub external_ids: Vec<String>,
}

impl LdapSettings {
    /// Reads the environment; `external_ids` are the attributes that `SYNC_MAPPINGS` names.
    ///
    /// # Errors
    /// Everything that is missing or does not read, together.
    pub fn from_env(_environment: &Environment, external_ids: &[&str]) -> Result<Self, SettingsError> {
        Ok(Self { external_ids: external_ids.iter().map(|name| (*name).to_owned()).collect() })
    }

    /// The server and the base DN, for the run's record.
    pub fn place(&self) -> String {
        String::new()
    }
}

/// Reads all entries that the filter finds below the base DN.
///
/// # Errors
/// [`ReadError`].
pub async fn read(
    _settings: &LdapSettings,
    _secrets: &Secrets,
    _deadline: Deadline,
    _read: &(dyn Fn(u64) + Send + Sync),
) -> Result<Read, ReadError> {
    Err(ReadError::Source("LDAP is not built yet".to_owned()))
}
