use crosswalk_function_kit::Clock;
use crosswalk_stand_ins::nemo::{EventSpec, Faults, NemoStandIn, UserSpec};
use jiff::{SignedDuration, Timestamp};

use crate::support::{Ended, Folder, Up};

/// A NEMO, and a folder to harvest into.
struct Bed {
    nemo: NemoStandIn,
    folder: Folder,
}

impl Bed {
    /// Three people who are stored, two whose names differ in case alone, and one who is inactive.
    fn new() -> Self {
        let users =
            [(1, "ada"), (2, "bo"), (3, "cy"), (4, "eve"), (5, "EVE")].map(|(id, name)| UserSpec::new(id, name));
        let users = users.into_iter().chain([UserSpec::new(6, "dee").inactive()]).collect();
        Self { nemo: NemoStandIn::start(users).unwrap(), folder: Folder::new() }
    }

    /// Where usernames are clear.
    fn clear() -> Self {
        let bed = Self::new();
        bed.nemo.change(|users, _| users.retain(|user| user.username != "EVE"));
        bed
    }

    fn environment(&self) -> Vec<(String, String)> {
        self.nemo.settings().into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn harvest(&self, args: &[&str]) -> Ended {
        self.folder.run_with(&[&["harvest"], args].concat(), &self.environment())
    }

    fn used(&self, user: u64, start: Timestamp) {
        self.nemo.change(|_, events| {
            let id = events.len() as u64 + 1;
            events.push(EventSpec { id, start, user, operator: user });
        });
    }

    /// `username = id` of everybody.
    fn mappings(&self) -> Vec<String> {
        // Exit code 1 says that there are none.
        let page = self.folder.run(&["ids", "list", "--system", "nemo", "--json"]).json();
        let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
        let items = page["items"].as_array().unwrap().iter();
        let mut told: Vec<_> =
            items.map(|item| format!("{} = {}", text(&item["username"]), text(&item["external_id"]))).collect();
        told.sort();
        told
    }
}

#[test]
fn settings_are_asked_for_together() {
    let bed = Bed::clear();
    bed.folder.run(&["harvest"]).code(2).complains(&["NEMO_URL", "NEMO_TOKEN"]);
    let mut environment = bed.environment();
    environment[1].1 = "another".to_owned();
    let failed = bed.folder.run_with(&["harvest"], &environment).code(2).complains(&["failed: ", "NEMO_TOKEN"]);
    assert!(!failed.err.contains("another") && !failed.out.contains("another"), "{failed:?}");
    assert_eq!(bed.mappings(), [] as [String; 0]);
}

#[test]
fn a_dry_run_prints_the_plan_and_stores_nothing() {
    let bed = Bed::new();
    bed.used(1, Clock::system().now() - SignedDuration::from_hours(5));
    let told = bed.harvest(&["--dry-run"]).code(1).says(&[
        "nothing is stored",
        "create ada = 1\ncreate bo = 2\ncreate cy = 3\n",
        "seen ada = 1, ",
        "Would not be stored:",
        "eve",
        "EVE",
        "dee",
        "4 steps: 3 create, 1 seen",
    ]);
    let json = bed.harvest(&["--dry-run", "--json"]).code(1).json();
    let hash = json["plan"]["hash"].as_str().unwrap();
    assert!(told.out.contains(&format!("plan {hash}")), "{told:?}");
    assert_eq!(json["plan"]["steps"].as_array().unwrap().len(), 4);
    let left: Vec<_> = json["left_out"].as_array().unwrap().iter().map(|row| &row["outcome"]).collect();
    assert_eq!(left, ["conflict", "conflict", "skipped"]);
    assert_eq!((&json["record"]["dry_run"], &json["record"]["state"]), (&true.into(), &"partly".into()));
    assert_eq!(bed.mappings(), [] as [String; 0]);
    assert_eq!(bed.folder.run(&["runs", "--json"]).code(0).json()["items"].as_array().unwrap().len(), 0);

    // By the setting too, whatever the command says.
    let environment: Vec<_> = bed.environment().into_iter().chain([("DRY_RUN".into(), "true".into())]).collect();
    bed.folder.run_with(&["harvest"], &environment).code(1).says(&["Dry run"]);
    assert_eq!(bed.mappings(), [] as [String; 0]);

    let run = bed.harvest(&["--json"]).code(1).json();
    assert_eq!(run["plan"], hash, "the plan that was shown is the plan that was applied");
    // Nobody is left over: a plan of nothing.
    bed.nemo.change(|users, _| users.retain(|user| user.is_active && !user.username.eq_ignore_ascii_case("eve")));
    bed.harvest(&["--dry-run"]).code(0).says(&["nothing to do"]);
}

#[test]
fn a_harvest_stores_and_remembers() {
    let bed = Bed::new();
    let start = Timestamp::from_second((Clock::system().now() - SignedDuration::from_hours(5)).as_second()).unwrap();
    bed.used(2, start);
    bed.harvest(&[]).code(1).says(&["Not stored:", "eve", "EVE", "dee", "partly", "Reports: ", "/reports/"]);
    assert_eq!(bed.mappings(), ["ada = 1", "bo = 2", "cy = 3"]);
    let bo = bed.folder.run(&["ids", "get", "bo", "nemo", "--json"]).code(0).json();
    let seen: Timestamp = bo["last_seen"].as_str().unwrap().parse().unwrap();
    assert_eq!((seen, &bo["email"]), (start, &"bo@example.org".into()));

    let runs = bed.folder.run(&["runs", "--kind", "nemo-harvest", "--json"]).code(0).json();
    let run = &runs["items"][0];
    assert_eq!(run["parts"]["mappings"]["created"], 3);
    assert_eq!((&run["parts"]["mappings"]["conflict"], &run["parts"]["mappings"]["skipped"]), (&2.into(), &1.into()));
    let id = run["id"].as_str().unwrap();
    bed.folder.run(&["runs", id]).code(0).says(&["mappings", "3 created", "nemo  "]);
    bed.folder
        .run(&["runs", id, "--report", "failed"])
        .code(0)
        .says(&["kind,id,name,outcome,reason", "mapping,5,EVE,conflict,"]);

    // Once it is clear who is meant, all are as they should be; who is inactive is nobody's fault.
    bed.nemo.change(|users, _| users.retain(|user| user.username != "EVE"));
    let second = bed.harvest(&["--json"]).code(0).json();
    let mappings = &second["parts"]["mappings"];
    assert_eq!(second["state"], "succeeded");
    assert_eq!((&mappings["created"], &mappings["unchanged"], &mappings["skipped"]), (&1.into(), &3.into(), &1.into()));
    assert_eq!(bed.mappings(), ["ada = 1", "bo = 2", "cy = 3", "eve = 4"]);

    // An id never moves by itself; a person moves it.
    bed.nemo.change(|users, _| users[0].username = "lovelace".to_owned());
    bed.harvest(&[]).code(1).says(&["lovelace", "crosswalk ids move"]);
    bed.folder.run(&["ids", "move", "nemo", "1", "--from", "ada", "--to", "lovelace"]).code(0);
    bed.harvest(&[]).code(0).says(&["succeeded"]);
    assert_eq!(bed.mappings(), ["bo = 2", "cy = 3", "eve = 4", "lovelace = 1"]);
}

#[test]
fn what_cannot_be_read_whole_is_not_stored() {
    let bed = Bed::clear();
    bed.nemo.fail(Faults { forbidden: ["users"].into(), ..Faults::default() });
    bed.harvest(&["--dry-run"]).code(2).complains(&["NEMO.view_user"]);
    bed.harvest(&[]).code(2).complains(&["failed: ", "NEMO.view_user"]);
    bed.nemo.fail(Faults { short: true, short_whole: true, ..Faults::default() });
    bed.harvest(&["--json"]).code(2).complains(&["failed: "]);
    assert_eq!(bed.mappings(), [] as [String; 0]);
    let runs = bed.folder.run(&["runs", "--json"]).code(0).json();
    let states: Vec<_> = runs["items"].as_array().unwrap().iter().map(|run| &run["state"]).collect();
    assert_eq!(states, ["failed", "failed"]);
    bed.nemo.fail(Faults::default());
    bed.harvest(&[]).code(0);
    assert_eq!(bed.mappings(), ["ada = 1", "bo = 2", "cy = 3", "eve = 4"]);
}

#[test]
fn another_nemo_has_a_system_of_its_own() {
    let bed = Bed::clear();
    bed.harvest(&[]).code(0);
    let other = NemoStandIn::start(vec![UserSpec::new(1, "bo")]).unwrap();
    let environment = |system: &str, systems: &str| {
        let settings = other.settings().into_iter().map(|(name, value)| (name.to_owned(), value));
        let more = [("NEMO_SYSTEM", system), ("CROSSWALK_SYSTEMS", systems)];
        settings.chain(more.map(|(name, value)| (name.to_owned(), value.to_owned()))).collect::<Vec<_>>()
    };
    let refused = bed.folder.run_with(&["harvest"], &environment("nemo", "nemo")).code(2);
    refused.complains(&["NEMO_SYSTEM"]);
    bed.folder.run_with(&["harvest"], &environment("nemo_b", "nemo")).code(2).complains(&["CROSSWALK_SYSTEMS"]);
    bed.folder.run_with(&["harvest"], &environment("nemo_b", "nemo,nemo_b")).code(0);
    assert_eq!(bed.mappings(), ["ada = 1", "bo = 2", "cy = 3", "eve = 4"]);
    let systems = [("CROSSWALK_SYSTEMS".to_owned(), "nemo,nemo_b".to_owned())];
    let found = bed.folder.run_with(&["ids", "find", "nemo_b", "1", "--json"], &systems).code(0).json();
    assert_eq!(found["username"], "bo");
}

#[test]
fn an_endpoint_takes_the_place_of_the_folder() {
    let bed = Bed::clear();
    let up = Up::start(&bed.folder);
    let elsewhere = Folder::new();
    let environment: Vec<_> = Up::environment(&bed.folder).into_iter().chain(bed.environment()).collect();
    elsewhere.run_with(&["harvest", "--json"], &environment).code(0);
    assert_eq!(std::fs::read_dir(elsewhere.path()).unwrap().count(), 0);
    assert_eq!(bed.mappings(), ["ada = 1", "bo = 2", "cy = 3", "eve = 4"], "the `up` of the folder has them");
    drop(up);
}
