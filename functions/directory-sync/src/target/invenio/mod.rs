//! The accounts of an Invenio instance: rows of `accounts_user` in its PostgreSQL database, as its models read them.
//!
//! What the models do in Python when an account is made or changed, and no trigger or default of the database, is done here:
//! username and e-mail in lower case, `domain` from the e-mail, `version_id` (SQLAlchemy's lock against lost updates),
//! `created` and `updated`, `profile` and `preferences`. Seen with invenio-accounts 9.1 and 6.3.
//!
//! What is not done: sessions that are open when an account is deactivated stand in the instance's session store (Redis),
//! which is out of reach, and go on until they end; `blocked_at` is an administrator's and is never lifted.

mod batch;
mod database;
mod fault;
mod rows;
mod settings;
mod uri;
mod write;

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crosswalk_function_kit::Deadline;
use crosswalk_function_kit::secrets::Secrets;
use crosswalk_runs::Traffic;
use futures::{FutureExt, TryStreamExt};
use secrecy::ExposeSecret;
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions, Connection, Row};
use tokio::sync::mpsc;
use tokio::time::timeout;

pub use settings::{InvenioSettings, SETTINGS, UsernameRule};

use super::{Bundle, Done, TargetError};
use crate::{Account, Fields, Person};
use database::Shape;

/// How long the server may take to let us in, and then to answer a statement.
const TO_CONNECT: Duration = Duration::from_secs(15);
const TO_ANSWER: Duration = Duration::from_secs(60);

/// An instance's database.
pub struct InvenioTarget {
    options: Box<PgConnectOptions>,
    id: String,
    shape: Shape,
    preferences: String,
    confirm: bool,
    /// The connection, while nothing uses it. Whoever takes it puts it back when all went well, so that a future that is
    /// dropped half way takes the connection, and with it the open transaction, along.
    idle: Mutex<Option<PgConnection>>,
    counts: Counts,
}

/// Statements, transactions' ends included.
#[derive(Debug, Default)]
struct Counts {
    sent: AtomicU64,
    again: AtomicU64,
}

impl InvenioTarget {
    /// Connects.
    ///
    /// # Errors
    /// The URI cannot be had, the server cannot be reached, or the database holds no table `accounts_user` of a shape that
    /// is known.
    pub async fn connect(settings: &InvenioSettings, secrets: &Secrets) -> Result<Self, TargetError> {
        let name = settings::DB_URI.name;
        let uri = secrets.get(name, &settings.db_uri).boxed().await.map_err(|error| TargetError(error.to_string()))?;
        let options = uri::options(uri.expose_secret()).map_err(|problem| TargetError(format!("{name} {problem}")))?;
        let options = options.disable_statement_logging();
        let counts = Counts::default();
        let connected = database::open(&options, &counts).boxed().await;
        let (mut connection, id) = match connected {
            Ok(connection) => (connection, uri::id(&options)),
            Err(error) => {
                // A password that was changed meanwhile is fetched again by the next run.
                secrets.forget(&settings.db_uri).await;
                return Err(error);
            }
        };
        let shape = database::shape(&mut connection, &id, &counts).boxed().await?;
        Ok(Self {
            options: Box::new(options),
            id,
            shape,
            preferences: settings.preferences.clone(),
            confirm: settings.confirm,
            idle: Mutex::new(Some(connection)),
            counts,
        })
    }

    /// What stands for the instance's database (host, port, name), whatever user and password the URI holds: the state of
    /// one is not taken for another's.
    pub fn id(&self) -> String {
        self.id.clone()
    }

    /// See [`super::Target::accounts`].
    ///
    /// # Errors
    /// The rows cannot be read to the end.
    pub async fn accounts(&self, read: &(dyn Fn(u64) + Send + Sync)) -> Result<Vec<Account>, TargetError> {
        let mut connection = self.connection().boxed().await?;
        self.counts.add(false);
        let mut accounts = Vec::new();
        {
            // One statement sees one moment. The rows come one by one, as they are taken.
            let mut rows = sqlx::query(database::ACCOUNTS).fetch(&mut connection);
            while let Some(row) = self.answered(rows.try_next()).await? {
                accounts.push(account(&row).map_err(|error| self.broke_off(&error))?);
                if accounts.len() % 1_000 == 0 {
                    read(accounts.len() as u64);
                }
            }
        }
        read(accounts.len() as u64);
        accounts.shrink_to_fit();
        self.put_back(connection);
        Ok(accounts)
    }

    /// See [`super::Target::apply`]. What must hold together is one transaction, and up to a thousand steps share one: one that
    /// the database refuses is halved until the bad bundle is alone.
    ///
    /// # Errors
    /// The database broke off. The transaction that was under way is not told of, even if it was committed: the next run
    /// finds what stands.
    pub async fn apply(
        &self,
        bundles: Vec<Bundle>,
        deadline: Deadline,
        done: &mpsc::UnboundedSender<Done>,
    ) -> Result<(), TargetError> {
        let mut connection = self.connection().boxed().await?;
        write::apply(self, &mut connection, bundles, deadline, done).boxed().await?;
        self.put_back(connection);
        Ok(())
    }

    /// The statements so far.
    pub fn traffic(&self) -> Traffic {
        Traffic {
            requests: self.counts.sent.load(Ordering::Relaxed),
            retries: self.counts.again.load(Ordering::Relaxed),
            ..Traffic::default()
        }
    }

    /// The connection, a new one if there is none or if it was lost while nothing used it.
    async fn connection(&self) -> Result<PgConnection, TargetError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut connection) = idle
            && matches!(timeout(TO_CONNECT, connection.ping()).await, Ok(Ok(())))
        {
            return Ok(connection);
        }
        database::open(&self.options, &self.counts).await
    }

    fn put_back(&self, connection: PgConnection) {
        *self.idle.lock().unwrap_or_else(PoisonError::into_inner) = Some(connection);
    }

    async fn answered<T>(&self, answer: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, TargetError> {
        match timeout(TO_ANSWER, answer).await {
            Ok(answer) => answer.map_err(|error| self.broke_off(&error)),
            Err(_) => Err(self.silent()),
        }
    }

    fn broke_off(&self, error: &sqlx::Error) -> TargetError {
        TargetError(format!("PostgreSQL at {} broke off: {}", self.id, fault::told(error)))
    }

    fn silent(&self) -> TargetError {
        TargetError(format!("PostgreSQL at {} did not answer within {} s", self.id, TO_ANSWER.as_secs()))
    }
}

impl Counts {
    fn add(&self, again: bool) {
        self.sent.fetch_add(1, Ordering::Relaxed);
        self.again.fetch_add(u64::from(again), Ordering::Relaxed);
    }
}

fn account(row: &sqlx::postgres::PgRow) -> Result<Account, sqlx::Error> {
    let text = |column: usize| row.try_get::<Option<&str>, _>(column).map(|text| text.map(Into::into));
    Ok(Account {
        id: row.try_get::<i32, _>(0)?.to_string().into(),
        fields: Fields {
            email: text(1)?,
            username: text(2)?,
            displayname: text(3)?,
            full_name: text(4)?,
            ..Fields::default()
        },
        active: row.try_get(5)?,
        version: row.try_get(6)?,
        unfinished: false,
    })
}

/// What an account is to hold: username and e-mail in lower case, the username's own spelling as displayname.
pub fn fields(person: &Person, email: &str) -> Fields {
    let names = [person.first_name.as_deref(), person.last_name.as_deref()];
    let full_name = names.into_iter().flatten().collect::<Vec<_>>().join(" ");
    Fields {
        email: Some(email.to_lowercase().into()),
        username: person.username.as_deref().map(|username| username.to_lowercase().into()),
        displayname: person.username.clone(),
        full_name: (!full_name.is_empty()).then(|| full_name.into()),
        ..Fields::default()
    }
}

/// Without the password.
impl fmt::Debug for InvenioTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InvenioTarget({})", self.id)
    }
}
