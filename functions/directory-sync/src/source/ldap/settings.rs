use std::time::Duration;

use crosswalk_function_kit::http::is_this_machine;
use crosswalk_function_kit::secrets::SecretSource;
use crosswalk_function_kit::settings::{Environment, Reader, Setting, SettingsError};
use secrecy::ExposeSecret;
use url::Url;

use super::tls;

const SERVER: Setting = Setting::required(
    "LDAP_SERVER",
    "the LDAP server, such as `ldaps://ldap.example.org`; a name alone means `ldaps://`, or with LDAP_STARTTLS `ldap://`",
);
const STARTTLS: Setting = Setting::with_default(
    "LDAP_STARTTLS",
    "false",
    "whether a connection to an ldap:// server is encrypted by StartTLS",
);
const ALLOW_PLAIN: Setting = Setting::with_default(
    "LDAP_ALLOW_PLAIN",
    "false",
    "whether an ldap:// server other than this machine is spoken to without encryption; the password and the people then \
     travel in the clear",
);
pub(super) const CA_PEM: Setting = Setting::optional(
    "LDAP_CA_PEM",
    "the certificates, as PEM, of the authorities that alone are trusted to vouch for the LDAP server; not set: the \
     system's",
)
.secret();
const BIND_USER_DN: Setting = Setting::required(
    "LDAP_BIND_USER_DN",
    "the DN that is bound as; it needs to see the people and the attributes below",
);
pub(super) const BIND_PASSWORD: Setting = Setting::required("LDAP_BIND_PASSWORD", "its password").secret();
const BASE_DN: Setting =
    Setting::required("LDAP_BASE_DN", "the entry below which people are searched, itself included");
const USER_FILTER: Setting =
    Setting::with_default("LDAP_USER_FILTER", "(objectClass=person)", "which entries are people (RFC 4515)");
const FIELD_EMAIL: Setting = Setting::with_default(
    "LDAP_FIELD_EMAIL",
    "mail",
    "the attribute of e-mails; of several values the first that does",
);
const FIELD_USERNAME: Setting = Setting::with_default("LDAP_FIELD_USERNAME", "uid", "the attribute of the username");
const FIELD_FIRST_NAME: Setting =
    Setting::with_default("LDAP_FIELD_FIRST_NAME", "givenName", "the attribute of the first name");
const FIELD_LAST_NAME: Setting = Setting::with_default("LDAP_FIELD_LAST_NAME", "sn", "the attribute of the last name");
const FIELD_KEY: Setting = Setting::with_default(
    "LDAP_FIELD_KEY",
    "entryUUID",
    "the attribute that stays a person's own whatever else changes: entryUUID, nsUniqueId, objectGUID (Active Directory), \
     employeeNumber, …",
);
const FIELD_ENABLED: Setting = Setting::optional(
    "LDAP_FIELD_ENABLED",
    "the attribute that tells whether a person may log in: userAccountControl, nsAccountLock, loginDisabled, \
     ds-pwp-account-disabled, msDS-UserAccountDisabled, pwdAccountLockedTime, or one with true/false, yes/no, 1/0, \
     active/inactive or enabled/disabled; not set, or without a value: may",
);
const TIMEOUT: Setting = Setting::with_default(
    "LDAP_TIMEOUT",
    "30",
    "how long the LDAP server may take to be reached, and then to answer next, in seconds, 1 to 900",
);
// Active Directory's MaxPageSize is 1,000, and larger pages are cut to it.
const PAGE_SIZE: Setting =
    Setting::with_default("LDAP_PAGE_SIZE", "500", "how many entries a page of the search asks for, 1 to 1,000");

/// What is read from the environment.
pub const SETTINGS: &[Setting] = &[
    SERVER,
    STARTTLS,
    ALLOW_PLAIN,
    CA_PEM,
    BIND_USER_DN,
    BIND_PASSWORD,
    BASE_DN,
    USER_FILTER,
    FIELD_EMAIL,
    FIELD_USERNAME,
    FIELD_FIRST_NAME,
    FIELD_LAST_NAME,
    FIELD_KEY,
    FIELD_ENABLED,
    TIMEOUT,
    PAGE_SIZE,
];

/// How the directory is reached, and which attributes are read.
#[derive(Debug, Clone)]
pub struct LdapSettings {
    /// `LDAP_SERVER`: `ldap://` or `ldaps://`, a host, perhaps a port, and nothing more.
    pub server: Url,
    /// `LDAP_STARTTLS`.
    pub starttls: bool,
    /// `LDAP_CA_PEM` or `LDAP_CA_PEM_SECRET_ID`; the system's authorities where there is none.
    pub ca_pem: Option<SecretSource>,
    /// `LDAP_BIND_USER_DN`.
    pub bind_dn: String,
    /// `LDAP_BIND_PASSWORD` or `LDAP_BIND_PASSWORD_SECRET_ID`.
    pub bind_password: SecretSource,
    /// `LDAP_BASE_DN`.
    pub base_dn: String,
    /// `LDAP_USER_FILTER`.
    pub filter: String,
    /// `LDAP_FIELD_…`.
    pub fields: LdapFields,
    /// The attributes of external ids, in the order of `SYNC_MAPPINGS`.
    pub external_ids: Vec<String>,
    /// `LDAP_TIMEOUT`: for reaching the server, and for its next message.
    pub timeout: Duration,
    /// `LDAP_PAGE_SIZE`: entries a page, 1 to 1,000.
    pub page_size: i32,
}

/// The attributes that are read: `LDAP_FIELD_…`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LdapFields {
    /// E-mails.
    pub email: String,
    /// The username.
    pub username: String,
    /// The first name.
    pub first_name: String,
    /// The last name.
    pub last_name: String,
    /// The stable key.
    pub key: String,
    /// Whether the person may log in.
    pub enabled: Option<String>,
}

impl LdapSettings {
    /// Reads the environment; `external_ids` are the attributes that `SYNC_MAPPINGS` names.
    ///
    /// # Errors
    /// Everything that is missing or does not read, together.
    pub fn from_env(environment: &Environment, external_ids: &[&str]) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(environment);
        let starttls = reader.flag(&STARTTLS);
        let allow_plain = reader.flag(&ALLOW_PLAIN);
        let ca_pem = reader.secret(&CA_PEM);
        let server = reader.text(&SERVER).and_then(|text| match server(&text, starttls) {
            Ok(server) => Some(server),
            Err(problem) => {
                reader.problem(format!("{} {problem}", SERVER.name));
                None
            }
        });
        for problem in
            server.iter().flat_map(|server| encryption_problems(server, starttls, allow_plain, ca_pem.is_some()))
        {
            reader.problem(problem);
        }
        if let Some(SecretSource::Value(pem)) = &ca_pem
            && let Err(problem) = tls::trusting(pem.expose_secret())
        {
            reader.problem(problem);
        }
        let bind_dn = reader.text(&BIND_USER_DN);
        let bind_password = reader.secret(&BIND_PASSWORD);
        let base_dn = reader.text(&BASE_DN);
        if base_dn.as_deref().is_some_and(|base| !base.contains('=')) {
            reader.problem(format!("{} is no DN such as ou=people,dc=example,dc=org", BASE_DN.name));
        }
        let filter = reader.text(&USER_FILTER);
        if filter.as_deref().is_some_and(|filter| ldap3::parse_filter(filter).is_err()) {
            reader.problem(format!("{} is no search filter such as (objectClass=person) (RFC 4515)", USER_FILTER.name));
        }
        let [email, username, first_name, last_name, key, enabled] =
            [&FIELD_EMAIL, &FIELD_USERNAME, &FIELD_FIRST_NAME, &FIELD_LAST_NAME, &FIELD_KEY, &FIELD_ENABLED]
                .map(|setting| attribute(&mut reader, setting));
        for name in external_ids.iter().filter(|name| !is_attribute(name)) {
            reader.problem(format!("SYNC_MAPPINGS names {name}, which is no attribute's name"));
        }
        let timeout = reader.within(&TIMEOUT, 1..=900, "1 to 900");
        let page_size = reader.within(&PAGE_SIZE, 1..=1_000, "1 to 1,000");
        let build = || {
            Some(Self {
                server: server?,
                starttls,
                ca_pem,
                bind_dn: bind_dn?,
                bind_password: bind_password?,
                base_dn: base_dn?,
                filter: filter?,
                fields: LdapFields {
                    email: email?,
                    username: username?,
                    first_name: first_name?,
                    last_name: last_name?,
                    key: key?,
                    enabled,
                },
                external_ids: external_ids.iter().map(|name| (*name).to_owned()).collect(),
                timeout: Duration::from_secs(timeout?),
                page_size: page_size?,
            })
        };
        reader.finish(build())
    }

    /// The server and the base DN, for the run's record.
    pub fn place(&self) -> String {
        format!("{}/{}", self.server(), self.base_dn)
    }

    /// The server alone, for messages.
    pub(super) fn server(&self) -> &str {
        self.server.as_str().trim_end_matches('/')
    }

    /// What each attribute is read for, by the setting's name.
    pub(super) fn attributes(&self) -> Vec<(&'static str, &str)> {
        let fields = &self.fields;
        let mut attributes = vec![
            (FIELD_EMAIL.name, fields.email.as_str()),
            (FIELD_USERNAME.name, &fields.username),
            (FIELD_FIRST_NAME.name, &fields.first_name),
            (FIELD_LAST_NAME.name, &fields.last_name),
            (FIELD_KEY.name, &fields.key),
        ];
        attributes.extend(fields.enabled.iter().map(|name| (FIELD_ENABLED.name, name.as_str())));
        attributes.extend(self.external_ids.iter().map(|name| ("SYNC_MAPPINGS", name.as_str())));
        attributes
    }
}

/// The server's URL. What was given is not repeated: it may hold a password.
///
/// The system before this one took a name alone for an unencrypted server; here that has to be said.
fn server(text: &str, starttls: bool) -> Result<Url, &'static str> {
    const NO_URL: &str = "is no URL such as ldaps://ldap.example.org";
    let url = if text.contains("://") {
        Url::parse(text)
    } else {
        Url::parse(&format!("{}://{text}", if starttls { "ldap" } else { "ldaps" }))
    };
    let mut url = url.map_err(|_| NO_URL)?;
    if !matches!(url.scheme(), "ldap" | "ldaps") {
        return Err("must begin with ldaps:// or ldap://");
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(NO_URL);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("must not hold a user or a password: use LDAP_BIND_USER_DN and LDAP_BIND_PASSWORD");
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err("must end after the host and its port: the rest is told by LDAP_BASE_DN and LDAP_USER_FILTER");
    }
    url.set_path("");
    Ok(url)
}

/// What is wrong with how the connection is to be encrypted.
fn encryption_problems(server: &Url, starttls: bool, allow_plain: bool, ca: bool) -> Vec<&'static str> {
    let mut problems = Vec::new();
    let ldaps = server.scheme() == "ldaps";
    if ldaps && starttls {
        problems.push("LDAP_STARTTLS is for an ldap:// server: ldaps:// is encrypted from the start");
    }
    let encrypted = ldaps || starttls;
    if !encrypted && !allow_plain && !is_this_machine(server) {
        problems.push(
            "LDAP_SERVER begins with ldap://, so the password would travel in the clear: use ldaps://, set \
             LDAP_STARTTLS=true, or set LDAP_ALLOW_PLAIN=true",
        );
    }
    if !encrypted && ca {
        problems.push("LDAP_CA_PEM is set, but nothing is encrypted: use ldaps://, or set LDAP_STARTTLS=true");
    }
    if encrypted && server.host_str().is_some_and(|host| host.starts_with('[')) {
        problems.push("LDAP_SERVER must name the server by the name in its certificate, not by an IPv6 address");
    }
    problems
}

fn attribute(reader: &mut Reader<'_>, setting: &Setting) -> Option<String> {
    let name = reader.text(setting)?;
    if is_attribute(&name) {
        return Some(name);
    }
    reader.problem(format!("{} is no attribute's name", setting.name));
    None
}

/// A short name with options (RFC 4512, 2.5). An OID is not taken: servers answer with the name.
fn is_attribute(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | ';' | '_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the system before this one needed.
    fn least() -> Environment {
        Environment::from_iter([
            ("LDAP_SERVER", "ldaps://ldap.example.org"),
            ("LDAP_BIND_USER_DN", "cn=sync,dc=example,dc=org"),
            ("LDAP_BIND_PASSWORD", "hunter2"),
            ("LDAP_BASE_DN", "ou=people,dc=example,dc=org"),
        ])
    }

    fn problem(pairs: &[(&str, &str)]) -> String {
        let environment = pairs.iter().fold(least(), |environment, (name, value)| environment.with(name, value));
        match LdapSettings::from_env(&environment, &[]) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn little_is_required_and_the_fields_are_the_originals() {
        let settings = LdapSettings::from_env(&least(), &["employeeNumber"]).unwrap();
        assert_eq!(settings.place(), "ldaps://ldap.example.org/ou=people,dc=example,dc=org");
        assert_eq!(settings.filter, "(objectClass=person)");
        assert_eq!((settings.timeout, settings.page_size), (Duration::from_secs(30), 500));
        let attributes: Vec<_> = settings.attributes().into_iter().map(|(_, name)| name).collect();
        assert_eq!(attributes, ["mail", "uid", "givenName", "sn", "entryUUID", "employeeNumber"]);
        assert!(!format!("{settings:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_wrong_is_told_together() {
        let told = LdapSettings::from_env(&Environment::default(), &["no name"]).unwrap_err().to_string();
        for name in ["LDAP_SERVER", "LDAP_BIND_USER_DN", "LDAP_BIND_PASSWORD", "LDAP_BASE_DN", "SYNC_MAPPINGS"] {
            assert!(told.contains(&format!("{name} ")), "{name}: {told}");
        }
        for (name, value) in [
            ("LDAP_TIMEOUT", "0"),
            ("LDAP_PAGE_SIZE", "0"),
            ("LDAP_PAGE_SIZE", "1001"),
            ("LDAP_STARTTLS", "perhaps"),
            ("LDAP_BASE_DN", "example.org"),
            ("LDAP_USER_FILTER", "(objectClass=person"),
            ("LDAP_FIELD_KEY", "*"),
            ("LDAP_FIELD_KEY", "1.1"),
            ("LDAP_FIELD_ENABLED", "user account control"),
            ("LDAP_CA_PEM", "no certificate"),
        ] {
            let told = problem(&[(name, value)]);
            assert!(told.contains(name) && !told.contains("hunter2"), "{name}: {told}");
        }
    }

    #[test]
    fn the_server_is_a_url_or_a_name() {
        let read = |text, starttls| server(text, starttls).map(|url| url.to_string());
        assert_eq!(read("ldap.example.org", false).unwrap(), "ldaps://ldap.example.org");
        assert_eq!(read("ldap.example.org:1636", false).unwrap(), "ldaps://ldap.example.org:1636");
        assert_eq!(read("ldap.example.org", true).unwrap(), "ldap://ldap.example.org");
        assert_eq!(read("LDAP://ldap.example.org:389/", true).unwrap(), "ldap://ldap.example.org:389");
        for text in [
            "https://ldap.example.org",
            "ldapi:///run/ldapi",
            "ldaps://",
            "ldaps://sync:hunter2@ldap.example.org",
            "ldaps://ldap.example.org/dc=example,dc=org",
            "ldaps://ldap.example.org?mail",
            "ldaps://ldap.example.org ldaps://other.example.org",
            "",
        ] {
            let told = server(text, false).unwrap_err();
            assert!(!told.contains("hunter2"), "{text}: {told}");
        }
    }

    #[test]
    fn plain_is_for_this_machine_or_said() {
        for server in ["ldap://127.0.0.1:1389", "ldap://[::1]", "ldap://localhost"] {
            assert_eq!(problem(&[("LDAP_SERVER", server)]), "", "{server}");
        }
        let plain = ("LDAP_SERVER", "ldap://ldap.example.org");
        assert!(problem(&[plain]).contains("LDAP_ALLOW_PLAIN=true"));
        assert_eq!(problem(&[plain, ("LDAP_ALLOW_PLAIN", "true")]), "");
        assert_eq!(problem(&[plain, ("LDAP_STARTTLS", "true")]), "");
    }

    #[test]
    fn contradictions_are_told() {
        assert!(problem(&[("LDAP_STARTTLS", "true")]).contains("LDAP_STARTTLS is for an ldap:// server"));
        let ca = [("LDAP_SERVER", "ldap://127.0.0.1"), ("LDAP_CA_PEM_SECRET_ID", "ca")];
        assert!(problem(&ca).contains("nothing is encrypted"));
        assert!(problem(&[("LDAP_SERVER", "ldaps://[::1]")]).contains("IPv6"));
    }

    #[test]
    fn each_setting_is_listed_once() {
        for setting in SETTINGS {
            assert_eq!(SETTINGS.iter().filter(|other| other.name == setting.name).count(), 1, "{}", setting.name);
        }
    }
}
