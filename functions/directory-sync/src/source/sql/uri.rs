use std::net::IpAddr;
use std::path::Path;
use std::str::FromStr;

use sqlx::ConnectOptions;
use sqlx::mysql::{MySqlConnectOptions, MySqlSslMode};
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use sqlx::sqlite::SqliteConnectOptions;
use url::Url;

/// A database's URI, read. It may hold a password, so it shows itself only by [`Uri::place`].
pub(super) struct Uri {
    pub(super) server: Server,
    /// The names of parameters that mean nothing here.
    ignored: Vec<String>,
}

/// How each kind of database is connected to.
pub(super) enum Server {
    Postgres(Box<PgConnectOptions>),
    MySql(Box<MySqlConnectOptions>),
    Sqlite(Box<SqliteConnectOptions>),
}

/// Those that sqlx knows, but for the ones that would change how texts are read (`charset`) or mean nothing here.
const POSTGRES: &[&str] = &[
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];
const MYSQL: &[&str] =
    &["sslmode", "ssl-mode", "sslca", "ssl-ca", "sslcert", "ssl-cert", "sslkey", "ssl-key", "socket"];
const SQLITE: &[&str] = &["immutable", "vfs"];

impl Uri {
    /// Reads SQLAlchemy's form and sqlx's. An error says what is wrong without a word of the URI.
    pub(super) fn parse(uri: &str) -> Result<Self, String> {
        let (scheme, rest) = uri.trim().split_once(':').unwrap_or_default();
        let scheme = scheme.to_ascii_lowercase();
        // `postgresql+psycopg2`: the driver is Python's.
        let dialect = scheme.split('+').next().unwrap_or_default();
        match dialect {
            "postgres" | "postgresql" => {
                let (url, ignored) = network_url("postgres", rest, POSTGRES)?;
                let options = PgConnectOptions::from_url(&url).map_err(|_| BAD_PARAMETER)?;
                let options = options.application_name("crosswalk").disable_statement_logging();
                Ok(Self { server: Server::Postgres(Box::new(options)), ignored })
            }
            "mysql" | "mariadb" => {
                let (url, ignored) = network_url("mysql", rest, MYSQL)?;
                let options = MySqlConnectOptions::from_url(&url).map_err(|_| BAD_PARAMETER)?;
                // A query of CUSTOM_DB_QUERY means what it means to its database's other clients.
                let options = options.pipes_as_concat(false).no_engine_substitution(false).disable_statement_logging();
                Ok(Self { server: Server::MySql(Box::new(options)), ignored })
            }
            "sqlite" => sqlite(rest),
            _ => Err("must begin with postgresql://, mysql://, mariadb:// or sqlite://".to_owned()),
        }
    }

    /// The server and the database, without user and password.
    pub(super) fn place(&self) -> String {
        let (kind, socket, host, port, database) = match &self.server {
            Server::Sqlite(options) => return format!("sqlite:{}", options.get_filename().display()),
            Server::Postgres(options) => {
                let of = (options.get_socket(), options.get_host(), options.get_port(), options.get_database());
                ("postgres", of.0, of.1, of.2, of.3)
            }
            Server::MySql(options) => {
                let of = (options.get_socket(), options.get_host(), options.get_port(), options.get_database());
                ("mysql", of.0, of.1, of.2, of.3)
            }
        };
        let database = database.unwrap_or_default();
        match socket {
            Some(socket) => format!("{kind}:{}/{database}", socket.display()),
            None => format!("{kind}://{host}:{port}/{database}"),
        }
    }

    /// What should be known: parameters without effect, and a connection that may be unencrypted.
    pub(super) fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if !self.ignored.is_empty() {
            let names = self.ignored.join(", ");
            warnings.push(format!("these parameters of CUSTOM_DB_URI have no effect here: {names}"));
        }
        let advice = match &self.server {
            Server::Postgres(options) => {
                let bound =
                    matches!(options.get_ssl_mode(), PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull);
                let near = options.get_socket().is_some() || is_this_machine(options.get_host());
                (!bound && !near).then_some("sslmode=verify-full")
            }
            Server::MySql(options) => {
                let bound = matches!(
                    options.get_ssl_mode(),
                    MySqlSslMode::Required | MySqlSslMode::VerifyCa | MySqlSslMode::VerifyIdentity
                );
                let near = options.get_socket().is_some() || is_this_machine(options.get_host());
                (!bound && !near).then_some("ssl-mode=VERIFY_IDENTITY")
            }
            Server::Sqlite(_) => None,
        };
        if let Some(advice) = advice {
            warnings.push(format!(
                "CUSTOM_DB_URI does not ask for TLS, so people may have been read unencrypted: add {advice}"
            ));
        }
        warnings
    }
}

const BAD_PARAMETER: &str = "has a parameter whose value does not read (sslmode is one of disable, prefer, require, verify-ca \
                             and verify-full; ssl-mode of DISABLED, PREFERRED, REQUIRED, VERIFY_CA and VERIFY_IDENTITY)";

/// A URL with sqlx's scheme and the parameters that sqlx is to see, and the names of the others.
fn network_url(scheme: &str, rest: &str, known: &[&str]) -> Result<(Url, Vec<String>), String> {
    let escape = "in a user or password write each of : / ? # @ % as %3A %2F %3F %23 %40 %25";
    let mut url = Url::parse(&format!("{scheme}:{rest}")).map_err(|error| format!("is no URI: {error}; {escape}"))?;
    if !rest.starts_with("//") || url.fragment().is_some() {
        return Err(format!("is not of the form {scheme}://user:password@host/database; {escape}"));
    }
    let mut kept = Vec::new();
    let mut ignored = Vec::new();
    for (name, value) in url.query_pairs() {
        let name = alias(&name);
        if known.contains(&name.as_str()) || (name.starts_with("options[") && known.contains(&"options")) {
            kept.push((name, value.into_owned()));
        } else if name.starts_with("ssl") || name.starts_with("tls") {
            // Whoever writes it counts on it.
            return Err(format!(
                "has the parameter {name}, which is not known here: use sslmode, sslrootcert, sslcert, sslkey (PostgreSQL) or \
                 ssl-mode, ssl-ca, ssl-cert, ssl-key (MySQL)"
            ));
        } else {
            ignored.push(name);
        }
    }
    url.set_query(None);
    if !kept.is_empty() {
        url.query_pairs_mut().extend_pairs(kept);
    }
    Ok((url, ignored))
}

/// PyMySQL's and mysqlclient's names for what sqlx calls otherwise.
fn alias(name: &str) -> String {
    match name {
        "unix_socket" => "socket".to_owned(),
        _ if name.starts_with("ssl_") => name.replace('_', "-"),
        _ => name.to_owned(),
    }
}

/// A file's path as sqlx reads it: `sqlite://relative`, `sqlite:///absolute`. SQLAlchemy's `sqlite:////absolute` is the same
/// file; its relative `sqlite:///relative` is an absolute one here.
fn sqlite(rest: &str) -> Result<Uri, String> {
    let (path, parameters) = rest.split_once('?').unwrap_or((rest, ""));
    let name = path.trim_start_matches('/');
    let parameters: Vec<_> = url::form_urlencoded::parse(parameters.as_bytes()).collect();
    if name.is_empty()
        || name == ":memory:"
        || parameters.iter().any(|(name, value)| name == "mode" && value == "memory")
    {
        return Err("names no file: a SQLite database in memory holds nobody".to_owned());
    }
    let (kept, other): (Vec<_>, Vec<_>) = parameters.iter().partition(|(name, _)| SQLITE.contains(&&**name));
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(kept);
    let options = SqliteConnectOptions::from_str(&format!("sqlite:{path}?{}", query.finish()))
        .map_err(|_| "has a parameter whose value does not read (immutable is true or false)")?;
    // Whatever `mode` says: nothing is created, and nothing can be written.
    let options = options.read_only(true).create_if_missing(false).disable_statement_logging();
    let ignored = other.into_iter().map(|(name, _)| name.to_string()).filter(|name| name != "mode").collect();
    Ok(Uri { server: Server::Sqlite(Box::new(options)), ignored })
}

/// Whether there is such a file; an error says what to look at.
pub(super) fn must_exist(file: &Path) -> Result<(), String> {
    if file.is_file() {
        return Ok(());
    }
    Err("there is no such file: paths are sqlite:///absolute/path and sqlite://relative/path (to the working folder; \
         SQLAlchemy's relative form with three slashes is absolute here), and the file must be readable"
        .to_owned())
}

fn is_this_machine(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.ends_with(".localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(uri: &str) -> String {
        Uri::parse(uri).map(|uri| uri.place()).unwrap()
    }

    #[test]
    fn sqlalchemys_forms_are_read() {
        for uri in [
            "postgres://crosswalk:hunter2@db.example.org:6543/people",
            "postgresql://crosswalk:hunter2@db.example.org:6543/people",
            "postgresql+psycopg2://crosswalk:hunter2@db.example.org:6543/people",
            " PostgreSQL+asyncpg://crosswalk:hunter2@db.example.org:6543/people?connect_timeout=3 ",
        ] {
            assert_eq!(place(uri), "postgres://db.example.org:6543/people", "{uri}");
        }
        for uri in [
            "mysql://crosswalk:hunter2@db.example.org/people",
            "mysql+pymysql://crosswalk:hunter2@db.example.org/people?charset=latin1",
            "mariadb+mariadbconnector://crosswalk:hunter2@db.example.org:3306/people",
        ] {
            assert_eq!(place(uri), "mysql://db.example.org:3306/people", "{uri}");
        }
        assert_eq!(
            place("mysql+pymysql://root@localhost/people?unix_socket=/run/db.sock"),
            "mysql:/run/db.sock/people"
        );
        assert_eq!(place("postgresql://%2Frun%2Fpostgresql/people"), "postgres:/run/postgresql/people");
    }

    #[test]
    fn sqlite_paths_are_as_sqlx_reads_them() {
        assert_eq!(place("sqlite://people.db"), "sqlite:people.db");
        assert_eq!(place("sqlite:people.db"), "sqlite:people.db");
        assert_eq!(place("sqlite:///srv/people.db?mode=rwc"), "sqlite:/srv/people.db");
        assert_eq!(place("sqlite+pysqlite:////srv/people.db?timeout=3"), "sqlite://srv/people.db");
        for uri in ["sqlite://", "sqlite::memory:", "sqlite:///:memory:", "sqlite://x.db?mode=memory"] {
            assert!(Uri::parse(uri).is_err(), "{uri}");
        }
    }

    #[test]
    fn what_is_wrong_is_told_without_the_uri() {
        for uri in [
            "",
            "hunter2",
            "oracle://crosswalk:hunter2@db.example.org/people",
            "postgresql:crosswalk:hunter2@db.example.org/people",
            "postgresql://crosswalk:hunter2#@db.example.org/people",
            "postgresql://crosswalk:hunter2/x@db.example.org:port/people",
            "postgresql://crosswalk:hunter2@db.example.org/people?sslmode=hunter2",
            "postgresql://crosswalk:hunter2@db.example.org/people?ssl=hunter2",
            "mysql://crosswalk:hunter2@db.example.org/people?ssl_disabled=hunter2",
            "mysql://crosswalk:hunter2@db.example.org/people?ssl_mode=hunter2",
            "sqlite://hunter2?immutable=hunter2",
        ] {
            let told = Uri::parse(uri).map(|uri| uri.place()).unwrap_err();
            assert!(!told.contains("hunter2") && !told.is_empty(), "{uri}: {told}");
        }
    }

    #[test]
    fn a_connection_that_may_be_unencrypted_is_told() {
        let warnings = |uri: &str| Uri::parse(uri).map(|uri| uri.warnings()).unwrap();
        for (uri, advice) in [
            ("postgresql://db.example.org/people", "sslmode=verify-full"),
            ("postgresql://db.example.org/people?sslmode=prefer", "sslmode=verify-full"),
            ("mysql://db.example.org/people?ssl_ca=/ca.pem", "ssl-mode=VERIFY_IDENTITY"),
        ] {
            let told = warnings(uri);
            assert!(told.len() == 1 && told[0].ends_with(advice), "{uri}: {told:?}");
        }
        for uri in [
            "postgresql://localhost/people",
            "postgresql://[::1]/people",
            "postgresql://db.example.org/people?sslmode=require",
            "mysql://127.0.0.1/people",
            "mysql://db.example.org/people?ssl_mode=VERIFY_CA&ssl_ca=/ca.pem",
            "sqlite://people.db",
        ] {
            assert_eq!(warnings(uri), Vec::<String>::new(), "{uri}");
        }
        let told = warnings("mysql+pymysql://localhost/people?charset=utf8mb4&x=hunter2");
        assert_eq!(told, ["these parameters of CUSTOM_DB_URI have no effect here: charset, x"]);
    }
}
