//! The rows of NexusLIMS's table, as they come from its SQLite file, which is only read.

use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use futures::StreamExt as _;
use futures::stream::BoxStream;
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{
    AssertSqlSafe, ConnectOptions as _, Decode, Row as _, Sqlite, SqliteConnection, TypeInfo as _, ValueRef as _,
};

/// The table.
pub(super) const TABLE: &str = "external_user_identifiers";

/// Its columns, and whether a file without one cannot be read.
const COLUMNS: [(&str, bool); 8] = [
    ("id", true),
    ("nexuslims_username", true),
    ("external_system", true),
    ("external_id", true),
    ("email", false),
    ("created_at", true),
    ("last_verified_at", false),
    ("notes", false),
];

/// An open file that holds the table.
pub(super) struct Source {
    connection: SqliteConnection,
    statement: String,
    /// How many rows the table has.
    pub(super) rows: u64,
}

/// A value as it stands. SQLite's columns hold whatever was put into them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cell {
    Null,
    Text(String),
    /// Bytes, or text that is not UTF-8.
    NotText,
}

/// A row as it stands.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct RawRow {
    /// For people to find it by.
    pub(super) id: String,
    pub(super) username: Cell,
    pub(super) system: Cell,
    pub(super) external_id: Cell,
    pub(super) email: Cell,
    pub(super) created_at: Cell,
    pub(super) last_verified_at: Cell,
    pub(super) notes: Cell,
}

impl Source {
    /// Opens a file, and sees whether it holds the table.
    ///
    /// # Errors
    /// There is no such file, it is no SQLite database, or the table or one of its columns is missing.
    pub(super) async fn open(path: &Path) -> anyhow::Result<Self> {
        let name = path.display();
        let about = std::fs::metadata(path).with_context(|| format!("cannot read {name}"))?;
        if about.is_dir() {
            bail!("{name} is a folder; name the SQLite file in it");
        }
        let options = SqliteConnectOptions::new().filename(path).read_only(true).disable_statement_logging();
        let mut connection = Box::pin(options.connect()).await.map_err(|error| trouble(path, &error))?;
        let columns = sqlx::query_scalar::<_, String>("SELECT lower(name) FROM pragma_table_info(?)").bind(TABLE);
        let found = columns.fetch_all(&mut connection).await.map_err(|error| trouble(path, &error))?;
        if found.is_empty() {
            bail!("{name} holds no table {TABLE}; give NexusLIMS's own database, the file that its NX_DB_PATH names");
        }
        let is_there = |column: &str| found.iter().any(|found| found == column);
        let missing: Vec<&str> =
            COLUMNS.iter().filter(|(name, required)| *required && !is_there(name)).map(|(name, _)| *name).collect();
        if !missing.is_empty() {
            bail!("the table {TABLE} of {name} lacks {}; is it NexusLIMS's?", missing.join(", "));
        }
        let columns = COLUMNS.map(|(column, _)| if is_there(column) { column.to_owned() } else { "NULL".to_owned() });
        let statement = format!("SELECT {} FROM {TABLE} ORDER BY id", columns.join(", "));
        let count = sqlx::query_scalar::<_, i64>(AssertSqlSafe(format!("SELECT count(*) FROM {TABLE}")));
        let rows = count.fetch_one(&mut connection).await.map_err(|error| trouble(path, &error))?;
        Ok(Self { connection, statement, rows: u64::try_from(rows)? })
    }

    /// The rows as they stood at one moment, by their ids: the file cannot be written while they are read, unless it keeps
    /// a write-ahead log.
    pub(super) fn stream(&mut self) -> BoxStream<'_, anyhow::Result<RawRow>> {
        let rows = sqlx::query(AssertSqlSafe(self.statement.clone())).fetch(&mut self.connection);
        rows.map(|row| Ok(raw(&row.map_err(|error| anyhow!("the file cannot be read any further: {}", told(&error)))?)))
            .boxed()
    }
}

fn raw(row: &SqliteRow) -> RawRow {
    let id = match cell(row, 0) {
        Cell::Text(id) => id,
        Cell::Null | Cell::NotText => String::new(),
    };
    RawRow {
        id,
        username: cell(row, 1),
        system: cell(row, 2),
        external_id: cell(row, 3),
        email: cell(row, 4),
        created_at: cell(row, 5),
        last_verified_at: cell(row, 6),
        notes: cell(row, 7),
    }
}

/// By the value's own type.
fn cell(row: &SqliteRow, position: usize) -> Cell {
    let Ok(value) = row.try_get_raw(position) else { return Cell::NotText };
    if value.is_null() {
        return Cell::Null;
    }
    let kind = value.type_info();
    let read = match kind.name() {
        "TEXT" => <&str as Decode<'_, Sqlite>>::decode(value).map(str::to_owned),
        "REAL" => <f64 as Decode<'_, Sqlite>>::decode(value).map(|number| number.to_string()),
        "INTEGER" => <i64 as Decode<'_, Sqlite>>::decode(value).map(|number| number.to_string()),
        _ => return Cell::NotText,
    };
    read.map_or(Cell::NotText, Cell::Text)
}

fn trouble(path: &Path, error: &sqlx::Error) -> anyhow::Error {
    anyhow!("cannot read {} as a SQLite database: {}", path.display(), told(error))
}

/// What SQLite says of files, tables and locks; it repeats no values of rows that are only read.
fn told(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) if error.code().is_some_and(|code| is_busy(&code)) => format!(
            "another program writes it ({}): stop NexusLIMS for the moment, or give a copy of the file that was made \
             while nobody wrote it",
            error.message()
        ),
        sqlx::Error::Database(error) => error.message().to_owned(),
        other => other.to_string(),
    }
}

/// `SQLITE_BUSY` and `SQLITE_LOCKED`: the low byte of SQLite's extended code (<https://www.sqlite.org/rescode.html>).
fn is_busy(code: &str) -> bool {
    code.parse::<i64>().is_ok_and(|code| matches!(code & 0xff, 5 | 6))
}
