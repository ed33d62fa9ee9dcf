use std::borrow::Cow;
use std::time::Duration;

use futures::StreamExt;
use sqlx::mysql::{MySqlConnectOptions, MySqlRow};
use sqlx::{AssertSqlSafe, Column, ConnectOptions, Connection, Either, MySql, Row, Type, TypeInfo};

use super::cells::{Cell, text_of_id};
use super::rows::Rows;
use super::statement::Quotes;
use super::trouble::Trouble;
use super::{SqlSettings, Statement, Stop, Taken, patiently, positions};

const ISOLATION: &str = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ";
/// A server's own limit would cut the answer short without a word.
const UNLIMITED: &str = "SET SESSION sql_select_limit = 18446744073709551615";
const START: &str = "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY";

/// Reads one statement's rows as they come. It is prepared before, as the server then takes one statement only, but run as a
/// text, as the server then sends each value in its own text form.
pub(super) async fn read(
    options: &MySqlConnectOptions,
    settings: &SqlSettings,
    patience: Duration,
    read: &(dyn Fn(u64) + Send + Sync),
) -> Result<Taken, Stop> {
    let statement = Statement::new(settings, Quotes::Back);
    let mut connection = patiently(patience, Box::pin(options.connect())).await?;
    for sql in [UNLIMITED, ISOLATION, START] {
        patiently(patience, Box::pin(sqlx::raw_sql(sql).execute(&mut connection))).await?;
    }
    let positions = patiently(patience, Box::pin(positions::<MySql>(&mut connection, &statement))).await?;

    let mut rows = Rows::new(&statement, positions, read);
    let mut ends = 0;
    let mut answers = sqlx::raw_sql(AssertSqlSafe(statement.sql.clone())).fetch_many(&mut connection);
    while let Some(answer) = patiently(patience, async { answers.next().await.transpose() }).await? {
        match answer {
            Either::Right(row) => rows.take(|position| cell(&row, position))?,
            Either::Left(_) => ends += 1,
        }
    }
    drop(answers);
    // The server says once that it has sent all.
    if ends != 1 {
        return Err(Trouble::cut_short().into());
    }
    let taken = Taken::ended(rows, 4)?;
    // All is read: how the connection ends is of no interest.
    let _ = patiently(patience, connection.close()).await;
    Ok(taken)
}

fn cell(row: &MySqlRow, position: usize) -> Cell<'_> {
    let bytes = match row.try_get_unchecked::<Option<&[u8]>, _>(position) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Cell::Null,
        Err(_) => return Cell::NotText,
    };
    let info = row.columns()[position].type_info();
    // By its character set: a column whose texts are compared byte by byte has the names of a binary one too.
    if <str as Type<MySql>>::compatible(info) {
        return Cell::of_text(bytes);
    }
    match info.name() {
        // Bytes even here, the highest first; BIT has at most 64.
        "BIT" => {
            Cell::Text(Cow::Owned(bytes.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte)).to_string()))
        }
        // Of a fixed length, filled up with zeros: ids, never texts.
        "BINARY" => Cell::Text(Cow::Owned(text_of_id(bytes))),
        "VARBINARY" | "TINYBLOB" | "BLOB" | "MEDIUMBLOB" | "LONGBLOB" => Cell::Bytes(Cow::Borrowed(bytes)),
        _ => Cell::of_text(bytes),
    }
}
