use std::str::FromStr;

use crosswalk_function_kit::secrets::SecretSource;
use crosswalk_function_kit::settings::{Environment, Reader, Setting, SettingsError};
use regex::Regex;
use secrecy::ExposeSecret;
use serde_json::json;

use super::uri;

pub(super) const DB_URI: Setting = Setting::required(
    "INVENIO_DB_URI",
    "the instance's database, such as `postgresql://user:password@host:5432/invenio?sslmode=verify-full`; the instance's own \
     SQLALCHEMY_DATABASE_URI does",
)
.secret();
const USERNAME_REGEX: Setting = Setting::with_default(
    "INVENIO_USERNAME_REGEX",
    "^[a-zA-Z][a-zA-Z0-9-_]{2,255}$",
    "the rule that a whole username keeps: the instance's ACCOUNTS_USERNAME_REGEX, without look-around",
);
const VISIBILITY: Setting = Setting::with_default(
    "INVENIO_VISIBILITY",
    "restricted",
    "who sees a new account's profile: `restricted` or `public`",
);
const EMAIL_VISIBILITY: Setting = Setting::with_default(
    "INVENIO_EMAIL_VISIBILITY",
    "restricted",
    "who sees a new account's e-mail: `restricted` or `public`",
);
const LOCALE: Setting = Setting::with_default(
    "INVENIO_LOCALE",
    "en",
    "a new account's language, one of those of the instance: it cannot read an account with another",
);
const TIMEZONE: Setting =
    Setting::with_default("INVENIO_TIMEZONE", "Europe/Zurich", "a new account's time zone, by its IANA name");
const CONFIRM: Setting = Setting::with_default(
    "INVENIO_CONFIRM",
    "true",
    "whether a new account's e-mail counts as confirmed; where the instance asks for it \
     (SECURITY_LOGIN_WITHOUT_CONFIRMATION=False), nobody can log in or set a password without",
);

/// What is read from the environment.
pub const SETTINGS: &[Setting] = &[DB_URI, USERNAME_REGEX, VISIBILITY, EMAIL_VISIBILITY, LOCALE, TIMEZONE, CONFIRM];

/// As wide as the columns `username`, `displayname` and `email` are.
const WIDTH: usize = 255;

/// How the database is reached, and what a new account is given.
#[derive(Debug, Clone)]
pub struct InvenioSettings {
    /// `INVENIO_DB_URI` or `INVENIO_DB_URI_SECRET_ID`.
    pub db_uri: SecretSource,
    /// `INVENIO_USERNAME_REGEX`.
    pub username_rule: UsernameRule,
    /// A new account's preferences, as JSON: of `INVENIO_VISIBILITY`, `INVENIO_EMAIL_VISIBILITY`, `INVENIO_LOCALE` and
    /// `INVENIO_TIMEZONE`.
    pub preferences: String,
    /// `INVENIO_CONFIRM`: a new account's e-mail counts as confirmed; true.
    pub confirm: bool,
}

impl InvenioSettings {
    /// Reads the environment.
    ///
    /// # Errors
    /// Everything that is missing or does not read, together.
    pub fn from_env(environment: &Environment) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(environment);
        let db_uri = reader.secret(&DB_URI);
        if let Some(SecretSource::Value(value)) = &db_uri
            && let Err(problem) = uri::options(value.expose_secret())
        {
            reader.problem(format!("{} {problem}", DB_URI.name));
        }
        let username_rule = reader.parsed::<UsernameRule>(&USERNAME_REGEX);
        let visibility = word_of_visibility(&mut reader, &VISIBILITY);
        let email_visibility = word_of_visibility(&mut reader, &EMAIL_VISIBILITY);
        let locale = reader.text(&LOCALE);
        let timezone = reader.text(&TIMEZONE);
        let confirm = reader.flag(&CONFIRM);
        let build = || {
            let preferences = json!({
                "visibility": visibility?,
                "email_visibility": email_visibility?,
                "locale": locale?,
                "timezone": timezone?,
            });
            Some(Self { db_uri: db_uri?, username_rule: username_rule?, preferences: preferences.to_string(), confirm })
        };
        reader.finish(build())
    }

    /// Why a username does not do by this instance's rule, if it does not; tells no person's data. It is asked of the
    /// source's spelling, as the models ask it before they put it in lower case.
    pub fn username_problem(&self, username: &str) -> Option<String> {
        if !self.username_rule.0.is_match(username) {
            return Some(format!(
                "the username does not keep the rule of the Invenio instance ({})",
                USERNAME_REGEX.name
            ));
        }
        let length = username.chars().count().max(username.to_lowercase().chars().count());
        (length > WIDTH)
            .then(|| format!("the username is longer than Invenio's column: {length} characters of {WIDTH}"))
    }
}

/// The models' schema refuses other words, and only when an account is read.
fn word_of_visibility(reader: &mut Reader<'_>, setting: &Setting) -> Option<String> {
    let word = reader.text(setting)?;
    if !matches!(word.as_str(), "restricted" | "public") {
        reader.problem(format!("{} must be restricted or public", setting.name));
        return None;
    }
    Some(word)
}

/// What a whole username must match.
#[derive(Debug, Clone)]
pub struct UsernameRule(Regex);

impl FromStr for UsernameRule {
    type Err = regex::Error;

    /// Anchored at both ends, as the models ask for a full match.
    fn from_str(pattern: &str) -> Result<Self, Self::Err> {
        // By itself first: what is only whole between our brackets is no pattern.
        Regex::new(pattern)?;
        Regex::new(&format!(r"\A(?:{pattern})\z")).map(Self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn least() -> Environment {
        Environment::from_iter([("INVENIO_DB_URI", "postgresql+psycopg2://invenio:hunter2@db.example.org/invenio")])
    }

    #[test]
    fn defaults_are_the_models() {
        let settings = InvenioSettings::from_env(&least()).unwrap();
        assert_eq!(
            settings.preferences,
            r#"{"email_visibility":"restricted","locale":"en","timezone":"Europe/Zurich","visibility":"restricted"}"#
        );
        assert!(settings.confirm);
        assert!(!format!("{settings:?}").contains("hunter2"));
    }

    #[test]
    fn the_default_rule_is_the_models() {
        let settings = InvenioSettings::from_env(&least()).unwrap();
        for good in ["jdoe", "J_Doe-1", "abc", &"a".repeat(255)] {
            assert_eq!(settings.username_problem(good), None, "{good}");
        }
        for bad in ["j.smith", "jd", "1abc", "Ünal", "", "jdoe\n", "j doe", &"a".repeat(257)] {
            let problem = settings.username_problem(bad).unwrap();
            assert!(problem.contains("INVENIO_USERNAME_REGEX"), "{problem}");
        }
        // The rule lets it pass; the column does not.
        let problem = settings.username_problem(&"a".repeat(256)).unwrap();
        assert!(problem.contains("256 characters of 255"), "{problem}");
    }

    #[test]
    fn another_rule_is_for_the_whole_name_too() {
        let environment = least().with("INVENIO_USERNAME_REGEX", r"\w+|[a-z.]+");
        let settings = InvenioSettings::from_env(&environment).unwrap();
        assert_eq!(settings.username_problem("j.smith"), None);
        assert_eq!(settings.username_problem("Ünal"), None);
        assert!(settings.username_problem("j.smith!").is_some());
        assert!(settings.username_problem("J.smith").is_some());
    }

    #[test]
    fn problems_are_told_together() {
        let environment = Environment::from_iter([
            ("INVENIO_DB_URI", "mysql://invenio:hunter2@db.example.org/invenio"),
            ("INVENIO_USERNAME_REGEX", "a)|(b"),
            ("INVENIO_VISIBILITY", "hidden"),
            ("INVENIO_EMAIL_VISIBILITY", "hidden"),
            ("INVENIO_CONFIRM", "perhaps"),
        ]);
        let SettingsError(problems) = InvenioSettings::from_env(&environment).unwrap_err();
        assert_eq!(problems.len(), 5, "{problems:?}");
        assert!(!problems.concat().contains("hunter2"), "{problems:?}");
        let SettingsError(problems) = InvenioSettings::from_env(&Environment::default()).unwrap_err();
        assert!(problems.concat().contains("neither INVENIO_DB_URI nor INVENIO_DB_URI_SECRET_ID"), "{problems:?}");
    }
}
