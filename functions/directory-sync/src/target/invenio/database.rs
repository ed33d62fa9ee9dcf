//! The connection, and what the database must hold.

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Row};
use tokio::time::timeout;

use super::{Counts, TO_ANSWER, TO_CONNECT, fault, uri};
use crate::target::TargetError;

/// For every connection. Columns without a time zone (invenio-accounts before 7) hold UTC. A row that an instance's own
/// transaction holds is not waited for longer than this: nothing there takes so long. Each statement is to see what was
/// committed before it, whatever the database's default is.
const SESSION: &str = "SET TIME ZONE 'UTC'; SET lock_timeout = '3s'; \
     SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED";

/// An account's `active` may be null, which the models take for false.
pub(super) const ACCOUNTS: &str = "\
    SELECT id, email, username, displayname, profile ->> 'full_name', coalesce(active, false), version_id \
    FROM accounts_user";

/// The columns of the table, whether each one must be given, and which of the tables of [`OWN`] stand.
const SHAPE: &str = "\
    SELECT attname::text, attnotnull AND NOT atthasdef AND attidentity = '', \
        ARRAY(SELECT name FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NOT NULL) \
    FROM pg_attribute \
    WHERE attrelid = to_regclass('accounts_user') AND attnum > 0 AND NOT attisdropped";

/// What is read or written.
const COLUMNS: [&str; 14] = [
    "id",
    "username",
    "displayname",
    "email",
    "domain",
    "password",
    "active",
    "confirmed_at",
    "version_id",
    "profile",
    "preferences",
    "blocked_at",
    "created",
    "updated",
];

/// Tables of invenio-accounts that tell of an account, and what deletes an account's rows there. They mean nothing without the
/// account, and go with it; rows of other modules (linked logins, memberships, tokens) forbid its deletion.
const OWN: [(&str, &str); 4] = [
    ("accounts_userrole", "DELETE FROM accounts_userrole WHERE user_id = ANY($1)"),
    ("accounts_user_login_information", "DELETE FROM accounts_user_login_information WHERE user_id = ANY($1)"),
    ("accounts_user_session_activity", "DELETE FROM accounts_user_session_activity WHERE user_id = ANY($1)"),
    ("accounts_useridentity", "DELETE FROM accounts_useridentity WHERE id_user = ANY($1)"),
];

/// What differs from one release to the next.
#[derive(Debug, Clone)]
pub(super) struct Shape {
    /// What deletes an account's own rows in other tables: the statements of those of [`OWN`] that stand.
    pub(super) own: Vec<&'static str>,
}

/// Connects.
pub(super) async fn open(options: &PgConnectOptions, counts: &Counts) -> Result<PgConnection, TargetError> {
    let id = uri::id(options);
    let failed = |told: String| {
        TargetError(format!(
            "PostgreSQL at {id} cannot be reached: {told}. Check {} and that the server lets this machine in",
            super::settings::DB_URI.name
        ))
    };
    let opened = timeout(TO_CONNECT, async {
        let mut connection = options.connect().await?;
        sqlx::raw_sql(SESSION).execute(&mut connection).await?;
        Ok::<_, sqlx::Error>(connection)
    });
    counts.add(false);
    match opened.await {
        Ok(Ok(connection)) => Ok(connection),
        Ok(Err(error)) => Err(failed(fault::told(&error))),
        Err(_) => Err(failed(format!("no answer within {} s", TO_CONNECT.as_secs()))),
    }
}

/// Looks whether the table is one that we know how to write.
pub(super) async fn shape(connection: &mut PgConnection, id: &str, counts: &Counts) -> Result<Shape, TargetError> {
    let names: Vec<&str> = OWN.iter().map(|(table, _)| *table).collect();
    counts.add(false);
    let failed = |told: String| TargetError(format!("PostgreSQL at {id} does not tell its tables: {told}"));
    let rows = match timeout(TO_ANSWER, sqlx::query(SHAPE).bind(names).fetch_all(connection)).await {
        Ok(rows) => rows.map_err(|error| failed(fault::told(&error)))?,
        Err(_) => return Err(failed(format!("no answer within {} s", TO_ANSWER.as_secs()))),
    };
    let mut columns: Vec<(String, bool)> = Vec::with_capacity(rows.len());
    let mut standing: Vec<String> = Vec::new();
    for row in &rows {
        let column = || Ok::<_, sqlx::Error>((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?));
        let (name, needed, tables) = column().map_err(|error| failed(fault::told(&error)))?;
        columns.push((name, needed));
        standing = tables;
    }
    judge(&columns).map_err(|problem| TargetError(format!("the database {id} {problem}")))?;
    let stands = |table: &str| standing.iter().any(|name| name == table);
    let own = OWN.into_iter().filter(|(table, _)| stands(table)).map(|(_, statement)| statement).collect();
    Ok(Shape { own })
}

/// What is wrong with the table's columns (name, whether it must be given), if something is.
fn judge(columns: &[(String, bool)]) -> Result<(), String> {
    if columns.is_empty() {
        return Err(format!(
            "shows no table accounts_user: check that {} names an Invenio instance's database, that its tables were made, and \
             that its user may use their schema (search_path)",
            super::settings::DB_URI.name
        ));
    }
    let known = |name: &str| COLUMNS.contains(&name);
    let missing: Vec<&str> =
        COLUMNS.into_iter().filter(|name| !columns.iter().any(|(column, _)| column == name)).collect();
    if !missing.is_empty() {
        return Err(format!(
            "has a table accounts_user without the columns {}: bring the instance to invenio-accounts 6.3 or newer and \
             migrate its database (`invenio alembic upgrade`)",
            missing.join(", ")
        ));
    }
    let needed: Vec<&str> =
        columns.iter().filter(|(name, needed)| *needed && !known(name)).map(|(name, _)| name.as_str()).collect();
    if !needed.is_empty() {
        return Err(format!(
            "has a table accounts_user whose columns {} must have a value, and that are not known here: give them a default",
            needed.join(", ")
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns() -> Vec<(String, bool)> {
        COLUMNS
            .into_iter()
            .map(|name| (name.to_owned(), matches!(name, "version_id" | "created" | "updated")))
            .collect()
    }

    #[test]
    fn a_table_that_is_not_known_is_told() {
        assert_eq!(judge(&columns()), Ok(()));
        let mut more = columns();
        more.push(("nickname".to_owned(), false));
        assert_eq!(judge(&more), Ok(()));
        more.push(("fs_uniquifier".to_owned(), true));
        assert!(judge(&more).unwrap_err().contains("columns fs_uniquifier must have a value"));
        let fewer: Vec<_> =
            columns().into_iter().filter(|(name, _)| !matches!(name.as_str(), "profile" | "blocked_at")).collect();
        assert!(judge(&fewer).unwrap_err().contains("without the columns profile, blocked_at"));
        assert!(judge(&[]).unwrap_err().contains("no table accounts_user"));
    }
}
