//! The database's URI, as SQLAlchemy's users write it.

use sqlx::postgres::PgConnectOptions;
use url::Url;

const WHAT: &str = "the form is postgresql://user:password@host:5432/database";

/// What a libpq understands in a URI's query and sqlx understands too. The rest (`connect_timeout`, `keepalives` …) is left
/// out here, since sqlx would log it with its value.
const UNDERSTOOD: [&str; 13] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "statement-cache-capacity",
];

/// How to connect. The driver's name in the scheme (`postgresql+psycopg2://`) is dropped.
///
/// # Errors
/// What is wrong, to be read after the setting's name. The URI itself is not repeated: it holds a password.
pub(super) fn options(uri: &str) -> Result<PgConnectOptions, String> {
    let (scheme, rest) = uri.trim().split_once("://").ok_or_else(|| format!("is no URI: {WHAT}"))?;
    if !matches!(scheme.split('+').next(), Some("postgresql" | "postgres")) {
        return Err(format!("is not of PostgreSQL: {WHAT}"));
    }
    let mut url = Url::parse(&format!("postgresql://{}", encoded_password(rest))).map_err(|error| {
        format!("does not read ({error}): {WHAT}; in a password write / : @ # ? and % as %2F %3A …")
    })?;
    let understood: Vec<(String, String)> =
        url.query_pairs().filter(|(key, _)| UNDERSTOOD.contains(&&**key)).map(|(k, v)| (k.into(), v.into())).collect();
    url.set_query(None);
    if !understood.is_empty() {
        url.query_pairs_mut().extend_pairs(understood);
    }
    let mut options: PgConnectOptions = url.as_str().parse().map_err(|error| match error {
        // Of a word in the query (`sslmode`), or of bytes that are no UTF-8.
        sqlx::Error::Configuration(error) => format!("does not read ({error}): {WHAT}"),
        _ => format!("does not read: {WHAT}"),
    })?;
    if options.get_host().is_empty() {
        options = options.host("localhost");
    }
    if options.get_database().is_none() {
        return Err(format!("names no database: {WHAT}"));
    }
    if options.get_application_name().is_none() {
        options = options.application_name("crosswalk");
    }
    Ok(options)
}

/// SQLAlchemy takes `/`, `#` and `?` in a password as they are; a URL's parser does not.
fn encoded_password(rest: &str) -> String {
    let Some((credentials, place)) = rest.split_once('@') else { return rest.to_owned() };
    let Some((user, password)) = credentials.split_once(':') else { return rest.to_owned() };
    if user.contains(['/', '?', '#']) {
        // The `@` is further on, in the query.
        return rest.to_owned();
    }
    let password = password.replace('/', "%2F").replace('#', "%23").replace('?', "%3F");
    format!("{user}:{password}@{place}")
}

/// Host (or socket folder), port and name.
pub(super) fn id(options: &PgConnectOptions) -> String {
    let host = match options.get_socket() {
        Some(folder) => folder.display().to_string(),
        None if options.get_host().starts_with('/') => options.get_host().to_owned(),
        None => options.get_host().to_ascii_lowercase(),
    };
    format!("{host}:{}/{}", options.get_port(), options.get_database().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn id_of(uri: &str) -> String {
        id(&options(uri).unwrap())
    }

    #[test]
    fn what_sqlalchemy_takes_does() {
        for uri in [
            "postgresql+psycopg2://invenio:pw@DB.example.org:5432/invenio",
            "postgresql+psycopg://invenio:pw@db.example.org:5432/invenio?sslmode=require",
            "postgresql://invenio:pw@db.example.org:5432/invenio?connect_timeout=5&application_name=sync",
            "postgres://other:p%2Fw@db.example.org:5432/invenio",
            "postgresql://invenio:p/w#1?@db.example.org:5432/invenio",
        ] {
            assert_eq!(id_of(uri), "db.example.org:5432/invenio", "{uri}");
        }
        assert_eq!(id_of("postgresql:///invenio?host=/run/postgresql&port=6432"), "/run/postgresql:6432/invenio");
        assert_eq!(id_of("postgresql://[::1]:5433/invenio"), "[::1]:5433/invenio");
        assert_eq!(id_of("postgresql:///invenio?port=5432"), "localhost:5432/invenio");
    }

    #[test]
    fn a_password_comes_through() {
        for uri in ["postgresql://u:p/w%20#1?@h/db", "postgresql://u:p%2Fw%20%231%3F@h/db"] {
            let url = sqlx::ConnectOptions::to_url_lossy(&options(uri).unwrap());
            assert_eq!(url.password(), Some("p%2Fw%20%231%3F"), "{uri}");
        }
    }

    #[test]
    fn what_does_not_do_is_told_without_the_password() {
        for (uri, word) in [
            ("db.example.org/invenio", "is no URI"),
            ("mysql+pymysql://u:hunter2@h/db", "is not of PostgreSQL"),
            ("postgresql+psycopg2://u:hunter2@h", "names no database"),
            ("postgresql://u:hunter2@h:port/db", "does not read"),
            ("postgresql://u:hunter2@h/db?sslmode=perhaps", "does not read"),
        ] {
            let problem = options(uri).unwrap_err();
            assert!(problem.contains(word) && !problem.contains("hunter2"), "{problem}");
        }
    }
}
