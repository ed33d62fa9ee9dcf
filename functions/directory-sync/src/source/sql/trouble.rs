use std::fmt;
use std::time::Duration;

use sqlx::error::DatabaseError;
use sqlx::mysql::MySqlDatabaseError;
use sqlx::postgres::PgDatabaseError;
use sqlx::sqlite::SqliteError;

/// Why a database was not read, in words that hold no password, no user and nothing of a person.
///
/// A database repeats values and users in some of its messages, so only those are passed on that tell of tables, columns
/// and SQL; of the others there is the code.
#[derive(Debug)]
pub(super) struct Trouble {
    pub(super) told: String,
    /// The database did not take the password.
    pub(super) refused: bool,
}

impl Trouble {
    pub(super) fn new(told: impl Into<String>) -> Self {
        Self { told: told.into(), refused: false }
    }

    /// Nothing came for so long.
    pub(super) fn silence(patience: Duration) -> Self {
        Self::new(format!(
            "the database was silent for {} s: is the host right, may this machine reach it, and is an index on the key missing? \
             CUSTOM_DB_TIMEOUT says how long to wait",
            patience.as_secs()
        ))
    }

    /// The answer ended without the word that it is all.
    pub(super) fn cut_short() -> Self {
        Self::new("the answer broke off; the next run reads again")
    }

    pub(super) fn of(error: &sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => {
                if let Some(error) = error.try_downcast_ref::<PgDatabaseError>() {
                    postgres(error.code(), error.message())
                } else if let Some(error) = error.try_downcast_ref::<MySqlDatabaseError>() {
                    mysql(error.number(), error.message())
                } else if let Some(error) = error.try_downcast_ref::<SqliteError>() {
                    let code = error.code().and_then(|code| code.parse().ok());
                    sqlite(code.unwrap_or_default(), DatabaseError::message(error))
                } else {
                    Self::new("the database refused")
                }
            }
            // What these say is the TLS library's or the operating system's. A certificate that is not trusted comes as an
            // I/O error.
            sqlx::Error::Io(error) if error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>()) => tls(error),
            sqlx::Error::Tls(error) => tls(error),
            sqlx::Error::Io(error) => Self::new(format!(
                "the connection failed or broke off ({error}): is the host right, may this machine reach it, and does the \
                 database run?"
            )),
            sqlx::Error::Configuration(_) => {
                Self::new("CUSTOM_DB_URI cannot be used: look at its parameters, and at the files that they name")
            }
            sqlx::Error::WorkerCrashed => Self::new("the reader of SQLite's file crashed"),
            _ => Self::new(
                "the database's answer is not understood: is it a server of the kind that CUSTOM_DB_URI says?",
            ),
        }
    }
}

const COLUMNS: &str = "look at CUSTOM_DB_TABLE, CUSTOM_DB_QUERY, CUSTOM_DB_FIELD_… and SYNC_MAPPINGS";
const PASSWORD: &str = "it does not take the user or the password of CUSTOM_DB_URI";
const RIGHTS: &str = "grant the user of CUSTOM_DB_URI SELECT on it";
const READ_ONLY: &str = "CUSTOM_DB_QUERY must only read";
const BROKEN: &str = "it broke the connection off; the next run reads again";

fn tls(error: &dyn fmt::Display) -> Trouble {
    Trouble::new(format!(
        "TLS failed ({error}): does the server offer it, is its CA the one of sslrootcert (ssl-ca), and is the host's name in \
         its certificate?"
    ))
}

/// By SQLSTATE (PostgreSQL's documentation, appendix A).
fn postgres(code: &str, message: &str) -> Trouble {
    let told = match code {
        "28000" | "28P01" => return Trouble { told: format!("{PASSWORD} ({code})"), refused: true },
        "3D000" => "it has no database of the name that CUSTOM_DB_URI has (3D000)".to_owned(),
        "42501" => format!("{message} (42501): {RIGHTS}"),
        "42P01" | "42703" | "3F000" => {
            format!("{message} ({code}): {COLUMNS}; upper and lower case are told apart")
        }
        "25006" | "0A000" => format!("{message} ({code}): {READ_ONLY}"),
        _ if code.starts_with("42") => format!("{message} ({code}): {COLUMNS}"),
        "57P01" | "57P02" | "57P03" | "57014" | "25P03" => format!("{BROKEN} ({code})"),
        "53300" => "it takes no more connections (53300); the next run reads again".to_owned(),
        _ => format!("it refused with SQLSTATE {code}; its log says more"),
    };
    Trouble::new(told)
}

/// By number (MariaDB's and MySQL's error reference).
fn mysql(number: u16, message: &str) -> Trouble {
    let told = match number {
        // Their messages name the user.
        1045 | 1044 | 1698 => return Trouble { told: format!("{PASSWORD} ({number})"), refused: true },
        1142 | 1143 | 1370 => {
            format!("it is not there, or the user of CUSTOM_DB_URI may not read it ({number}): {RIGHTS}")
        }
        1049 => "it has no database of the name that CUSTOM_DB_URI has (1049)".to_owned(),
        1046 => "CUSTOM_DB_URI names no database: end it with /DATABASE (1046)".to_owned(),
        1054 | 1064 | 1146 | 1052 | 1109 | 1247 => format!("{message} ({number}): {COLUMNS}"),
        1792 | 1290 => format!("{message} ({number}): {READ_ONLY}"),
        1317 | 1053 | 1927 | 2006 | 2013 | 3024 | 1969 => format!("{BROKEN} ({number})"),
        1040 | 1203 | 1226 => format!("it takes no more connections ({number}); the next run reads again"),
        _ => format!("it refused with error {number}; its log says more"),
    };
    Trouble::new(told)
}

/// By result code (sqlite.org/rescode.html), whose lower byte is the primary one.
fn sqlite(code: i32, message: &str) -> Trouble {
    Trouble::new(match code & 0xff {
        1 => format!("{message}: {COLUMNS}"),
        5 | 6 => "another process holds its lock; the next run reads again".to_owned(),
        8 => format!("{message}: {READ_ONLY}"),
        14 => "the file cannot be opened: may this process read it and its folder? One in WAL mode needs its -shm file, or \
               ?immutable=true where nobody writes"
            .to_owned(),
        11 | 26 => "the file is no SQLite database, or is damaged".to_owned(),
        _ => format!("it refused with the result code {code}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_hold_a_persons_data_is_not_repeated() {
        let message = "invalid input syntax for type integer: \"ana@example.org\"";
        for told in [postgres("22P02", message), mysql(1366, message), mysql(1045, message), postgres("28P01", message)]
        {
            assert!(!told.told.contains("example.org"), "{}", told.told);
        }
        let told = Trouble::of(&sqlx::Error::Protocol(message.to_owned())).told;
        assert!(!told.contains("example.org"), "{told}");
        assert!(postgres("28P01", message).refused && mysql(1045, message).refused && !mysql(1146, message).refused);
    }
}
