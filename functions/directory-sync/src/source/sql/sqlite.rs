use std::borrow::Cow;
use std::time::Duration;

use futures::StreamExt;
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Decode, Either, Row, Sqlite, TypeInfo, ValueRef};

use super::cells::Cell;
use super::rows::Rows;
use super::statement::Quotes;
use super::trouble::Trouble;
use super::{SqlSettings, Statement, Stop, Taken, patiently, positions, uri};

/// Reads one statement's rows as they come, in a transaction of a connection that cannot write.
pub(super) async fn read(
    options: &SqliteConnectOptions,
    settings: &SqlSettings,
    patience: Duration,
    read: &(dyn Fn(u64) + Send + Sync),
) -> Result<Taken, Stop> {
    uri::must_exist(options.get_filename()).map_err(Trouble::new)?;
    let options = options.clone().busy_timeout(patience);
    let statement = Statement::new(settings, Quotes::Double);
    let mut connection = patiently(patience, Box::pin(options.connect())).await?;
    patiently(patience, Box::pin(sqlx::raw_sql("BEGIN").execute(&mut connection))).await?;
    let positions = patiently(patience, Box::pin(positions::<Sqlite>(&mut connection, &statement))).await?;

    let mut rows = Rows::new(&statement, positions, read);
    let mut ends = 0;
    let mut answers = sqlx::raw_sql(AssertSqlSafe(statement.sql.clone())).fetch_many(&mut connection);
    while let Some(answer) = patiently(patience, async { answers.next().await.transpose() }).await? {
        match answer {
            Either::Right(row) if ends == 0 => rows.take(|position| cell(&row, position))?,
            Either::Right(_) => return Err(several()),
            Either::Left(_) => ends += 1,
        }
    }
    drop(answers);
    match ends {
        1 => {}
        // The thread that reads the file ended without a word.
        0 => return Err(Trouble::cut_short().into()),
        _ => return Err(several()),
    }
    let taken = Taken::ended(rows, 3)?;
    // All is read: how the connection ends is of no interest.
    let _ = patiently(patience, connection.close()).await;
    Ok(taken)
}

/// The driver runs statement after statement, where the other databases refuse a second one.
fn several() -> Stop {
    Trouble::new("it holds several statements: leave one SELECT").into()
}

/// By the value's own type: SQLite's columns hold whatever was put into them.
fn cell(row: &SqliteRow, position: usize) -> Cell<'_> {
    let Ok(value) = row.try_get_raw(position) else { return Cell::NotText };
    if value.is_null() {
        return Cell::Null;
    }
    let kind = value.type_info();
    let read = match kind.name() {
        "TEXT" => <&str as Decode<'_, Sqlite>>::decode(value).map(|text| Cell::Text(Cow::Borrowed(text))),
        "BLOB" => <&[u8] as Decode<'_, Sqlite>>::decode(value).map(|bytes| Cell::Bytes(Cow::Borrowed(bytes))),
        "REAL" => <f64 as Decode<'_, Sqlite>>::decode(value).map(|number| Cell::Text(Cow::Owned(number.to_string()))),
        _ => <i64 as Decode<'_, Sqlite>>::decode(value).map(|number| Cell::Text(Cow::Owned(number.to_string()))),
    };
    read.unwrap_or(Cell::NotText)
}
