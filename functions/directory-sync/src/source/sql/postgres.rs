use std::borrow::Cow;
use std::time::Duration;

use futures::StreamExt;
use sqlx::postgres::{PgConnectOptions, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Either, PgConnection, Postgres, Row, TypeInfo, ValueRef};

use super::cells::Cell;
use super::rows::{PAGE, Rows};
use super::statement::Quotes;
use super::trouble::Trouble;
use super::{SqlSettings, Statement, Stop, Taken, patiently, positions};

/// Bytes come in hexadecimal digits, whatever the server's default is; and a row security policy that would leave rows out is
/// an error, as who is left out would seem to be gone.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL bytea_output = 'hex'; \
     SET LOCAL row_security = off";
const FETCH: &str = "FETCH FORWARD 1000 FROM crosswalk_people";
const _: () = assert!(PAGE == 1_000, "FETCH takes a page");

/// Reads by a cursor, for two reasons: the query runs as it is, and a plain (unprepared) FETCH sends each value in
/// PostgreSQL's own text form, be it a UUID, citext, an enumeration or a number.
pub(super) async fn read(
    options: &PgConnectOptions,
    settings: &SqlSettings,
    patience: Duration,
    read: &(dyn Fn(u64) + Send + Sync),
) -> Result<Taken, Stop> {
    let statement = Statement::new(settings, Quotes::Double);
    let mut connection = patiently(patience, Box::pin(options.connect())).await?;
    patiently(patience, Box::pin(sqlx::raw_sql(BEGIN).execute(&mut connection))).await?;
    let positions = patiently(patience, Box::pin(positions::<Postgres>(&mut connection, &statement))).await?;
    // A pooler such as PgBouncer would give a statement that stays prepared to the next client.
    patiently(patience, Box::pin(connection.clear_cached_statements())).await?;

    let mut rows = Rows::new(&statement, positions, read);
    // Prepared, so that the server takes no second statement behind it.
    let sql = format!("DECLARE crosswalk_people NO SCROLL CURSOR FOR {}", statement.sql);
    let declare = sqlx::query(AssertSqlSafe(sql)).persistent(false);
    patiently(patience, Box::pin(declare.execute(&mut connection))).await?;
    let mut requests = 3;
    loop {
        requests += 1;
        // A page that is not full is the cursor's end.
        if page(&mut connection, patience, &mut rows).await? < PAGE as u64 {
            break;
        }
    }
    let taken = Taken::ended(rows, requests)?;
    // All is read: how the connection ends is of no interest.
    let _ = patiently(patience, connection.close()).await;
    Ok(taken)
}

/// Fetches the next rows; says how many.
async fn page(connection: &mut PgConnection, patience: Duration, rows: &mut Rows<'_>) -> Result<u64, Stop> {
    let before = rows.taken();
    let mut told = None;
    let mut answers = sqlx::raw_sql(FETCH).fetch_many(connection);
    while let Some(answer) = patiently(patience, async { answers.next().await.transpose() }).await? {
        match answer {
            Either::Right(row) => rows.take(|position| cell(&row, position))?,
            Either::Left(done) => told = Some(done.rows_affected()),
        }
    }
    let fetched = rows.taken() - before;
    // The server says at the end how many it has sent.
    if told != Some(fetched) {
        return Err(Trouble::cut_short().into());
    }
    Ok(fetched)
}

fn cell(row: &PgRow, position: usize) -> Cell<'_> {
    let Ok(value) = row.try_get_raw(position) else { return Cell::NotText };
    if value.is_null() {
        return Cell::Null;
    }
    let is_bytes = value.type_info().name() == "BYTEA";
    let Ok(bytes) = value.as_bytes() else { return Cell::NotText };
    if !is_bytes {
        return Cell::of_text(bytes);
    }
    match bytes.strip_prefix(b"\\x").map(hex::decode) {
        Some(Ok(bytes)) => Cell::Bytes(Cow::Owned(bytes)),
        _ => Cell::NotText,
    }
}
