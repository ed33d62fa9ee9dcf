//! From events to imports.

use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use crosswalk_function_kit::Deadline;
use crosswalk_runs::{RunRecord, Waited, run_id};
use serde_json::{Value, json};

use crate::Kind;
use crate::event::{Event, Message, Put};
use crate::import::{Claimed, ImportError, ImportRequest, Importer};
use crate::redelivery::{self, Returned};
use crate::source::Source;

/// How often a direct invocation looks whether another worker's run has ended.
const LOOK: Duration = Duration::from_secs(1);
/// What a waiting invocation keeps of its time, to say that it waited in vain.
const LAST: Duration = Duration::from_secs(5);
/// Under which name a direct invocation claims a run.
const DIRECT: &str = "direct invocation";

/// Handles an S3 event, alone (`{"runs": [record, …]}`) or in SQS messages (`{"batchItemFailures": […]}`), or S3's test
/// event.
///
/// # Errors
/// The event is none of these, or a direct one could not be brought to its end for the moment: Lambda repeats it.
pub async fn handle(importer: &Importer, event: Value, deadline: Deadline) -> anyhow::Result<Value> {
    match Event::read(event).map_err(|problem| anyhow!(problem))? {
        Event::Direct(puts) => {
            let mut runs: Vec<RunRecord> = Vec::new();
            for put in puts {
                runs.push(import_or_wait(importer, &put, deadline).await?);
            }
            Ok(json!({ "runs": runs }))
        }
        Event::Queue(messages) => {
            let mut failures = Vec::new();
            for message in messages {
                if let Err(error) = take(importer, &message, deadline).await {
                    tracing::warn!(message_id = message.id, error = format!("{error:#}"), "the message is returned");
                    hide(importer, &message).await;
                    failures.push(json!({ "itemIdentifier": message.id }));
                }
            }
            Ok(json!({ "batchItemFailures": failures }))
        }
    }
}

/// Sets when a message that failed comes again, where the settings name its queue.
async fn hide(importer: &Importer, message: &Message) {
    if let (Some((client, queue_url)), Some(receipt)) = (importer.queue(), &message.receipt) {
        let returned = Returned { receipt, receives: message.receives, may_pass: message.puts.is_ok() };
        redelivery::hide(client, queue_url, returned).await;
    }
}

/// Takes one message. An error returns it to the queue.
async fn take(importer: &Importer, message: &Message, deadline: Deadline) -> anyhow::Result<()> {
    let puts = message.puts.as_ref().map_err(|problem| anyhow!("{problem}"))?;
    for put in puts {
        match import(importer, put, &message.id, deadline).await? {
            Claimed::Ended(_) => {}
            // This very message is being worked on and came again: if that worker dies, it must come once more.
            Claimed::Alive { delivery, record } if delivery == message.id => {
                bail!("the run {} is under way for this message", record.id)
            }
            // A duplicate. The other message brings the run to its end.
            Claimed::Alive { record, .. } => {
                tracing::info!(run = record.id, "another message's worker is at this run");
            }
        }
    }
    Ok(())
}

async fn import_or_wait(importer: &Importer, put: &Put, deadline: Deadline) -> anyhow::Result<RunRecord> {
    loop {
        let id = match import(importer, put, DIRECT, deadline).await {
            Ok(Claimed::Ended(record)) => return Ok(record),
            Ok(Claimed::Alive { record, .. }) => record.id,
            Err(ImportError::Run(crosswalk_runs::RunError::Lost { run })) => run,
            Err(error) => return Err(error.into()),
        };
        let waited = async { importer.runs().wait_for_end(&id, LOOK).await };
        let waited = match deadline.left() {
            Some(left) => tokio::time::timeout(left.saturating_sub(LAST), waited)
                .await
                .with_context(|| format!("the run {id} is under way elsewhere, and this invocation's time ends"))?,
            None => waited.await,
        };
        match waited? {
            Waited::Ended(record) => return Ok(record),
            // Its worker is gone: it is ours to claim.
            Waited::Lapsed(_) | Waited::Absent => {}
        }
    }
}

async fn import(importer: &Importer, put: &Put, delivery: &str, deadline: Deadline) -> Result<Claimed, ImportError> {
    let run_id = run_id::for_object(&put.bucket, &put.key, put.version.as_deref(), &put.sequencer);
    let source = Source::Object { bucket: put.bucket.clone(), key: put.key.clone(), version: put.version.clone() };
    match Kind::from_key(&put.key, &importer.settings.systems) {
        Ok(kind) => {
            let delivery = delivery.to_owned();
            let request = ImportRequest { run_id, kind, source, delivery, force_registration: false };
            importer.claim_and_import(&request, put.etag.as_deref(), deadline, &|_, _| {}).await
        }
        Err(problem) => importer.refuse(&run_id, &source, delivery, &problem.to_string()).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Callers run imports on tasks of their own, which need them to be `Send`; the compiler sees to it here.
    #[expect(dead_code, reason = "it is enough that it compiles")]
    fn imports_can_move_between_threads(importer: &Importer, request: ImportRequest) {
        fn sendable(_: impl Send) {}
        sendable(handle(importer, Value::Null, Deadline::NONE));
        sendable(importer.import(request.clone(), Deadline::NONE, &|_, _| {}));
        sendable(importer.dry_run(request, &|_| {}));
    }
}
