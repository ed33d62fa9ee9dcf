//! What a harvest would do, in words and tables.

use crosswalk_mapping_api::wire;
use crosswalk_nemo_harvest::plan::What;
use crosswalk_nemo_harvest::{DryRun, Step};
use serde_json::{Value, json};

use crate::ended::{Named, named, parts_table, steps};
use crate::show;

/// The plan, and whom it leaves out. What is only verified is counted: it is everybody, every day.
pub(super) fn plan(planned: &DryRun) -> String {
    let DryRun { record, plan, rows } = planned;
    let mut parts = vec!["Dry run: nothing is stored, and nothing is written.\n".to_owned()];
    let lines: Vec<String> = plan
        .actions()
        .iter()
        .filter(|step| step.what != What::Verify)
        // Each line for itself: a name may hold a line break.
        .map(|step| show::plain(&step.to_string()))
        .collect();
    if !lines.is_empty() {
        parts.push(lines.join("\n") + "\n");
    }
    parts.push(parts_table(record).to_string());
    if !rows.is_empty() {
        let all: Vec<_> = rows.iter().map(Named::from).collect();
        parts.push(format!("Would not be stored:\n{}", named(&all)));
    }
    parts.extend(show::warnings(&record.warnings));
    parts.extend(show::traffic(record));
    parts.push(format!(
        "plan {}: {}",
        plan.hash(),
        steps(plan.actions(), &["create", "update", "verify", "seen"], word)
    ));
    parts.join("\n")
}

/// The same for programs.
pub(super) fn plan_as_json(planned: &DryRun) -> Value {
    let DryRun { record, plan, rows } = planned;
    json!({
        "plan": { "hash": plan.hash(), "steps": plan.actions() },
        "left_out": rows.iter().map(Named::from).collect::<Vec<_>>(),
        "record": wire::Run::from(record.clone()),
    })
}

fn word(step: &Step) -> &'static str {
    match step.what {
        What::Create => "create",
        What::Update => "update",
        What::Verify => "verify",
        What::Seen => "seen",
    }
}

#[cfg(test)]
mod tests {
    use crosswalk_identity::Username;
    use crosswalk_reconcile::{Counts, Outcome, Plan};
    use crosswalk_runs::RunRecord;
    use crosswalk_runs::report::Row;

    use super::*;

    fn step(what: What, id: u64, username: &str) -> Step {
        let username = Username::parse(username).unwrap();
        Step { what, username, id, old_email: None, email: None, at: None }
    }

    fn dry_run() -> DryRun {
        let began = "2026-11-22T04:00:00Z".parse().unwrap();
        let mut record = RunRecord::begin("nemo-harvest-1", "nemo-harvest", "https://nemo.example.org", began);
        let mappings = Counts { read: 4, created: 1, verified: 2, conflict: 1, ..Counts::default() };
        record.parts.insert("mappings".into(), mappings);
        let row = Row {
            kind: "mapping",
            id: "7".into(),
            name: "lovelace".into(),
            outcome: Outcome::Conflict,
            reason: "the NEMO id belongs to another username".into(),
        };
        let seen = Step { at: Some(began), ..step(What::Seen, 1, "ada") };
        let steps = vec![seen, step(What::Verify, 1, "ada"), step(What::Create, 3, "cy"), step(What::Verify, 2, "bo")];
        DryRun { record, plan: Plan::new(steps), rows: vec![row] }
    }

    #[test]
    fn a_plan_is_told_line_by_line_and_verifications_are_counted() {
        let told = plan(&dry_run());
        for expected in [
            "create cy = 3\nseen ada = 1, 2026-11-22T04:00:00.000Z",
            "lovelace",
            "the NEMO id belongs to another username",
            "4 steps: 1 create, 2 verify, 1 seen",
        ] {
            assert!(told.contains(expected), "{expected}: {told}");
        }
        assert!(!told.contains("verify ada"), "{told}");
    }

    #[test]
    fn programs_get_the_steps() {
        let told = plan_as_json(&dry_run());
        let steps = told["plan"]["steps"].as_array().unwrap();
        assert_eq!((steps.len(), &steps[0]), (4, &json!({"what": "create", "username": "cy", "id": 3})));
        assert_eq!(told["left_out"][0]["outcome"], "conflict");
    }
}
