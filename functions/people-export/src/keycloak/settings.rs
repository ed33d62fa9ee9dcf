use std::time::Duration;

use crosswalk_function_kit::secrets::SecretSource;
use crosswalk_function_kit::settings::{Environment, Setting, SettingsError};
use url::Url;

/// What is read from the environment.
pub const SETTINGS: &[Setting] = &[];

/// How the realm is reached.
#[derive(Debug, Clone)]
pub struct KeycloakSettings {
    /// `KEYCLOAK_BASE_URL`: the root, such as `https://sso.example.org` (with `/auth`, where the server has it).
    pub base_url: Url,
    /// `KEYCLOAK_REALM`.
    pub realm: String,
    /// `KEYCLOAK_CLIENT_ID`.
    pub client_id: String,
    /// `KEYCLOAK_CLIENT_SECRET` or `KEYCLOAK_CLIENT_SECRET_SECRET_ID`.
    pub client_secret: SecretSource,
    /// `KEYCLOAK_TIMEOUT`, seconds a request; 30.
    pub timeout: Duration,
    /// `KEYCLOAK_CONNECTIONS`: requests at once, 1 to 32; 4.
    pub connections: usize,
    /// `KEYCLOAK_PAGE_SIZE`: users and members a page, 1 to 1,000; 500.
    pub page_size: usize,
}

impl KeycloakSettings {
    /// Reads the environment.
    ///
    /// # Errors
    /// Everything that is missing or does not read, together.
    pub fn from_env(_environment: &Environment) -> Result<Self, SettingsError> {
        todo!()
    }
}
