use std::time::Duration;

use crosswalk_function_kit::secrets::SecretSource;
use crosswalk_function_kit::server_url::ServerUrl;
use crosswalk_function_kit::settings::{Environment, Reader, Setting, SettingsError};
use url::Url;

const BASE_URL: Setting = Setting::required(
    "KEYCLOAK_BASE_URL",
    "Keycloak's root, such as `https://sso.example.org` (with `/auth`, where the server has it)",
);
const ALLOW_HTTP: Setting = Setting::with_default(
    "KEYCLOAK_ALLOW_HTTP",
    "false",
    "whether KEYCLOAK_BASE_URL may be http:// for another host than this one; the secret and the people then travel \
     unencrypted",
);
const SERVER: ServerUrl = ServerUrl {
    url: BASE_URL,
    allow_http: ALLOW_HTTP,
    secret: "the client's secret",
    not_in_root: &["realms", "admin"],
    not_in_root_told: "/realms/… or /admin/…",
};
const REALM: Setting = Setting::required("KEYCLOAK_REALM", "the realm that is read, by its name");
pub(super) const CLIENT_ID: Setting = Setting::required(
    "KEYCLOAK_CLIENT_ID",
    "our client in the realm; its service account needs the role view-users of the client realm-management",
);
pub(super) const CLIENT_SECRET: Setting = Setting::required("KEYCLOAK_CLIENT_SECRET", "our client's secret").secret();
const TIMEOUT: Setting =
    Setting::with_default("KEYCLOAK_TIMEOUT", "30", "how long a request to Keycloak may take, in seconds, 1 to 900");
const CONNECTIONS: Setting =
    Setting::with_default("KEYCLOAK_CONNECTIONS", "4", "how many requests to Keycloak are open at once, 1 to 32");
const PAGE_SIZE: Setting = Setting::with_default(
    "KEYCLOAK_PAGE_SIZE",
    "500",
    "how many users, groups or members a request asks for, 1 to 1,000",
);

/// What is read from the environment.
pub const SETTINGS: &[Setting] =
    &[BASE_URL, ALLOW_HTTP, REALM, CLIENT_ID, CLIENT_SECRET, TIMEOUT, CONNECTIONS, PAGE_SIZE];

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
    pub fn from_env(environment: &Environment) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(environment);
        let base_url = SERVER.read(&mut reader);
        let realm = reader.text(&REALM);
        if realm.as_deref().is_some_and(|realm| !is_realm(realm)) {
            reader.problem(format!("{} is no realm's name (its address is not asked for here)", REALM.name));
        }
        let client_id = reader.text(&CLIENT_ID);
        let client_secret = reader.secret(&CLIENT_SECRET);
        let timeout = reader.within(&TIMEOUT, 1..=900, "1 to 900");
        let connections = reader.within(&CONNECTIONS, 1..=32, "1 to 32");
        let page_size = reader.within(&PAGE_SIZE, 1..=1_000, "1 to 1,000");
        let build = || {
            Some(Self {
                base_url: base_url?,
                realm: realm?,
                client_id: client_id?,
                client_secret: client_secret?,
                timeout: Duration::from_secs(timeout?),
                connections: connections?,
                page_size: page_size?,
            })
        };
        reader.finish(build())
    }
}

/// Whether it can be one part of a path. Keycloak refuses all of these in a realm's name too.
fn is_realm(name: &str) -> bool {
    !matches!(name, "." | "..") && !name.contains(|c: char| c.is_control() || "/\\?#%".contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the system before this one needed.
    fn least() -> Environment {
        Environment::from_iter([
            ("KEYCLOAK_BASE_URL", "https://sso.example.org"),
            ("KEYCLOAK_REALM", "staff"),
            ("KEYCLOAK_CLIENT_ID", "exporter"),
            ("KEYCLOAK_CLIENT_SECRET", "hunter2"),
        ])
    }

    fn base_url(url: &str) -> Result<String, String> {
        let read = KeycloakSettings::from_env(&least().with("KEYCLOAK_BASE_URL", url));
        read.map(|settings| settings.base_url.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn little_is_required() {
        let settings = KeycloakSettings::from_env(&least()).unwrap();
        assert_eq!((settings.connections, settings.page_size), (4, 500));
        assert_eq!(settings.timeout, Duration::from_secs(30));
        assert_eq!((settings.realm.as_str(), settings.client_id.as_str()), ("staff", "exporter"));
        let by_id = Environment::from_iter([
            ("KEYCLOAK_BASE_URL", "https://sso.example.org"),
            ("KEYCLOAK_REALM", "staff"),
            ("KEYCLOAK_CLIENT_ID", "exporter"),
            ("KEYCLOAK_CLIENT_SECRET_SECRET_ID", "keycloak#secret"),
        ]);
        let settings = KeycloakSettings::from_env(&by_id).unwrap();
        assert!(matches!(settings.client_secret, SecretSource::Id(id) if id == "keycloak#secret"));
    }

    #[test]
    fn what_is_wrong_is_told_together() {
        let told = KeycloakSettings::from_env(&Environment::default()).unwrap_err().to_string();
        for name in ["KEYCLOAK_BASE_URL", "KEYCLOAK_REALM", "KEYCLOAK_CLIENT_ID", "KEYCLOAK_CLIENT_SECRET"] {
            assert!(told.contains(&format!("{name} ")), "{name}: {told}");
        }
        for (name, value) in [
            ("KEYCLOAK_TIMEOUT", "0"),
            ("KEYCLOAK_TIMEOUT", "30s"),
            ("KEYCLOAK_CONNECTIONS", "33"),
            ("KEYCLOAK_PAGE_SIZE", "0"),
            ("KEYCLOAK_PAGE_SIZE", "1001"),
            ("KEYCLOAK_REALM", "https://sso.example.org/realms/staff"),
            ("KEYCLOAK_REALM", ".."),
            ("KEYCLOAK_ALLOW_HTTP", "perhaps"),
        ] {
            let told = KeycloakSettings::from_env(&least().with(name, value)).unwrap_err().to_string();
            assert!(told.contains(name) && !told.contains("hunter2"), "{name}: {told}");
        }
    }

    #[test]
    fn the_root_may_have_a_path_and_a_slash() {
        assert_eq!(base_url("https://sso.example.org/").unwrap(), "https://sso.example.org/");
        assert_eq!(base_url("https://sso.example.org/auth/").unwrap(), "https://sso.example.org/auth");
        assert_eq!(base_url("https://sso.example.org/auth").unwrap(), "https://sso.example.org/auth");
    }

    #[test]
    fn the_root_is_encrypted_or_on_this_host() {
        for url in ["http://localhost:8080", "http://127.0.0.1:8080", "http://[::1]:8080", "http://sso.localhost"] {
            assert!(base_url(url).is_ok(), "{url}");
        }
        let told = base_url("http://keycloak:8080").unwrap_err();
        assert!(told.contains("https://") && told.contains("KEYCLOAK_ALLOW_HTTP=true"), "{told}");
        let allowed = least().with("KEYCLOAK_BASE_URL", "http://keycloak:8080").with("KEYCLOAK_ALLOW_HTTP", "true");
        assert!(KeycloakSettings::from_env(&allowed).is_ok());
    }

    #[test]
    fn the_root_is_a_root() {
        for url in [
            "ldap://sso.example.org",
            "sso.example.org",
            "https://admin:hunter2@sso.example.org",
            "https://sso.example.org/?realm=staff",
            "https://sso.example.org/#staff",
            "https://sso.example.org/realms/staff",
            "https://sso.example.org/auth/admin/",
        ] {
            let told = base_url(url).unwrap_err();
            assert!(told.contains("KEYCLOAK_BASE_URL") && !told.contains("hunter2"), "{told}");
        }
    }

    #[test]
    fn each_setting_is_listed_once() {
        for setting in SETTINGS {
            assert_eq!(SETTINGS.iter().filter(|other| other.name == setting.name).count(), 1, "{}", setting.name);
        }
    }
}
