//! What a sync would do, in words and tables.

use std::collections::HashMap;

use crosswalk_directory_sync::{DryRun, Step};
use crosswalk_mapping_api::wire;
use indicatif::HumanCount;
use serde_json::{Value, json};

use crate::ended::{Named, named, parts_table, steps};
use crate::show;

/// The steps' words, in the order in which a plan has them.
const WORDS: [&str; 7] = ["update", "adopt", "rekey", "complete", "create", "deactivate", "delete"];

/// The plan, whom it leaves out, and what the guard says.
pub(super) fn plan(planned: &DryRun, allow_removals: bool) -> String {
    let DryRun { record, plan, rows, removed, absent, stopped } = planned;
    let mut parts =
        vec!["Dry run: nothing is changed, and nothing is written, not even a count of absence.\n".to_owned()];
    if !plan.is_empty() {
        // Each line for itself: a name may hold a line break.
        let lines = plan.actions().iter().flat_map(|step| lines(step, removed));
        parts.push(lines.collect::<Vec<_>>().join("\n") + "\n");
    }
    parts.push(parts_table(record).to_string());
    if !rows.is_empty() {
        let all: Vec<_> = rows.iter().map(Named::from).collect();
        parts.push(format!("Would not be as the source has it:\n{}", named(&all)));
    }
    parts.extend(show::warnings(&record.warnings));
    parts.extend(show::traffic(record));
    if *absent > 0 {
        parts.push(format!("absent    {} managed people are not in the source", HumanCount(*absent)));
    }
    parts.push(format!("plan {}: {}", plan.hash(), steps(plan.actions(), &WORDS, |step| step.what.word())));
    parts.push(match stopped {
        None => {
            let allowed = if allow_removals { " --allow-removals" } else { "" };
            format!(
                "guard: lets it pass; to apply just these steps: crosswalk sync{allowed} --plan-hash {}",
                plan.hash()
            )
        }
        Some(why) => format!("STOPPED, nothing would be changed: {}", show::plain(why)),
    });
    parts.join("\n")
}

/// The same for programs.
pub(super) fn plan_as_json(planned: &DryRun) -> Value {
    let DryRun { record, plan, rows, removed, absent, stopped } = planned;
    json!({
        "plan": { "hash": plan.hash(), "steps": plan.actions() },
        "left_out": rows.iter().map(Named::from).collect::<Vec<_>>(),
        "removed": removed,
        "absent": absent,
        "stopped": stopped,
        "record": wire::Run::from(record.clone()),
    })
}

fn lines(step: &Step, removed: &HashMap<Box<str>, Box<str>>) -> Vec<String> {
    let email = step.account.as_ref().and_then(|account| removed.get(account));
    let whose = email.map(|email| show::plain(&format!("    of {email}")));
    step.lines().iter().map(|line| show::plain(line)).chain(whose).collect()
}

#[cfg(test)]
mod tests {
    use crosswalk_directory_sync::Field;
    use crosswalk_directory_sync::step::{Change, What, Why};
    use crosswalk_reconcile::{Counts, Outcome, Plan};
    use crosswalk_runs::RunRecord;
    use crosswalk_runs::report::Row;

    use super::*;

    fn step(what: What, key: &str, changes: Vec<Change>) -> Step {
        Step { what, key: key.into(), account: None, version: 0, changes, active: None, after: Vec::new() }
    }

    fn dry_run(stopped: Option<&str>) -> DryRun {
        let mut record =
            RunRecord::begin("directory-sync-1", "directory-sync", "sql", "2026-11-22T05:00:00Z".parse().unwrap());
        let people = Counts { read: 3, updated: 1, rejected: 1, deactivated: Some(1), ..Counts::default() };
        record.parts.insert("people".into(), people);
        let renamed = Change { field: Field::Username, old: Some("ada".into()), new: "ada\u{1b}[31m\nl".into() };
        let row = Row {
            kind: "person",
            id: "7".into(),
            name: "row 3".into(),
            outcome: Outcome::Rejected,
            reason: "it has no e-mail".into(),
        };
        let gone = step(What::Deactivate { why: Why::Absent }, "9", Vec::new());
        DryRun {
            record,
            plan: Plan::new(vec![Step { account: Some("17".into()), ..gone }, step(What::Update, "1", vec![renamed])]),
            rows: vec![row],
            removed: [("17".into(), "cy@example.org".into())].into(),
            absent: 1,
            stopped: stopped.map(Into::into),
        }
    }

    #[test]
    fn a_plan_is_told_line_by_line() {
        let told = plan(&dry_run(None), false);
        for expected in [
            "update 1",
            "    username: ada => ada",
            "deactivate 9 (absent), account 17",
            "    of cy@example.org",
            "row 3",
            "it has no e-mail",
            "2 steps: 1 update, 1 deactivate",
            "--plan-hash ",
            "deactivated",
        ] {
            assert!(told.contains(expected), "{expected}: {told}");
        }
        assert!(!told.contains('\u{1b}'), "{told}");
        assert!(plan(&dry_run(None), true).contains("crosswalk sync --allow-removals --plan-hash "));
        assert!(plan(&dry_run(Some("too many")), false).contains("STOPPED, nothing would be changed: too many"));
    }

    #[test]
    fn programs_get_the_steps() {
        let told = plan_as_json(&dry_run(None));
        let steps = told["plan"]["steps"].as_array().unwrap();
        assert_eq!((steps.len(), &steps[0]["what"], &steps[0]["key"]), (2, &json!("update"), &json!("1")));
        assert_eq!((&told["absent"], &told["stopped"]), (&json!(1), &Value::Null));
    }
}
