//! A database of Invenio's for each test, and the steps that it takes.

use std::collections::BTreeMap;

use crosswalk_directory_sync::step::{Change, Step, What, Why};
use crosswalk_directory_sync::target::invenio::{InvenioSettings, InvenioTarget};
use crosswalk_directory_sync::target::{Applied, Bundle, Done, Failure, TargetError};
use crosswalk_directory_sync::{Account, Field};
use crosswalk_function_kit::Deadline;
use crosswalk_function_kit::secrets::Secrets;
use crosswalk_function_kit::settings::Environment;
use futures::FutureExt;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection};
use tokio::sync::mpsc;

/// A copy of the database that holds the models' tables, a target on it, and a connection of its own.
pub(crate) struct Bed {
    pub(crate) uri: String,
    pub(crate) target: InvenioTarget,
    pub(crate) sql: PgConnection,
}

/// What came of steps, by their keys.
pub(crate) type Results = BTreeMap<String, Result<Applied, Failure>>;

/// A variable that the peer's script sets.
pub(crate) fn given(name: &str) -> String {
    match Environment::of_process().get(name) {
        Some(value) => value.to_owned(),
        None => panic!("{name} is not set: run `tests/peers/run invenio`"),
    }
}

/// The URI of another database of the same server.
pub(crate) fn uri_of(database: &str) -> String {
    let uri = given("CROSSWALK_TEST_INVENIO");
    let (server, _) = uri.rsplit_once('/').unwrap();
    format!("{server}/{database}")
}

/// The settings as a person writes them: with SQLAlchemy's driver.
pub(crate) fn settings(uri: &str, more: &[(&str, &str)]) -> InvenioSettings {
    let uri = uri.replace("postgresql://", "postgresql+psycopg2://");
    let environment = Environment::from_iter([("INVENIO_DB_URI", uri)]);
    let environment = more.iter().fold(environment, |environment, (name, value)| environment.with(name, value));
    InvenioSettings::from_env(&environment).unwrap()
}

pub(crate) async fn connect(uri: &str, more: &[(&str, &str)]) -> Result<InvenioTarget, TargetError> {
    let secrets = Secrets::new(&aws_config::SdkConfig::builder().build());
    InvenioTarget::connect(&settings(uri, more), &secrets).await
}

pub(crate) async fn sql(uri: &str) -> PgConnection {
    uri.parse::<PgConnectOptions>().unwrap().disable_statement_logging().connect().await.unwrap()
}

/// A database of this name, which no other test takes.
pub(crate) async fn database(name: &str) -> String {
    let uri = given("CROSSWALK_TEST_INVENIO");
    let (_, template) = uri.rsplit_once('/').unwrap();
    let mut server = sql(&uri_of("postgres")).await;
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name} TEMPLATE {template}")))
        .execute(&mut server)
        .await
        .unwrap();
    uri_of(name)
}

impl Bed {
    pub(crate) async fn new(name: &str) -> Self {
        Self::with(name, &[]).await
    }

    pub(crate) async fn with(name: &str, more: &[(&str, &str)]) -> Self {
        let uri = database(name).await;
        let target = connect(&uri, more).await.unwrap();
        Self { target, sql: sql(&uri).await, uri }
    }

    /// Runs statements of ours, as somebody else than the target.
    pub(crate) async fn run(&mut self, statements: &str) {
        sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(&mut self.sql).await.unwrap();
    }

    /// One value.
    pub(crate) async fn ask(&mut self, statement: &str) -> String {
        let text = format!("SELECT ({statement})::text");
        let value: Option<String> = sqlx::query_scalar(AssertSqlSafe(text)).fetch_one(&mut self.sql).await.unwrap();
        value.unwrap_or_else(|| "null".to_owned())
    }

    /// The steps, one a bundle.
    pub(crate) async fn take(&self, steps: Vec<Step>) -> Results {
        self.bundles(steps.into_iter().map(|step| Bundle(vec![step])).collect()).await
    }

    /// All of them are told of.
    pub(crate) async fn bundles(&self, bundles: Vec<Bundle>) -> Results {
        let steps: usize = bundles.iter().map(|bundle| bundle.0.len()).sum();
        let (told, result) = apply(&self.target, bundles).await;
        result.unwrap();
        assert_eq!(told.len(), steps);
        told
    }

    /// The accounts by e-mail.
    pub(crate) async fn accounts(&self) -> BTreeMap<String, Account> {
        let accounts = self.target.accounts(&|_| {}).boxed().await.unwrap();
        accounts
            .into_iter()
            .map(|account| (account.fields.email.as_deref().unwrap_or("none").to_owned(), account))
            .collect()
    }

    /// Statements so far.
    pub(crate) fn statements(&self) -> u64 {
        self.target.traffic().requests
    }
}

pub(crate) async fn apply(target: &InvenioTarget, bundles: Vec<Bundle>) -> (Results, Result<(), TargetError>) {
    let (sender, mut receiver) = mpsc::unbounded_channel();
    // Boxed, and so sendable: a function's handler asks for that.
    let result = target.apply(bundles, Deadline::NONE, &sender).boxed().await;
    drop(sender);
    let mut told = Results::new();
    while let Some(Done { step, result }) = receiver.recv().await {
        assert!(told.insert(step.key.into(), result).is_none(), "told twice");
    }
    (told, result)
}

pub(crate) fn changes(changes: &[(Field, &str)]) -> Vec<Change> {
    changes.iter().map(|(field, new)| Change { field: *field, old: None, new: (*new).into() }).collect()
}

fn step(what: What, key: &str, account: Option<&Account>) -> Step {
    Step {
        what,
        key: key.into(),
        account: account.map(|account| account.id.clone()),
        version: account.map_or(0, |account| account.version),
        changes: Vec::new(),
        active: None,
        after: Vec::new(),
    }
}

/// A creation whose key is the username.
pub(crate) fn create(username: &str, full_name: &str) -> Step {
    let lower = username.to_lowercase();
    let fields = [
        (Field::Email, format!("{lower}@example.org")),
        (Field::Username, lower.clone()),
        (Field::Displayname, username.to_owned()),
        (Field::FullName, full_name.to_owned()),
    ];
    let fields: Vec<_> = fields.iter().map(|(field, new)| (*field, new.as_str())).collect();
    Step { changes: changes(&fields), ..step(What::Create, username, None) }
}

/// A change whose key is the account's id.
pub(crate) fn update(account: &Account, fields: &[(Field, &str)]) -> Step {
    Step { changes: changes(fields), ..step(What::Update, &account.id, Some(account)) }
}

pub(crate) fn activate(account: &Account) -> Step {
    Step { active: Some(true), ..update(account, &[]) }
}

pub(crate) fn deactivate(account: &Account) -> Step {
    step(What::Deactivate { why: Why::Absent }, &account.id, Some(account))
}

pub(crate) fn delete(account: &Account) -> Step {
    step(What::Delete, &account.id, Some(account))
}
