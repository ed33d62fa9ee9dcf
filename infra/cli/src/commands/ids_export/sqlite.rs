//! NexusLIMS's table in a SQLite file of its own: columns, constraints and indexes as its software makes them.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use crosswalk_identity::{Mapping, System, times};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, Connection as _, QueryBuilder, Sqlite, SqliteConnection};
use tempfile::NamedTempFile;

use super::output;

/// The systems that the table's CHECK takes.
const TAKEN: [&str; 5] = ["nemo", "labarchives_eln", "labarchives_scheduler", "cdcs", "sharepoint"];

/// Rows of one statement; each has 7 values, and SQLite takes 32,766.
const TOGETHER: usize = 500;

const TABLE: &str = r#"
CREATE TABLE "external_user_identifiers" (
    "id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "nexuslims_username" TEXT NOT NULL,
    "external_system" TEXT NOT NULL
        CHECK ("external_system" IN ('nemo', 'labarchives_eln', 'labarchives_scheduler', 'cdcs', 'sharepoint')),
    "external_id" TEXT NOT NULL,
    "email" TEXT,
    "created_at" TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%f', 'now', 'localtime')),
    "last_verified_at" TEXT,
    "notes" TEXT,
    CONSTRAINT "nexuslims_username_system_UNIQUE" UNIQUE ("nexuslims_username", "external_system"),
    CONSTRAINT "system_external_id_UNIQUE" UNIQUE ("external_system", "external_id")
);
CREATE INDEX "idx_external_lookup" ON "external_user_identifiers" ("external_system", "external_id");
CREATE INDEX "idx_nexuslims_username" ON "external_user_identifiers" ("nexuslims_username");
-- The rows as they come, in SQLite's own temporary file: they get their ids in the order in which they were created.
PRAGMA temp_store = FILE;
CREATE TEMP TABLE met (username, system, external_id, email, created_at, last_verified_at, notes);
"#;

const FILL: &str = r#"
INSERT INTO "external_user_identifiers"
    ("nexuslims_username", "external_system", "external_id", "email", "created_at", "last_verified_at", "notes")
SELECT username, system, external_id, email, created_at, last_verified_at, notes
FROM met ORDER BY created_at, username, system
"#;

/// The database, on its way.
pub(super) struct Database {
    connection: SqliteConnection,
    draft: NamedTempFile,
    path: PathBuf,
}

/// # Errors
/// The table does not take one of these systems.
pub(super) fn check(systems: &[System]) -> anyhow::Result<()> {
    let refused: Vec<&str> = systems.iter().map(System::as_str).filter(|system| !TAKEN.contains(system)).collect();
    if refused.is_empty() {
        return Ok(());
    }
    bail!(
        "NexusLIMS's table does not take {}: it knows {}. Name those to write by --system, or use --format csv or json",
        refused.join(", "),
        TAKEN.join(", ")
    )
}

impl Database {
    /// Begins a file beside the one that it will be.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) async fn create(path: &Path) -> anyhow::Result<Self> {
        let draft = output::draft(path)?;
        // Nobody reads it before it is whole, and after an error it is thrown away.
        let options = SqliteConnectOptions::new()
            .filename(draft.path())
            .journal_mode(SqliteJournalMode::Off)
            .synchronous(SqliteSynchronous::Off)
            .disable_statement_logging();
        let cannot = || format!("cannot write {}", path.display());
        let mut connection = Box::pin(options.connect()).await.with_context(cannot)?;
        sqlx::raw_sql(TABLE).execute(&mut connection).await.with_context(cannot)?;
        Ok(Self { connection, draft, path: path.to_owned() })
    }

    pub(super) async fn add(&mut self, mappings: &[Mapping]) -> anyhow::Result<()> {
        for rows in mappings.chunks(TOGETHER) {
            let mut insert = QueryBuilder::<Sqlite>::new("INSERT INTO met ");
            insert.push_values(rows, |mut row, mapping| {
                row.push_bind(mapping.username.to_string())
                    .push_bind(mapping.system.to_string())
                    .push_bind(mapping.external_id.to_string())
                    .push_bind(mapping.email.as_ref().map(ToString::to_string))
                    .push_bind(time(mapping.created_at))
                    .push_bind(mapping.last_verified_at.map(time))
                    .push_bind(mapping.notes.clone());
            });
            // Of each length but the last of a page there is one statement.
            let insert = insert.build().persistent(rows.len() == TOGETHER);
            insert
                .execute(&mut self.connection)
                .await
                .with_context(|| format!("cannot write {}", self.path.display()))?;
        }
        Ok(())
    }

    /// Gives the file its name.
    ///
    /// # Errors
    /// The table does not take a system, a mapping was moved while it was read, or the file cannot be written.
    pub(super) async fn close(mut self) -> anyhow::Result<()> {
        let systems = sqlx::query_scalar::<_, String>("SELECT DISTINCT system FROM met ORDER BY system");
        let systems = systems.fetch_all(&mut self.connection).await?;
        check(&systems.iter().filter_map(|system| System::parse(system).ok()).collect::<Vec<_>>())?;
        if let Err(error) = sqlx::raw_sql(FILL).execute(&mut self.connection).await {
            if error.as_database_error().is_some_and(|error| error.is_unique_violation()) {
                // The message would name a person.
                bail!("a mapping changed while the table was read; run the export again");
            }
            return Err(anyhow!(error)).with_context(|| format!("cannot write {}", self.path.display()));
        }
        self.connection.close().await?;
        output::put(self.draft, &self.path)
    }
}

/// As the original has them: without a zone, in UTC, with milliseconds.
fn time(at: jiff::Timestamp) -> String {
    times::text(at).trim_end_matches('Z').to_owned()
}
