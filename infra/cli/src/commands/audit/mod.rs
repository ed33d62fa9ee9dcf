//! `crosswalk audit`: who lacks a mapping, which are stale, what is broken, by mapping-audit's own code.

mod progress;
mod summary;

use std::fs;

use anyhow::{Context as _, anyhow, bail};
use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Deadline, Entropy};
use crosswalk_mapping_audit::event::WAY;
use crosswalk_mapping_audit::{AuditRequest, AuditSettings, Audited, Auditor, REQUIRED, Ran, Whom, listed};
use crosswalk_runs::{Place, RunRecord, RunState, run_id};

use crate::args::AuditArgs;
use crate::kept::Kept;
use crate::progress::Line;
use crate::stop::Stop;
use crate::target::Target;
use crate::{Exit, ended, show};

/// Runs it.
///
/// # Errors
/// A setting or the list does not do, something cannot be read, or the run failed.
pub(crate) async fn run(args: &AuditArgs, json: bool, environment: Environment) -> anyhow::Result<Exit> {
    // Before anything is made or called.
    let people = args.people.as_deref().map(|file| {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        listed::read(&text).map_err(|problem| anyhow!("{}: {problem}", file.display()))
    });
    let people = people.transpose()?;
    let mut stop = Stop::new()?;
    let target = Target::open(&args.place, environment).await?;
    let environment = match &*args.system {
        [] => target.environment.clone(),
        systems => target.environment.clone().with(REQUIRED.name, &systems.join(",")),
    };
    let settings = AuditSettings::from_env(&environment)?;
    let systems = (!args.system.is_empty()).then(|| settings.required.clone());
    let whom = match (people, systems) {
        (Some(people), systems) => Whom::Listed { people, systems },
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
            () = stop.wanted() => bail!(
                "stopped. Mails that went out are noted, and nobody gets a second one of the next run.{}",
                ended::turn_of_a_stopped_run(&kept)
            ),
        };
        match ran {
            (Ran::Ended(record), audited) => (record, audited),
            (Ran::Busy { run, until }, _) => return Err(ended::busy(&run, until, "a run works once")),
        }
    };
    drop(line);
    tell(args, &kept, &record, audited, json)
}

fn tell(
    args: &AuditArgs,
    kept: &Kept,
    record: &RunRecord,
    audited: Option<Audited>,
    json: bool,
) -> anyhow::Result<Exit> {
    let Some(audited) = audited.filter(|_| record.state != RunState::Failed) else {
        let why = record.reasons.first().map_or("for a reason that is not known", |first| &first.reason);
        bail!("the run {} failed: {}", record.id, show::plain(why))
    };
    if json {
        show::json(&summary::as_json(record, &audited))?;
    } else {
        show::say(&summary::text(record, &audited, &kept.files()?))?;
    }
    let amiss = args.fail_on_missing && !audited.findings.missing.is_empty();
    Ok(if amiss { Exit::NotAll } else { Exit::Done })
}
