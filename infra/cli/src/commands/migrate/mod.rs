//! `crosswalk migrate`: the mappings of another system's database come here with their times, by the store's own restore.
//!
//! `source` streams the rows of the SQLite file, `row` makes mappings of them or says why not, `work` restores them batch
//! by batch, reads each one back and counts. A run is a record like an import's, of the kind `migration`.

mod row;
mod source;
mod work;

use std::path::Path;

use anyhow::{Context as _, anyhow, bail};
use crosswalk_function_kit::metrics::Metrics;
use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Entropy};
use crosswalk_identifier_store::IdentifierStore;
use crosswalk_mapping_api::wire;
use crosswalk_runs::{Begin, Place, RunRecord, RunState, Worked, run_id};
use jiff::tz::TimeZone;
use serde_json::json;

use crate::args::{MigrateArgs, MigrateCommand};
use crate::ended::{self, Named};
use crate::kept::Kept;
use crate::stop::Stop;
use crate::target::{Target, systems};
use crate::{Exit, show};
use row::Reader;
use source::Source;
use work::{Mode, Work};

/// The kind of the runs, and what their ids begin with.
const KIND: &str = "migration";

/// Runs it.
///
/// # Errors
/// The file holds no such table, the zone is not known, the AWS cannot be reached, or the migration broke off.
pub(crate) async fn run(args: &MigrateArgs, json: bool, environment: Environment) -> anyhow::Result<Exit> {
    let MigrateCommand::Nexuslims { file, timezone, dry_run } = &args.command;
    // What was typed is looked at before an AWS is: a typo should not start one.
    let reader = Reader::new(systems(&environment)?, timezone.as_deref().map(zone).transpose()?);
    let source = Source::open(file).await?;
    let mut stop = Stop::new()?;
    let target = Target::open(&args.place, environment).await?;
    let kept = Kept::Aws { target: Box::new(target), account: args.place.aws };
    let store = store(&kept)?;
    if *dry_run {
        let line = |line: &str| if json { Ok(()) } else { show::say(line) };
        let work = Work { source, reader: &reader, store: &store, mode: Mode::Plan { told: &line } };
        let planned = tokio::select! {
            planned = Box::pin(work.run(begin(file))) => planned?,
            () = stop.wanted() => bail!("stopped. A dry run writes nothing, so there is nothing to mend"),
        };
        return tell_plan(planned, json);
    }
    let place = Place { ledger: kept.ledger()?, files: kept.files()? };
    let Some(record) = migrate(&place, source, &reader, &store, begin(file), &mut stop).await? else {
        bail!(
            "stopped. The mappings that were written stand; run it again for the others.{}",
            ended::turn_of_a_stopped_run(&kept)
        );
    };
    let exit = ended::tell(&kept, &record, "Not migrated", json).await;
    if !json && record.counts.unsuccessful() > ended::SHOWN as u64 {
        for line in show::reasons(&record.reasons) {
            show::say(&line)?;
        }
    }
    exit
}

/// Moves the rows of a file of NexusLIMS in, without a word; for the demo.
///
/// # Errors
/// As [`run`].
pub(crate) async fn quietly(file: &Path, store: &IdentifierStore, place: &Place) -> anyhow::Result<RunRecord> {
    let reader = Reader::new(crosswalk_identity::Systems::default(), None);
    let source = Source::open(file).await?;
    migrate(place, source, &reader, store, begin(file), &mut Stop::new()?).await?.context("stopped")
}

/// The run's record; none if it was stopped.
async fn migrate(
    place: &Place,
    source: Source,
    reader: &Reader,
    store: &IdentifierStore,
    record: RunRecord,
    stop: &mut Stop,
) -> anyhow::Result<Option<RunRecord>> {
    let held = match Box::pin(place.ledger.begin(&record, KIND, "crosswalk migrate")).await? {
        Begin::Ours(held) => held,
        // The id is new.
        Begin::Ended(record) => return Ok(Some(record)),
        Begin::Busy { run, until } => {
            return Err(ended::busy(&run, until, "migrations go one after the other"));
        }
    };
    let work = Work { source, reader, store, mode: Mode::Write { files: &place.files, held: &held } };
    let worked: anyhow::Result<Worked> = tokio::select! {
        worked = held.unless_lost(Box::pin(work.run(held.record().clone()))) => worked,
        () = stop.wanted() => return Ok(None),
    };
    Ok(Some(Box::pin(place.close(held, worked, &Metrics::none())).await?))
}

/// A run of the CLI's has a name of its own each time.
fn begin(file: &Path) -> RunRecord {
    let id = run_id::random(KIND, &Entropy::system());
    RunRecord::begin(id, KIND, file.display().to_string(), Clock::system().now())
}

fn store(kept: &Kept) -> anyhow::Result<IdentifierStore> {
    match kept {
        Kept::Aws { target, .. } => Ok(IdentifierStore::new(target.table()?, Clock::system(), Entropy::system())),
        Kept::Folder { .. } => Err(anyhow!("mappings are kept in an AWS")),
    }
}

fn zone(name: &str) -> anyhow::Result<TimeZone> {
    TimeZone::get(name).with_context(|| {
        format!("the time zone `{name}` is not known on this machine; write it as in Europe/Vienna (from the package tzdata)")
    })
}

fn tell_plan(planned: Worked, json: bool) -> anyhow::Result<Exit> {
    let Worked { record, rows } = planned;
    let named: Vec<Named> = rows.iter().map(Named::from).collect();
    let good = record.state == RunState::Succeeded;
    let failed = (record.state == RunState::Failed).then(|| record.reasons_line());
    if json {
        show::json(&json!({ "left_out": named, "record": wire::Run::from(record) }))?;
    } else {
        show::say("Dry run: nothing is written.")?;
        show::say(&ended::parts_table(&record).to_string())?;
        if !named.is_empty() {
            show::say(&format!("Would not be migrated:\n{}", ended::named(&named)))?;
        }
        for line in show::warnings(&record.warnings) {
            show::say(&line)?;
        }
    }
    match failed {
        Some(why) => bail!("it would break off: {}", show::plain(&why)),
        None => Ok(if good { Exit::Done } else { Exit::NotAll }),
    }
}
