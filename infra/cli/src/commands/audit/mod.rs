//! `crosswalk audit`: who lacks a mapping, which are stale, what is broken, by mapping-audit's own code.

mod list;
mod progress;
mod summary;

use anyhow::bail;
use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Deadline, Entropy};
use crosswalk_mapping_audit::event::WAY;
use crosswalk_mapping_audit::listed::{List, Rejected};
use crosswalk_mapping_audit::{AuditRequest, AuditSettings, Audited, Auditor, REQUIRED, Ran, Whom};
use crosswalk_runs::{Place, RunRecord, RunState, run_id};

use crate::args::AuditArgs;
use crate::kept::Kept;
use crate::progress::Line;
use crate::stop::Stop;
use crate::target::Target;
use crate::{Exit, ended, pages, show};

/// Runs it.
///
/// # Errors
/// A setting or the list does not do, something cannot be read, or the run failed.
pub(crate) async fn run(args: &AuditArgs, json: bool, environment: Environment) -> anyhow::Result<Exit> {
    // Before anything is made or called.
    let list = args.people.as_deref().map(list::read).transpose()?;
    let rejected = list.as_ref().map(|list| list.rejected.clone()).unwrap_or_default();
    let mut stop = Stop::new()?;
    let target = Target::open(&args.place, environment).await?;
    let environment = pages::settings(&target, args.place.aws).await;
    let environment = match &*args.system {
        [] => environment,
        systems => environment.with(REQUIRED.name, &systems.join(",")),
    };
    let settings = AuditSettings::from_env(&environment)?;
    let systems = (!args.system.is_empty()).then(|| settings.required.clone());
    let whom = match (list, systems) {
        (Some(List { people, rejected }), systems) => Whom::Listed { people, rejected, systems },
        (None, Some(systems)) => Whom::EverybodyFor(systems),
        (None, None) => Whom::Everybody,
    };
    let dry_run = args.dry_run || settings.dry_run;
    let (clock, entropy) = (Clock::system(), Entropy::system());
    let request = AuditRequest { run_id: run_id::random(WAY, &entropy), delivery: "crosswalk audit".to_owned(), whom };
    let place = Place::new(&settings.kept, &target.config, &clock, &entropy);
    let auditor = Auditor::new(settings, place, &target.config, clock, entropy);
    let kept = Kept::Aws { target: Box::new(target), account: args.place.aws };

    let line = Line::new(progress::TEMPLATE);
    let watch = |watched| line.show(|| progress::tell(watched));
    let (record, audited) = if dry_run {
        let looked = tokio::select! {
            looked = auditor.dry_run(&request, Deadline::NONE, &watch) => looked?,
            () = stop.wanted() => bail!("stopped. A dry run writes nothing, so there is nothing to mend"),
        };
        (looked.record, Some(looked.audited))
    } else {
        let ran = tokio::select! {
            ran = auditor.audit(&request, Deadline::NONE, &watch) => ran?,
            // Each audit has a turn of its own.
            () = stop.wanted() => bail!(
                "stopped. Whoever was written to is noted, and gets no second mail of the next audit, which waits for no \
                 other and can be started at once"
            ),
        };
        match ran {
            (Ran::Ended(record), audited) => (record, audited),
            (Ran::Busy { run, until }, _) => return Err(ended::busy(&run, until, "a run works once")),
        }
    };
    drop(line);
    tell(args, &kept, &record, audited, &rejected, json)
}

fn tell(
    args: &AuditArgs,
    kept: &Kept,
    record: &RunRecord,
    audited: Option<Audited>,
    rejected: &[Rejected],
    json: bool,
) -> anyhow::Result<Exit> {
    let Some(audited) = audited.filter(|_| record.state != RunState::Failed) else {
        let why = record.reasons.first().map_or("for a reason that is not known", |first| &first.reason);
        bail!("the run {} failed: {}", record.id, show::plain(why))
    };
    if json {
        show::json(&summary::as_json(record, &audited, rejected))?;
        show::warnings(&record.warnings).iter().for_each(|line| show::complain(line));
    } else {
        show::say(&summary::text(record, &audited, &kept.files()?))?;
    }
    let amiss = args.fail_on_missing && !audited.findings.missing.is_empty();
    Ok(if amiss { Exit::NotAll } else { Exit::Done })
}
