//! The function's settings.

use crosswalk_accounts::AccountsSettings;
use crosswalk_function_kit::logs;
use crosswalk_function_kit::metrics::Metrics;
use crosswalk_function_kit::settings::{Environment, Reader, Setting, SettingsError, merged};
use crosswalk_identity::{DEFAULT_SYSTEMS, Systems};

use crate::fineos::FineosSettings;

const TABLE: Setting = Setting::required("CROSSWALK_TABLE", "the DynamoDB table that all functions share");
const BUCKET: Setting = Setting::required("CROSSWALK_BUCKET", "the bucket that takes the reports, under reports/");
const SYSTEMS: Setting = Setting::with_default(
    "CROSSWALK_SYSTEMS",
    DEFAULT_SYSTEMS,
    "the systems that mappings may name, comma-separated; replaces the default list",
);
const MAX_FILE: Setting =
    Setting::with_default("CROSSWALK_MAX_FILE_MIB", "512", "the largest file that is imported, in MiB");
const CONCURRENCY: Setting = Setting::with_default(
    "CROSSWALK_IMPORT_CONCURRENCY",
    "32",
    "how many rows of one file are worked on at once, 1 to 1,000; calls to Cognito keep their own pace",
);
const QUEUE_URL: Setting = Setting::optional(
    "CROSSWALK_IMPORT_QUEUE_URL",
    "the URL of the queue that the function takes messages from; with it a failed message comes again after 10 s, then 30 s, \
     90 s and so on, and one that does not read at once; without it after the queue's visibility timeout",
);
const POOL: Setting = Setting::optional(
    "COGNITO_IDENTITY_POOL_ID",
    "the Cognito user pool that takes the accounts; files of leave administrators need it",
);

/// The settings that the system before this one had and this one has no use for: accepted, and named once in the log.
const UNUSED: &[&str] = &[
    "DB_HOST",
    "DB_NAME",
    "DB_PASSWORD",
    "DB_PORT",
    "DB_SCHEMA",
    "DB_USERNAME",
    "FINEOS_CLIENT_CUSTOMER_API_URL",
    "FINEOS_CLIENT_GROUP_CLIENT_API_URL",
    "FINEOS_CLIENT_WSCOMPOSER_API_URL",
];

/// The function's own settings. The pool stands among them, and not as the accounts have it: it is optional here, as most
/// files need none.
const OWN: &[Setting] = &[TABLE, BUCKET, SYSTEMS, MAX_FILE, CONCURRENCY, QUEUE_URL, POOL];

/// Every setting that the function reads, Cognito's, FINEOS's and the log's included.
pub fn settings() -> Vec<Setting> {
    merged(&[OWN, crosswalk_accounts::SETTINGS, crate::fineos::SETTINGS, logs::SETTINGS])
}

/// The function's settings.
#[derive(Debug, Clone)]
pub struct ImportSettings {
    /// The DynamoDB table.
    pub table: String,
    /// The bucket that takes the reports.
    pub bucket: String,
    /// The systems that are known.
    pub systems: Systems,
    /// The most bytes of a file.
    pub max_bytes: u64,
    /// How many rows are worked on at once.
    pub concurrency: usize,
    /// The queue that messages come from; none if their visibility is left alone.
    pub queue_url: Option<String>,
    /// The user pool, and how fast it may be called; none if no pool is set.
    pub accounts: Option<AccountsSettings>,
    /// FINEOS, if registration is on.
    pub fineos: Option<FineosSettings>,
    /// Where the runs' metrics go.
    pub metrics: Metrics,
    /// Settings that are set and have no effect.
    pub unused: Vec<&'static str>,
}

impl ImportSettings {
    /// Reads the environment.
    ///
    /// # Errors
    /// Everything that is missing or does not read, together.
    pub fn from_env(environment: &Environment) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(environment);
        let table = reader.text(&TABLE);
        let bucket = reader.text(&BUCKET);
        let systems = reader.parsed::<Systems>(&SYSTEMS);
        let max_mib = reader.within(&MAX_FILE, 1..=u64::MAX, "at least 1");
        let concurrency = reader.within(&CONCURRENCY, 1..=1_000, "1 to 1,000");
        let queue_url = reader.text(&QUEUE_URL);
        let pool = reader.text(&POOL);
        let mut parts = Vec::new();
        let accounts = pool.and_then(|_| {
            AccountsSettings::from_env(environment).map_err(|SettingsError(problems)| parts.extend(problems)).ok()
        });
        let fineos = FineosSettings::from_env(environment).unwrap_or_else(|SettingsError(problems)| {
            parts.extend(problems);
            None
        });
        for problem in parts {
            reader.problem(problem);
        }
        let unused = UNUSED.iter().copied().filter(|name| environment.get(name).is_some()).collect();
        let build = || {
            Some(Self {
                table: table?,
                bucket: bucket?,
                systems: systems?,
                max_bytes: max_mib?.saturating_mul(1024 * 1024),
                concurrency: concurrency?,
                queue_url,
                accounts,
                fineos,
                metrics: Metrics::of(environment),
                unused,
            })
        };
        reader.finish(build())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn least() -> Environment {
        Environment::from_iter([("CROSSWALK_TABLE", "t"), ("CROSSWALK_BUCKET", "b")])
    }

    #[test]
    fn little_is_required() {
        let settings = ImportSettings::from_env(&least()).unwrap();
        assert_eq!((settings.max_bytes, settings.concurrency), (512 * 1024 * 1024, 32));
        assert!(settings.accounts.is_none() && settings.fineos.is_none() && settings.unused.is_empty());
    }

    #[test]
    fn what_is_wrong_is_told_together() {
        let environment = Environment::from_iter([
            ("CROSSWALK_SYSTEMS", "Nemo"),
            ("CROSSWALK_IMPORT_CONCURRENCY", "0"),
            ("FINEOS_REGISTRATION", "true"),
        ]);
        let told = ImportSettings::from_env(&environment).unwrap_err().to_string();
        for name in [
            "CROSSWALK_TABLE is not set",
            "CROSSWALK_BUCKET is not set",
            "`Nemo`",
            "CROSSWALK_IMPORT_CONCURRENCY must be",
            "FINEOS_CLIENT_OAUTH2_URL",
            "FINEOS_CLIENT_OAUTH2_CLIENT_ID",
            "FINEOS_CLIENT_OAUTH2_CLIENT_SECRET",
            "FINEOS_CLIENT_INTEGRATION_SERVICES_API_URL",
        ] {
            assert!(told.contains(name), "{name}: {told}");
        }
    }

    #[test]
    fn the_earlier_systems_settings_are_accepted() {
        let environment = least().with("DB_HOST", "x").with("FINEOS_CLIENT_CUSTOMER_API_URL", "y");
        let settings = ImportSettings::from_env(&environment).unwrap();
        assert_eq!(settings.unused, ["DB_HOST", "FINEOS_CLIENT_CUSTOMER_API_URL"]);
    }

    #[test]
    fn each_setting_is_listed_once_with_a_meaning() {
        let settings = settings();
        for setting in &settings {
            assert_eq!(settings.iter().filter(|other| other.name == setting.name).count(), 1, "{}", setting.name);
            assert!(!setting.meaning.is_empty());
        }
        for name in ["LOG_LEVEL", "CROSSWALK_COGNITO_RESERVE", "FINEOS_REGISTRATION"] {
            assert!(settings.iter().any(|setting| setting.name == name), "{name}");
        }
        let pool = settings.iter().find(|setting| setting.name == "COGNITO_IDENTITY_POOL_ID");
        assert_eq!(pool, Some(&POOL));
    }
}
