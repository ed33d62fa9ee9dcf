//! A users' table in a SQLite file, and the whole sync from it into an Invenio instance.

use crosswalk_directory_sync::event::WAY;
use crosswalk_directory_sync::{Ran, SyncRequest, SyncSettings, Syncer};
use crosswalk_function_kit::secrets::Secrets;
use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Deadline, Entropy};
use crosswalk_runs::{Place, RunRecord, RunState, run_id};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tempfile::TempDir;

use crate::bed::Bed;

pub(crate) struct Users {
    pub(crate) bed: Bed,
    /// Holds the users' table, and the sync's runs and state.
    folder: TempDir,
}

/// Somebody in the table: key, e-mail, username, first and last name. An empty cell is NULL.
pub(crate) type User = [&'static str; 5];

impl Users {
    /// An instance without accounts, in a database of this name.
    pub(crate) async fn new(name: &str) -> Self {
        let users = Self { bed: Bed::new(name).await, folder: TempDir::new().unwrap() };
        let create = "CREATE TABLE users (id TEXT, email TEXT, username TEXT, first_name TEXT, last_name TEXT)";
        users.run(create).await;
        users
    }

    async fn table(&self) -> SqliteConnection {
        let file = self.folder.path().join("users.sqlite");
        SqliteConnectOptions::new().filename(file).create_if_missing(true).connect().await.unwrap()
    }

    /// Runs a statement on the users' table.
    pub(crate) async fn run(&self, statement: &'static str) {
        let mut table = self.table().await;
        sqlx::raw_sql(statement).execute(&mut table).await.unwrap();
        table.close().await.unwrap();
    }

    /// These are the users now.
    pub(crate) async fn set(&self, users: &[User]) {
        self.run("DELETE FROM users").await;
        let mut table = self.table().await;
        for user in users {
            let insert = sqlx::query("INSERT INTO users VALUES (?, ?, ?, ?, ?)");
            let insert = user.iter().fold(insert, |insert, cell| insert.bind((!cell.is_empty()).then_some(*cell)));
            insert.execute(&mut table).await.unwrap();
        }
        table.close().await.unwrap();
    }

    /// Syncs.
    pub(crate) async fn sync(&self) -> RunRecord {
        let place = |name: &str| self.folder.path().join(name).display().to_string();
        let environment = Environment::from_iter([
            ("SYNC_NAME", "staff".to_owned()),
            ("SYNC_SOURCE", "sql".to_owned()),
            ("SYNC_TARGET", "invenio".to_owned()),
            ("CUSTOM_DB_URI", format!("sqlite://{}", place("users.sqlite"))),
            ("INVENIO_DB_URI", self.bed.uri.replace("postgresql://", "postgresql+psycopg2://")),
            ("CROSSWALK_STATE_DIR", place("kept")),
        ]);
        let settings = SyncSettings::from_env(&environment).unwrap();
        let config = aws_config::SdkConfig::builder().build();
        let (clock, entropy, secrets) = (Clock::system(), Entropy::system(), Secrets::new(&config));
        let place = Place::new(&settings.kept, &config, &clock, &entropy);
        let request = SyncRequest {
            run_id: run_id::random(WAY, &entropy),
            delivery: "test".to_owned(),
            leg: 1,
            allow_removals: false,
            plan_hash: None,
        };
        let syncer = Syncer::new(settings, place, config, secrets, clock, entropy);
        match Box::pin(syncer.sync(&request, Deadline::NONE, &|_| {})).await.unwrap() {
            Ran::Ended(record) => record,
            Ran::Busy { run, .. } => panic!("the run {run} is under way"),
        }
    }

    /// Syncs, and everybody is as the table has them.
    pub(crate) async fn sync_all(&self) -> RunRecord {
        let record = self.sync().await;
        assert_eq!(record.state, RunState::Succeeded, "{:?}", record.reasons);
        record
    }

    /// The run's report of who is not as the table has them: key, outcome and reason, sorted.
    pub(crate) fn failed(&self, record: &RunRecord) -> Vec<String> {
        let path = self.folder.path().join("kept").join(record.reports.failed.as_ref().unwrap());
        let report = std::fs::read_to_string(path).unwrap();
        let mut lines: Vec<_> = report.lines().skip(1).map(str::to_owned).collect();
        lines.sort();
        lines
    }

    /// The state's lines, one for each managed person.
    pub(crate) fn state(&self) -> String {
        let text = std::fs::read_to_string(self.folder.path().join("kept/state/directory-sync/staff.txt")).unwrap();
        text.split_once('\n').unwrap().1.to_owned()
    }

    /// Every row of the instance's accounts, and the transaction that wrote it: what is written again, even to the same
    /// values, differs.
    pub(crate) async fn rows(&mut self) -> String {
        self.bed.ask("SELECT md5(string_agg(xmin::text || u::text, '' ORDER BY id)) FROM accounts_user AS u").await
    }

    /// Who (by full name) holds which username and e-mail, as whom, whether they may log in, and at which version.
    pub(crate) async fn holders(&mut self) -> Vec<String> {
        let line = "SELECT string_agg(concat_ws(' ', profile ->> 'full_name', username, email, displayname, active, \
                    version_id), E'\\n' ORDER BY profile ->> 'full_name') FROM accounts_user";
        self.bed.ask(line).await.lines().map(str::to_owned).collect()
    }
}
