//! From events to runs.

use anyhow::{anyhow, bail};
use crosswalk_function_kit::{Deadline, Entropy};
use crosswalk_runs::{Ran, RunState};
use serde_json::{Value, json};

use crate::audit::Auditor;
use crate::event::Event;
use crate::notify::{Lacking, MailOutcome};

/// How many people the answer of a dry run names: it may hold 6 MB.
const MOST_TOLD: usize = 5_000;

/// Handles an event: a schedule's, or one by hand. The answer is the run's record; a dry run's names beside it who lacks
/// what, and who would get a mail.
///
/// # Errors
/// The event does not read; the run failed, or another worker is at it. Lambda's asynchronous retries then repeat the
/// event, and its failure destination gets it in the end.
pub async fn handle(auditor: &Auditor, event: Value, entropy: &Entropy, deadline: Deadline) -> anyhow::Result<Value> {
    let Event { request, dry_run } = Event::read(event, entropy).map_err(|problem| anyhow!(problem))?;
    if dry_run || auditor.settings().dry_run {
        let looked = auditor.dry_run(&request, deadline, &|_| {}).await?;
        let people = &looked.audited.mails.people;
        let told: Vec<Value> = people.iter().take(MOST_TOLD).map(|(person, mail)| who_would(person, mail)).collect();
        return Ok(json!({ "run": looked.record, "people": told, "more": people.len() - told.len() }));
    }
    match auditor.audit(&request, deadline, &|_| {}).await?.0 {
        Ran::Ended(record) if record.state == RunState::Failed => {
            let reason = record.reasons.first().map_or("for a reason that is not known", |first| &first.reason);
            bail!("the run {} failed: {reason}", record.id)
        }
        Ran::Ended(record) => Ok(json!({ "run": record })),
        Ran::Busy { run, until: Some(until) } => bail!("the run {run} is under way (its lease holds until {until})"),
        Ran::Busy { run, until: None } => bail!("the run {run} is under way"),
    }
}

fn who_would(person: &Lacking, mail: &MailOutcome) -> Value {
    let (mail, reason) = match mail {
        MailOutcome::WouldSend | MailOutcome::Sent => ("would send", None),
        MailOutcome::Skipped(reason) | MailOutcome::NotReached(reason) => ("skipped", Some(reason)),
        MailOutcome::Refused(reason) | MailOutcome::Failed(reason) => ("failed", Some(reason)),
    };
    json!({ "username": person.usernames.first(), "systems": person.systems, "mail": mail, "reason": reason })
}
