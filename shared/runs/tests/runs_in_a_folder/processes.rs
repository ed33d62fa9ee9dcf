//! Two processes over one folder: the lock goes with the one that is killed.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crosswalk_runs::RunState;

use crate::scenarios::ended;
use crate::turns::scene_in;

const HOLDS: &str = "it holds the turn";

/// Not a test but the other process: it takes the turn in the folder that its input names, says so, and waits.
#[tokio::test]
#[ignore = "the test below starts it as a process of its own"]
async fn the_other_process() {
    let folder = std::io::stdin().lines().next().unwrap().unwrap();
    let scene = scene_in(Path::new(&folder));
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
        .args(["--exact", "processes::the_other_process", "--ignored", "--nocapture"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(other.stdin.as_mut().unwrap(), "{}", folder.display()).unwrap();
    let said =
        BufReader::new(other.stdout.take().unwrap()).lines().map(Result::unwrap).find(|line| line.contains(HOLDS));
    assert!(said.is_some(), "it does not hold the turn");
    Other(other)
}

#[tokio::test]
async fn a_killed_process_leaves_the_turn_to_the_next_and_its_run_to_be_gone_on_with() {
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
