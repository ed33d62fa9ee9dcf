use std::process::{Command, Stdio};
use std::time::Duration;

use crosswalk_stand_ins::glean::{GleanStandIn, On, When};
use crosswalk_stand_ins::keycloak::{GroupSpec, KeycloakStandIn, RealmSpec, UserSpec};
use serde_json::Value;

use crate::support::{Ended, Folder, PATIENCE, Up};

/// A realm and a Glean, and a folder to export from.
struct Bed {
    keycloak: KeycloakStandIn,
    glean: GleanStandIn,
    folder: Folder,
}

fn person(n: usize) -> UserSpec {
    let name = format!("person{n}");
    UserSpec::new(&name).email(&format!("{name}@example.org")).name("First", "Last").attribute("department", "Research")
}

impl Bed {
    /// Ten people in two groups, and one who is rejected.
    fn new() -> Self {
        let mut realm = RealmSpec::new("staff").user(UserSpec::new("nobody").email("nobody@example.org"));
        realm.users.extend((0..10).map(person));
        let names = |range: std::ops::Range<usize>| range.map(|n| format!("person{n}"));
        let realm =
            realm.group(GroupSpec::new("one").members(names(0..5)).child(GroupSpec::new("two").members(names(3..10))));
        Self {
            keycloak: KeycloakStandIn::start(realm).unwrap(),
            glean: GleanStandIn::start("token").unwrap(),
            folder: Folder::new(),
        }
    }

    fn environment(&self) -> Vec<(String, String)> {
        let settings = self.keycloak.settings().into_iter().chain(self.glean.settings());
        settings.map(|(name, value)| (name.to_owned(), value)).collect()
    }

    fn export(&self, args: &[&str]) -> Ended {
        self.folder.run_with(&[&["export"], args].concat(), &self.environment())
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

#[test]
fn settings_are_asked_for_together() {
    let folder = Folder::new();
    folder.run(&["export"]).code(2).complains(&[
        "KEYCLOAK_BASE_URL",
        "KEYCLOAK_REALM",
        "KEYCLOAK_CLIENT_ID",
        "KEYCLOAK_CLIENT_SECRET",
        "GLEAN_API_URL",
        "GLEAN_API_TOKEN",
    ]);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    let bed = Bed::new();
    bed.export(&["--max-users", "3"]).code(2).complains(&["bulk"]);
    assert!(bed.glean.log().is_empty());
    let environment = bed.environment();
    bed.keycloak.change(|realm| realm.client_secret = "another".into());
    let failed = bed.folder.run_with(&["export"], &environment).code(2);
    let failed = failed.complains(&["failed: ", "KEYCLOAK_CLIENT_SECRET"]).says(&["failed in", "keycloak"]);
    assert!(!failed.err.contains("stand-in-secret"), "{failed:?}");
}

#[test]
fn a_dry_run_prints_the_plan_and_writes_nothing() {
    let bed = Bed::new();
    let told = bed.export(&["--dry-run"]).code(1).says(&[
        "nothing is sent",
        "create person person0@example.org",
        "(two)",
        "nobody",
        "12 steps: 12 create",
        "guard: lets it pass",
    ]);
    let json = bed.export(&["--dry-run", "--json"]).code(1).json();
    let hash = json["plan"]["hash"].as_str().unwrap();
    assert!(told.out.contains(&format!("plan {hash}")), "{told:?}");
    assert_eq!(json["people"].as_array().unwrap().len(), 10);
    assert_eq!(json["people"][0]["department"], "Research");
    assert_eq!(json["teams"].as_array().unwrap().len(), 2);
    assert_eq!((&json["left_out"][0]["name"], &json["left_out"][0]["outcome"]), (&"nobody".into(), &"rejected".into()));
    let few = bed.export(&["--dry-run", "--json", "--max-users", "3"]).code(1).json();
    assert_eq!((few["people"].as_array().unwrap().len(), few["teams"].as_array().unwrap().len()), (3, 0));
    assert!(bed.glean.log().is_empty() && bed.names().is_empty());

    let run = bed.export(&["--json"]).code(1).json();
    assert_eq!(run["plan"], hash, "the plan that was shown is the plan that was applied");
}

#[test]
fn a_folder_is_enough_and_remembers() {
    let bed = Bed::new();
    bed.export(&[]).code(1).says(&["Not exported:", "nobody", "partly", ".crosswalk/people-export/reports/"]);
    assert_eq!((bed.glean.people().len(), bed.glean.teams().len()), (10, 2));
    assert_eq!(bed.glean.violations(), [] as [String; 0]);
    // All are as they should be once the one who was rejected has a department; who that is, the report says.
    let runs = bed.folder.run(&["runs", "--json"]).code(0).json();
    let id = runs["items"][0]["id"].as_str().unwrap();
    bed.folder
        .run(&["runs", id, "--report", "failed"])
        .code(0)
        .says(&["kind,id,name,outcome,reason", ",nobody,rejected,"]);
    bed.folder.run(&["runs", id]).code(0).says(&["people    11 rows: 10 created, 1 rejected", "glean  ", "plan  "]);
    assert!(!bed.folder.path().join(".crosswalk/dynamodb.sqlite").exists(), "who only exports gets no AWS");
    bed.keycloak.change(|realm| {
        let nobody = realm.user_mut("nobody").unwrap();
        nobody.attributes.insert("department".into(), vec!["Research".into()]);
        realm.users.push(UserSpec::service_account("crosswalk"));
    });
    let second = bed.export(&["--json"]).code(0).json();
    let people = &second["parts"]["people"];
    assert_eq!((&people["created"], &people["unchanged"]), (&1.into(), &10.into()));
    bed.folder.run(&["runs", "--kind", "people-export"]).code(0).says(&["succeeded", "partly", "staff"]);

    // Another folder knows nothing of it.
    let other = bed.export(&["--state", "other", "--dry-run", "--json"]).code(0).json();
    assert_eq!(other["record"]["parts"]["people"]["created"], 11);
    bed.folder.run(&["runs", "--state", "other"]).code(2).complains(&["there is no folder other"]);
    bed.export(&["--state", "other"]).code(0).says(&["other/reports/"]);
    let listed = bed.folder.run(&["runs", "--state", "other", "--json"]).code(0).json();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
}

#[test]
fn too_many_deletions_are_stopped_until_they_are_allowed() {
    let bed = Bed::new();
    bed.export(&[]).code(1);
    bed.keycloak.change(|realm| realm.users.retain(|user| !matches!(user.username.as_str(), "person8" | "person9")));
    let sent = bed.glean.log().len();
    bed.export(&["--dry-run"]).code(1).says(&["delete person person9@example.org", "guard: STOPS it"]);
    bed.export(&[]).code(2).complains(&["removes 2 of the 10 people", "--allow-removals"]);
    assert_eq!((bed.glean.log().len(), bed.glean.people().len()), (sent, 10));
    let run = bed.export(&["--allow-removals", "--json"]).code(1).json();
    assert_eq!(run["parts"]["people"]["deleted"], 2);
    assert_eq!(bed.glean.people().len(), 8);
}

/// Waits for what a process of its own does in real time.
fn wait(runtime: &tokio::runtime::Runtime, what: impl Future<Output = ()>) {
    runtime.block_on(async { tokio::time::timeout(PATIENCE, what).await }).unwrap();
}

#[test]
fn a_second_one_is_told_who_is_at_work_and_a_stopped_one_is_begun_anew() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let bed = Bed::new();
    let hold = bed.glean.hold(On::path("bulkindexemployees").last_page(), When::BeforeTaken);
    let mut command = bed.folder.command(&["export"]);
    let first = command.envs(bed.environment()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait(&runtime, hold.reached());

    let busy = bed.export(&[]).code(2).complains(&["people-export-", "is at work", "one upload at a time"]);
    let id = busy.err.split_whitespace().find(|word| word.starts_with("people-export-")).unwrap();
    let run = bed.folder.run(&["runs", id, "--json"]).code(0).json();
    assert_eq!(run["state"], "running");

    let pid = first.id().to_string();
    assert!(Command::new("sh").args(["-c", "kill -TERM \"$0\"", &pid]).status().unwrap().success());
    let ended = first.wait_with_output().unwrap();
    let told = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(2), "{told}");
    assert!(told.contains("stopped") && told.contains("nobody is deleted"), "{told}");
    wait(&runtime, async {
        while bed.glean.under_way() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    hold.release();
    assert!(bed.glean.people().is_empty(), "an upload that did not end changes nothing");

    bed.export(&[]).code(1).says(&["10"]);
    assert_eq!(bed.glean.people().len(), 10);
    assert!(bed.glean.log().iter().any(|request| request.restart), "{:?}", bed.glean.log());
}

#[test]
fn an_endpoint_takes_the_place_of_the_folder() {
    let bed = Bed::new();
    let up = Up::start(&bed.folder);
    let environment: Vec<_> = Up::environment(&bed.folder).into_iter().chain(bed.environment()).collect();
    let run = bed.folder.run_with(&["export", "--json"], &environment).code(1).json();
    assert!(!bed.folder.path().join(".crosswalk/people-export").exists());
    bed.folder.run_with(&["runs"], &environment).code(0).says(&["people-export", "staff"]);
    let id = run["id"].as_str().unwrap();
    bed.folder.run_with(&["runs", id, "--report", "failed"], &environment).code(0).says(&[",nobody,rejected,"]);
    let again = bed.folder.run_with(&["export", "--json"], &environment).code(1).json();
    assert_eq!(again["parts"]["people"]["unchanged"], 10);
    // Without the endpoint it is another place, though the `up` still runs.
    let elsewhere = bed.export(&["--dry-run", "--json"]).code(1).json();
    assert_eq!(elsewhere["record"]["parts"]["people"]["created"], 10);
    drop(up);
}

/// Fills in the file that `crosswalk settings` prints, and runs a command with it as a shell or cron does.
#[test]
fn a_file_of_settings_can_be_used_by_a_shell() {
    let bed = Bed::new();
    bed.keycloak.change(|realm| {
        realm.user_mut("person0").unwrap().attributes.insert("job title".into(), vec!["Head of \"it\"".into()]);
    });
    let printed = bed.folder.run(&["settings", "people-export", "--env"]).code(0).out;
    let mut given = bed.environment();
    given.push(("EXPORT_ATTRIBUTES".into(), r#"'{"title": ["job title"], "bio": null}'"#.into()));
    given.push(("EXPORT_DEFAULT_DEPARTMENT".into(), r#"'Ada'\''s & others'"#.into()));
    given.push(("CROSSWALK_STATE_DIR".into(), "'a folder'".into()));
    let filled: Vec<String> = printed
        .lines()
        .map(|line| {
            let name = line.trim_start_matches("# ").split('=').next().unwrap();
            match given.iter().position(|(given, _)| given == name) {
                Some(place) => {
                    let (name, value) = given.remove(place);
                    format!("{name}={value}")
                }
                None => line.to_owned(),
            }
        })
        .collect();
    assert!(given.is_empty(), "not in the file: {given:?}");
    bed.folder.file("export.env", &filled.join("\n"));
    let script = r#"set -eu; set -a; . ./export.env; set +a; exec "$0" export --json"#;
    let output = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_crosswalk")])
        .current_dir(bed.folder.path())
        .env_clear()
        .env("HOME", bed.folder.path())
        .output()
        .unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{told}");
    let run: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(run["state"], "succeeded");
    assert!(bed.folder.path().join("a folder/runs").is_dir());
    let people = bed.glean.people();
    assert_eq!(people["person0@example.org"].title.as_ref().unwrap().as_str(), "Head of \"it\"");
    assert_eq!(people["nobody@example.org"].department.as_str(), "Ada's & others");
}
