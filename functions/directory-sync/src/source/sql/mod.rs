//! A table, or a query, of PostgreSQL, MySQL, MariaDB or SQLite, read in one consistent transaction.
//!
//! The data's way: `settings` say what is read; `uri` makes a connection's options of the URI; `statement` makes the SQL, with
//! quoted names; `postgres`, `mysql` and `sqlite` stream its rows, each in a read-only transaction that sees one moment
//! (repeatable read); `cells` makes texts of whatever types the columns have; `rows` collects them to the proven end.
//! `trouble` says what went wrong without what a person or a URI holds.
//!
//! Nothing is tried again here: a read that fails is the next run's.

mod cells;
mod mysql;
mod postgres;
mod rows;
mod settings;
mod sqlite;
mod statement;
#[cfg(test)]
mod tests;
mod trouble;
mod uri;

use std::future::Future;
use std::time::Duration;

use crosswalk_function_kit::Deadline;
use crosswalk_function_kit::secrets::Secrets;
use crosswalk_reconcile::{Complete, Proof, Snapshot};
use futures::FutureExt;
use secrecy::ExposeSecret;
use sqlx::{AssertSqlSafe, Column, Database, Either, Executor, SqlSafeStr, Statement as _, TypeInfo};

use super::{Read, ReadError};
use crate::Entry;
use rows::Rows;
pub use settings::{Fields, SETTINGS, SqlSettings, What};
use statement::Statement;
use trouble::Trouble;
use uri::{Server, Uri};

/// Reads all rows. `read` is told how many have come so far.
///
/// # Errors
/// [`ReadError`]; so also when the deadline comes before the end.
pub async fn read(
    settings: &SqlSettings,
    secrets: &Secrets,
    deadline: Deadline,
    read: &(dyn Fn(u64) + Send + Sync),
) -> Result<Read, ReadError> {
    let all = read_all(settings, secrets, read).boxed();
    match deadline.left() {
        None => all.await,
        Some(left) => tokio::time::timeout(left, all).await.unwrap_or_else(|_| {
            Err(ReadError::Source(format!(
                "the deadline came before {} was read to its end: give the function more time",
                settings.what
            )))
        }),
    }
}

async fn read_all(
    settings: &SqlSettings,
    secrets: &Secrets,
    read: &(dyn Fn(u64) + Send + Sync),
) -> Result<Read, ReadError> {
    let secret = secrets.get(settings::URI.name, &settings.uri).await?;
    let uri = Uri::parse(secret.expose_secret())
        .map_err(|problem| ReadError::Source(format!("{} {problem}", settings::URI.name)))?;
    let patience = settings.timeout;
    let taken = match &uri.server {
        Server::Postgres(options) => postgres::read(options, settings, patience, read).await,
        Server::MySql(options) => mysql::read(options, settings, patience, read).await,
        Server::Sqlite(options) => sqlite::read(options, settings, patience, read).await,
    };
    let taken = match taken {
        Ok(taken) => taken,
        Err(Stop::Incomplete(why)) => return Err(why.into()),
        Err(Stop::Trouble(trouble)) => {
            if trouble.refused {
                // It may have been changed in Secrets Manager meanwhile.
                secrets.forget(&settings.uri).await;
            }
            return Err(ReadError::Source(format!("{}, {}: {}", uri.place(), settings.what, trouble.told)));
        }
    };
    Ok(Read { snapshot: taken.snapshot, warnings: uri.warnings(), requests: taken.requests })
}

/// What one of the databases gave.
struct Taken {
    snapshot: Snapshot<Complete, Entry>,
    /// Statements.
    requests: u64,
}

impl Taken {
    /// All rows, whose end the database has told of.
    fn ended(rows: Rows<'_>, requests: u64) -> Result<Self, Stop> {
        Ok(Self { snapshot: rows.end()?.prove(Proof::EndOfResults)?, requests })
    }
}

/// Why a read ends before its end.
enum Stop {
    Trouble(Trouble),
    Incomplete(crosswalk_reconcile::Incomplete),
}

impl From<crosswalk_reconcile::Incomplete> for Stop {
    fn from(why: crosswalk_reconcile::Incomplete) -> Self {
        Self::Incomplete(why)
    }
}

impl From<Trouble> for Stop {
    fn from(trouble: Trouble) -> Self {
        Self::Trouble(trouble)
    }
}

impl From<sqlx::Error> for Stop {
    fn from(error: sqlx::Error) -> Self {
        Self::Trouble(Trouble::of(&error))
    }
}

/// Where the statement's columns stand in its rows. The database prepares it for that, and so takes one statement only
/// (but for SQLite).
async fn positions<DB>(connection: &mut DB::Connection, statement: &Statement<'_>) -> Result<Vec<usize>, Stop>
where
    DB: Database,
    for<'c> &'c mut DB::Connection: Executor<'c, Database = DB>,
{
    let prepared = connection.prepare(AssertSqlSafe(statement.sql.as_str()).into_sql_str()).await?;
    let parameters = match prepared.parameters() {
        Some(Either::Left(types)) => types.len(),
        Some(Either::Right(number)) => number,
        None => 0,
    };
    if parameters > 0 {
        return Err(Trouble::new("it holds parameters ($1, ?): write their values").into());
    }
    let columns = prepared.columns();
    let found: Vec<&str> = columns.iter().map(Column::name).collect();
    let positions = statement.positions(&found).map_err(Trouble::new)?;
    for ((_, name), position) in statement.columns.iter().zip(&positions) {
        let Some(column) = columns.get(*position) else { continue };
        let kind = column.type_info().name();
        if kind.ends_with("[]") || ["JSON", "JSONB", "RECORD", "GEOMETRY"].contains(&kind) {
            return Err(Trouble::new(format!(
                "the column {name} has the type {kind}, which is not one text: name another, or set CUSTOM_DB_QUERY to a \
                 SELECT that takes a text out of it"
            ))
            .into());
        }
    }
    Ok(positions)
}

/// Waits for the database's next word, but not for ever: a connection whose other end has vanished says nothing.
async fn patiently<T, E>(patience: Duration, what: impl Future<Output = Result<T, E>>) -> Result<T, Stop>
where
    Stop: From<E>,
{
    match tokio::time::timeout(patience, what).await {
        Ok(answer) => Ok(answer?),
        Err(_) => Err(Trouble::silence(patience).into()),
    }
}
