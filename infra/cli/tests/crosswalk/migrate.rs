use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};

use crate::support::Folder;

/// As the original's software makes it.
const TABLE: &str = "CREATE TABLE external_user_identifiers (
    id INTEGER PRIMARY KEY AUTOINCREMENT, nexuslims_username TEXT NOT NULL,
    external_system TEXT NOT NULL CHECK (external_system IN
        ('nemo', 'labarchives_eln', 'labarchives_scheduler', 'cdcs', 'sharepoint')),
    external_id TEXT NOT NULL, email TEXT,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now', 'localtime')),
    last_verified_at TEXT, notes TEXT,
    CONSTRAINT nexuslims_username_system_UNIQUE UNIQUE (nexuslims_username, external_system),
    CONSTRAINT system_external_id_UNIQUE UNIQUE (external_system, external_id));
CREATE INDEX idx_external_lookup ON external_user_identifiers (external_system, external_id);
CREATE INDEX idx_nexuslims_username ON external_user_identifiers (nexuslims_username);";

/// As one that lost its constraints.
const LOOSE: &str = "CREATE TABLE external_user_identifiers (id INTEGER, nexuslims_username, external_system, external_id, \
    email, created_at, last_verified_at, notes);";

const ROWS: &str = "SELECT nexuslims_username || '|' || external_system || '|' || external_id || '|' || \
    coalesce(email, '-') || '|' || created_at || '|' || coalesce(last_verified_at, '-') || '|' || coalesce(notes, '-') \
    FROM external_user_identifiers ORDER BY nexuslims_username, external_system";

async fn open(folder: &Folder, name: &str) -> SqliteConnection {
    let options = SqliteConnectOptions::new().filename(folder.path().join(name)).create_if_missing(true);
    options.connect().await.unwrap()
}

async fn file(folder: &Folder, name: &str, table: &str, values: &str) {
    let mut connection = open(folder, name).await;
    let columns = "id, nexuslims_username, external_system, external_id, email, created_at, last_verified_at, notes";
    let sql = format!("{table} INSERT INTO external_user_identifiers ({columns}) {values};");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}

async fn rows(folder: &Folder, name: &str) -> Vec<String> {
    let mut connection = open(folder, name).await;
    let rows = sqlx::query_scalar(ROWS).fetch_all(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    rows
}

/// 10,000 mappings of 2,000 people; every second row names its zone. What they come to is the same time either way.
async fn ten_thousand(folder: &Folder, name: &str, zones: bool) {
    let zone = if zones { "iif(n % 2, '+00:00', '')" } else { "''" };
    let values = format!(
        "WITH RECURSIVE c(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM c WHERE n < 9999)
         SELECT n + 1, 'person.' || (n / 5), substr('nemo,labarchives_eln,labarchives_scheduler,cdcs,sharepoint',
            CASE n % 5 WHEN 0 THEN 1 WHEN 1 THEN 6 WHEN 2 THEN 22 WHEN 3 THEN 44 ELSE 49 END,
            CASE n % 5 WHEN 0 THEN 4 WHEN 1 THEN 15 WHEN 2 THEN 21 WHEN 3 THEN 4 ELSE 10 END),
            'id-' || n, iif(n % 3, 'p' || n || '@example.org', NULL),
            strftime('%Y-%m-%dT%H:%M:%f', 1700000000 + n * 61.001, 'unixepoch') || {zone},
            iif(n % 4, strftime('%Y-%m-%dT%H:%M:%f', 1750000000 + n, 'unixepoch') || {zone}, NULL),
            iif(n % 7, 'Grüße, \"' || n || '\"', NULL) FROM c"
    );
    file(folder, name, TABLE, &values).await;
}

#[tokio::test]
async fn ten_thousand_rows_come_and_go_out_as_they_were() {
    let folder = Folder::new();
    ten_thousand(&folder, "in.sqlite", true).await;
    ten_thousand(&folder, "without-zones.sqlite", false).await;
    let migrate = |args: &[&str]| folder.run(&[&["migrate", "nexuslims", "in.sqlite", "--json"], args].concat());
    let record = migrate(&[]).code(0).json();
    assert_eq!((&record["kind"], &record["state"]), (&"migration".into(), &"succeeded".into()));
    assert_eq!((&record["counts"]["read"], &record["counts"]["created"]), (&10_000.into(), &10_000.into()));
    assert!(record["warnings"][0]["reason"].as_str().unwrap().contains("read as UTC"), "{record}");

    folder.run(&["ids", "export", "--format", "sqlite", "--output", "out.sqlite"]).code(0).says(&["10000 mappings"]);
    let (expected, found) = (rows(&folder, "without-zones.sqlite").await, rows(&folder, "out.sqlite").await);
    assert_eq!(expected.len(), 10_000);
    assert!(expected == found, "first: {:?}", expected.iter().zip(&found).find(|(one, two)| one != two));

    // Once is twice: what stands is kept.
    let before = folder.run(&["ids", "get", "person.7", "nemo", "--json"]).code(0).out;
    let again = migrate(&[]).code(0).json();
    assert_eq!(again["counts"]["unchanged"], 10_000);
    assert_eq!(folder.run(&["ids", "get", "person.7", "nemo", "--json"]).code(0).out, before);
    let id = record["id"].as_str().unwrap();
    let report = folder.run(&["runs", id, "--report", "succeeded"]).code(0);
    assert_eq!(report.out.lines().count(), 10_001);
}

#[tokio::test]
async fn what_breaks_the_constraints_is_told_row_by_row() {
    let folder = Folder::new();
    let values = "VALUES
        (1, 'ada', 'nemo', '1', 'ada@example.org', '2026-01-25T10:00:00.000', '2026-02-01T10:00:00.000', 'x'),
        (2, 'bob', 'nemo', '1', NULL, '2026-01-25T10:00:00.000', NULL, NULL),
        (3, 'Ada', 'nemo', '2', NULL, '2026-01-25T10:00:00.000', NULL, NULL),
        (4, '', 'nemo', '4', NULL, '2026-01-25T10:00:00.000', NULL, NULL),
        (5, 'eve', 'orcid', '5', NULL, '2026-01-25T10:00:00.000', NULL, NULL),
        (6, 'fay', 'nemo', 6, NULL, 'someday', NULL, NULL),
        (7, 'ada', 'nemo', '1', 'ada@example.org', '2026-01-25T10:00:00.000', '2026-02-01T10:00:00.000', 'x'),
        (8, 'gus', 'nemo', 8, NULL, '2026-01-25T10:00:00.000Z', NULL, NULL),
        (9, 'hal', 'nemo', x'ff', NULL, '2026-01-25T10:00:00.000Z', NULL, NULL)";
    file(&folder, "loose.sqlite", LOOSE, values).await;
    let migrate = ["migrate", "nexuslims", "loose.sqlite", "--timezone", "Europe/Vienna"];
    let told = [
        "the id 1 in nemo belongs to ada, and the row gives it to bob",
        "ada and Ada are one person here",
        "row 4: ",
        "nexuslims_username is empty",
        "`orcid` is not known here",
        "created_at is no time",
        "external_id is not text",
    ];
    let planned = folder.run(&[&migrate[..], &["--dry-run"]].concat()).code(1).says(&told[..2]);
    let planned = planned.says(&["row 1 created", "row 7 unchanged", "row 8 created", "row 9 rejected"]);
    assert!(planned.out.contains("nothing is written"), "{planned:?}");
    folder.run(&["runs"]).code(0).says(&["no runs yet"]);
    folder.run(&["ids", "list", "ada"]).code(1);

    folder.run(&migrate).code(1).says(&["Not migrated", "row 2: bob", "conflict", "rejected"]);
    let record = folder.run(&["runs", "--json"]).code(0).json()["items"][0].clone();
    let of = |name: &str| record["counts"][name].as_u64().unwrap();
    assert_eq!((of("read"), of("created"), of("unchanged"), of("conflict"), of("rejected")), (9, 2, 1, 2, 4));
    let report = folder.run(&["runs", record["id"].as_str().unwrap(), "--report", "failed"]).code(0);
    for text in told {
        assert!(report.out.contains(text), "{text}: {report:?}");
    }
    // No person stands in the record, which is logged.
    assert!(!record["reasons"].to_string().contains("bob"), "{record}");

    let ada = folder.run(&["ids", "get", "ada", "nemo", "--json"]).code(0).json();
    assert_eq!((&ada["created_at"], &ada["email"]), (&"2026-01-25T09:00:00.000Z".into(), &"ada@example.org".into()));
    assert_eq!((&ada["last_verified_at"], &ada["notes"]), (&"2026-02-01T09:00:00.000Z".into(), &"x".into()));
    assert_eq!(folder.run(&["ids", "find", "nemo", "8", "--json"]).code(0).json()["username"], "gus");

    // What changed here since is kept, and said.
    folder.run(&["ids", "set", "ada", "nemo", "1", "--notes", "new"]).code(0);
    let again = folder.run(&[&migrate[..], &["--json"]].concat()).code(1).json();
    assert_eq!((&again["counts"]["unchanged"], &again["counts"]["created"]), (&3.into(), &0.into()));
    assert!(again["warnings"].to_string().contains("another notes: what stands is kept"), "{again}");
    assert_eq!(folder.run(&["ids", "get", "ada", "nemo", "--json"]).json()["notes"], "new");
}

#[tokio::test]
async fn what_is_no_such_file_starts_nothing() {
    let folder = Folder::new();
    folder.file("text.sqlite", "this is no database, but long enough that SQLite looks at all of its header, and more");
    let mut other = open(&folder, "other.sqlite").await;
    sqlx::raw_sql("CREATE TABLE people (id)").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    let mut older = open(&folder, "older.sqlite").await;
    sqlx::raw_sql("CREATE TABLE external_user_identifiers (id, external_id)").execute(&mut older).await.unwrap();
    older.close().await.unwrap();
    for (name, why) in [
        ("absent.sqlite", "cannot read absent.sqlite"),
        (".", "is a folder"),
        ("text.sqlite", "as a SQLite database"),
        ("other.sqlite", "holds no table external_user_identifiers"),
        ("older.sqlite", "lacks nexuslims_username, external_system, created_at"),
    ] {
        folder.run(&["migrate", "nexuslims", name]).code(2).complains(&[why]);
    }
    let zone = ["migrate", "nexuslims", "other.sqlite", "--timezone", "Europe/Wien"];
    folder.run(&zone).code(2).complains(&["`Europe/Wien` is not known"]);
    assert!(!folder.path().join("absent.sqlite").exists() && !folder.path().join(".crosswalk").exists());
}

#[tokio::test]
async fn outer_white_space_is_cut_and_said() {
    let folder = Folder::new();
    let values = "VALUES
        (1, 'ada', 'nemo', char(9) || '1', NULL, '2026-01-25T10:00:00.000Z', NULL, NULL),
        (2, 'bob', 'nemo', '1 ', NULL, '2026-01-25T10:00:00.000Z', NULL, NULL),
        (3, 'cy', 'nemo', '1', NULL, '2026-01-25T10:00:00.000Z', NULL, NULL),
        (4, 'dee ', 'nemo', '4', NULL, '2026-01-25T10:00:00.000Z', NULL, NULL),
        (5, 'dee', 'nemo', '5', NULL, '2026-01-25T10:00:00.000Z', NULL, NULL)";
    file(&folder, "spaces.sqlite", TABLE, values).await;
    let told = [
        "the id 1 in nemo belongs to ada, and the row gives it to bob; the row's external_id has outer white space, which \
         is cut; a row above has this external_id with outer white space",
        "gives it to cy; a row above has this external_id with outer white space, which is cut",
        "dee has the id 4 in nemo, and the row gives dee the id 5; a row above has this nexuslims_username with outer",
    ];
    let migrate = ["migrate", "nexuslims", "spaces.sqlite"];
    let planned = folder.run(&[&migrate[..], &["--dry-run"]].concat()).code(1).says(&told);
    planned.says(&["row 1 created: the mapping is new; the row's external_id has outer white space"]);
    for standing in ["the mapping is new, and was read back; the row's", "the mapping stands already; the row's"] {
        let record = folder.run(&[&migrate[..], &["--json"]].concat()).code(1).json();
        let warned = |column: &str, count: u64| {
            let reason = format!("{column} has outer white space, which is cut");
            let warnings = record["warnings"].as_array().unwrap();
            assert!(warnings.iter().any(|one| one["reason"] == *reason && one["count"] == count), "{record}");
        };
        warned("external_id", 2);
        warned("nexuslims_username", 1);
        let id = record["id"].as_str().unwrap();
        folder.run(&["runs", id, "--report", "failed"]).code(0).says(&told);
        folder.run(&["runs", id, "--report", "succeeded"]).code(0).says(&[standing]);
    }
    assert_eq!(folder.run(&["ids", "find", "nemo", "1", "--json"]).code(0).json()["username"], "ada");
}

#[tokio::test]
async fn a_file_that_another_program_writes_is_told_as_such() {
    let folder = Folder::new();
    file(&folder, "busy.sqlite", TABLE, "VALUES (1, 'ada', 'nemo', '1', NULL, '2026-01-25', NULL, NULL)").await;
    let mut writer = open(&folder, "busy.sqlite").await;
    sqlx::raw_sql("BEGIN EXCLUSIVE").execute(&mut writer).await.unwrap();
    let told = ["another program writes it", "stop NexusLIMS for the moment", "a copy of the file"];
    folder.run(&["migrate", "nexuslims", "busy.sqlite", "--dry-run"]).code(2).complains(&told);
    sqlx::raw_sql("ROLLBACK").execute(&mut writer).await.unwrap();
    writer.close().await.unwrap();
    assert!(!folder.path().join(".crosswalk").exists());
}
