//! Which databases are taken, and what is said of the others.

use crosswalk_directory_sync::Field;

use crate::bed::{Bed, connect, create, database, delete, sql, update, uri_of};

#[tokio::test]
async fn an_invenio_database_is_taken() {
    let bed = Bed::new("connects").await;
    let id = bed.target.id();
    assert!(id.starts_with("127.0.0.1:") && id.ends_with("/connects"), "{id}");
    assert!(bed.accounts().await.is_empty());
    let shown = format!("{:?}", bed.target);
    let (_, rest) = bed.uri.split_once("crosswalk:").unwrap();
    assert!(!shown.contains(rest.split_once('@').unwrap().0), "{shown}");
}

#[tokio::test]
async fn another_database_is_refused() {
    let error = connect(&uri_of("postgres"), &[]).await.unwrap_err().to_string();
    assert!(error.contains("/postgres shows no table accounts_user"), "{error}");

    let uri = database("connects_older").await;
    let statement = "ALTER TABLE accounts_user DROP COLUMN profile, ADD COLUMN nickname text NOT NULL";
    sqlx::raw_sql(statement).execute(&mut sql(&uri).await).await.unwrap();
    let error = connect(&uri, &[]).await.unwrap_err().to_string();
    assert!(error.contains("without the columns profile"), "{error}");
}

#[tokio::test]
async fn a_server_that_does_not_let_us_in_is_told_without_the_password() {
    let uri = uri_of("postgres");
    let (scheme, place) = uri.split_once("crosswalk:").unwrap();
    let (_, place) = place.split_once('@').unwrap();
    let error = connect(&format!("{scheme}crosswalk:hunter2@{place}"), &[]).await.unwrap_err().to_string();
    assert!(error.contains("password authentication failed") && error.contains("INVENIO_DB_URI"), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
    // Port 1 is nobody's.
    let error = connect("postgresql://crosswalk:hunter2@127.0.0.1:1/invenio", &[]).await.unwrap_err().to_string();
    assert!(error.starts_with("PostgreSQL at 127.0.0.1:1/invenio cannot be reached") && !error.contains("hunter2"));
}

/// invenio-accounts 6.3: times without zone; and, as Alembic makes the table, another order. The server's own zone is far off.
#[tokio::test]
async fn the_table_of_an_older_release_does() {
    let uri = database("connects_6_3").await;
    let mut bed_sql = sql(&uri).await;
    let statements = "\
        ALTER DATABASE connects_6_3 SET timezone = 'America/New_York'; \
        CREATE SCHEMA old; \
        CREATE TABLE old.accounts_user ( \
            created timestamp NOT NULL, updated timestamp NOT NULL, id serial PRIMARY KEY, email varchar(255) UNIQUE, \
            password varchar(255), active boolean, confirmed_at timestamp, version_id integer NOT NULL, \
            username varchar(255) UNIQUE, displayname varchar(255), profile json, preferences json, \
            blocked_at timestamp, verified_at timestamp, domain varchar(255))";
    sqlx::raw_sql(statements).execute(&mut bed_sql).await.unwrap();
    let uri = format!("{uri}?options=-csearch_path%3Dold");
    let target = connect(&uri, &[]).await.unwrap();
    let mut bed = Bed { target, sql: sql(&uri).await, uri };

    assert!(bed.take(vec![create("Ada", "Ada Lovelace")]).await["Ada"].is_ok());
    let off = "SELECT max(abs(extract(epoch FROM now() AT TIME ZONE 'UTC' - t))) < 60 FROM accounts_user";
    for column in ["created", "updated", "confirmed_at"] {
        assert_eq!(bed.ask(&off.replace("- t", &format!("- {column}"))).await, "true", "{column}");
    }
    let account = &bed.accounts().await["ada@example.org"];
    assert_eq!(account.fields.full_name.as_deref(), Some("Ada Lovelace"));
    let renamed = update(account, &[(Field::FullName, "Ada King")]);
    assert!(bed.take(vec![renamed]).await[&*account.id].is_ok());
    assert_eq!(bed.accounts().await["ada@example.org"].fields.full_name.as_deref(), Some("Ada King"));
    assert!(bed.take(vec![delete(&bed.accounts().await["ada@example.org"])]).await[&*account.id].is_ok());
    assert_eq!(bed.ask("SELECT count(*) FROM accounts_user").await, "0");
}
