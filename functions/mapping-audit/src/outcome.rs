//! An audit in numbers: for its record, its report of mails, and the metrics.

use std::collections::BTreeMap;

use crosswalk_function_kit::metrics::{Metric, Metrics, Unit};
use crosswalk_reconcile::{Outcome, Reasons};
use crosswalk_runs::report::Row;
use crosswalk_runs::{AuditCounts, Progress, RunRecord, RunState};

use crate::findings::Findings;
use crate::listed::Rejected;
use crate::notify::{MailOutcome, Notified, Tally};

/// Nobody to look at is a state that is worth a word, and no error: a new installation is so.
const NOBODY: &str = "nobody is known: the table holds no people and no mappings, and no sync has seen anybody";

/// Whoever has mails sent expects them to lead somewhere.
const WITHOUT_LINKS: &str =
    "the mails hold no personal link to register: REGISTRATION_URL, which says where the pages stand, is not set";

/// Fills in the record of an audit that has looked, and tells what of its list did not read and whose mail was not sent.
pub(crate) fn fill(
    record: &mut RunRecord,
    findings: &Findings,
    notified: &Notified,
    rejected: &[Rejected],
    without_links: bool,
) -> Vec<Row> {
    // An audit changes nobody.
    record.counts.add_many(Outcome::Unchanged, findings.people);
    record.counts.add_many(Outcome::Rejected, rejected.len() as u64);
    record.progress = Progress { rows: record.counts.read, bytes: 0, percent: Some(100.0) };
    let mut warnings = Reasons::new();
    if findings.people == 0 {
        warnings.add(NOBODY);
    }
    if without_links {
        warnings.add(WITHOUT_LINKS);
    }
    let mut reasons = Reasons::new();
    let mut rows = Vec::new();
    let mut lacking = !rejected.is_empty();
    for Rejected { line, reason } in rejected {
        reasons.add(reason);
        let (id, reason) = (format!("line {line}").into(), reason.clone().into());
        rows.push(Row { kind: "list", id, name: String::new(), outcome: Outcome::Rejected, reason });
    }
    for (person, outcome) in &notified.people {
        let (outcome, reason) = match outcome {
            MailOutcome::Sent | MailOutcome::WouldSend => continue,
            MailOutcome::Skipped(reason) => (Outcome::Skipped, reason),
            MailOutcome::Refused(reason) => (Outcome::Rejected, reason),
            MailOutcome::Failed(reason) => (Outcome::Failed, reason),
            MailOutcome::NotReached(reason) => {
                lacking = true;
                (Outcome::Skipped, reason)
            }
        };
        lacking |= outcome != Outcome::Skipped;
        reasons.add(reason);
        let name = person.usernames.first().map(ToString::to_string).unwrap_or_default();
        rows.push(Row { kind: "mail", id: Box::default(), name, outcome, reason: reason.clone() });
    }
    rows.sort_by_key(|row| row.outcome == Outcome::Skipped);
    record.state = if lacking { RunState::Partly } else { RunState::Succeeded };
    record.reasons = reasons.most_frequent();
    if let Some(ended) = &notified.ended {
        warnings.add(ended);
        record.state = RunState::Partly;
    }
    record.warnings = warnings.most_frequent();
    record.audit = Some(AuditCounts {
        complete: findings.complete,
        missing: findings.missing_by_system().into_iter().map(|(system, count)| (system.to_string(), count)).collect(),
        stale: findings.stale.len() as u64,
        broken: findings.broken.len() as u64,
        mails: mails(&notified.tally()),
        reports: None,
    });
    rows
}

/// By what came of them; what came of none is left out.
fn mails(tally: &Tally) -> BTreeMap<String, u64> {
    let Tally { sent, would_send, skipped, refused, failed, not_reached } = *tally;
    let all = [
        ("sent", sent),
        ("would_send", would_send),
        ("skipped", skipped),
        ("refused", refused),
        ("failed", failed),
        ("not_reached", not_reached),
    ];
    all.into_iter().filter(|(_, count)| *count > 0).map(|(word, count)| (word.to_owned(), count)).collect()
}

/// Tells what was found: how much each system misses, and the rest by the function alone. Only of an audit of everybody,
/// since whoever watches these numbers compares one with the one before.
pub(crate) fn tell(metrics: &Metrics, record: &RunRecord) {
    let (at, Some(audit)) = (record.ended_at.unwrap_or(record.started_at), &record.audit) else { return };
    let AuditCounts { complete: _, missing, stale, broken, mails, reports: _ } = audit;
    for (system, count) in missing {
        metrics.tell(at, Some(("System", system)), &[("MissingMappings", Unit::Count, *count)]);
    }
    let mut found: Vec<Metric> = vec![
        ("PeopleAudited", Unit::Count, record.counts.read),
        ("StaleMappings", Unit::Count, *stale),
        ("BrokenItems", Unit::Count, *broken),
    ];
    let of = |word: &str| mails.get(word).copied().unwrap_or(0);
    // Nothing is told of mails where none are to be sent.
    if !mails.is_empty() {
        found.extend([
            ("MailsSent", Unit::Count, of("sent")),
            ("MailsSkipped", Unit::Count, of("skipped")),
            ("MailsRefused", Unit::Count, of("refused")),
            ("MailsFailed", Unit::Count, of("failed")),
            ("MailsNotReached", Unit::Count, of("not_reached")),
        ]);
    }
    metrics.tell(at, None, &found);
}

#[cfg(test)]
mod tests {
    use crosswalk_identity::{System, Username};
    use serde_json::json;

    use super::*;
    use crate::notify::Lacking;

    fn lacking(username: &str, systems: &[&str]) -> Lacking {
        Lacking {
            usernames: vec![Username::parse(username).unwrap()],
            email: None,
            systems: systems.iter().map(|system| System::parse(system).unwrap()).collect(),
            disabled: false,
        }
    }

    fn findings(missing: Vec<Lacking>) -> Findings {
        let required = ["nemo", "cdcs"].map(|system| System::parse(system).unwrap()).to_vec();
        Findings { required, people: 5, complete: 3, missing, stale: Vec::new(), broken: Vec::new() }
    }

    fn record() -> RunRecord {
        RunRecord::begin("mapping-audit-1", "mapping-audit", "the table t", jiff::Timestamp::UNIX_EPOCH)
    }

    fn mailed(outcomes: &[MailOutcome]) -> Notified {
        let people = outcomes.iter().map(|outcome| (lacking("ada", &["nemo"]), outcome.clone())).collect();
        Notified { people, ended: None }
    }

    #[test]
    fn whoever_is_looked_at_stays_as_they_are() {
        let mut record = record();
        let missing = vec![lacking("ada", &["nemo", "cdcs"]), lacking("bo", &["nemo"])];
        assert!(fill(&mut record, &findings(missing), &mailed(&[]), &[], false).is_empty());
        assert_eq!((record.counts.read, record.counts.unchanged, record.state), (5, 5, RunState::Succeeded));
        let json = serde_json::to_value(&record).unwrap();
        let expected = json!({ "complete": 3, "missing": { "cdcs": 1, "nemo": 2 }, "stale": 0, "broken": 0 });
        assert_eq!(json["audit"], expected);
        assert_eq!(serde_json::from_value::<RunRecord>(json).unwrap(), record);
    }

    #[test]
    fn a_mail_that_was_not_sent_is_told_and_only_some_are_amiss() {
        let amiss = |outcome: MailOutcome| {
            let mut record = record();
            let rows = fill(&mut record, &findings(Vec::new()), &mailed(&[MailOutcome::Sent, outcome]), &[], false);
            (record.state, rows.iter().map(|row| row.outcome).collect::<Vec<_>>(), record.reasons_line())
        };
        let why = || "why".into();
        assert_eq!(amiss(MailOutcome::Sent), (RunState::Succeeded, vec![], String::new()));
        let told = "why (1)".to_owned();
        for (outcome, state, row) in [
            (MailOutcome::Skipped(why()), RunState::Succeeded, Outcome::Skipped),
            (MailOutcome::Refused(why()), RunState::Partly, Outcome::Rejected),
            (MailOutcome::Failed(why()), RunState::Partly, Outcome::Failed),
            (MailOutcome::NotReached(why()), RunState::Partly, Outcome::Skipped),
        ] {
            assert_eq!(amiss(outcome), (state, vec![row], told.clone()));
        }
    }

    #[test]
    fn lines_that_do_not_read_are_counted_and_told() {
        let rejected = Rejected { line: 3, reason: "the username is empty".to_owned() };
        let mut record = record();
        let rows = fill(&mut record, &findings(Vec::new()), &mailed(&[]), &[rejected], true);
        assert_eq!((record.counts.read, record.counts.rejected, record.state), (6, 1, RunState::Partly));
        assert_eq!(record.reasons_line(), "the username is empty (1)");
        assert_eq!((rows[0].kind, &*rows[0].id, rows[0].outcome), ("list", "line 3", Outcome::Rejected));
        assert!(record.warnings[0].reason.contains("REGISTRATION_URL"), "{:?}", record.warnings);
    }

    #[test]
    fn numbers_by_system_and_by_function() {
        let (metrics, lines) = Metrics::kept("f");
        let mut record = record();
        fill(&mut record, &findings(vec![lacking("bo", &["nemo"])]), &mailed(&[MailOutcome::Sent]), &[], false);
        tell(&metrics, &record);
        let lines = lines.lock().unwrap();
        let [cdcs, nemo, all] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!((&cdcs["System"], &cdcs["MissingMappings"]), (&json!("cdcs"), &json!(0)));
        assert_eq!((&nemo["System"], &nemo["MissingMappings"]), (&json!("nemo"), &json!(1)));
        assert_eq!((&all["PeopleAudited"], &all["BrokenItems"], &all["MailsSent"]), (&json!(5), &json!(0), &json!(1)));
    }
}
