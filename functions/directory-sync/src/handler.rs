//! From events to runs.

use anyhow::{Context as _, anyhow, bail};
use async_trait::async_trait;
use crosswalk_function_kit::{Deadline, Entropy, aws};
use crosswalk_runs::{Ran, RunRecord, RunState};
use serde_json::{Value, json};

use crate::apply::LAST;
use crate::event::{Event, next_leg};
use crate::sync::{SyncRequest, Syncer};

/// Starts the function again, asynchronously.
#[async_trait]
pub trait Again: Send + Sync {
    /// With this event.
    ///
    /// # Errors
    /// It cannot be started; why, and what to do.
    async fn invoke(&self, event: &Value) -> Result<(), String>;
}

/// The function that runs here, by Lambda's Invoke.
#[derive(Debug)]
pub struct ThisFunction {
    client: aws_sdk_lambda::Client,
    name: String,
}

impl ThisFunction {
    /// `name` is the function's name or ARN.
    pub fn new(client: aws_sdk_lambda::Client, name: impl Into<String>) -> Self {
        Self { client, name: name.into() }
    }
}

#[async_trait]
impl Again for ThisFunction {
    async fn invoke(&self, event: &Value) -> Result<(), String> {
        let request = self.client.invoke().function_name(&self.name);
        let request = request.invocation_type(aws_sdk_lambda::types::InvocationType::Event);
        let payload = aws_sdk_lambda::primitives::Blob::new(event.to_string());
        match Box::pin(request.payload(payload).send()).await {
            Ok(_) => Ok(()),
            Err(error) => Err(format!(
                "the next leg could not be started: {}; this takes the permission lambda:InvokeFunction on the function \
                 itself",
                aws::explain(&error)
            )),
        }
    }
}

/// Handles an event: a schedule's, one by hand, or the next leg of a run. The answer is the run's record; a dry run's holds
/// beside it how many steps the plan has, and what would stop the run.
///
/// # Errors
/// The event does not read; the run failed, or another is at it; the next leg cannot be started. Lambda's asynchronous
/// retries then repeat the event, and its failure destination gets it in the end.
pub async fn handle(
    syncer: &Syncer,
    event: Value,
    entropy: &Entropy,
    deadline: Deadline,
    again: &dyn Again,
) -> anyhow::Result<Value> {
    let Event { request, dry_run } = Event::read(event, entropy).map_err(|problem| anyhow!(problem))?;
    if dry_run || syncer.settings().dry_run {
        let planned = deadline.in_time(LAST, syncer.dry_run(&request, deadline, &|_| {})).await;
        let planned = planned.context("the invocation's time ended while both sides were read; give it more")??;
        return Ok(json!({
            "run": planned.record,
            "steps": planned.plan.actions().len(),
            "absent": planned.absent,
            "stopped": planned.stopped,
        }));
    }
    match syncer.sync(&request, deadline, &|_| {}).await? {
        Ran::Ended(record) if record.state == RunState::Failed => {
            let reason = record.reasons.first().map_or("for a reason that is not known", |first| &first.reason);
            bail!("the run {} failed: {reason}", record.id)
        }
        Ran::Ended(record) => {
            if record.continues {
                go_on(&request, &record, again).await?;
            }
            Ok(json!({ "run": record }))
        }
        Ran::Busy { run, until: Some(until) } => {
            bail!("the run {run} of this sync is under way (its lease holds until {until})")
        }
        Ran::Busy { run, until: None } => bail!("the run {run} of this sync is under way"),
    }
}

/// An error makes Lambda repeat this leg's event, which goes on just as the next leg would.
async fn go_on(request: &SyncRequest, record: &RunRecord, again: &dyn Again) -> anyhow::Result<()> {
    let Some(event) = next_leg(request) else {
        tracing::warn!(
            run = record.id,
            legs = request.leg,
            "the sync needs more legs than a run may have; the next run goes on"
        );
        return Ok(());
    };
    again.invoke(&event).await.map_err(|problem| anyhow!(problem))?;
    tracing::info!(run = record.id, leg = request.leg + 1, "the next leg goes on");
    Ok(())
}
