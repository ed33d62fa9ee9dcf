//! A users' table, a user pool, and a place for state and runs.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aws_sdk_cognitoidentityprovider::Client;
use crosswalk_directory_sync::event::WAY;
use crosswalk_directory_sync::{DryRun, Ran, SyncRequest, SyncSettings, Syncer};
use crosswalk_function_kit::secrets::Secrets;
use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Deadline, Entropy};
use crosswalk_local_aws::testbed::Testbed;
use crosswalk_runs::{Place, RunRecord, RunState, run_id};
use crosswalk_tests::everything;
use jiff::SignedDuration;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tempfile::TempDir;

pub(crate) struct Bed {
    pub(crate) aws: Testbed,
    folder: TempDir,
    environment: Environment,
    /// Hours that have passed.
    hours: Arc<AtomicI64>,
}

/// An account, as the pool tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) enabled: bool,
    pub(crate) status: String,
    pub(crate) attributes: BTreeMap<String, String>,
}

impl Bed {
    /// With these people; see [`Self::set_people`].
    pub(crate) async fn with_people(people: &[&str]) -> Self {
        let aws = Testbed::start().await;
        let folder = TempDir::new().unwrap();
        let uri = format!("sqlite://{}", folder.path().join("users.sqlite").display());
        let environment = Environment::from_iter([
            ("SYNC_NAME", "staff"),
            ("SYNC_SOURCE", "sql"),
            ("SYNC_TARGET", "cognito"),
            ("CUSTOM_DB_URI", uri.as_str()),
            ("CUSTOM_DB_FIELD_ENABLED", "enabled"),
            ("COGNITO_IDENTITY_POOL_ID", &aws.names.pool_id),
            ("CROSSWALK_TABLE", &aws.names.table),
            ("CROSSWALK_BUCKET", &aws.names.bucket),
            // As fast as the emulator goes.
            ("CROSSWALK_COGNITO_RESERVE", "0"),
            ("CROSSWALK_COGNITO_SHARERS", "1"),
            ("CROSSWALK_COGNITO_USER_READ_RPS", "10000"),
            ("CROSSWALK_COGNITO_USER_CREATION_RPS", "10000"),
            ("CROSSWALK_COGNITO_SET_PASSWORD_RPS", "10000"),
            ("CROSSWALK_COGNITO_USER_LIST_RPS", "10000"),
            ("CROSSWALK_COGNITO_USER_UPDATE_RPS", "10000"),
        ]);
        let bed = Self { aws, folder, environment, hours: Arc::default() };
        bed.set_people(people).await;
        bed
    }

    /// With a setting more.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.environment = self.environment.with(name, value);
        self
    }

    /// The same pool and table, under other settings.
    pub(crate) fn syncer_with(&self, settings: &[(&str, &str)]) -> Syncer {
        let environment =
            settings.iter().fold(self.environment.clone(), |environment, (name, value)| environment.with(name, value));
        let hours = self.hours.clone();
        let clock =
            Clock::from_fn(move || Clock::system().now() + SignedDuration::from_hours(hours.load(Ordering::Relaxed)));
        let settings = SyncSettings::from_env(&environment).unwrap();
        let (config, entropy) = (self.aws.config.clone(), Entropy::system());
        let place = Place::new(&settings.kept, &config, &clock, &entropy);
        let secrets = Secrets::new(&config);
        Syncer::new(settings, place, config, secrets, clock, entropy)
    }

    pub(crate) fn syncer(&self) -> Syncer {
        self.syncer_with(&[])
    }

    pub(crate) fn forward(&self, hours: i64) {
        self.hours.fetch_add(hours, Ordering::Relaxed);
    }

    /// Who is in the table, each as `key,email,username,first,last,enabled,ids`; what is left out at the end is: enabled, and
    /// no id. An empty cell is NULL.
    pub(crate) async fn set_people(&self, people: &[&str]) {
        let file = self.folder.path().join("users.sqlite");
        let options = SqliteConnectOptions::new().filename(file).create_if_missing(true);
        let mut database = options.connect().await.unwrap();
        sqlx::raw_sql(
            "CREATE TABLE IF NOT EXISTS users (id TEXT, email TEXT, username TEXT, first_name TEXT, last_name TEXT, \
             enabled INTEGER, nemo_id TEXT); DELETE FROM users",
        )
        .execute(&mut database)
        .await
        .unwrap();
        for person in people {
            let mut cells: Vec<Option<&str>> =
                person.split(',').map(|cell| (!cell.is_empty()).then_some(cell)).collect();
            cells.resize(7, None);
            let enabled = cells[5] != Some("no");
            sqlx::query("INSERT INTO users VALUES (?, ?, ?, ?, ?, ?, ?)")
                .bind(cells[0])
                .bind(cells[1])
                .bind(cells[2])
                .bind(cells[3])
                .bind(cells[4])
                .bind(enabled)
                .bind(cells[6])
                .execute(&mut database)
                .await
                .unwrap();
        }
        database.close().await.unwrap();
    }

    /// Syncs; the run's record.
    pub(crate) async fn sync_as(&self, request: &SyncRequest) -> RunRecord {
        match self.syncer().sync(request, Deadline::NONE, &|_| {}).await.unwrap() {
            Ran::Ended(record) => record,
            Ran::Busy { run, .. } => panic!("the run {run} is under way"),
        }
    }

    /// Syncs in a new run.
    pub(crate) async fn sync(&self) -> RunRecord {
        self.sync_as(&request()).await
    }

    /// The same, and everybody is as the table has them.
    pub(crate) async fn sync_all(&self) -> RunRecord {
        let record = self.sync().await;
        assert_eq!(record.state, RunState::Succeeded, "{:?}", record.reasons);
        record
    }

    pub(crate) async fn dry_run(&self, request: &SyncRequest) -> DryRun {
        self.syncer().dry_run(request, Deadline::NONE, &|_| {}).await.unwrap()
    }

    pub(crate) fn cognito(&self) -> Client {
        Client::new(&self.aws.config)
    }

    /// The pool's accounts, by e-mail.
    pub(crate) async fn accounts(&self) -> BTreeMap<String, Account> {
        let mut accounts = BTreeMap::new();
        let mut token = None;
        loop {
            let request = self.cognito().list_users().user_pool_id(&self.aws.names.pool_id);
            let page = request.set_pagination_token(token).send().await.unwrap();
            for user in page.users() {
                let attributes: BTreeMap<String, String> = user
                    .attributes()
                    .iter()
                    .map(|attribute| (attribute.name().to_owned(), attribute.value().unwrap_or_default().to_owned()))
                    .collect();
                let account = Account {
                    id: user.username().unwrap().to_owned(),
                    enabled: user.enabled(),
                    status: user.user_status().unwrap().as_str().to_owned(),
                    attributes,
                };
                accounts.insert(account.attributes["email"].replace("@example.org", ""), account);
            }
            token = page.pagination_token().map(str::to_owned);
            if token.is_none() {
                return accounts;
            }
        }
    }

    /// Who may log in, by the e-mails' local parts.
    pub(crate) async fn enabled(&self) -> Vec<String> {
        self.accounts().await.into_iter().filter(|(_, account)| account.enabled).map(|(email, _)| email).collect()
    }

    /// Everything that stands in table and bucket, and the pool's accounts.
    pub(crate) async fn everything(&self) -> (BTreeMap<String, Vec<u8>>, BTreeMap<String, Account>) {
        (everything::in_aws(&self.aws).await, self.accounts().await)
    }

    /// The run's report of who is not as the table has them, a line each.
    pub(crate) async fn failed(&self, record: &RunRecord) -> Vec<String> {
        let kept = everything::in_aws(&self.aws).await;
        let report = String::from_utf8(kept[record.reports.failed.as_ref().unwrap()].clone()).unwrap();
        report.lines().skip(1).map(str::to_owned).collect()
    }
}

/// A new run by hand.
pub(crate) fn request() -> SyncRequest {
    SyncRequest {
        run_id: run_id::random(WAY, &Entropy::system()),
        delivery: "test".to_owned(),
        leg: 1,
        allow_removals: false,
        plan_hash: None,
    }
}

/// So many people.
pub(crate) fn many(from: usize, to: usize) -> Vec<String> {
    (from..to).map(|n| format!("k{n},p{n}@example.org,user{n},First,Last")).collect()
}

pub(crate) fn refs(people: &[String]) -> Vec<&str> {
    people.iter().map(String::as_str).collect()
}
