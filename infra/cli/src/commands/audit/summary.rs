//! What an audit found, in words and tables, and for programs.

use crosswalk_identity::{System, times};
use crosswalk_mapping_audit::listed::Rejected;
use crosswalk_mapping_audit::notify::{Lacking, MailOutcome};
use crosswalk_mapping_audit::{Audited, Findings};
use crosswalk_runs::RunRecord;
use crosswalk_runs::audit_index::ALSO_BETWEEN;
use crosswalk_runs::files::Files;
use indicatif::HumanCount;
use serde_json::{Value, json};

use crate::ended::{SHOWN, more};
use crate::show;

/// Numbers, then who and what, the first of each.
pub(super) fn text(record: &RunRecord, audited: &Audited, files: &Files) -> String {
    let Audited { findings, mails } = audited;
    let mut parts = Vec::new();
    if record.dry_run {
        parts.push("Dry run: no report is written, and no mail is sent.\n".to_owned());
    }
    parts.push(numbers(findings));
    if !findings.missing.is_empty() {
        let rows = findings.missing.iter().take(SHOWN).map(|lacking| {
            let (username, also) = names(lacking);
            let systems: Vec<&str> = lacking.systems.iter().map(System::as_str).collect();
            [username, email(lacking).unwrap_or_default(), systems.join(", "), also.join(ALSO_BETWEEN)]
        });
        let table = show::table(["username", "e-mail", "lacks", "also"], rows);
        parts.push(named("Who lacks what", &table.to_string(), findings.missing.len()));
    }
    if !findings.stale.is_empty() {
        let rows = findings.stale.iter().take(SHOWN).map(|stale| {
            let times = [stale.last_verified_at, stale.last_seen].map(show::time_or_dash);
            let [verified, seen] = times;
            [stale.username.to_string(), stale.system.to_string(), verified, seen]
        });
        let table = show::table(["username", "system", "last verified", "last seen"], rows);
        parts.push(named("Not verified for long", &table.to_string(), findings.stale.len()));
    }
    if !findings.broken.is_empty() {
        let rows = findings.broken.iter().take(SHOWN);
        let rows = rows.map(|broken| [broken.key.clone(), broken.sort_key.clone(), broken.fault.clone()]);
        let table = show::table(["item", "", "what is wrong"], rows);
        parts.push(named("Broken", &table.to_string(), findings.broken.len()));
    }
    if !mails.people.is_empty() {
        let rows = mails.people.iter().take(SHOWN).map(|(lacking, outcome)| {
            let (word, why) = mail(outcome);
            [names(lacking).0, email(lacking).unwrap_or_default(), word.to_owned(), why.to_owned()]
        });
        let table = show::table(["username", "e-mail", "mail", "why"], rows);
        parts.push(named("Mails", &table.to_string(), mails.people.len()));
    }
    parts.extend(show::warnings(&record.warnings));
    let took = record.ended_at.map(|ended| ended.duration_since(record.started_at).as_secs_f64());
    let took = took.map(|seconds| format!(" in {seconds:.1} s")).unwrap_or_default();
    parts.push(format!("run {}: {}{took}", record.id, show::state(record.state)));
    if let Some(folder) = record.audit.as_ref().and_then(|audit| audit.reports.as_ref()) {
        parts.push(format!("Reports: {files}/{folder}"));
    }
    parts.join("\n")
}

fn numbers(findings: &Findings) -> String {
    let Findings { people, complete, missing, stale, broken, .. } = findings;
    let rows = findings.missing_by_system().into_iter();
    let rows = rows.map(|(system, count)| [system.to_string(), HumanCount(count).to_string()]);
    format!(
        "{}\n{} people: {} complete, {} lack something; {} stale mappings, {} broken items",
        show::table(["system", "people without a mapping"], rows),
        HumanCount(*people),
        HumanCount(*complete),
        HumanCount(missing.len() as u64),
        HumanCount(stale.len() as u64),
        HumanCount(broken.len() as u64),
    )
}

fn named(heading: &str, table: &str, all: usize) -> String {
    let lines = [format!("{heading}:"), table.to_owned()].into_iter().chain(more(all));
    lines.collect::<Vec<_>>().join("\n")
}

/// The username that stands for the person, and the others.
fn names(lacking: &Lacking) -> (String, Vec<String>) {
    let mut names = lacking.usernames.iter().map(ToString::to_string);
    (names.next().unwrap_or_default(), names.collect())
}

fn email(lacking: &Lacking) -> Option<String> {
    lacking.email.as_ref().map(ToString::to_string)
}

fn mail(outcome: &MailOutcome) -> (&'static str, &str) {
    match outcome {
        MailOutcome::Sent => ("sent", ""),
        MailOutcome::WouldSend => ("would be sent", ""),
        MailOutcome::Skipped(why) => ("skipped", why),
        MailOutcome::Refused(why) => ("refused", why),
        MailOutcome::Failed(why) => ("failed", why),
        MailOutcome::NotReached(why) => ("not reached", why),
    }
}

/// The same for programs: all of it, a row for each person and system that does not know them, and the lines of the list
/// that do not read.
pub(super) fn as_json(record: &RunRecord, audited: &Audited, rejected: &[Rejected]) -> Value {
    let Audited { findings, mails } = audited;
    let missing = findings.missing.iter().flat_map(|lacking| {
        let (username, also) = names(lacking);
        let row = move |system| {
            let mut row = json!({ "username": username, "email": email(lacking), "system": system });
            if !also.is_empty() {
                row["also"] = json!(also);
            }
            row
        };
        lacking.systems.iter().map(row)
    });
    let stale = findings.stale.iter().map(|stale| {
        json!({
            "username": stale.username,
            "system": stale.system,
            "last_verified_at": stale.last_verified_at.map(times::text),
            "last_seen": stale.last_seen.map(times::text),
        })
    });
    let broken = findings.broken.iter();
    let broken = broken.map(|item| json!({ "key": item.key, "sort_key": item.sort_key, "fault": item.fault }));
    let mut told = json!({
        "run": record.id,
        "missing": missing.collect::<Vec<_>>(),
        "stale": stale.collect::<Vec<_>>(),
        "broken": broken.collect::<Vec<_>>(),
    });
    if !mails.people.is_empty() {
        let mails = mails.people.iter().map(|(lacking, outcome)| {
            let (word, why) = mail(outcome);
            json!({ "username": names(lacking).0, "email": email(lacking), "outcome": word, "reason": why })
        });
        told["mails"] = mails.collect();
    }
    if !rejected.is_empty() {
        let rejected = rejected.iter().map(|Rejected { line, reason }| json!({ "line": line, "reason": reason }));
        told["rejected"] = rejected.collect();
    }
    told
}

#[cfg(test)]
mod tests {
    use crosswalk_identity::{Email, Username};
    use crosswalk_mapping_audit::notify::Notified;
    use crosswalk_mapping_audit::{Broken, Stale};

    use super::*;

    fn system(name: &str) -> System {
        System::parse(name).unwrap()
    }

    fn audited() -> Audited {
        let lacking = Lacking {
            usernames: ["ada", "ada2"].map(|name| Username::parse(name).unwrap()).to_vec(),
            email: Some(Email::parse("ada@example.org").unwrap()),
            systems: vec![system("nemo"), system("cdcs")],
            disabled: false,
        };
        let findings = Findings {
            required: vec![system("nemo"), system("cdcs"), system("sharepoint")],
            people: 1_200,
            complete: 1_199,
            missing: vec![lacking.clone()],
            stale: vec![Stale {
                username: Username::parse("bo").unwrap(),
                system: system("nemo"),
                last_verified_at: Some("2026-01-01T00:00:00Z".parse().unwrap()),
                last_seen: None,
            }],
            broken: vec![Broken { key: "PERSON#cy".into(), sort_key: "MAPPING#nemo".into(), fault: "no owner".into() }],
        };
        let mails = Notified { people: vec![(lacking, MailOutcome::Skipped("no e-mail".into()))], ended: None };
        Audited { findings, mails }
    }

    fn record() -> RunRecord {
        RunRecord::begin("mapping-audit-1", "mapping-audit", "dynamodb:t", jiff::Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn what_was_found_is_told_and_counted() {
        let files = Files::Folder("kept".into());
        let told = text(&record(), &audited(), &files);
        for expected in [
            "1,200 people: 1,199 complete, 1 lack something; 1 stale mappings, 1 broken items",
            "nemo, cdcs",
            "ada2",
            "2026-01-01 00:00:00 UTC",
            "no owner",
            "skipped",
            "no e-mail",
        ] {
            assert!(told.contains(expected), "{expected}: {told}");
        }
        assert!(!told.contains("Dry run") && !told.contains("Reports"), "{told}");
        let none = Audited {
            findings: Findings { missing: Vec::new(), stale: Vec::new(), broken: Vec::new(), ..audited().findings },
            mails: Notified { people: Vec::new(), ended: None },
        };
        let told = text(&RunRecord { dry_run: true, ..record() }, &none, &files);
        assert!(told.starts_with("Dry run") && !told.contains("Who lacks what"), "{told}");
    }

    #[test]
    fn programs_get_all_of_it() {
        let told = as_json(&record(), &audited(), &[]);
        let expected = json!({
            "run": "mapping-audit-1",
            "missing": [
                { "username": "ada", "email": "ada@example.org", "system": "nemo", "also": ["ada2"] },
                { "username": "ada", "email": "ada@example.org", "system": "cdcs", "also": ["ada2"] },
            ],
            "stale": [{
                "username": "bo",
                "system": "nemo",
                "last_verified_at": "2026-01-01T00:00:00.000Z",
                "last_seen": null,
            }],
            "broken": [{ "key": "PERSON#cy", "sort_key": "MAPPING#nemo", "fault": "no owner" }],
            "mails": [
                { "username": "ada", "email": "ada@example.org", "outcome": "skipped", "reason": "no e-mail" },
            ],
        });
        assert_eq!(told, expected);
        let rejected = Rejected { line: 3, reason: "the username is empty".to_owned() };
        let told = as_json(&record(), &audited(), &[rejected]);
        assert_eq!(told["rejected"], json!([{ "line": 3, "reason": "the username is empty" }]));
    }
}
