//! The function's settings: which LabArchives, who may come, and where the pages stand.

use std::time::Duration;

use crosswalk_function_kit::http::is_this_machine;
use crosswalk_function_kit::logs;
use crosswalk_function_kit::metrics::Metrics;
use crosswalk_function_kit::secrets::SecretSource;
use crosswalk_function_kit::settings::{Environment, Reader, Setting, SettingsError, merged};
use crosswalk_identity::{DEFAULT_SYSTEMS, System, Systems};
use crosswalk_invitations::{InvitationSettings, Pages};
use jiff::SignedDuration;
use url::Url;

use crate::labarchives::Hash;

const URL: Setting = Setting::with_default(
    "LABARCHIVES_URL",
    "https://api.labarchives.com",
    "the host of LabArchives' API; those of other regions are auapi, caapi, euapi and ukapi.labarchives.com",
);
const ALLOW_HTTP: Setting = Setting::with_default(
    "LABARCHIVES_ALLOW_HTTP",
    "false",
    "whether LABARCHIVES_URL may be http:// for another host than this one; codes and ids then travel unencrypted",
);
/// Names the key in errors.
pub(crate) const AKID: Setting = Setting::required(
    "LABARCHIVES_AKID",
    "the access key id (akid) that LabArchives gave your organisation; browsers see it",
);
/// Names the password in errors.
pub(crate) const ACCESS_PASSWORD: Setting = Setting::required(
    "LABARCHIVES_ACCESS_PASSWORD",
    "the access password that belongs to it; requests are signed by it",
)
.secret();
const HASH: Setting = Setting::with_default(
    "LABARCHIVES_HASH",
    "sha512",
    "the hash of the signatures: `sha512`, or `sha1` where LabArchives asks for it",
);
const SYSTEM: Setting = Setting::with_default(
    "LABARCHIVES_SYSTEM",
    "labarchives_eln",
    "the system whose ids these are, one of CROSSWALK_SYSTEMS",
);
const SYSTEMS: Setting = Setting::with_default(
    "CROSSWALK_SYSTEMS",
    DEFAULT_SYSTEMS,
    "the systems that mappings may name, comma-separated; replaces the default list",
);
const TIMEOUT: Setting =
    Setting::with_default("LABARCHIVES_TIMEOUT", "10", "how long a request to LabArchives may take, 1 to 15 seconds");
const SIGN_IN_ORIGINS: Setting = Setting::optional(
    "LABARCHIVES_SIGN_IN_ORIGINS",
    "where LabArchives' sign-in sends browsers on to at once, such as your organisation's `https://sso.example.org`, \
     comma-separated: browsers follow the pages' button nowhere else. Hosts below labarchives.com need not be named",
);
const USERNAME_CLAIM: Setting = Setting::with_default(
    "CROSSWALK_USERNAME_CLAIM",
    "username",
    "the claim of a person's own token that holds the username, for POST /registrations",
);
const CONTACT: Setting = Setting::optional(
    "REGISTRATION_CONTACT",
    "whom the pages tell people to ask, such as `the helpdesk (help@example.org)`; else whoever sent the link",
);
const TABLE: Setting = Setting::required("CROSSWALK_TABLE", "the DynamoDB table that all functions share");
/// As the invitations' own, but without it there is nothing to serve.
const REGISTRATION_URL: Setting = Setting::required(
    "REGISTRATION_URL",
    "the root of the registration pages as people's browsers reach it, such as `https://crosswalk.example.org`",
);

/// Every setting that the function reads, the log's included.
pub fn settings() -> Vec<Setting> {
    let own = &[
        URL,
        ALLOW_HTTP,
        AKID,
        ACCESS_PASSWORD,
        HASH,
        SYSTEM,
        TIMEOUT,
        SIGN_IN_ORIGINS,
        REGISTRATION_URL,
        CONTACT,
        USERNAME_CLAIM,
        TABLE,
        SYSTEMS,
    ];
    merged(&[own, crosswalk_invitations::SETTINGS, logs::SETTINGS])
}

/// Whether the environment asks for the pages at all: whoever has no access key has nothing to register at.
pub fn are_wanted(environment: &Environment) -> bool {
    environment.get(AKID.name).is_some()
}

/// The system that people register at, whether or not anything else is set: for whoever invites only.
///
/// # Errors
/// It does not read, or is not one of CROSSWALK_SYSTEMS.
pub fn registered_system(environment: &Environment) -> Result<System, SettingsError> {
    let mut reader = Reader::new(environment);
    let system = system(&mut reader);
    reader.finish(system)
}

/// The function's settings.
#[derive(Debug, Clone)]
pub struct RegistrationSettings {
    /// How LabArchives is reached.
    pub labarchives: LabArchivesSettings,
    /// Whose ids these are.
    pub system: System,
    /// Where the pages stand.
    pub pages: Pages,
    /// How long a link holds that a person makes for themselves.
    pub lasts: SignedDuration,
    /// The claim that holds a person's username.
    pub username_claim: String,
    /// Whom to ask.
    pub contact: Option<String>,
    /// The DynamoDB table's name.
    pub table: String,
    /// Where the metrics go.
    pub metrics: Metrics,
}

/// How LabArchives is reached.
#[derive(Debug, Clone)]
pub struct LabArchivesSettings {
    /// The host's root.
    pub url: Url,
    /// The access key's id.
    pub akid: String,
    /// What signs.
    pub access_password: SecretSource,
    /// How it signs.
    pub hash: Hash,
    /// Of one request.
    pub timeout: Duration,
    /// Where its sign-in leads on to, as origins.
    pub sign_in_origins: Vec<String>,
}

impl RegistrationSettings {
    /// Reads the environment.
    ///
    /// # Errors
    /// Everything that is missing or does not read, together.
    pub fn from_env(environment: &Environment) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(environment);
        let allow_http = reader.flag(&ALLOW_HTTP);
        let url = reader.parsed::<Url>(&URL);
        if let Some(problem) = url.as_ref().and_then(|url| problem_of(url, allow_http)) {
            reader.problem(format!("{} {problem}", URL.name));
        }
        let (akid, access_password) = (reader.text(&AKID), reader.secret(&ACCESS_PASSWORD));
        let hash = reader.parsed::<Hash>(&HASH);
        let timeout = reader.within(&TIMEOUT, 1..=15, "1 to 15");
        let sign_in_origins = sign_in_origins(&mut reader);
        let system = system(&mut reader);
        // Asked for first, so that it is told of as required.
        let pages_are_named = reader.text(&REGISTRATION_URL).is_some();
        let invitations = InvitationSettings::read(&mut reader).filter(|_| pages_are_named);
        let (username_claim, contact) = (reader.text(&USERNAME_CLAIM), reader.text(&CONTACT));
        let table = reader.text(&TABLE);
        let metrics = Metrics::of(environment);
        let build = || {
            let invitations = invitations?;
            Some(Self {
                labarchives: LabArchivesSettings {
                    url: url?,
                    akid: akid?,
                    access_password: access_password?,
                    hash: hash?,
                    timeout: Duration::from_secs(timeout?),
                    sign_in_origins: sign_in_origins?,
                },
                system: system?,
                pages: invitations.pages?,
                lasts: invitations.lasts,
                username_claim: username_claim?,
                contact,
                table: table?,
                metrics,
            })
        };
        let built = build();
        reader.finish(built)
    }
}

fn system(reader: &mut Reader<'_>) -> Option<System> {
    let systems = reader.parsed::<Systems>(&SYSTEMS);
    let (name, systems) = reader.text(&SYSTEM).zip(systems)?;
    match systems.get(&name) {
        Ok(system) => Some(system),
        Err(error) => {
            reader.problem(format!("{}: {error}", SYSTEM.name));
            None
        }
    }
}

fn sign_in_origins(reader: &mut Reader<'_>) -> Option<Vec<String>> {
    let Some(list) = reader.text(&SIGN_IN_ORIGINS) else { return Some(Vec::new()) };
    let origin = |given: &str| {
        let url = Url::parse(given).ok().filter(|url| matches!(url.scheme(), "https" | "http") && url.path() == "/")?;
        Some(url.origin().ascii_serialization())
    };
    let origins = list.split(',').map(str::trim).filter(|given| !given.is_empty()).map(origin);
    let origins: Option<Vec<_>> = origins.collect();
    if origins.is_none() {
        reader.problem(format!("{} must name origins such as https://sso.example.org", SIGN_IN_ORIGINS.name));
    }
    origins
}

fn problem_of(url: &Url, allow_http: bool) -> Option<&'static str> {
    match url.scheme() {
        "https" => {}
        "http" if allow_http || is_this_machine(url) => {}
        "http" => {
            return Some(
                "must begin with https://, as codes and ids travel there (LABARCHIVES_ALLOW_HTTP=true takes it all the same)",
            );
        }
        _ => return Some("must begin with https://"),
    }
    let is_root = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let is_bare = url.username().is_empty() && url.password().is_none();
    (!is_root || !is_bare).then_some("must be a host alone, such as https://api.labarchives.com, without /api")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole() -> Environment {
        Environment::from_iter([
            ("LABARCHIVES_AKID", "example"),
            ("LABARCHIVES_ACCESS_PASSWORD", "hunter2"),
            ("REGISTRATION_URL", "https://crosswalk.example.org"),
            ("CROSSWALK_TABLE", "crosswalk"),
        ])
    }

    fn problems(environment: &Environment) -> String {
        RegistrationSettings::from_env(environment).unwrap_err().to_string()
    }

    #[test]
    fn four_are_needed_and_the_rest_has_defaults() {
        let settings = RegistrationSettings::from_env(&whole()).unwrap();
        assert_eq!(settings.labarchives.url.as_str(), "https://api.labarchives.com/");
        assert_eq!(settings.labarchives.hash, Hash::Sha512);
        assert_eq!((settings.system.as_str(), settings.username_claim.as_str()), ("labarchives_eln", "username"));
        assert_eq!(settings.lasts, SignedDuration::from_hours(7 * 24));
        assert!(!format!("{settings:?}").contains("hunter2"));
        assert!(are_wanted(&whole()) && !are_wanted(&Environment::default()));
    }

    #[test]
    fn all_problems_are_told_together() {
        let environment = Environment::from_iter([
            ("LABARCHIVES_HASH", "md5"),
            ("LABARCHIVES_TIMEOUT", "900"),
            ("LABARCHIVES_SYSTEM", "nowhere"),
            ("LABARCHIVES_SIGN_IN_ORIGINS", "sso.example.org"),
        ]);
        let error = problems(&environment);
        for part in [
            "LABARCHIVES_AKID is not set",
            "neither LABARCHIVES_ACCESS_PASSWORD nor LABARCHIVES_ACCESS_PASSWORD_SECRET_ID",
            "LABARCHIVES_HASH does not read",
            "LABARCHIVES_TIMEOUT must be 1 to 15",
            "LABARCHIVES_SYSTEM:",
            "LABARCHIVES_SIGN_IN_ORIGINS must name origins",
            "REGISTRATION_URL is not set",
            "CROSSWALK_TABLE is not set",
        ] {
            assert!(error.contains(part), "{part}: {error}");
        }
    }

    #[test]
    fn labarchives_is_a_host_and_https() {
        for given in [
            "http://labarchives.example.org",
            "https://api.labarchives.com/api",
            "https://a:b@api.labarchives.com",
            "ftp://api.labarchives.com",
        ] {
            assert!(problems(&whole().with("LABARCHIVES_URL", given)).contains("LABARCHIVES_URL must"), "{given}");
        }
        for given in ["http://127.0.0.1:8080", "https://ukapi.labarchives.com/"] {
            assert!(RegistrationSettings::from_env(&whole().with("LABARCHIVES_URL", given)).is_ok(), "{given}");
        }
        let forced =
            whole().with("LABARCHIVES_URL", "http://labarchives.example.org").with("LABARCHIVES_ALLOW_HTTP", "true");
        assert!(RegistrationSettings::from_env(&forced).is_ok());
    }

    #[test]
    fn who_only_invites_needs_no_key() {
        assert_eq!(registered_system(&Environment::default()).unwrap().as_str(), "labarchives_eln");
        let other = Environment::from_iter([("LABARCHIVES_SYSTEM", "labarchives_scheduler")]);
        assert_eq!(registered_system(&other).unwrap().as_str(), "labarchives_scheduler");
        assert!(registered_system(&Environment::from_iter([("LABARCHIVES_SYSTEM", "x y")])).is_err());
    }
}
