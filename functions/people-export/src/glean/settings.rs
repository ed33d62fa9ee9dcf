use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crosswalk_function_kit::http::is_this_machine;
use crosswalk_function_kit::retry::Retries;
use crosswalk_function_kit::secrets::SecretSource;
use crosswalk_function_kit::settings::{Environment, Reader, Setting, SettingsError};
use serde::{Deserialize, Serialize};
use url::Url;

use super::pages::MOST_BYTES;

const API_URL: Setting = Setting::required(
    "GLEAN_API_URL",
    "the origin of Glean's Indexing API, such as `https://example-be.glean.com`, with or without `/api/index/v1`",
);
const API_TOKEN: Setting = Setting::required(TOKEN_NAME, "an Indexing API token with the scope ENTITIES").secret();
const TIMEOUT: Setting = Setting::with_default("GLEAN_TIMEOUT", "30", "seconds that a request to Glean may take");
const USE_BULK: Setting = Setting::with_default(
    "GLEAN_USE_BULK_INDEX",
    "true",
    "true: everybody is sent each time, in pages, and who is not among them becomes stale; false: only what changed is \
     sent, one by one, and who left is deleted",
);
const KEEP_STALE: Setting = Setting::with_default(
    "GLEAN_DISABLE_STALE_DATA_DELETION",
    "false",
    "true: nobody is deleted from Glean; needs `GLEAN_USE_BULK_INDEX=false`, as a bulk upload replaces what Glean holds",
);
const PAGE_SIZE: Setting = Setting::with_default(
    "GLEAN_PAGE_SIZE",
    "1000",
    "how many people or teams a page of a bulk upload holds, 1 to 1,000",
);
const PAGE_BYTES: Setting = Setting::with_default(
    "GLEAN_PAGE_BYTES",
    "4194304",
    "how many bytes a page of a bulk upload holds, 1,024 to 33,554,432; one person or team that needs more is sent alone",
);
const RPS: Setting = Setting::with_default(
    "GLEAN_RPS",
    "25",
    "requests a second that are sent to Glean where people and teams are sent one by one, 0.1 to 100; Glean allows 30",
);
const CONNECTIONS: Setting = Setting::with_default(
    "GLEAN_CONNECTIONS",
    "8",
    "how many requests to Glean are under way at once where people and teams are sent one by one, 1 to 64",
);

/// What is read from the environment.
pub const SETTINGS: &[Setting] =
    &[API_URL, API_TOKEN, TIMEOUT, USE_BULK, KEEP_STALE, PAGE_SIZE, PAGE_BYTES, RPS, CONNECTIONS];

/// The setting that holds the token.
pub(super) const TOKEN_NAME: &str = "GLEAN_API_TOKEN";

/// Where the API is under its origin.
const PATH: &str = "api/index/v1";

/// A page that fails is sent again over 40 seconds at the very most and half of that usually, beside what Glean itself asks
/// to wait.
const RETRIES: Retries = Retries { first: Duration::from_millis(200), longest: Duration::from_secs(16), times: 8 };

/// How people and teams are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// All of them, in pages; who is not among them becomes stale.
    Bulk,
    /// Only what changed, one by one; who left is deleted.
    Individual,
}

/// `bulk` or `individual`.
impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Bulk => "bulk",
            Self::Individual => "individual",
        })
    }
}

/// A mode that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the mode is `bulk` or `individual`")]
pub struct UnknownMode;

impl FromStr for Mode {
    type Err = UnknownMode;

    fn from_str(text: &str) -> Result<Self, UnknownMode> {
        match text {
            "bulk" => Ok(Self::Bulk),
            "individual" => Ok(Self::Individual),
            _ => Err(UnknownMode),
        }
    }
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
    /// Whether who left is deleted from Glean: not with `GLEAN_DISABLE_STALE_DATA_DELETION=true`, which only the individual
    /// way can keep. The client deletes whom it is told to; this is for who tells it.
    pub delete_stale: bool,
    /// `GLEAN_PAGE_SIZE`: people or teams a page, 1 to 1,000; 1,000.
    pub page_size: usize,
    /// `GLEAN_PAGE_BYTES`: bytes of a page's body at most; 4 MiB.
    pub page_bytes: usize,
    /// `GLEAN_RPS`: requests a second in the individual way; 25 (Glean allows 30).
    pub requests_per_second: f64,
    /// `GLEAN_CONNECTIONS`: requests at once in the individual way; 8.
    pub connections: usize,
    /// How often and how far apart a request is tried again. Not in the environment: tests set it.
    pub retries: Retries,
}

impl GleanSettings {
    /// Reads the environment. `GLEAN_DISABLE_STALE_DATA_DELETION=true` with bulk is refused: a bulk upload without stale
    /// data cannot be had.
    ///
    /// # Errors
    /// Everything that is missing or does not read, together.
    pub fn from_env(environment: &Environment) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(environment);
        let api_url = reader.parsed::<ApiUrl>(&API_URL);
        let api_token = reader.secret(&API_TOKEN);
        let timeout = reader.within(&TIMEOUT, 1..=900, "1 to 900");
        let mode = if reader.flag(&USE_BULK) { Mode::Bulk } else { Mode::Individual };
        let keep_stale = reader.flag(&KEEP_STALE);
        if keep_stale && mode == Mode::Bulk {
            reader.problem(format!(
                "{} cannot be kept in bulk, as an upload replaces what Glean holds: set {}=false as well, and only what \
                 changed is sent and nobody is deleted",
                KEEP_STALE.name, USE_BULK.name
            ));
        }
        let page_size = reader.within(&PAGE_SIZE, 1..=1_000, "1 to 1,000");
        let page_bytes = reader.within(&PAGE_BYTES, 1_024..=MOST_BYTES, "1,024 to 33,554,432");
        let requests_per_second = reader.within(&RPS, 0.1..=100.0, "0.1 to 100");
        let connections = reader.within(&CONNECTIONS, 1..=64, "1 to 64");
        let build = || {
            Some(Self {
                api_url: api_url?.0,
                api_token: api_token?,
                timeout: Duration::from_secs(timeout?),
                mode,
                delete_stale: !keep_stale,
                page_size: page_size?,
                page_bytes: page_bytes?,
                requests_per_second: requests_per_second?,
                connections: connections?,
                retries: RETRIES,
            })
        };
        reader.finish(build())
    }
}

/// The API's URL, checked and made whole.
struct ApiUrl(Url);

impl FromStr for ApiUrl {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut url: Url = text.parse().map_err(|error| format!("it is no URL ({error})"))?;
        match url.scheme() {
            "https" => {}
            "http" if is_this_machine(&url) => {}
            "http" => return Err("it must begin with https://, as the token travels with each request".to_owned()),
            _ => return Err("it must begin with https://".to_owned()),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(format!("it must not hold a user or a password; the token belongs into {TOKEN_NAME}"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err("it must end with the host or /api/index/v1, without ? and #".to_owned());
        }
        let path = url.path().trim_matches('/');
        if !path.is_empty() && path != PATH {
            return Err("its path must be empty or /api/index/v1".to_owned());
        }
        url.set_path(PATH);
        Ok(Self(url))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn least() -> Environment {
        Environment::from_iter([(API_URL.name, "https://example-be.glean.com"), (TOKEN_NAME, "hunter2")])
    }

    fn read(name: &str, value: &str) -> Result<GleanSettings, String> {
        GleanSettings::from_env(&least().with(name, value)).map_err(|error| error.to_string())
    }

    #[test]
    fn little_is_required() {
        let settings = GleanSettings::from_env(&least()).unwrap();
        assert_eq!(settings.api_url.as_str(), "https://example-be.glean.com/api/index/v1");
        assert_eq!((settings.timeout, settings.mode), (Duration::from_secs(30), Mode::Bulk));
        assert_eq!((settings.page_size, settings.page_bytes), (1_000, 4 * 1024 * 1024));
        assert_eq!((settings.requests_per_second, settings.connections), (25.0, 8));
        assert!(settings.delete_stale);
        assert!(!format!("{settings:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_missing_or_wrong_is_told_together() {
        let environment = Environment::from_iter([
            ("GLEAN_TIMEOUT", "0"),
            ("GLEAN_USE_BULK_INDEX", "perhaps"),
            ("GLEAN_PAGE_SIZE", "1001"),
            ("GLEAN_PAGE_BYTES", "1023"),
            ("GLEAN_RPS", "NaN"),
            ("GLEAN_CONNECTIONS", "many"),
        ]);
        let problems = GleanSettings::from_env(&environment).unwrap_err().0;
        let names: Vec<_> = problems.iter().map(|problem| problem.split(' ').next().unwrap()).collect();
        let expected = [
            "GLEAN_API_URL",
            "neither",
            "GLEAN_TIMEOUT",
            "GLEAN_USE_BULK_INDEX",
            "GLEAN_PAGE_SIZE",
            "GLEAN_PAGE_BYTES",
            "GLEAN_RPS",
            "GLEAN_CONNECTIONS",
        ];
        assert_eq!(names, expected, "{problems:?}");
    }

    #[test]
    fn every_setting_that_is_read_is_listed() {
        for setting in SETTINGS {
            let wrong = if setting.name == TOKEN_NAME { continue } else { "no such value" };
            let error = read(setting.name, wrong).unwrap_err();
            assert!(error.contains(setting.name), "{error}");
        }
    }

    #[test]
    fn the_url_is_the_origin_with_or_without_the_path() {
        for end in ["", "/", "/api/index/v1", "/api/index/v1/"] {
            for origin in
                ["https://example-be.glean.com", "http://localhost:8080", "http://127.0.0.1:1", "http://[::1]:1"]
            {
                let settings = read(API_URL.name, &format!("{origin}{end}")).unwrap();
                assert_eq!(settings.api_url.as_str(), format!("{origin}/api/index/v1"));
            }
        }
    }

    #[test]
    fn other_urls_are_refused_without_repeating_them() {
        for (url, why) in [
            ("example-be.glean.com", "no URL"),
            ("http://example-be.glean.com", "as the token travels"),
            ("http://localhost.example.org", "as the token travels"),
            ("http://glean.localhost", "as the token travels"),
            ("ftp://example.org", "https://"),
            ("localhost:8080", "https://"),
            ("https://example.org/rest/api/v1", "path must be empty or /api/index/v1"),
            ("https://example.org/API/index/v1", "path must be empty or /api/index/v1"),
            ("https://example.org/?a=hunter2", "without ?"),
            ("https://example.org/#hunter2", "without ?"),
            ("https://clerk:hunter2@example.org", "GLEAN_API_TOKEN"),
        ] {
            let error = read(API_URL.name, url).unwrap_err();
            assert!(error.contains(why) && error.contains("GLEAN_API_URL"), "{url}: {error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn to_delete_nobody_needs_the_individual_way() {
        let error = read("GLEAN_DISABLE_STALE_DATA_DELETION", "true").unwrap_err();
        assert!(error.contains("GLEAN_USE_BULK_INDEX=false"), "{error}");
        let environment =
            least().with("GLEAN_DISABLE_STALE_DATA_DELETION", "true").with("GLEAN_USE_BULK_INDEX", "false");
        let settings = GleanSettings::from_env(&environment).unwrap();
        assert_eq!((settings.mode, settings.delete_stale), (Mode::Individual, false));
    }

    #[test]
    fn a_mode_is_one_text_everywhere() {
        for mode in [Mode::Bulk, Mode::Individual] {
            assert_eq!(mode.to_string().parse(), Ok(mode));
            assert_eq!(serde_json::to_value(mode).unwrap(), mode.to_string());
        }
        assert_eq!("Bulk".parse::<Mode>(), Err(UnknownMode));
        assert_eq!(format!("{:>6}", Mode::Bulk), "  bulk");
    }
}
