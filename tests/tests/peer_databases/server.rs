use crosswalk_directory_sync::source::sql::{self, SqlSettings};
use crosswalk_directory_sync::source::{Read, ReadError};
use crosswalk_function_kit::Deadline;
use crosswalk_function_kit::secrets::Secrets;
use crosswalk_function_kit::settings::Environment;
use sqlx::{AssertSqlSafe, ConnectOptions, MySqlConnection, PgConnection};

/// A server that `tests/peers/databases/run` has started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Postgres,
    MariaDb,
}

pub(crate) const BOTH: [Kind; 2] = [Kind::Postgres, Kind::MariaDb];

impl Kind {
    /// The URI whose user may do everything.
    fn uri(self) -> String {
        variable(match self {
            Self::Postgres => "CROSSWALK_TEST_POSTGRESQL",
            Self::MariaDb => "CROSSWALK_TEST_MARIADB",
        })
    }
}

/// The file of the CA that both servers' certificates are of.
pub(crate) fn ca() -> String {
    variable("CROSSWALK_TEST_CA")
}

fn variable(name: &str) -> String {
    let Some(value) = Environment::of_process().get(name).map(str::to_owned) else {
        panic!("{name} is not set: run `tests/peers/run databases`");
    };
    value
}

/// A connection that may do everything.
pub(crate) enum Session {
    Postgres(PgConnection),
    MariaDb(MySqlConnection),
}

impl Session {
    async fn open(kind: Kind) -> Self {
        match kind {
            Kind::Postgres => {
                let options: sqlx::postgres::PgConnectOptions = kind.uri().parse().unwrap();
                Self::Postgres(Box::pin(options.connect()).await.unwrap())
            }
            Kind::MariaDb => {
                let options: sqlx::mysql::MySqlConnectOptions = kind.uri().parse().unwrap();
                Self::MariaDb(Box::pin(options.connect()).await.unwrap())
            }
        }
    }

    /// Runs statements.
    pub(crate) async fn run(&mut self, sql: &str) {
        let query = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        match self {
            Self::Postgres(connection) => drop(Box::pin(query.execute(connection)).await.unwrap()),
            Self::MariaDb(connection) => drop(Box::pin(query.execute(connection)).await.unwrap()),
        }
    }

    /// The numbers that a query gives.
    async fn numbers(&mut self, sql: &str) -> Vec<i64> {
        let query = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Postgres(connection) => Box::pin(sqlx::query_scalar(query).fetch_all(connection)).await.unwrap(),
            Self::MariaDb(connection) => Box::pin(sqlx::query_scalar(query).fetch_all(connection)).await.unwrap(),
        }
    }
}

/// A schema of one test, and a user who may read it and nothing else.
pub(crate) struct House {
    pub(crate) kind: Kind,
    pub(crate) name: &'static str,
    pub(crate) owner: Session,
}

impl House {
    pub(crate) async fn new(kind: Kind, name: &'static str) -> Self {
        let mut owner = Session::open(kind).await;
        match kind {
            Kind::Postgres => {
                owner
                    .run(&format!(
                        "CREATE SCHEMA {name}; CREATE ROLE {name} LOGIN PASSWORD 'reader''s'; \
                         GRANT USAGE ON SCHEMA {name} TO {name}; \
                         ALTER DEFAULT PRIVILEGES IN SCHEMA {name} GRANT SELECT ON TABLES TO {name}; \
                         SET search_path TO {name}, public"
                    ))
                    .await;
            }
            Kind::MariaDb => {
                owner
                    .run(&format!(
                        "CREATE DATABASE {name} CHARACTER SET utf8mb4; CREATE USER {name} IDENTIFIED BY 'reader''s'; \
                         GRANT SELECT ON {name}.* TO {name}; USE {name}"
                    ))
                    .await;
            }
        }
        Self { kind, name, owner }
    }

    /// A users' table with so many rows, numbered from 1, each of about `width` bytes.
    pub(crate) async fn users(&mut self, rows: u64, width: usize) {
        let numbers = match self.kind {
            Kind::Postgres => format!("generate_series(1, {rows}) AS numbers(seq)"),
            // Down to 0 it would count two.
            Kind::MariaDb => format!("seq_1_to_{}", rows.max(1)),
        };
        self.owner
            .run(&format!(
                "CREATE TABLE users (id bigint PRIMARY KEY, email varchar(100), username varchar(100), \
                 first_name varchar(1000), last_name varchar(100)); \
                 INSERT INTO users SELECT seq, concat('p', seq, '@example.org'), concat('p', seq), \
                 repeat('x', {width}), 'Last' FROM {numbers} WHERE seq <= {rows}"
            ))
            .await;
    }

    /// The reader's URI, as SQLAlchemy would have it.
    pub(crate) fn uri(&self, password: &str, parameters: &str) -> String {
        let uri = self.kind.uri();
        let (_, place) = uri.split_once('@').unwrap();
        let name = self.name;
        match self.kind {
            Kind::Postgres => format!("postgresql+psycopg2://{name}:{password}@{place}?{parameters}"),
            Kind::MariaDb => {
                let (host, _) = place.split_once('/').unwrap();
                format!("mysql+pymysql://{name}:{password}@{host}/{name}?{parameters}")
            }
        }
    }

    /// What reads this schema's `users`, with other settings.
    pub(crate) fn settings(&self, more: &[(&str, &str)], external_ids: &[&str]) -> SqlSettings {
        let mut environment = Environment::from_iter([
            ("CUSTOM_DB_URI", self.uri("reader%27s", "").as_str()),
            ("CUSTOM_DB_TABLE", &format!("{}.users", self.name)),
        ]);
        for (name, value) in more {
            environment = environment.with(name, value);
            if *name == "CUSTOM_DB_QUERY" {
                environment = environment.with("CUSTOM_DB_TABLE", "");
            }
        }
        SqlSettings::from_env(&environment, external_ids).unwrap()
    }

    pub(crate) async fn read(&self, more: &[(&str, &str)], external_ids: &[&str]) -> Result<Read, ReadError> {
        read(&self.settings(more, external_ids), &|_| {}).await
    }

    /// Ends the reader's connections; says how many there were.
    pub(crate) async fn kill(&mut self) -> usize {
        let name = self.name;
        let (sessions, kill): (_, fn(&i64) -> String) = match self.kind {
            Kind::Postgres => (format!("SELECT pid::bigint FROM pg_stat_activity WHERE usename = '{name}'"), |id| {
                format!("SELECT pg_terminate_backend({id})")
            }),
            Kind::MariaDb => {
                (format!("SELECT CAST(id AS SIGNED) FROM information_schema.processlist WHERE user = '{name}'"), |id| {
                    format!("KILL {id}")
                })
            }
        };
        let ids = self.owner.numbers(&sessions).await;
        for id in &ids {
            self.owner.run(&kill(id)).await;
        }
        ids.len()
    }
}

pub(crate) async fn read(settings: &SqlSettings, watch: &(dyn Fn(u64) + Send + Sync)) -> Result<Read, ReadError> {
    let secrets = Secrets::new(&aws_config::SdkConfig::builder().build());
    Box::pin(sql::read(settings, &secrets, Deadline::NONE, watch)).await
}

/// The message of a read that the source has ended.
pub(crate) fn refusal(read: Result<Read, ReadError>) -> String {
    match read {
        Err(ReadError::Source(told)) => told,
        other => panic!("{other:?}"),
    }
}
