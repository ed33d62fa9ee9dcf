//! From events to runs.

use anyhow::{Context as _, anyhow, bail};
use crosswalk_function_kit::{Deadline, Entropy};
use crosswalk_runs::{Ran, RunState};
use serde_json::{Value, json};

use crate::apply::LAST;
use crate::event::Event;
use crate::export::Exporter;

/// Handles an event: a schedule's, or one by hand. The answer is the run's record; a dry run's holds beside it how many
/// steps the plan has, and why the guard would stop it.
///
/// # Errors
/// The event does not read; the run failed, or another is at it. Lambda's asynchronous retries then repeat the event, and
/// its failure destination gets it in the end.
pub async fn handle(exporter: &Exporter, event: Value, entropy: &Entropy, deadline: Deadline) -> anyhow::Result<Value> {
    let Event { request, dry_run } = Event::read(event, entropy).map_err(|problem| anyhow!(problem))?;
    if dry_run || exporter.settings().dry_run {
        let planned = deadline.in_time(LAST, exporter.dry_run(&request, &|_| {})).await;
        let planned = planned.context("the invocation's time ended while the realm was read; give it more")??;
        return Ok(json!({
            "run": planned.record,
            "steps": planned.plan.actions().len(),
            "stopped": planned.stopped,
        }));
    }
    match exporter.export(&request, deadline, &|_| {}).await? {
        Ran::Ended(record) if record.state == RunState::Failed => {
            let reason = record.reasons.first().map_or("for a reason that is not known", |first| &first.reason);
            bail!("the run {} failed: {reason}", record.id)
        }
        Ran::Ended(record) => Ok(json!({ "run": record })),
        Ran::Busy { run, until: Some(until) } => {
            bail!("the run {run} is under way (its lease holds until {until}), and Glean takes one upload at a time")
        }
        Ran::Busy { run, until: None } => {
            bail!("the run {run} is under way, and Glean takes one upload at a time")
        }
    }
}
