use std::time::Duration;

use crosswalk_function_kit::secrets::SecretSource;
use crosswalk_function_kit::settings::{Environment, Setting, SettingsError};
use serde::{Deserialize, Serialize};
use url::Url;

/// What is read from the environment.
pub const SETTINGS: &[Setting] = &[];

/// How people and teams are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// All of them, in pages; who is not among them becomes stale.
    Bulk,
    /// Only what changed, one by one; who left is deleted.
    Individual,
}

/// How Glean is reached.
#[derive(Debug, Clone)]
pub struct GleanSettings {
    /// `GLEAN_API_URL`: the origin, with or without `/api/index/v1`; here with it, and without a slash at the end.
    pub api_url: Url,
    /// `GLEAN_API_TOKEN` or `GLEAN_API_TOKEN_SECRET_ID`.
    pub api_token: SecretSource,
    /// `GLEAN_TIMEOUT`, seconds a request; 30.
    pub timeout: Duration,
    /// `GLEAN_USE_BULK_INDEX`; true is [`Mode::Bulk`].
    pub mode: Mode,
    /// `GLEAN_PAGE_SIZE`: people or teams a page, 1 to 1,000; 1,000.
    pub page_size: usize,
    /// `GLEAN_PAGE_BYTES`: bytes of a page's body at most; 4 MiB.
    pub page_bytes: usize,
    /// `GLEAN_RPS`: requests a second in the individual way; 25 (Glean allows 30).
    pub requests_per_second: f64,
    /// `GLEAN_CONNECTIONS`: requests at once in the individual way; 8.
    pub connections: usize,
}

impl GleanSettings {
    /// Reads the environment. `GLEAN_DISABLE_STALE_DATA_DELETION=true` with bulk is refused: a bulk upload without stale
    /// data cannot be had.
    ///
    /// # Errors
    /// Everything that is missing or does not read, together.
    pub fn from_env(_environment: &Environment) -> Result<Self, SettingsError> {
        todo!()
    }
}
