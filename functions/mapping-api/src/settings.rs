//! The function's settings.

use crosswalk_function_kit::logs;
use crosswalk_function_kit::metrics::Metrics;
use crosswalk_function_kit::settings::{Environment, Reader, Setting, SettingsError, merged};
use crosswalk_http_edge::{AUTH, AuthMode};
use crosswalk_identity::{DEFAULT_SYSTEMS, Systems};

const TABLE: Setting = Setting::required("CROSSWALK_TABLE", "the DynamoDB table that all functions share");
const BUCKET: Setting = Setting::optional(
    "CROSSWALK_BUCKET",
    "the bucket that the audits' reports are in; without it `GET /audit/missing` is refused",
);
const SYSTEMS: Setting = Setting::with_default(
    "CROSSWALK_SYSTEMS",
    DEFAULT_SYSTEMS,
    "the systems that requests may name, comma-separated; replaces the default list",
);

/// Every setting that the function reads, the log's included.
pub fn settings() -> Vec<Setting> {
    merged(&[&[TABLE, BUCKET, SYSTEMS, AUTH], logs::SETTINGS])
}

/// What the function needs to know at start.
#[derive(Debug, Clone)]
pub struct ApiSettings {
    /// The DynamoDB table's name.
    pub table: String,
    /// The bucket that the audits' reports are in.
    pub bucket: Option<String>,
    /// The systems that requests may name.
    pub systems: Systems,
    /// What to do with a request that no authorizer has checked.
    pub auth: AuthMode,
    /// Where the requests' metrics go.
    pub metrics: Metrics,
}

impl ApiSettings {
    /// Reads them.
    ///
    /// # Errors
    /// Everything that is missing or does not read, together.
    pub fn from_env(environment: &Environment) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(environment);
        let table = reader.text(&TABLE);
        let bucket = reader.text(&BUCKET);
        let systems = reader.parsed::<Systems>(&SYSTEMS);
        let auth = reader.parsed::<AuthMode>(&AUTH);
        let metrics = Metrics::of(environment);
        reader.finish((|| Some(Self { table: table?, bucket, systems: systems?, auth: auth?, metrics }))())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_are_told_together() {
        let environment = Environment::from_iter([("CROSSWALK_SYSTEMS", "Nemo"), ("CROSSWALK_AUTH", "off")]);
        let error = ApiSettings::from_env(&environment).unwrap_err().to_string();
        for name in ["CROSSWALK_TABLE is not set", "CROSSWALK_SYSTEMS does not read", "CROSSWALK_AUTH does not read"] {
            assert!(error.contains(name), "{error}");
        }
    }

    #[test]
    fn claims_are_required_unless_said_otherwise() {
        let environment = Environment::from_iter([("CROSSWALK_TABLE", "crosswalk")]);
        let settings = ApiSettings::from_env(&environment).unwrap();
        assert_eq!(settings.auth, AuthMode::Jwt);
        assert_eq!(settings.systems, Systems::default());
        let settings = ApiSettings::from_env(&environment.with("CROSSWALK_AUTH", "none")).unwrap();
        assert_eq!(settings.auth, AuthMode::None);
    }
}
