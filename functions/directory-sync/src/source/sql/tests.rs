//! SQLite from a file to the snapshot.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;
use std::sync::Mutex;

use aws_config::SdkConfig;
use crosswalk_function_kit::settings::Environment;
use crosswalk_reconcile::Incomplete;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, SqliteConnection};
use tempfile::TempDir;

use super::rows::PAGE;
use super::*;

/// A database in a folder of its own.
struct Base {
    folder: TempDir,
    writer: SqliteConnection,
}

impl Base {
    /// After running the SQL.
    async fn new(sql: &'static str) -> Self {
        let folder = TempDir::new().unwrap();
        let options = SqliteConnectOptions::new().filename(folder.path().join("people.db")).create_if_missing(true);
        let mut base = Self { folder, writer: Box::pin(options.connect()).await.unwrap() };
        base.run(sql).await;
        base
    }

    async fn run(&mut self, sql: &'static str) {
        Box::pin(sqlx::raw_sql(sql).execute(&mut self.writer)).await.unwrap();
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("people.db")
    }

    fn settings(&self, more: &[(&str, &str)], external_ids: &[&str]) -> SqlSettings {
        let uri = format!("sqlite://{}", self.file().display());
        let mut environment = Environment::from_iter([("CUSTOM_DB_URI", uri)]);
        for (name, value) in more {
            environment = environment.with(name, value);
        }
        SqlSettings::from_env(&environment, external_ids).unwrap()
    }

    async fn read(&self, more: &[(&str, &str)], external_ids: &[&str]) -> Result<Read, ReadError> {
        read(&self.settings(more, external_ids), &secrets(), Deadline::NONE, &|_| {}).await
    }

    async fn entries(&self, more: &[(&str, &str)]) -> Vec<Entry> {
        self.read(more, &[]).await.unwrap().snapshot.into_items()
    }

    async fn refusal(&self, more: &[(&str, &str)]) -> String {
        match self.read(more, &[]).await {
            Err(ReadError::Source(told)) => told,
            other => panic!("{other:?}"),
        }
    }
}

fn secrets() -> Secrets {
    Secrets::new(&SdkConfig::builder().build())
}

const USERS: &str =
    "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, username TEXT, first_name TEXT, last_name TEXT)";
const ENABLED: &str = "CUSTOM_DB_FIELD_ENABLED";

#[tokio::test]
async fn a_table_is_read_by_the_defaults() {
    let mut base = Base::new(USERS).await;
    base.run(
        "INSERT INTO users VALUES (20, 'Bo@example.org', 'bo', NULL, ' '), (3, ' ana@example.org ', 'ana', 'Ana', 'Alba')",
    )
    .await;
    let read = base.read(&[], &["email", "id"]).await.unwrap();
    assert_eq!((read.warnings, read.requests), (vec![], 3));
    let entries = read.snapshot.into_items();
    let ana = Entry {
        place: "row 1".into(),
        key: Some("3".into()),
        emails: vec!["ana@example.org".into()],
        username: Some("ana".into()),
        first_name: Some("Ana".into()),
        last_name: Some("Alba".into()),
        enabled: true,
        external_ids: [Some("ana@example.org".into()), Some("3".into())].into(),
        fault: None,
    };
    let bo = Entry {
        place: "row 2".into(),
        key: Some("20".into()),
        emails: vec!["Bo@example.org".into()],
        username: Some("bo".into()),
        first_name: None,
        last_name: None,
        external_ids: [Some("Bo@example.org".into()), Some("20".into())].into(),
        ..ana.clone()
    };
    assert!(entries == [ana, bo]);
}

#[tokio::test]
async fn columns_have_whatever_type_they_have() {
    let mut base = Base::new(
        "CREATE TABLE \"odd \"\"table\" (\"the key\" BLOB, mail BLOB, state, score REAL);
         INSERT INTO \"odd \"\"table\" VALUES
             (x'0190163d8694739b8bb4dd6ab5a0b0ff', CAST('ana@example.org' AS BLOB), 1, 2.0),
             (x'01', 'bo@example.org', 'inactive', 2.5), (x'02', NULL, NULL, NULL), (x'03', 17, 'perhaps', 'text'),
             (x'04', CAST(x'ff41' AS TEXT), 0.0, 9007199254740993)",
    )
    .await;
    base.run("CREATE VIEW everyone AS SELECT * FROM \"odd \"\"table\"").await;
    let columns = [
        ("CUSTOM_DB_TABLE", "odd \"table"),
        ("CUSTOM_DB_FIELD_KEY", "the key"),
        ("CUSTOM_DB_FIELD_EMAIL", "mail"),
        ("CUSTOM_DB_FIELD_USERNAME", "score"),
        ("CUSTOM_DB_FIELD_FIRST_NAME", "-"),
        ("CUSTOM_DB_FIELD_LAST_NAME", "-"),
        (ENABLED, "state"),
    ];
    let mut view = columns;
    view[0].1 = "main.everyone";
    for columns in [columns, view] {
        let told: Vec<_> = base
            .entries(&columns)
            .await
            .into_iter()
            .map(|entry| {
                let texts = [entry.key, entry.emails.first().cloned(), entry.username];
                (texts.map(|text| text.map_or("-".to_owned(), String::from)), entry.enabled, entry.fault)
            })
            .collect();
        let row = |key: &str, email: &str, username: &str| [key, email, username].map(str::to_owned);
        let enabled = "its column state says neither yes nor no (true, yes, 1, active, enabled, or their opposites)";
        assert_eq!(
            told,
            [
                (row("01", "bo@example.org", "2.5"), false, None),
                (row("0190163d-8694-739b-8bb4-dd6ab5a0b0ff", "ana@example.org", "2"), true, None),
                (row("02", "-", "-"), true, None),
                (row("03", "17", "text"), true, Some(enabled.to_owned())),
                (row("04", "-", "9007199254740992"), false, Some("its column mail holds no UTF-8 text".to_owned())),
            ]
        );
    }
}

#[tokio::test]
async fn a_query_names_its_columns() {
    let mut base = Base::new(USERS).await;
    base.run("INSERT INTO users VALUES (1, 'a@example.org', 'a', 'A', 'A'), (2, 'b@example.org', 'b', 'B', 'B')").await;
    let query = "SELECT 'x' AS other, id, email AS mail, username, first_name, Last_Name, id = 2 AS active FROM users \
                 WHERE id > 0 ORDER BY id DESC; -- all of them";
    let settings = [("CUSTOM_DB_QUERY", query), ("CUSTOM_DB_FIELD_EMAIL", "mail"), (ENABLED, "active")];
    let entries = base.entries(&settings).await;
    let told: Vec<_> = entries.iter().map(|entry| (entry.key.as_deref(), &*entry.emails[0], entry.enabled)).collect();
    assert_eq!(told, [(Some("2"), "b@example.org", true), (Some("1"), "a@example.org", false)]);

    for (query, words) in [
        ("SELECT id, email AS mail FROM users", "no column \"username\""),
        (
            "SELECT id, id, email AS mail, username, first_name, last_name, 1 AS active FROM users",
            "several columns \"id\"",
        ),
        ("SELECT *, email AS mail, 1 AS active FROM users; SELECT 1", "several statements"),
        ("SELECT *, email AS mail, 1 AS active FROM users WHERE id = ?", "parameters"),
        ("DELETE FROM users", "must be one SELECT"),
        ("DELETE FROM users RETURNING *, email AS mail, 1 AS active", "must only read"),
        ("COMMIT", "must be one SELECT"),
        ("SELEKT", "syntax error"),
        ("-- nothing", "must be one SELECT"),
    ] {
        let told = base.refusal(&[("CUSTOM_DB_QUERY", query), settings[1], settings[2]]).await;
        assert!(told.contains(words), "{query}: {told}");
    }
    assert_eq!(base.entries(&[]).await.len(), 2);
}

#[tokio::test]
async fn what_is_not_there_is_told() {
    let base = Base::new(USERS).await;
    assert!(matches!(base.read(&[], &[]).await, Err(ReadError::Incomplete(Incomplete::Empty))));
    let told = base.refusal(&[("CUSTOM_DB_TABLE", "people")]).await;
    assert!(told.contains("no such table: people") && told.contains("CUSTOM_DB_TABLE"), "{told}");
    // A quoted name that is no column's would be a text, and everybody's e-mail the same one.
    let told = base.refusal(&[("CUSTOM_DB_FIELD_EMAIL", "mail")]).await;
    assert!(told.contains("no such column: users.mail") && told.contains("CUSTOM_DB_FIELD_"), "{told}");
    let told = base.read(&[], &["badge"]).await.unwrap_err().to_string();
    assert!(told.contains("users.badge") && told.contains("SYNC_MAPPINGS"), "{told}");

    std::fs::write(base.file(), "id,email\n1,ana@example.org\n".repeat(100)).unwrap();
    let told = base.refusal(&[]).await;
    assert!(told.contains("no SQLite database"), "{told}");
    std::fs::remove_file(base.file()).unwrap();
    let told = base.refusal(&[]).await;
    assert!(told.contains("no such file") && told.contains("sqlite:///absolute/path"), "{told}");
    let uri = format!("sqlite://{}?mode=rwc", base.file().display());
    let told = base.refusal(&[("CUSTOM_DB_URI", &uri)]).await;
    assert!(told.contains("no such file") && !base.file().exists(), "{told}");
}

#[tokio::test]
async fn two_rows_with_one_key_are_two_entries() {
    let mut base = Base::new("CREATE TABLE users (id TEXT, email, username, first_name, last_name)").await;
    base.run(
        "INSERT INTO users VALUES ('a', 'ana@example.org', 'ana', 'A', 'A'), ('a', 'ana@example.org', 'ana', 'A', 'A'),
         (NULL, 'bo@example.org', 'bo', 'B', 'B')",
    )
    .await;
    let entries = base.entries(&[]).await;
    let keys: Vec<_> = entries.iter().map(|entry| (&*entry.place, entry.key.as_deref())).collect();
    assert_eq!(keys, [("row 1", None), ("row 2", Some("a")), ("row 3", Some("a"))]);
}

const HUNDRED_THOUSAND: &str = "
    WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < 100000)
    INSERT INTO users SELECT n, 'p' || n || '@example.org', 'p' || n, 'First', 'Last' FROM counted";

#[tokio::test(flavor = "multi_thread")]
async fn a_read_sees_one_moment() {
    let mut base = Base::new("PRAGMA journal_mode = WAL").await;
    base.run(USERS).await;
    base.run(HUNDRED_THOUSAND).await;
    let settings = base.settings(&[], &[]);
    let (begun, mut first_page) = tokio::sync::mpsc::unbounded_channel();
    let (written, wait) = std::sync::mpsc::channel();
    let wait = Mutex::new(wait);
    let writer = tokio::spawn(async move {
        first_page.recv().await.unwrap();
        base.run("DELETE FROM users WHERE id > 50000; UPDATE users SET email = NULL").await;
        written.send(()).unwrap();
        base
    });
    let pages = Mutex::new(Vec::new());
    let watch = |rows: u64| {
        pages.lock().unwrap().push(rows);
        if rows == PAGE as u64 {
            begun.send(()).unwrap();
            wait.lock().unwrap().recv().unwrap();
        }
    };
    let during = read(&settings, &secrets(), Deadline::NONE, &watch).await.unwrap().snapshot.into_items();
    let base = writer.await.unwrap();
    assert_eq!(during.len(), 100_000);
    assert!(during.iter().all(|entry| entry.emails.len() == 1));
    assert_eq!(&*during[99_999].place, "row 100000");
    assert_eq!(pages.lock().unwrap()[..2], [1_000, 2_000]);
    let after = base.entries(&[]).await;
    assert!(after.len() == 50_000 && after.iter().all(|entry| entry.emails.is_empty()));
}

#[tokio::test]
async fn the_deadline_ends_a_read() {
    let base = Base::new(USERS).await;
    let endless = "WITH RECURSIVE counted(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM counted) \
                   SELECT id, id AS email, id AS username, id AS first_name, id AS last_name FROM counted";
    let settings = base.settings(&[("CUSTOM_DB_QUERY", endless)], &[]);
    let deadline = Deadline::within(Duration::from_millis(50));
    let told = read(&settings, &secrets(), deadline, &|_| {}).await.unwrap_err().to_string();
    assert!(told.contains("deadline") && told.contains("CUSTOM_DB_QUERY"), "{told}");
}

#[test]
fn settings_are_read() {
    let least = || Environment::from_iter([("CUSTOM_DB_URI", "postgresql://crosswalk:hunter2@db.example.org/people")]);
    let settings = SqlSettings::from_env(&least(), &["badge", "email"]).unwrap();
    assert_eq!(settings.what, What::Table(vec!["users".to_owned()]));
    let some = |name: &str| Some(name.to_owned());
    let fields = Fields {
        key: "id".to_owned(),
        email: "email".to_owned(),
        username: some("username"),
        first_name: some("first_name"),
        last_name: some("last_name"),
        enabled: None,
    };
    assert_eq!((settings.fields.clone(), settings.timeout), (fields, Duration::from_secs(60)));
    assert_eq!(settings.external_ids, ["badge", "email"]);
    assert_eq!(settings.place(), "postgres://db.example.org:5432/people, the table users");
    assert!(!format!("{settings:?}").contains("hunter2"));

    let by_id = Environment::from_iter([("CUSTOM_DB_URI_SECRET_ID", "directory"), ("CUSTOM_DB_QUERY", "SELECT 1")]);
    assert_eq!(SqlSettings::from_env(&by_id, &[]).unwrap().place(), "SQL, the query of CUSTOM_DB_QUERY");

    let told = SqlSettings::from_env(&Environment::default(), &[]).map(|_| ()).unwrap_err().to_string();
    assert!(told.contains("CUSTOM_DB_URI_SECRET_ID"), "{told}");
    for (name, value) in [
        ("CUSTOM_DB_URI", "oracle://crosswalk:hunter2@db.example.org/people"),
        ("CUSTOM_DB_TABLE", "a.b.c"),
        ("CUSTOM_DB_TABLE", "a."),
        ("CUSTOM_DB_FIELD_KEY", "-"),
        ("CUSTOM_DB_FIELD_EMAIL", "-"),
        ("CUSTOM_DB_FIELD_ENABLED", "a\0b"),
        ("CUSTOM_DB_TIMEOUT", "0"),
    ] {
        let told = SqlSettings::from_env(&least().with(name, value), &[]).map(|_| ()).unwrap_err().to_string();
        assert!(told.contains(name) && !told.contains("hunter2"), "{name}: {told}");
    }
    let both = least().with("CUSTOM_DB_TABLE", "users").with("CUSTOM_DB_QUERY", "SELECT 1");
    assert!(SqlSettings::from_env(&both, &[]).map(|_| ()).unwrap_err().to_string().contains("leave one out"));
}
