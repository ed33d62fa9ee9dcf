//! Two processes over one folder: the lock goes with the one that is killed.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crosswalk_runs::RunState;

use crate::scenarios::ended;
use crate::turns::scene_in;

const HOLDS: &str = "it holds the turn";

/// Names the folder to the test when it runs as the other process.
const FOLDER: &str = "CROSSWALK_TEST_OTHER_PROCESS";

/// What the other process does: it takes the turn in the folder, says so, and waits.
async fn hold(folder: &Path) {
    let scene = scene_in(folder);
    let _held = scene.begin("run-1").await;
    println!("{HOLDS}");
    // It is killed before its input ends, unless the test that started it is.
    tokio::task::spawn_blocking(|| std::io::stdin().lines().next()).await.unwrap();
}

/// Ends with the test, also where that fails.
struct Other(Child);

impl Drop for Other {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn other_process(folder: &Path) -> Other {
    let mut other = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "processes::a_killed_process_leaves_its_turn_and_its_run_to_the_next", "--nocapture"])
        .env(FOLDER, folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said =
        BufReader::new(other.stdout.take().unwrap()).lines().map(Result::unwrap).find(|line| line.contains(HOLDS));
    assert!(said.is_some(), "it does not hold the turn");
    Other(other)
}

/// It starts itself as the other process.
#[tokio::test]
async fn a_killed_process_leaves_its_turn_and_its_run_to_the_next() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        return hold(Path::new(&folder)).await;
    }
    let folder = tempfile::tempdir().unwrap();
    let scene = scene_in(folder.path());
    let other = other_process(folder.path());
    assert_eq!(scene.busy("run-2").await, "run-1");
    assert_eq!(scene.busy("run-1").await, "run-1");
    assert_eq!(scene.get("run-1").await.state, RunState::Running);

    drop(other);
    let shown = scene.get("run-1").await;
    assert_eq!(shown.state, RunState::Failed);
    assert!(shown.reasons[0].reason.contains("broke off"), "{:?}", shown.reasons);
    let again = scene.begin("run-1").await;
    assert_eq!(again.record(), &scene.record("run-1"));
    again.end(&ended(&scene.record("run-1"), RunState::Succeeded)).await.unwrap();
    assert_eq!(scene.get("run-1").await.state, RunState::Succeeded);
    scene.begin("run-2").await.confirm().await.unwrap();
}
