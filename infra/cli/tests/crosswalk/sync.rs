use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;

use crate::support::{Ended, Folder, Up};

/// A users' table, an AWS of its own, and a shell that points at both.
struct Bed {
    folder: Folder,
    _up: Up,
    environment: Vec<(String, String)>,
}

impl Bed {
    fn new() -> Self {
        let folder = Folder::new();
        let up = Up::start(&folder);
        let mut environment = Up::environment(&folder);
        let file = format!("sqlite://{}", folder.path().join("users.sqlite").display());
        let settings = [("SYNC_SOURCE", "sql"), ("SYNC_TARGET", "cognito"), ("CUSTOM_DB_URI", &file)];
        environment.extend(settings.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let bed = Self { folder, _up: up, environment };
        bed.change(
            "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, username TEXT, first_name TEXT, last_name TEXT); \
             INSERT INTO users VALUES (1, 'ada@example.org', 'ada', 'Ada', NULL), (2, 'bo@example.org', 'bo', 'Bo', NULL), \
             (3, NULL, 'cy', 'Cy', NULL)",
        );
        bed
    }

    fn change(&self, sql: &'static str) {
        let file = self.folder.path().join("users.sqlite");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
            let mut database = options.connect().await.unwrap();
            sqlx::raw_sql(sql).execute(&mut database).await.unwrap();
        });
    }

    fn sync(&self, args: &[&str]) -> Ended {
        self.folder.run_with(&[&["sync"], args].concat(), &self.environment)
    }
}

#[test]
fn settings_are_asked_for_together() {
    let folder = Folder::new();
    folder.run(&["sync"]).code(2).complains(&["SYNC_SOURCE", "SYNC_TARGET"]);
    let settings =
        [("SYNC_SOURCE", "ldap"), ("SYNC_TARGET", "cognito"), ("SYNC_NAME", "a/b"), ("SYNC_ABSENT_RUNS", "0")];
    let environment = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    folder.run_with(&["sync"], &environment).code(2).complains(&[
        "LDAP_SERVER",
        "LDAP_BIND_USER_DN",
        "LDAP_BIND_PASSWORD",
        "LDAP_BASE_DN",
        "COGNITO_IDENTITY_POOL_ID",
        "SYNC_NAME",
        "SYNC_ABSENT_RUNS",
    ]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn a_pool_is_never_a_real_one_by_accident() {
    let folder = Folder::new();
    let settings = [
        ("SYNC_SOURCE", "sql"),
        ("SYNC_TARGET", "cognito"),
        ("CUSTOM_DB_URI", "sqlite://users.sqlite"),
        ("COGNITO_IDENTITY_POOL_ID", "us-east-1_AbCdEfGhI"),
    ];
    let environment = settings.map(|(name, value)| (name.to_owned(), value.to_owned()));
    folder.run_with(&["sync", "--dry-run"], &environment).code(2).complains(&["--aws", "crosswalk env"]);
}

#[test]
fn a_plan_is_looked_at_and_applied() {
    let mut bed = Bed::new();
    let told = bed.sync(&["--dry-run"]).code(1).says(&[
        "nothing is changed",
        "create 1",
        "    email: ada@example.org",
        "it has no e-mail",
        "2 steps: 2 create",
        "guard: lets it pass",
    ]);
    let hash = told.out.split("--plan-hash ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    bed.sync(&["--plan-hash", "0000000000000000"]).code(2).complains(&[&hash, "no longer"]);
    let ended =
        bed.sync(&["--plan-hash", &hash]).code(1).says(&["created", &hash, "Not as the source has it", "row 3"]);
    let run = ended.out.split("run directory-sync-").nth(1).unwrap().split(':').next().unwrap().to_owned();
    bed.folder
        .run_with(&["runs", &format!("directory-sync-{run}"), "--report", "failed"], &bed.environment)
        .code(0)
        .says(&["kind,id,name,outcome,reason", "person,3,row 3,rejected,it has no e-mail"]);

    let again = bed.sync(&["--json"]).code(1).json();
    assert_eq!((&again["kind"], again["parts"]["people"]["unchanged"].as_u64()), (&"directory-sync".into(), Some(2)));
    // Two of two are more than the guard allows.
    bed.change("DELETE FROM users WHERE id < 3; INSERT INTO users VALUES (4, 'dee@example.org', 'dee', NULL, NULL)");
    bed.environment.push(("SYNC_ABSENT_RUNS".to_owned(), "1".to_owned()));
    bed.sync(&[]).code(2).complains(&["removes 2 of the 2 active accounts", "--allow-removals"]);
    bed.sync(&["--allow-removals"]).code(1).says(&["deactivated"]);
}
