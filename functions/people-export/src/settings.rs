use crosswalk_function_kit::settings::{Environment, Setting, SettingsError};
use crosswalk_reconcile::Limit;

use crate::glean::GleanSettings;
use crate::keycloak::KeycloakSettings;
use crate::mapping::MappingSettings;

/// Every setting that the function reads.
pub fn settings() -> Vec<Setting> {
    Vec::new()
}

/// The function's settings.
#[derive(Debug, Clone)]
pub struct ExportSettings {
    /// The source.
    pub keycloak: KeycloakSettings,
    /// What becomes of it.
    pub mapping: MappingSettings,
    /// The target.
    pub glean: GleanSettings,
    /// `EXPORT_MAX_REMOVALS`.
    pub max_removals: Limit,
    /// `DRY_RUN`.
    pub dry_run: bool,
    /// `MAX_USERS`.
    pub max_users: Option<usize>,
    /// `CROSSWALK_TABLE` and `CROSSWALK_BUCKET`; none where a folder holds the state.
    pub aws: Option<(String, String)>,
    /// `CROSSWALK_STATE_DIR`.
    pub state_dir: Option<std::path::PathBuf>,
}

impl ExportSettings {
    /// Reads the environment.
    ///
    /// # Errors
    /// Everything that is missing or does not read, together.
    pub fn from_env(_environment: &Environment) -> Result<Self, SettingsError> {
        todo!()
    }
}
