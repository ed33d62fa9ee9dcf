use std::fmt;
use std::time::Duration;

use crosswalk_function_kit::secrets::SecretSource;
use crosswalk_function_kit::settings::{Environment, Reader, Setting, SettingsError};
use secrecy::ExposeSecret;

use super::statement;
use super::uri::Uri;

pub(super) const URI: Setting = Setting::required(
    "CUSTOM_DB_URI",
    "the database: `postgresql://user:password@host/database`, `mysql://…` (MariaDB too) or `sqlite:///absolute/path` \
     (`sqlite://relative/path`); a SQLAlchemy driver as in `postgresql+psycopg2://` is accepted and dropped. Set how it is \
     encrypted: `?sslmode=verify-full` (with `&sslrootcert=FILE` for a CA of your own) or, for MySQL, \
     `?ssl-mode=VERIFY_IDENTITY` (`&ssl-ca=FILE`); without it a server that offers no TLS is read unencrypted",
)
.secret();
const TABLE: Setting =
    Setting::with_default("CUSTOM_DB_TABLE", "users", "the table that is read: `table`, or `schema.table`");
const QUERY: Setting = Setting::optional(
    "CUSTOM_DB_QUERY",
    "a SELECT to read instead of CUSTOM_DB_TABLE; the CUSTOM_DB_FIELD_… settings then name its columns. It runs as it is, in a \
     transaction that cannot write",
);
const KEY: Setting = Setting::with_default(
    "CUSTOM_DB_FIELD_KEY",
    "id",
    "the column of the key by which a person is known when all else changes",
);
const EMAIL: Setting = Setting::with_default("CUSTOM_DB_FIELD_EMAIL", "email", "the column of the e-mail");
const USERNAME: Setting = Setting::with_default(
    "CUSTOM_DB_FIELD_USERNAME",
    "username",
    "the column of the username; `-` where there is none",
);
const FIRST_NAME: Setting = Setting::with_default(
    "CUSTOM_DB_FIELD_FIRST_NAME",
    "first_name",
    "the column of the first name; `-` where there is none",
);
const LAST_NAME: Setting = Setting::with_default(
    "CUSTOM_DB_FIELD_LAST_NAME",
    "last_name",
    "the column of the last name; `-` where there is none",
);
const ENABLED: Setting = Setting::optional(
    "CUSTOM_DB_FIELD_ENABLED",
    "the column that says whether a person may log in: a boolean, 1 or 0, or a word such as true, yes, active, enabled and \
     their opposites; NULL and an empty text count as enabled. Unset, everybody is",
);
const TIMEOUT: Setting = Setting::with_default(
    "CUSTOM_DB_TIMEOUT",
    "60",
    "how long the database may be silent, in seconds, 1 to 900: while it is connected to, and before each row",
);

/// What is read from the environment.
pub const SETTINGS: &[Setting] = &[URI, TABLE, QUERY, KEY, EMAIL, USERNAME, FIRST_NAME, LAST_NAME, ENABLED, TIMEOUT];

/// A column that is not there.
const NO_COLUMN: &str = "-";

/// How the database is reached, and which columns are read.
#[derive(Debug, Clone)]
pub struct SqlSettings {
    /// `CUSTOM_DB_URI` or `CUSTOM_DB_URI_SECRET_ID`.
    pub uri: SecretSource,
    /// `CUSTOM_DB_TABLE` or `CUSTOM_DB_QUERY`.
    pub what: What,
    /// `CUSTOM_DB_FIELD_…`.
    pub fields: Fields,
    /// The columns of external ids, in the order of `SYNC_MAPPINGS`.
    pub external_ids: Vec<String>,
    /// `CUSTOM_DB_TIMEOUT`: how long the database may be silent; 60 s.
    pub timeout: Duration,
}

/// What is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// A table: its name, after its schema's where that is given.
    Table(Vec<String>),
    /// A query, as it is.
    Query(String),
}

/// The names of the columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fields {
    /// `CUSTOM_DB_FIELD_KEY`.
    pub key: String,
    /// `CUSTOM_DB_FIELD_EMAIL`.
    pub email: String,
    /// `CUSTOM_DB_FIELD_USERNAME`; none where it is `-`.
    pub username: Option<String>,
    /// `CUSTOM_DB_FIELD_FIRST_NAME`; none where it is `-`.
    pub first_name: Option<String>,
    /// `CUSTOM_DB_FIELD_LAST_NAME`; none where it is `-`.
    pub last_name: Option<String>,
    /// `CUSTOM_DB_FIELD_ENABLED`; without it everybody is enabled.
    pub enabled: Option<String>,
}

/// As errors and the run's record name it: `the table users`, `the query of CUSTOM_DB_QUERY`.
impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Table(names) => write!(f, "the table {}", names.join(".")),
            Self::Query(_) => write!(f, "the query of {}", QUERY.name),
        }
    }
}

impl SqlSettings {
    /// Reads the environment; `external_ids` are the columns that `SYNC_MAPPINGS` names.
    ///
    /// # Errors
    /// Everything that is missing or does not read, together.
    pub fn from_env(environment: &Environment, external_ids: &[&str]) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(environment);
        let uri = reader.secret(&URI);
        if let Some(SecretSource::Value(value)) = &uri
            && let Err(problem) = Uri::parse(value.expose_secret())
        {
            reader.problem(format!("{} {problem}", URI.name));
        }
        let what = what(&mut reader, environment);
        let mut column = |setting: &Setting| {
            let name = reader.text(setting).filter(|name| name != NO_COLUMN);
            if name.as_deref().is_some_and(|name| !statement::is_name(name)) {
                reader.problem(format!("{} is no column's name", setting.name));
            }
            name
        };
        let (key, email, username) = (column(&KEY), column(&EMAIL), column(&USERNAME));
        let (first_name, last_name) = (column(&FIRST_NAME), column(&LAST_NAME));
        let enabled = column(&ENABLED);
        for (setting, name) in [(&KEY, &key), (&EMAIL, &email)] {
            if name.is_none() {
                reader.problem(format!("{} must name a column: nobody is known without it", setting.name));
            }
        }
        for name in external_ids.iter().filter(|name| !statement::is_name(name)) {
            reader.problem(format!("SYNC_MAPPINGS names {name:?}, which is no column's name"));
        }
        let timeout = reader.within(&TIMEOUT, 1..=900, "1 to 900");
        let build = || {
            Some(Self {
                uri: uri?,
                what: what?,
                fields: Fields { key: key?, email: email?, username, first_name, last_name, enabled },
                external_ids: external_ids.iter().map(|name| (*name).to_owned()).collect(),
                timeout: Duration::from_secs(timeout?),
            })
        };
        reader.finish(build())
    }

    /// The database and the table, for the run's record; never with a user or a password. Where the URI is a secret that is
    /// not fetched yet, the database is not known.
    pub fn place(&self) -> String {
        let database = match &self.uri {
            SecretSource::Value(value) => Uri::parse(value.expose_secret()).ok().map(|uri| uri.place()),
            SecretSource::Id(_) => None,
        };
        format!("{}, {}", database.as_deref().unwrap_or("SQL"), self.what)
    }
}

fn what(reader: &mut Reader<'_>, environment: &Environment) -> Option<What> {
    let query = reader.text(&QUERY);
    if let Some(query) = query {
        if environment.get(TABLE.name).is_some() {
            reader.problem(format!("{} and {} are both set: leave one out", TABLE.name, QUERY.name));
        }
        if query.contains('\0') {
            reader.problem(format!("{} is no SQL", QUERY.name));
        }
        return Some(What::Query(query));
    }
    let table = reader.text(&TABLE)?;
    let names: Vec<String> = table.split('.').map(str::to_owned).collect();
    if names.len() > 2 || !names.iter().all(|name| statement::is_name(name)) {
        reader.problem(format!(
            "{} is neither `table` nor `schema.table`; for a name that holds a dot, set {}",
            TABLE.name, QUERY.name
        ));
        return None;
    }
    Some(What::Table(names))
}
