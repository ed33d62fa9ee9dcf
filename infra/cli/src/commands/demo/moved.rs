//! The demo's migration: a small database of NexusLIMS's is moved in, twice.

use anyhow::Context as _;
use crosswalk_function_kit::{Clock, Entropy};
use crosswalk_identifier_store::IdentifierStore;
use crosswalk_runs::files::Files;
use crosswalk_runs::{Counts, Ledger, Place, RunRecord, Runs};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use crate::commands::migrate;
use crate::ended::{Named, read_report};
use crate::show;
use crate::stack::Stack;

/// What must come of the rows, the first time and the second.
fn expected() -> [Counts; 2] {
    [
        Counts { read: 5, created: 3, unchanged: 1, conflict: 1, ..Counts::default() },
        Counts { read: 5, unchanged: 4, conflict: 1, ..Counts::default() },
    ]
}

/// Ada's NEMO id came by CSV before; the id that eve claims is Kim Park's.
const DATABASE: &str = "
CREATE TABLE external_user_identifiers (id INTEGER PRIMARY KEY AUTOINCREMENT, nexuslims_username TEXT NOT NULL,
    external_system TEXT NOT NULL, external_id TEXT NOT NULL, email TEXT, created_at TEXT NOT NULL, last_verified_at TEXT,
    notes TEXT);
INSERT INTO external_user_identifiers VALUES
    (1, 'ada', 'nemo', '12346', 'ada@example.org', '2026-01-25T10:00:00.000', NULL, NULL),
    (2, 'ada', 'cdcs', 'ada.l', 'ada@example.org', '2026-01-25T10:00:00.000', '2026-02-01T09:30:00.000', 'from CDCS'),
    (3, 'bob', 'labarchives_eln', '285489257', NULL, '2026-02-11T16:20:00.000+01:00', NULL, NULL),
    (4, 'eve', 'nemo', '12345', NULL, '2026-02-12T08:00:00.000', NULL, NULL),
    (5, 'ada', 'labarchives_eln', '285489301', NULL, '2026-02-13T11:05:00.000', NULL, NULL);";

/// What came of it.
pub(super) struct Moved {
    pub(super) runs: Vec<RunRecord>,
    pub(super) not_migrated: Vec<Named>,
}

/// Makes the database and moves it in, twice.
pub(super) async fn migrate(stack: &Stack, differences: &mut Vec<String>) -> anyhow::Result<Moved> {
    let folder = tempfile::tempdir().context("cannot make a folder for the demo's database")?;
    let path = folder.path().join("nexuslims.sqlite");
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut database = Box::pin(options.disable_statement_logging().connect()).await?;
    sqlx::raw_sql(DATABASE).execute(&mut database).await?;
    database.close().await?;

    let (clock, entropy) = (Clock::system(), Entropy::system());
    let store = IdentifierStore::new(stack.table(), clock.clone(), entropy.clone());
    let bucket = stack.made.bucket.clone();
    let files = Files::Bucket { client: aws_sdk_s3::Client::new(&stack.aws.sdk_config()), bucket };
    let place = Place { ledger: Ledger::Table(Runs::new(stack.table(), clock, entropy)), files };
    let mut moved = Moved { runs: Vec::new(), not_migrated: Vec::new() };
    for expected in expected() {
        let run = Box::pin(migrate::quietly(&path, &store, &place)).await?;
        if run.counts != expected {
            let (expected, found) = (show::counts(&expected), show::counts(&run.counts));
            differences.push(format!("migration: expected {expected}, found {found}"));
        }
        moved.runs.push(run);
    }
    if let Some(key) = moved.runs.first().and_then(|run| run.reports.failed.as_ref()) {
        let report = place.files.get(key).await?.with_context(|| format!("{key} is gone"))?;
        moved.not_migrated = read_report(&report)?;
    }
    let names_both = |row: &Named| row.reason.contains("eve") && row.reason.contains("kim.park@example.org");
    if !matches!(moved.not_migrated.as_slice(), [row] if names_both(row)) {
        differences.push("migration: the conflict does not name eve and Kim Park".to_owned());
    }
    Ok(moved)
}

/// Tells of it.
pub(super) fn tell(moved: &Moved) -> anyhow::Result<()> {
    let words = ["the first time", "once more"];
    for (words, run) in words.into_iter().zip(&moved.runs) {
        show::say(&format!("  {words}: {}", show::counts(&run.counts)))?;
    }
    show::say(&format!("{}\n", crate::ended::named(&moved.not_migrated)))
}
