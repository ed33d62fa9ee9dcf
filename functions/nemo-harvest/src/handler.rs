//! From events to runs.

use anyhow::{Context as _, anyhow, bail};
use crosswalk_function_kit::{Deadline, Entropy};
use crosswalk_runs::{Ran, RunState};
use serde_json::{Value, json};

use crate::apply::LAST;
use crate::event::Event;
use crate::harvest::Harvester;

/// Handles an event: a schedule's, or one by hand. The answer is the run's record; a dry run's holds beside it how many
/// steps the plan has.
///
/// # Errors
/// The event does not read; the run failed, its time was up before all was stored, or another is at it. Lambda's
/// asynchronous retries then repeat the event, and its failure destination gets it in the end.
pub async fn handle(
    harvester: &Harvester,
    event: Value,
    entropy: &Entropy,
    deadline: Deadline,
) -> anyhow::Result<Value> {
    let Event { request, dry_run } = Event::read(event, entropy).map_err(|problem| anyhow!(problem))?;
    if dry_run || harvester.settings().dry_run {
        let planned = deadline.in_time(LAST, harvester.dry_run(&request, deadline, &|_| {})).await;
        let planned = planned.context("the invocation's time ended while NEMO was read; give it more")??;
        return Ok(json!({ "run": planned.record, "steps": planned.plan.actions().len() }));
    }
    match harvester.harvest(&request, deadline, &|_| {}).await? {
        Ran::Ended(record) if record.state == RunState::Failed => {
            let reason = record.reasons.first().map_or("for a reason that is not known", |first| &first.reason);
            bail!("the run {} failed: {reason}", record.id)
        }
        Ran::Ended(record) if record.continues => {
            bail!("the time of the run {} was up before all was stored; a repeat, or the next run, goes on", record.id)
        }
        Ran::Ended(record) => Ok(json!({ "run": record })),
        Ran::Busy { run, until: Some(until) } => {
            bail!("the run {run} of this harvest is under way (its lease holds until {until})")
        }
        Ran::Busy { run, until: None } => bail!("the run {run} of this harvest is under way"),
    }
}
