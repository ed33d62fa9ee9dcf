//! The function's settings: the source's, the mapping's, the target's, and where runs and state are kept.

use crosswalk_function_kit::logs;
use crosswalk_function_kit::metrics::Metrics;
use crosswalk_function_kit::settings::{Environment, Reader, Setting, SettingsError, merged};
use crosswalk_reconcile::Limit;
use crosswalk_runs::place::{self, Kept};

use crate::glean::{self, GleanSettings};
use crate::keycloak::{self, KeycloakSettings};
use crate::mapping::{self, MappingSettings};

const MAX_REMOVALS: Setting = Setting::with_default(
    "EXPORT_MAX_REMOVALS",
    "10%",
    "the most people, and likewise teams, that one run may delete: a number, or a share of what the last good run left in \
     Glean (rounded up, at least 1); a run that would delete more sends nothing",
);
const DRY_RUN: Setting = Setting::with_default(
    "DRY_RUN",
    "false",
    "whether runs only plan: nothing is sent, and nothing is written anywhere",
);
const MAX_USERS: Setting = Setting::optional(
    "MAX_USERS",
    "export only so many people, and no teams; with a dry run or GLEAN_USE_BULK_INDEX=false alone, as a bulk upload would \
     delete everybody else",
);
const OWN: &[Setting] = &[MAX_REMOVALS, DRY_RUN, MAX_USERS];

/// Every setting that the function reads, the log's included.
pub fn settings() -> Vec<Setting> {
    merged(&[keycloak::SETTINGS, glean::SETTINGS, mapping::SETTINGS, OWN, place::SETTINGS, logs::SETTINGS])
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
    /// The most that a run may delete.
    pub max_removals: Limit,
    /// Plan only, whatever the event says.
    pub dry_run: bool,
    /// Only so many people.
    pub max_users: Option<usize>,
    /// Where runs, state and reports are kept.
    pub kept: Kept,
    /// Where the runs' metrics go.
    pub metrics: Metrics,
}

impl ExportSettings {
    /// Reads the environment.
    ///
    /// # Errors
    /// Everything that is missing or does not read, together.
    pub fn from_env(environment: &Environment) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(environment);
        let mut parts = Vec::new();
        let keycloak = part(KeycloakSettings::from_env(environment), &mut parts);
        let glean = part(GleanSettings::from_env(environment), &mut parts);
        let mapping = part(MappingSettings::from_env(environment), &mut parts);
        for problem in parts {
            reader.problem(problem);
        }
        let max_removals = reader.parsed(&MAX_REMOVALS);
        let dry_run = reader.flag(&DRY_RUN);
        let max_users = reader.within(&MAX_USERS, 1..=usize::MAX, "at least 1");
        let kept = Kept::read(&mut reader, environment);
        let build = || {
            Some(Self {
                keycloak: keycloak?,
                mapping: mapping?,
                glean: glean?,
                max_removals: max_removals?,
                dry_run,
                max_users,
                kept: kept?,
                metrics: Metrics::of(environment),
            })
        };
        reader.finish(build())
    }
}

fn part<T>(read: Result<T, SettingsError>, problems: &mut Vec<String>) -> Option<T> {
    read.map_err(|SettingsError(more)| problems.extend(more)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn least() -> Environment {
        Environment::from_iter([
            ("KEYCLOAK_BASE_URL", "https://sso.example.org"),
            ("KEYCLOAK_REALM", "staff"),
            ("KEYCLOAK_CLIENT_ID", "crosswalk"),
            ("KEYCLOAK_CLIENT_SECRET", "hunter2"),
            ("GLEAN_API_URL", "https://example-be.glean.example.org"),
            ("GLEAN_API_TOKEN", "hunter3"),
        ])
    }

    #[test]
    fn the_originals_settings_are_enough_with_a_folder() {
        let environment = least().with("CROSSWALK_STATE_DIR", "/var/lib/crosswalk");
        let settings = ExportSettings::from_env(&environment).unwrap();
        assert_eq!(settings.kept, Kept::Folder("/var/lib/crosswalk".into()));
        assert_eq!((settings.max_removals, settings.max_users), (Limit::Share(1_000), None));
        assert!(!settings.dry_run);
        let told =
            ExportSettings::from_env(&environment.with("AWS_LAMBDA_FUNCTION_NAME", "f")).unwrap_err().to_string();
        assert!(told.contains("CROSSWALK_STATE_DIR"), "{told}");
    }

    #[test]
    fn table_and_bucket_go_together() {
        let told = ExportSettings::from_env(&least().with("CROSSWALK_TABLE", "t")).unwrap_err().to_string();
        assert!(told.contains("CROSSWALK_BUCKET is not set"), "{told}");
        let both = least().with("CROSSWALK_TABLE", "t").with("CROSSWALK_BUCKET", "b");
        assert!(matches!(ExportSettings::from_env(&both).unwrap().kept, Kept::Aws { .. }));
    }

    #[test]
    fn what_is_wrong_is_told_together_and_no_secret_is() {
        let environment = least()
            .with("KEYCLOAK_REALM", "")
            .with("GLEAN_API_URL", "")
            .with("EXPORT_MAX_REMOVALS", "half")
            .with("MAX_USERS", "0");
        let told = ExportSettings::from_env(&environment).unwrap_err().to_string();
        for name in [
            "KEYCLOAK_REALM",
            "GLEAN_API_URL",
            "EXPORT_MAX_REMOVALS",
            "MAX_USERS",
            "CROSSWALK_TABLE and CROSSWALK_BUCKET are",
        ] {
            assert!(told.contains(name), "{name}: {told}");
        }
        assert!(!told.contains("hunter"), "{told}");
    }

    #[test]
    fn each_setting_is_listed_once_with_a_meaning() {
        let settings = settings();
        for setting in &settings {
            assert_eq!(settings.iter().filter(|other| other.name == setting.name).count(), 1, "{}", setting.name);
            assert!(!setting.meaning.is_empty());
        }
        for name in ["KEYCLOAK_TIMEOUT", "GLEAN_TIMEOUT", "GLEAN_DATASOURCE", "EXPORT_ATTRIBUTES", "LOG_LEVEL"] {
            assert!(settings.iter().any(|setting| setting.name == name), "{name}");
        }
    }
}
