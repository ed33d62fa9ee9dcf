//! The function's settings: which NEMO, under which system's name, how its users are named, and where all is kept.

use std::time::Duration;

use crosswalk_function_kit::logs;
use crosswalk_function_kit::metrics::Metrics;
use crosswalk_function_kit::secrets::SecretSource;
use crosswalk_function_kit::server_url::ServerUrl;
use crosswalk_function_kit::settings::{Environment, Reader, Setting, SettingsError, merged};
use crosswalk_identity::{DEFAULT_SYSTEMS, System, Systems};
use crosswalk_runs::Kept;
use jiff::SignedDuration;
use url::Url;

use crate::naming::Rule;

const URL: Setting =
    Setting::required("NEMO_URL", "NEMO's root, such as `https://nemo.example.org`; its API is below it, under /api/");
const ALLOW_HTTP: Setting = Setting::with_default(
    "NEMO_ALLOW_HTTP",
    "false",
    "whether NEMO_URL may be http:// for another host than this one; the token and the people then travel unencrypted",
);
const SERVER: ServerUrl = ServerUrl {
    url: URL,
    allow_http: ALLOW_HTTP,
    secret: "the token",
    not_in_root: &["api"],
    not_in_root_told: "/api/",
};
/// Names the token in errors.
pub(crate) const TOKEN: Setting = Setting::required(
    "NEMO_TOKEN",
    "the token of a NEMO user who has the permissions NEMO.view_user and, with NEMO_LAST_SEEN, NEMO.view_usageevent",
)
.secret();
const SYSTEM: Setting = Setting::with_default(
    "NEMO_SYSTEM",
    "nemo",
    "the system whose ids these are, one of CROSSWALK_SYSTEMS. Each NEMO has one of its own, and a schedule of its own",
);
const SYSTEMS: Setting = Setting::with_default(
    "CROSSWALK_SYSTEMS",
    DEFAULT_SYSTEMS,
    "the systems that mappings may name, comma-separated; replaces the default list",
);
const USERNAMES: Setting = Setting::with_default(
    "NEMO_USERNAMES",
    "as-is",
    "what the username of a mapping is: NEMO's own, `as-is` or in `lowercase`; `before-at`: what stands before its `@`; \
     `email`: that of the one person, of those imported, who has the user's e-mail",
);
const INACTIVE: Setting = Setting::with_default(
    "NEMO_INACTIVE",
    "false",
    "whether users who are inactive in NEMO are harvested too; else they are skipped, and what stands of them stays",
);
const LAST_SEEN: Setting = Setting::with_default(
    "NEMO_LAST_SEEN",
    "true",
    "whether usage events are read, and `last_seen` of a mapping is the start of the latest use by its person",
);
const LOOK_BACK: Setting = Setting::with_default(
    "NEMO_LOOK_BACK_DAYS",
    "90",
    "how many days of usage events the first run reads, 1 to 3,660; each later run goes on where the last good one began",
);
const VERIFY: Setting = Setting::with_default(
    "NEMO_VERIFY_HOURS",
    "20",
    "after how many hours, 0 to 8,760, an unchanged mapping is verified again, which is a write; 20 lets a daily schedule do \
     so each day",
);
const TIMEOUT: Setting =
    Setting::with_default("NEMO_TIMEOUT", "60", "how long a request to NEMO may take, in seconds, 1 to 900");
const PAGE_SIZE: Setting =
    Setting::with_default("NEMO_PAGE_SIZE", "500", "how many users or usage events a request asks for, 10 to 10,000");
const DRY_RUN: Setting =
    Setting::with_default("DRY_RUN", "false", "whether runs only plan: nothing is written anywhere");
const TABLE: Setting =
    Setting::required("CROSSWALK_TABLE", "the DynamoDB table that all functions share: mappings, people and runs");
const BUCKET: Setting = Setting::required(
    "CROSSWALK_BUCKET",
    "the bucket that takes the state, under state/, and the reports, under reports/",
);

const OWN: &[Setting] = &[
    URL, ALLOW_HTTP, TOKEN, SYSTEM, SYSTEMS, USERNAMES, INACTIVE, LAST_SEEN, LOOK_BACK, VERIFY, TIMEOUT, PAGE_SIZE,
    DRY_RUN, TABLE, BUCKET,
];

/// Every setting that the function reads, the log's included.
pub fn settings() -> Vec<Setting> {
    merged(&[OWN, logs::SETTINGS])
}

/// The function's settings.
#[derive(Debug, Clone)]
pub struct HarvestSettings {
    /// How NEMO is reached.
    pub nemo: NemoSettings,
    /// Whose ids these are.
    pub system: System,
    /// How users are named.
    pub usernames: Rule,
    /// Harvest inactive users too.
    pub inactive: bool,
    /// Read usage events.
    pub last_seen: bool,
    /// How far back the first run reads them.
    pub look_back: SignedDuration,
    /// After how long an unchanged mapping is verified again.
    pub verify_after: SignedDuration,
    /// Plan only, whatever the event says.
    pub dry_run: bool,
    /// The table that takes the mappings.
    pub table: String,
    /// Where runs, state and reports are kept.
    pub kept: Kept,
    /// Where the runs' metrics go.
    pub metrics: Metrics,
}

/// How a NEMO is reached.
#[derive(Debug, Clone)]
pub struct NemoSettings {
    /// The root; its path does not end in a slash.
    pub url: Url,
    /// The token.
    pub token: SecretSource,
    /// Of one request.
    pub timeout: Duration,
    /// Users or events a page.
    pub page_size: u32,
}

impl NemoSettings {
    /// The root as text, without a slash at its end.
    pub fn root(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }
}

impl HarvestSettings {
    /// Reads the environment.
    ///
    /// # Errors
    /// Everything that is missing or does not read, together.
    pub fn from_env(environment: &Environment) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(environment);
        let url = SERVER.read(&mut reader);
        let token = reader.secret(&TOKEN);
        let systems = reader.parsed::<Systems>(&SYSTEMS);
        let system = reader.text(&SYSTEM).zip(systems).and_then(|(name, systems)| match systems.get(&name) {
            Ok(system) => Some(system),
            Err(error) => {
                reader.problem(format!("{}: {error}", SYSTEM.name));
                None
            }
        });
        let usernames = reader.parsed::<Rule>(&USERNAMES);
        let (inactive, last_seen) = (reader.flag(&INACTIVE), reader.flag(&LAST_SEEN));
        let look_back = reader.within(&LOOK_BACK, 1..=3_660, "1 to 3,660");
        let verify_after = reader.within(&VERIFY, 0..=8_760, "0 to 8,760");
        let timeout = reader.within(&TIMEOUT, 1..=900, "1 to 900");
        let page_size = reader.within(&PAGE_SIZE, 10..=10_000, "10 to 10,000");
        let dry_run = reader.flag(&DRY_RUN);
        let (table, bucket) = (reader.text(&TABLE), reader.text(&BUCKET));
        let build = || {
            Some(Self {
                nemo: NemoSettings {
                    url: url?,
                    token: token?,
                    timeout: Duration::from_secs(timeout?),
                    page_size: page_size?,
                },
                system: system?,
                usernames: usernames?,
                inactive,
                last_seen,
                look_back: SignedDuration::from_hours(24 * look_back?),
                verify_after: SignedDuration::from_hours(verify_after?),
                dry_run,
                table: table.clone()?,
                kept: Kept::Aws { table: table?, bucket: bucket? },
                metrics: Metrics::of(environment),
            })
        };
        reader.finish(build())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn least() -> Environment {
        Environment::from_iter([
            ("NEMO_URL", "https://nemo.example.org/"),
            ("NEMO_TOKEN", "hunter2"),
            ("CROSSWALK_TABLE", "t"),
            ("CROSSWALK_BUCKET", "b"),
        ])
    }

    fn refusal(environment: &Environment) -> String {
        HarvestSettings::from_env(environment).unwrap_err().to_string()
    }

    #[test]
    fn four_settings_are_enough() {
        let settings = HarvestSettings::from_env(&least()).unwrap();
        assert_eq!((settings.system.as_str(), settings.usernames), ("nemo", Rule::AsIs));
        assert_eq!(settings.nemo.root(), "https://nemo.example.org");
        assert!(settings.last_seen && !settings.inactive && !settings.dry_run);
        assert_eq!(settings.verify_after, SignedDuration::from_hours(20));
        let below = least().with("NEMO_URL", "https://lab.example.org/nemo/");
        assert_eq!(HarvestSettings::from_env(&below).unwrap().nemo.root(), "https://lab.example.org/nemo");
    }

    #[test]
    fn a_system_is_one_that_lookups_know() {
        let other = least().with("NEMO_SYSTEM", "nemo_b");
        assert!(refusal(&other).contains("NEMO_SYSTEM: the system `nemo_b` is not known"), "{}", refusal(&other));
        let known = other.with("CROSSWALK_SYSTEMS", "nemo,nemo_b");
        assert_eq!(HarvestSettings::from_env(&known).unwrap().system.as_str(), "nemo_b");
    }

    #[test]
    fn a_token_travels_encrypted() {
        for (url, told) in [
            ("http://nemo.example.org", "NEMO_ALLOW_HTTP=true"),
            ("https://a:hunter2@nemo.example.org", "must not hold a user"),
            ("https://nemo.example.org/api/", "without /api/"),
            ("https://nemo.example.org/?a=b", "a query"),
            ("ftp://nemo.example.org", "must begin with https://"),
        ] {
            let refusal = refusal(&least().with("NEMO_URL", url));
            assert!(refusal.contains(told) && !refusal.contains("hunter2"), "{url}: {refusal}");
        }
        for url in ["http://127.0.0.1:18081", "http://nemo.localhost"] {
            assert!(HarvestSettings::from_env(&least().with("NEMO_URL", url)).is_ok(), "{url}");
        }
        let allowed = least().with("NEMO_URL", "http://nemo:8000").with("NEMO_ALLOW_HTTP", "true");
        assert!(HarvestSettings::from_env(&allowed).is_ok());
    }

    #[test]
    fn what_is_wrong_is_told_together() {
        let environment = Environment::from_iter([("NEMO_USERNAMES", "upper"), ("NEMO_PAGE_SIZE", "1")]);
        let told = refusal(&environment);
        for name in [
            "NEMO_URL is not set",
            "neither NEMO_TOKEN nor NEMO_TOKEN_SECRET_ID",
            "NEMO_USERNAMES",
            "NEMO_PAGE_SIZE",
            "CROSSWALK_TABLE",
            "CROSSWALK_BUCKET",
        ] {
            assert!(told.contains(name), "{name}: {told}");
        }
    }
}
