//! People are read from a real PostgreSQL and a real MariaDB (`tests/peers/run databases`).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod server;

use std::sync::Mutex;
use std::sync::mpsc;

use crosswalk_directory_sync::source::sql::SqlSettings;
use crosswalk_directory_sync::source::{Read, ReadError};
use server::{BOTH, House, Kind, ca, read, refusal};

const ROWS: u64 = 20_000;

#[tokio::test]
async fn a_table_is_read_by_the_defaults() {
    for kind in BOTH {
        let mut house = House::new(kind, "by_default").await;
        house.users(ROWS, 5).await;
        let read = house.read(&[], &["username"]).await.unwrap();
        assert_eq!(read.warnings, Vec::<String>::new());
        // A page a statement, the last one empty; or one for all.
        assert_eq!(read.requests, if kind == Kind::Postgres { 3 + 21 } else { 4 }, "{kind:?}");
        let entries = read.snapshot.into_items();
        assert_eq!(entries.len() as u64, ROWS);
        for (entry, number) in entries.iter().zip(1..) {
            assert_eq!(*entry.place, format!("row {number}"));
            assert_eq!(entry.key.as_deref(), Some(&*number.to_string()));
            assert_eq!(*entry.emails, [Box::from(format!("p{number}@example.org"))]);
            assert_eq!(entry.username.as_deref(), Some(&*format!("p{number}")));
            assert_eq!((entry.first_name.as_deref(), entry.last_name.as_deref()), (Some("xxxxx"), Some("Last")));
            assert!(entry.external_ids.len() == 1 && entry.external_ids[0] == entry.username);
            assert!(entry.enabled && entry.fault.is_none());
        }
    }
}

/// Each column becomes an external id, as that takes any text.
async fn texts(house: &House, columns: &[&str]) -> Vec<Vec<Option<String>>> {
    let more = ["EMAIL", "USERNAME", "FIRST_NAME", "LAST_NAME"].map(|field| format!("CUSTOM_DB_FIELD_{field}"));
    let more = more.each_ref().map(|name| (name.as_str(), "id"));
    let read = house.read(&more, columns).await.unwrap();
    let entries = read.snapshot.into_items();
    let ids = |ids: &[Option<Box<str>>]| ids.iter().map(|id| id.as_deref().map(str::to_owned)).collect();
    entries.iter().map(|entry| ids(&entry.external_ids)).collect()
}

#[tokio::test]
async fn columns_have_whatever_type_they_have_in_postgresql() {
    let mut house = House::new(Kind::Postgres, "types").await;
    house
        .owner
        .run(
            "CREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA public; CREATE TYPE mood AS ENUM ('sad', 'happy');
             CREATE DOMAIN mail AS text CHECK (value LIKE '%@%');
             CREATE TABLE users (id uuid PRIMARY KEY, \"Odd \"\"name\" char(8), c citext, m mood, d mail, s smallint,
                 n numeric(20, 2), i int, b bool, bits bit(1), raw bytea, day date, net inet, list text[], doc jsonb);
             INSERT INTO users VALUES
             ('0190163d-8694-739b-8bb4-dd6ab5a0b0ff', 'ab', 'Mixed@Example.org', 'happy', 'ana@example.org', -3,
                 9007199254740993.50, 2147483647, true, '1', '\\x0190163d8694739b8bb4dd6ab5a0b0ff', '2026-11-22', '::1', '{a}', '{}'),
             ('1190163d-8694-739b-8bb4-dd6ab5a0b0ff', NULL, NULL, NULL, NULL, NULL, NULL, NULL, false, '0',
                 'Ren\\303\\251', NULL, NULL, NULL, NULL)",
        )
        .await;
    let columns = ["id", "Odd \"name", "c", "m", "d", "s", "n", "i", "b", "bits", "raw", "day", "net"];
    let some = |texts: &[&str]| texts.iter().map(|text| Some((*text).to_owned())).collect::<Vec<_>>();
    let found = texts(&house, &columns).await;
    let uuid = "0190163d-8694-739b-8bb4-dd6ab5a0b0ff";
    let whole = [
        uuid,
        "ab",
        "Mixed@Example.org",
        "happy",
        "ana@example.org",
        "-3",
        "9007199254740993.50",
        "2147483647",
        "t",
        "1",
        uuid,
        "2026-11-22",
        "::1",
    ];
    assert_eq!(found[0], some(&whole));
    assert_eq!(found[1][1..8], [const { None }; 7]);
    assert_eq!(found[1][8..11], some(&["f", "0", "René"]));
    for (column, kind) in [("list", "TEXT[]"), ("doc", "JSONB")] {
        let only = ["USERNAME", "FIRST_NAME", "LAST_NAME"].map(|field| format!("CUSTOM_DB_FIELD_{field}"));
        let mut more: Vec<_> = only.iter().map(|name| (name.as_str(), "-")).collect();
        more.push(("CUSTOM_DB_FIELD_EMAIL", column));
        let told = refusal(house.read(&more, &[]).await);
        assert!(told.contains(&format!("the table types.users: the column {column} has the type {kind}")), "{told}");
    }
    enabled(&house, &[("b", &[true, false]), ("bits", &[true, false])]).await;
}

#[tokio::test]
async fn columns_have_whatever_type_they_have_in_mariadb() {
    let mut house = House::new(Kind::MariaDb, "types").await;
    house
        .owner
        .run(
            "CREATE TABLE users (id binary(16) PRIMARY KEY, `Odd ``name` char(8) COLLATE utf8mb4_bin, l varchar(20) CHARACTER SET
                 latin1, e enum('sad', 'happy'), t tinyint, u bigint unsigned, n decimal(20, 2), b boolean, bits bit(1),
                 wide bit(12), raw varbinary(30), note blob, long_text longtext, day date, uid uuid, place point);
             INSERT INTO users VALUES
             (x'0190163d8694739b8bb4dd6ab5a0b0ff', 'ab', 'René', 'happy', -3, 18446744073709551615, 9007199254740993.50, true,
                 b'1', b'100000000001', 'Ren\u{e9}', x'0190163d8694739b8bb4dd6ab5a0b0ff', 'Zoë', '2026-11-22',
                 '0190163d-8694-739b-8bb4-dd6ab5a0b0ff', NULL),
             ('0123456789abcdef', NULL, NULL, NULL, NULL, NULL, NULL, false, b'0', NULL, NULL, NULL, NULL, NULL, NULL, NULL)",
        )
        .await;
    let columns =
        ["id", "Odd `name", "l", "e", "t", "u", "n", "b", "bits", "wide", "raw", "note", "long_text", "day", "uid"];
    let some = |texts: &[&str]| texts.iter().map(|text| Some((*text).to_owned())).collect::<Vec<_>>();
    let found = texts(&house, &columns).await;
    let uuid = "0190163d-8694-739b-8bb4-dd6ab5a0b0ff";
    let whole = [
        uuid,
        "ab",
        "René",
        "happy",
        "-3",
        "18446744073709551615",
        "9007199254740993.50",
        "1",
        "1",
        "2049",
        "René",
        uuid,
        "Zoë",
        "2026-11-22",
        uuid,
    ];
    assert_eq!(found[0], some(&whole));
    // A fixed length of bytes is an id even where it could be read as a text.
    assert_eq!(found[1][..1], some(&["30313233-3435-3637-3839-616263646566"]));
    assert_eq!(found[1][1..7], [const { None }; 6]);
    assert_eq!(found[1][7..9], some(&["0", "0"]));
    let only = ["USERNAME", "FIRST_NAME", "LAST_NAME"].map(|field| format!("CUSTOM_DB_FIELD_{field}"));
    let mut more: Vec<_> = only.iter().map(|name| (name.as_str(), "-")).collect();
    more.push(("CUSTOM_DB_FIELD_EMAIL", "place"));
    let told = refusal(house.read(&more, &[]).await);
    assert!(told.contains("the table types.users: the column place has the type GEOMETRY"), "{told}");
    enabled(&house, &[("b", &[true, false]), ("bits", &[true, false])]).await;
}

async fn enabled(house: &House, columns: &[(&str, &[bool])]) {
    let more = ["EMAIL", "USERNAME", "FIRST_NAME", "LAST_NAME"].map(|field| format!("CUSTOM_DB_FIELD_{field}"));
    for (column, expected) in columns {
        let mut more: Vec<_> = more.iter().map(|name| (name.as_str(), "id")).collect();
        more.push(("CUSTOM_DB_FIELD_ENABLED", column));
        let entries = house.read(&more, &[]).await.unwrap().snapshot.into_items();
        assert_eq!(entries.iter().map(|entry| entry.enabled).collect::<Vec<_>>(), *expected, "{column}");
    }
}

/// Reads, and lets `act` happen after the first page has come and before the second is looked at.
async fn read_around<F>(settings: &SqlSettings, act: F) -> (F::Output, Result<Read, ReadError>)
where
    F: Future<Output: Send> + Send + 'static,
{
    let (begun, mut first_page) = tokio::sync::mpsc::unbounded_channel();
    let (done, wait) = mpsc::channel();
    let wait = Mutex::new(wait);
    let acting = tokio::spawn(async move {
        first_page.recv().await.unwrap();
        let result = act.await;
        done.send(()).unwrap();
        result
    });
    let watch = |rows: u64| {
        if rows == 1_000 {
            begun.send(()).unwrap();
            wait.lock().unwrap().recv().unwrap();
        }
    };
    let found = read(settings, &watch).await;
    (acting.await.unwrap(), found)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_read_sees_one_moment() {
    for kind in BOTH {
        let mut house = House::new(kind, "moment").await;
        house.users(ROWS, 5).await;
        let settings = house.settings(&[], &[]);
        let write = async move {
            house.owner.run("DELETE FROM users WHERE id > 10000").await;
            house.owner.run("UPDATE users SET email = NULL").await;
            house.owner.run("INSERT INTO users VALUES (30000, 'new@example.org', 'new', 'N', 'N')").await;
        };
        let ((), found) = read_around(&settings, write).await;
        let during = found.unwrap().snapshot.into_items();
        assert_eq!(during.len() as u64, ROWS, "{kind:?}");
        assert!(during.iter().all(|entry| entry.emails.len() == 1 && entry.emails[0].starts_with('p')), "{kind:?}");
        let after = read(&settings, &|_| {}).await.unwrap().snapshot.into_items();
        assert_eq!(after.len(), 10_001, "{kind:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_connection_that_is_killed_gives_no_snapshot() {
    for kind in BOTH {
        let mut house = House::new(kind, "killed").await;
        // More than the sockets hold between the server and us.
        house.users(100_000, 800).await;
        let settings = house.settings(&[], &[]);
        let (killed, found) = read_around(&settings, async move { house.kill().await }).await;
        assert_eq!(killed, 1, "{kind:?}");
        let told = refusal(found);
        assert!(told.contains("broke"), "{kind:?}: {told}");
        assert_eq!(read(&settings, &|_| {}).await.unwrap().snapshot.items().len(), 100_000, "{kind:?}");
    }
}

#[tokio::test]
async fn what_is_wrong_is_told_without_the_password() {
    for kind in BOTH {
        let mut house = House::new(kind, "wrong").await;
        house.users(0, 5).await;
        let empty = house.read(&[], &[]).await;
        assert!(matches!(empty, Err(ReadError::Incomplete(_))), "{kind:?}: {empty:?}");
        house.owner.run("INSERT INTO users VALUES (1, 'ana@example.org', 'ana', 'A', 'A')").await;
        house.owner.run("CREATE TABLE withheld AS SELECT * FROM users").await;
        // The reader may write, and still does not.
        let grants = match kind {
            Kind::Postgres => "REVOKE ALL ON withheld FROM wrong; GRANT ALL ON users TO wrong",
            Kind::MariaDb => "REVOKE SELECT ON wrong.* FROM wrong; GRANT ALL ON wrong.users TO wrong",
        };
        house.owner.run(grants).await;
        let (write, write_told) = match kind {
            Kind::Postgres => ("WITH gone AS (DELETE FROM wrong.users RETURNING *) SELECT * FROM gone", "DECLARE"),
            Kind::MariaDb => ("DELETE FROM wrong.users RETURNING *", "must only read"),
        };
        let everybody = "SELECT * FROM wrong.users";
        let two = format!("{everybody}; DELETE FROM wrong.users");
        for (name, value, words) in [
            ("CUSTOM_DB_TABLE", "wrong.people", "people"),
            ("CUSTOM_DB_FIELD_EMAIL", "mail", "mail"),
            ("CUSTOM_DB_FIELD_KEY", "ID\"`; DROP TABLE users; --", "DROP TABLE"),
            ("CUSTOM_DB_TABLE", "wrong.withheld", "SELECT"),
            ("CUSTOM_DB_QUERY", "SELECT 1 AS id", "no column \"email\""),
            ("CUSTOM_DB_QUERY", write, write_told),
            ("CUSTOM_DB_QUERY", &two, "("),
            ("CUSTOM_DB_QUERY", "COMMIT; DELETE FROM wrong.users", "("),
            ("CUSTOM_DB_QUERY", "COMMIT", "one SELECT"),
            ("CUSTOM_DB_QUERY", "SELEKT", "syntax"),
            ("CUSTOM_DB_URI", &house.uri("another", ""), "password"),
            ("CUSTOM_DB_URI", &house.uri("reader%27s", "").replace("@127.0.0.1", "@127.0.0.2"), "host"),
        ] {
            let told = refusal(house.read(&[(name, value)], &[]).await);
            println!("{kind:?}: {told}");
            assert!(told.contains(words), "{kind:?}: {value}: {told}");
            for hidden in ["reader", "another", "ana@example.org", "//wrong:", "'wrong'"] {
                assert!(!told.contains(hidden), "{kind:?}: {value}: {told}");
            }
        }
        assert_eq!(house.read(&[], &[]).await.unwrap().snapshot.items().len(), 1, "{kind:?}");
    }
    // What a conversion cannot read, PostgreSQL repeats.
    let house = House::new(Kind::Postgres, "converted").await;
    let query =
        "SELECT 1 AS id, 'ana@example.org'::text::int AS email, '' AS username, '' AS first_name, '' AS last_name";
    let told = refusal(house.read(&[("CUSTOM_DB_QUERY", query)], &[]).await);
    assert!(told.contains("22P02") && !told.contains("ana@"), "{told}");
}

#[tokio::test]
async fn a_server_that_says_nothing_is_given_up() {
    for (kind, sleep) in [(Kind::Postgres, "pg_sleep(20)::text"), (Kind::MariaDb, "SLEEP(20)")] {
        let house = House::new(kind, "silent").await;
        let query = format!("SELECT 1 AS id, {sleep} AS email, '' AS username, '' AS first_name, '' AS last_name");
        let told = refusal(house.read(&[("CUSTOM_DB_QUERY", &query), ("CUSTOM_DB_TIMEOUT", "1")], &[]).await);
        assert!(told.contains("silent for 1 s"), "{kind:?}: {told}");
    }
}

#[tokio::test]
async fn it_is_encrypted_as_the_uri_says() {
    let ca = ca();
    for (kind, cipher, off, required, verified, root) in [
        (
            Kind::Postgres,
            "SELECT coalesce(cipher, '') FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
            "sslmode=disable",
            "sslmode=require",
            "sslmode=verify-full",
            "sslrootcert",
        ),
        (
            Kind::MariaDb,
            "SELECT variable_value FROM information_schema.session_status WHERE variable_name = 'Ssl_cipher'",
            "ssl_mode=DISABLED",
            "ssl_mode=REQUIRED",
            "ssl_mode=VERIFY_IDENTITY",
            "ssl_ca",
        ),
    ] {
        let house = House::new(kind, "encrypted").await;
        let query = format!("SELECT 1 AS id, ({cipher}) AS email, '' AS username, '' AS first_name, '' AS last_name");
        let cipher = async |parameters: &str| {
            let uri = house.uri("reader%27s", parameters);
            let read = house.read(&[("CUSTOM_DB_QUERY", &query), ("CUSTOM_DB_URI", &uri)], &[]).await;
            read.map(|read| read.snapshot.into_items().remove(0).emails.pop())
        };
        assert_eq!(cipher(off).await.unwrap(), None, "{kind:?}");
        for parameters in [required.to_owned(), format!("{verified}&{root}={ca}")] {
            assert!(cipher(&parameters).await.unwrap().is_some(), "{kind:?}: {parameters}");
        }
        // The public CAs do not know the server's.
        let told = cipher(verified).await.unwrap_err().to_string();
        assert!(told.contains("TLS failed") && told.contains("sslrootcert"), "{kind:?}: {told}");
    }
}
