//! Turns in a folder: what holds in the table holds here too, and what a file system adds.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crosswalk_runs::{Begin, Ledger, Outcome, RunError, RunRecord, RunState};
use tempfile::TempDir;

use crate::scenarios::hand::Hand;
use crate::scenarios::{self, Scene, counts, ended, is_lost, progress};

pub(crate) fn scene_in(folder: &Path) -> Scene {
    let hand = Hand::new();
    Scene { ledger: Ledger::Folder { folder: folder.to_owned(), clock: hand.clock() }, hand }
}

/// A folder that does not exist yet, in one that is removed with the test.
fn scene() -> (Scene, PathBuf, TempDir) {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("state").join("of exports");
    (scene_in(&folder), folder, parent)
}

fn lock(folder: &Path) -> PathBuf {
    folder.join("turns").join("people-export%239f86d081.lock")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_16_that_begin_at_once_one_gets_the_turn() {
    scenarios::of_16_that_begin_at_once_one_gets_the_turn(&scene().0).await;
}

#[tokio::test]
async fn a_turn_excludes_its_own_runs_only() {
    let (scene, _, _parent) = scene();
    scenarios::a_turn_excludes_its_own_runs_only(&scene).await;
}

#[tokio::test]
async fn a_run_that_ended_gives_the_turn_back_and_keeps_all_that_it_said() {
    let (scene, _, _parent) = scene();
    scenarios::a_run_that_ended_gives_the_turn_back_and_keeps_all_that_it_said(&scene).await;
}

#[tokio::test]
async fn a_run_that_did_what_it_could_is_not_begun_again() {
    let (scene, _, _parent) = scene();
    scenarios::a_run_that_did_what_it_could_is_not_begun_again(&scene).await;
}

#[tokio::test]
async fn a_run_that_failed_begins_again_from_nothing() {
    let (scene, _, _parent) = scene();
    scenarios::a_run_that_failed_begins_again_from_nothing(&scene).await;
}

#[tokio::test]
async fn a_run_that_continues_is_gone_on_with() {
    let (scene, _, _parent) = scene();
    scenarios::a_run_that_continues_is_gone_on_with(&scene).await;
}

#[tokio::test]
async fn a_released_run_is_gone_on_with_at_once() {
    let (scene, _, _parent) = scene();
    scenarios::a_released_run_is_gone_on_with_at_once(&scene).await;
}

#[tokio::test]
async fn a_run_cannot_end_as_running() {
    let (scene, _, _parent) = scene();
    scenarios::a_run_cannot_end_as_running(&scene).await;
}

#[tokio::test]
async fn runs_are_listed_newest_first() {
    let (scene, _, _parent) = scene();
    scenarios::runs_are_listed_newest_first(&scene).await;
}

#[tokio::test]
async fn who_only_looks_makes_nothing() {
    let (scene, folder, _parent) = scene();
    assert_eq!(scene.ledger.get("run-1").await.unwrap(), None);
    assert!(scene.ledger.list(None, 9).await.unwrap().is_empty());
    assert!(!folder.exists());
}

#[tokio::test]
async fn a_busy_turn_has_no_time() {
    let (scene, folder, _parent) = scene();
    let _held = scene.begin("run-1").await;
    // Another ledger over the same folder, by another path.
    let other = scene_in(&folder.join("..").join("of exports"));
    let busy = other.try_begin("run-2").await;
    assert!(matches!(&busy, Begin::Busy { run, until: None } if run == "run-1"), "{busy:?}");
    assert_eq!(other.get("run-1").await.state, RunState::Running);
}

#[tokio::test]
async fn a_dropped_turn_is_free_at_once_and_its_run_is_shown_as_broken_off_until_it_is_gone_on_with() {
    let (scene, _, _parent) = scene();
    let began = scene.record("run-1");
    let held = scene.begin("run-1").await;
    scene.hand.forward(Duration::from_secs(7));
    drop(held);
    let shown = scene.get("run-1").await;
    assert_eq!((shown.state, shown.ended_at), (RunState::Failed, Some(began.started_at)));
    assert!(shown.reasons[0].reason.contains("broke off"), "{:?}", shown.reasons);
    assert_eq!(scene.ledger.list(None, 9).await.unwrap(), std::slice::from_ref(&shown));

    // Another run that has the turn does not make it run.
    let other = scene.begin("run-2").await;
    assert_eq!(scene.get("run-1").await, shown);
    assert_eq!(scene.busy("run-1").await, "run-2");
    other.end(&ended(&scene.record("run-2"), RunState::Succeeded)).await.unwrap();

    let again = scene.begin("run-1").await;
    assert_eq!(again.record(), &began);
    assert_eq!(scene.get("run-1").await, began);
    again.end(&ended(&began, RunState::Succeeded)).await.unwrap();
}

#[tokio::test]
async fn a_turn_whose_file_is_deleted_or_replaced_is_lost() {
    for replaced in [false, true] {
        let (scene, folder, _parent) = scene();
        let held = scene.begin("run-1").await;
        held.confirm().await.unwrap();
        fs::remove_file(lock(&folder)).unwrap();
        let other = if replaced { Some(scene.begin("run-2").await) } else { None };
        assert!(is_lost(held.confirm().await, "run-1"));
        assert!(held.lost().is_cancelled());
        assert!(is_lost(held.end(&ended(&scene.record("run-1"), RunState::Succeeded)).await, "run-1"));
        assert_eq!(scene.get("run-1").await.state, RunState::Failed);
        match other {
            Some(other) => {
                other.confirm().await.unwrap();
                assert_eq!(scene.busy("run-3").await, "run-2");
            }
            None => scene.begin("run-1").await.confirm().await.unwrap(),
        }
    }
}

#[tokio::test]
async fn the_background_tells_the_loss() {
    let (scene, folder, _parent) = scene();
    let begun = scene.ledger.begin_every(Duration::from_millis(20), &scene.record("run-1"), "turn", "x").await.unwrap();
    let Begin::Ours(held) = begun else { panic!("{begun:?}") };
    fs::remove_file(folder.join("turns").join("turn.lock")).unwrap();
    tokio::time::timeout(Duration::from_secs(30), held.lost().cancelled()).await.unwrap();
    assert!(is_lost(held.confirm().await, "run-1"));
}

/// A renewal whose future is dropped goes on in its thread: it must not write over the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_written_after_the_end() {
    let (scene, _, _parent) = scene();
    for round in 0..100 {
        let record = scene.record(&format!("run-{round}"));
        let begun = scene.ledger.begin_every(Duration::from_millis(1), &record, "turn", "x").await.unwrap();
        let Begin::Ours(held) = begun else { panic!("{begun:?}") };
        held.tell(progress(round), counts(1));
        tokio::time::sleep(Duration::from_millis(round % 7)).await;
        let told = ended(&record, RunState::Succeeded);
        held.end(&told).await.unwrap();
        assert_eq!(scene.get(&record.id).await, told);
    }
    let all = scene.ledger.list(None, 1_000).await.unwrap();
    assert!(all.len() == 100 && all.iter().all(|record| record.state == RunState::Succeeded));
}

#[tokio::test]
async fn any_id_and_any_turn_will_do() {
    let (scene, folder, parent) = scene();
    let ids = ["..", "../../escaped", "a/b", "A", "a", "", "Ä ö\n", &"x".repeat(5_000), "CON", ".hidden"];
    for id in ids {
        let begun = scene.ledger.begin(&scene.record(id), id, "schedule").await.unwrap();
        let Begin::Ours(held) = begun else { panic!("{id}: {begun:?}") };
        held.end(&ended(&scene.record(id), RunState::Partly)).await.unwrap();
        assert_eq!(scene.get(id).await.id, id);
    }
    assert_eq!(scene.ledger.list(None, 100).await.unwrap().len(), ids.len());
    assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 1);
    let inside: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(inside.len(), 3, "{inside:?}");
}

#[tokio::test]
async fn a_file_that_does_not_read_stops_its_own_run_only() {
    let (scene, folder, _parent) = scene();
    scene.begin("run-1").await.end(&ended(&scene.record("run-1"), RunState::Partly)).await.unwrap();
    let broken = folder.join("runs").join("run-2.json");
    fs::write(&broken, "{").unwrap();
    fs::write(folder.join("runs").join("note.txt"), "by hand").unwrap();
    let refused = |error: RunError| {
        let text = error.to_string();
        assert!(text.contains("run-2.json does not read") && text.contains("move it out of the way"), "{text}");
    };
    refused(scene.ledger.get("run-2").await.unwrap_err());
    refused(scene.ledger.begin(&scene.record("run-2"), "turn", "x").await.unwrap_err());
    assert_eq!(scene.ledger.list(None, 9).await.unwrap().len(), 1);
    fs::remove_file(broken).unwrap();
    scene.begin("run-2").await.confirm().await.unwrap();
}

#[tokio::test]
async fn the_file_is_the_records_json_and_an_older_one_reads() {
    let (scene, folder, _parent) = scene();
    let told = ended(&scene.record("run-1"), RunState::Partly);
    scene.begin("run-1").await.end(&told).await.unwrap();
    let path = folder.join("runs").join("run-1.json");
    let text = fs::read_to_string(&path).unwrap();
    // Whoever reads records reads these.
    assert_eq!(serde_json::from_str::<RunRecord>(&text).unwrap(), told);
    let mut json: serde_json::Value = serde_json::from_str(&text).unwrap();
    for absent in ["warnings", "parts", "traffic", "plan"] {
        json.as_object_mut().unwrap().remove(absent).unwrap();
    }
    json["later"] = "a field of a later release".into();
    fs::write(&path, json.to_string()).unwrap();
    let read = scene.get("run-1").await;
    assert!(read.warnings.is_empty() && read.parts.is_empty() && read.traffic.is_empty() && read.plan.is_none());
    assert_eq!(read.counts.of(Outcome::Created), 3);
}

#[cfg(unix)]
#[tokio::test]
async fn a_folder_that_cannot_be_written_is_named() {
    let parent = tempfile::tempdir().unwrap();
    let path = parent.path().join("file");
    fs::write(&path, "").unwrap();
    let scene = scene_in(&path.join("below"));
    let error = scene.ledger.begin(&scene.record("run-1"), "turn", "x").await.unwrap_err().to_string();
    assert!(error.starts_with("the folder of runs: cannot make the folder ") && error.contains("below"), "{error}");
}
