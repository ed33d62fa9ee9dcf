//! The demo's way of a users' table: its people get accounts, and a second run finds nothing to do.

use anyhow::{Context as _, bail};
use crosswalk_directory_sync::event::WAY;
use crosswalk_directory_sync::{Ran, SyncRequest, SyncSettings, Syncer};
use crosswalk_function_kit::secrets::Secrets;
use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Deadline, Entropy};
use crosswalk_runs::{Counts, Place, RunRecord, RunState, run_id};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;
use tempfile::TempDir;

use crate::ended::{Named, parts_table, read_report};
use crate::show;
use crate::stack::Stack;
use crate::target::{names, with};

/// Two have an account already, from the import; Grace lacks an e-mail, and Ravi does not work here any more.
const PEOPLE: &str = "
    CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, username TEXT, first_name TEXT, last_name TEXT, active INTEGER);
    INSERT INTO users VALUES
        (1, 'Ada@example.org', 'ada', 'Ada', 'Okafor', 1),
        (2, 'kim.park@example.org', 'kim.park', 'Kim', 'Park', 1),
        (3, 'zoe.ferrari@example.org', 'zoe.ferrari', 'Zoë', 'Ferrari', 1),
        (4, 'ravi@example.org', 'ravi', 'Ravi', 'Menon', 0),
        (5, NULL, 'grace', 'Grace', 'Lindqvist', 1);";

/// What came of it.
pub(super) struct Syncs {
    /// The plan that the dry run told, a line each.
    pub(super) plan: Vec<String>,
    pub(super) first: RunRecord,
    pub(super) second: RunRecord,
    /// Who is not as the table has them.
    pub(super) left_out: Vec<Named>,
}

/// Looks at the plan, syncs twice, and notes what came out otherwise than expected.
pub(super) async fn sync(stack: &Stack, differences: &mut Vec<String>) -> anyhow::Result<Syncs> {
    let folder = TempDir::new()?;
    let file = folder.path().join("users.sqlite");
    let mut database = SqliteConnectOptions::new().filename(&file).create_if_missing(true).connect().await?;
    sqlx::raw_sql(PEOPLE).execute(&mut database).await?;
    drop(database);

    let made = &stack.made;
    let environment = names(stack.aws.endpoint(), &made.table, &made.bucket, &made.pool_id)
        .chain([
            ("SYNC_SOURCE", "sql".to_owned()),
            ("SYNC_TARGET", "cognito".to_owned()),
            ("CUSTOM_DB_URI", format!("sqlite://{}", file.display())),
            ("CUSTOM_DB_FIELD_ENABLED", "active".to_owned()),
        ])
        .fold(Environment::default(), with);
    let settings = SyncSettings::from_env(&environment)?;
    let (clock, entropy, config) = (Clock::system(), Entropy::system(), stack.aws.sdk_config());
    let place = Place::new(&settings.kept, &config, &clock, &entropy);
    let files = place.files.clone();
    let secrets = Secrets::new(&config);
    let syncer = Syncer::new(settings, place, config, secrets, clock, entropy);

    let planned = syncer.dry_run(&request(None), Deadline::NONE, &|_| {}).await?;
    let plan = planned.plan.actions().iter().flat_map(|step| step.lines()).collect();
    // Just the plan that was looked at.
    let first = once(&syncer, Some(planned.plan.hash().to_owned())).await?;
    let second = once(&syncer, None).await?;
    let left_out = match &first.reports.failed {
        Some(key) => read_report(&files.get(key).await?.with_context(|| format!("{files}/{key} is gone"))?)?,
        None => Vec::new(),
    };
    let syncs = Syncs { plan, first, second, left_out };
    syncs.check(differences);
    Ok(syncs)
}

impl Syncs {
    fn check(&self, differences: &mut Vec<String>) {
        let none = Some(0);
        let beside = Counts { deactivated: none, reactivated: none, deleted: none, ..Counts::default() };
        let both = Counts { read: 5, rejected: 1, skipped: 1, ..beside };
        for (what, run, expected) in [
            ("the first run", &self.first, Counts { created: 1, updated: 2, ..both }),
            ("the second run", &self.second, Counts { unchanged: 3, ..both }),
        ] {
            if (run.state, run.counts) != (RunState::Partly, expected) {
                let (expected, found) = (show::counts(&expected), show::counts(&run.counts));
                let why: Vec<_> = run.reasons.iter().map(|reason| reason.reason.as_str()).collect();
                differences.push(format!("sync: {what}: expected {expected}, found {found} ({})", why.join("; ")));
            }
        }
        let ends: Vec<_> = self.left_out.iter().map(|row| format!("{} {}", row.name, row.outcome)).collect();
        if ends != ["row 5 rejected", "ravi skipped"] {
            differences.push(format!("sync: left out: found {}", ends.join(", ")));
        }
    }
}

/// The plan, what the first sync made of it, and that the second finds nothing to do.
pub(super) fn tell(syncs: &Syncs) -> anyhow::Result<()> {
    let plan: Vec<_> = syncs.plan.iter().map(|line| show::plain(line)).collect();
    show::say(&format!("{}\n\nThen a run applies just that plan:", plan.join("\n")))?;
    show::say(&parts_table(&syncs.first).to_string())?;
    let rows =
        syncs.left_out.iter().map(|row| [row.kind.clone(), row.name.clone(), row.outcome.clone(), row.reason.clone()]);
    show::say(&format!("{}\n", show::table(["kind", "name", "outcome", "reason"], rows)))?;
    show::say(&format!("A second run finds nothing to do: {} people are unchanged.\n", syncs.second.counts.unchanged))
}

fn request(plan_hash: Option<String>) -> SyncRequest {
    SyncRequest {
        run_id: run_id::random(WAY, &Entropy::system()),
        delivery: "crosswalk demo".to_owned(),
        leg: 1,
        allow_removals: false,
        plan_hash,
    }
}

async fn once(syncer: &Syncer, plan_hash: Option<String>) -> anyhow::Result<RunRecord> {
    match syncer.sync(&request(plan_hash), Deadline::NONE, &|_| {}).await? {
        Ran::Ended(record) => Ok(record),
        Ran::Busy { run, .. } => bail!("the run {run} is at work on a table that nobody else knows"),
    }
}
