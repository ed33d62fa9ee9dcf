use crosswalk_function_kit::settings::{Environment, Setting, SettingsError};

/// What is read from the environment.
pub const SETTINGS: &[Setting] = &[];

/// How users become people and groups become teams.
#[derive(Debug, Clone)]
pub struct MappingSettings {}

impl MappingSettings {
    /// Reads the environment; `EXPORT_ATTRIBUTES` is checked against Glean's field names.
    ///
    /// # Errors
    /// Everything that does not read, together.
    pub fn from_env(_environment: &Environment) -> Result<Self, SettingsError> {
        todo!()
    }
}
