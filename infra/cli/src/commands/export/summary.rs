//! What an export did, or would do, in words and tables.

use std::collections::HashMap;

use crosswalk_mapping_api::wire;
use crosswalk_people_export::DryRun;
use crosswalk_people_export::mapping::Kind;
use crosswalk_people_export::plan::{Change, Step};
use serde_json::{Value, json};

use crate::ended::{Named, SHOWN, more, named, parts_table, steps};
use crate::show;

/// What a run would do.
pub(crate) fn plan(planned: &DryRun) -> String {
    let DryRun { record, plan, desired, rows, stopped } = planned;
    let mut parts = vec!["Dry run: nothing is sent, and nothing is written.\n".to_owned()];
    if !plan.is_empty() {
        // An id says little to a reader.
        let names: HashMap<_, _> = desired.teams.iter().map(|team| (team.id.as_str(), team.name.as_str())).collect();
        let line = |step: &Step| match (step.kind, names.get(step.key.as_str())) {
            (Kind::Team, Some(name)) => show::plain(&format!("{step} ({name})")),
            _ => show::plain(&step.to_string()),
        };
        parts.push(plan.actions().iter().map(line).collect::<Vec<_>>().join("\n") + "\n");
    }
    if !record.parts.is_empty() {
        parts.push(parts_table(record).to_string());
    }
    if !rows.is_empty() {
        let all: Vec<_> = rows.iter().map(Named::from).collect();
        parts.push(format!("Would not be exported:\n{}", named(&all)));
    }
    if !desired.warnings.is_empty() {
        let rows = desired
            .warnings
            .iter()
            .take(SHOWN)
            .map(|warning| [warning.kind.to_string(), warning.name.clone(), warning.text.to_string()]);
        parts.push(format!("Warnings:\n{}", show::table(["kind", "name", "warning"], rows)));
        parts.extend(more(desired.warnings.len()));
    }
    parts.extend(show::traffic(record));
    parts.push(format!("plan {}: {}", plan.hash(), steps(plan.actions(), &["create", "update", "delete"], word)));
    parts.push(match stopped {
        None => "guard: lets it pass".to_owned(),
        Some(why) => format!("guard: STOPS it, nothing would be sent: {}", show::plain(why)),
    });
    parts.join("\n")
}

/// The same for programs: each person and team as it would be sent; with `only` so many people, and no teams.
pub(crate) fn plan_as_json(planned: &DryRun, only: Option<usize>) -> Value {
    // Whoever is not exported stands in `left_out` with id and key; `rows` names the same ones for people.
    let DryRun { record, plan, desired, rows: _, stopped } = planned;
    let left_out: Vec<Value> = desired
        .left_out
        .iter()
        .map(|left| {
            json!({ "kind": left.kind, "id": left.id, "name": left.name, "key": left.key,
                "outcome": left.outcome, "reason": left.reason })
        })
        .collect();
    let warnings: Vec<Value> = desired
        .warnings
        .iter()
        .map(|warning| json!({ "kind": warning.kind, "id": warning.id, "name": warning.name, "warning": warning.text }))
        .collect();
    let steps: Vec<Value> =
        plan.actions().iter().map(|step| json!({ "change": word(step), "kind": step.kind, "key": step.key })).collect();
    let people = desired.people.get(..only.unwrap_or(usize::MAX)).unwrap_or(&desired.people);
    let teams = if only.is_some() { &[] } else { desired.teams.as_slice() };
    json!({
        "people": people,
        "teams": teams,
        "left_out": left_out,
        "warnings": warnings,
        "plan": { "hash": plan.hash(), "steps": steps },
        "stopped": stopped,
        "record": wire::Run::from(record.clone()),
    })
}

fn word(step: &Step) -> &'static str {
    match step.change {
        Change::Create(_) => "create",
        Change::Update(_) => "update",
        Change::Delete => "delete",
    }
}

#[cfg(test)]
mod tests {
    use crosswalk_people_export::glean::types::{Employee, Team};
    use crosswalk_people_export::mapping::{Desired, LeftOut};
    use crosswalk_reconcile::{Fingerprint, Outcome, Plan};
    use crosswalk_runs::files::Files;
    use crosswalk_runs::report::Row;
    use crosswalk_runs::{Counts, ReasonCount, RunRecord, RunState, Traffic};

    use super::*;
    use crate::ended::{read_report, run};

    fn record() -> RunRecord {
        let start = "2026-11-22T05:00:00Z".parse().unwrap();
        let mut record = RunRecord::begin("people-export-1", "people-export", "keycloak:staff", start);
        record.state = RunState::Partly;
        record.ended_at = Some("2026-11-22T05:00:12.25Z".parse().unwrap());
        let people = Counts { read: 12_003, created: 12_000, rejected: 3, deleted: Some(4), ..Counts::default() };
        record.parts.insert("people".into(), people);
        let teams = Counts { read: 2, unchanged: 2, deleted: Some(0), ..Counts::default() };
        record.parts.insert("teams".into(), teams);
        let traffic = Traffic { requests: 15, retries: 2, bytes_sent: 1_048_576, bytes_received: None };
        record.traffic.insert("glean".into(), traffic);
        record.warnings.push(ReasonCount { reason: "a name that Glean hides".into(), count: 2 });
        record.plan = Some("0011223344556677".into());
        record
    }

    fn person(name: &str) -> LeftOut {
        LeftOut {
            kind: Kind::Person,
            id: "1".into(),
            name: name.into(),
            key: None,
            outcome: Outcome::Rejected,
            reason: "no department".into(),
        }
    }

    fn dry_run(stopped: Option<&str>) -> DryRun {
        let step = |key: &str, change| Step { kind: Kind::Person, key: key.into(), change };
        DryRun {
            record: RunRecord { reports: Default::default(), ..record() },
            plan: Plan::new(vec![
                step("ada@example.org", Change::Create(Fingerprint::of(b"1"))),
                step("bo@example.org", Change::Delete),
                Step { kind: Kind::Team, key: "t1".into(), change: Change::Update(Fingerprint::of(b"2")) },
            ]),
            rows: vec![Row {
                kind: "person",
                id: "1".into(),
                name: "cy\u{1b}[31m".into(),
                outcome: Outcome::Rejected,
                reason: "no department".into(),
            }],
            desired: Desired {
                people: vec![Employee {
                    email: "ada@example.org".into(),
                    department: "Physics".into(),
                    ..Employee::default()
                }],
                teams: vec![Team { id: "t1".into(), name: "clean-room".into(), ..Team::default() }],
                left_out: vec![person("cy\u{1b}[31m")],
                ..Desired::default()
            },
            stopped: stopped.map(Into::into),
        }
    }

    /// The cells of a table's line.
    fn cells(text: &str, first: &str) -> Vec<String> {
        let line = text.lines().find(|line| line.trim_start_matches(['│', ' ']).starts_with(first)).unwrap();
        line.trim_matches('│').split('┆').map(|cell| cell.trim().to_owned()).collect()
    }

    #[tokio::test]
    async fn a_run_is_told_by_parts_and_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::Folder(folder.path().to_owned());
        let mut record = record();
        let key = "reports/people-export-1/failed.csv";
        record.reports.failed = Some(key.into());
        record.reports.summary = Some("reports/people-export-1/summary.json".into());
        let mut report = "kind,id,name,outcome,reason\n".to_owned();
        for n in 0..=SHOWN {
            report.push_str(&format!("person,{n},user{n},rejected,\"no department, and no default\"\n"));
        }
        files.put(key, report.into(), "text/csv").await.unwrap();

        let told = run(&record, &files, "Not exported", " --state here").await.unwrap();
        assert_eq!(cells(&told, "people"), ["people", "12,003", "12,000", "–", "3", "4"]);
        assert_eq!(cells(&told, "teams"), ["teams", "2", "–", "2", "–", "–"]);
        assert!(told.contains("user19") && !told.contains("user20"), "{told}");
        for line in [
            "and 1 more",
            "All of them: crosswalk runs people-export-1 --state here --report failed",
            "      2  a name that Glean hides",
            "glean     15 requests (2 retried), 1.00 MiB sent",
            "run people-export-1: partly in 12.2 s, plan 0011223344556677",
        ] {
            assert!(told.lines().any(|told| told == line), "`{line}` is missing:\n{told}");
        }
        assert!(told.ends_with("/reports/people-export-1/"), "{told}");
    }

    #[test]
    fn a_plan_is_told_with_its_hash_and_the_guards_word() {
        let planned = dry_run(None);
        let told = plan(&planned);
        assert!(
            told.contains("create person ada@example.org\ndelete person bo@example.org\nupdate team t1 (clean-room)\n"),
            "{told}"
        );
        let hash = planned.plan.hash();
        assert!(
            told.contains(&format!("plan {hash}: 3 steps: 1 create, 1 update, 1 delete\nguard: lets it pass")),
            "{told}"
        );
        assert!(told.contains("no department") && !told.contains('\u{1b}'), "{told}");
        assert!(plan(&dry_run(Some("too many"))).contains("guard: STOPS it, nothing would be sent: too many"));
    }

    #[test]
    fn programs_get_each_person_as_sent() {
        let planned = dry_run(Some("too many"));
        let json = plan_as_json(&planned, None);
        assert_eq!(json["people"][0]["email"], "ada@example.org");
        assert_eq!(json["people"][0]["status"], "CURRENT");
        assert_eq!(
            (&json["left_out"][0]["outcome"], &json["left_out"][0]["kind"]),
            (&"rejected".into(), &"person".into())
        );
        assert_eq!(json["plan"]["hash"], planned.plan.hash());
        assert_eq!(
            json["plan"]["steps"],
            json!([
                { "change": "create", "kind": "person", "key": "ada@example.org" },
                { "change": "delete", "kind": "person", "key": "bo@example.org" },
                { "change": "update", "kind": "team", "key": "t1" },
            ])
        );
        for (only, sent) in [(None, (1, 1)), (Some(5), (1, 0)), (Some(0), (0, 0))] {
            let json = plan_as_json(&planned, only);
            assert_eq!((json["people"].as_array().unwrap().len(), json["teams"].as_array().unwrap().len()), sent);
        }
        assert_eq!((&json["stopped"], &json["record"]["id"]), (&"too many".into(), &"people-export-1".into()));
    }

    #[test]
    fn a_report_without_its_columns_is_none() {
        assert!(read_report(b"kind,id,name,reason\n").unwrap_err().to_string().contains("outcome"));
        assert_eq!(read_report(b"kind,id,name,outcome,reason\n").unwrap(), []);
    }
}
