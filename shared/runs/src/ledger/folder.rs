//! Turns in a folder: a locked file a turn, a JSON file a run.

mod turn;

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crosswalk_function_kit::Clock;
use crosswalk_identity::times;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::{Taken, begun_again, fresh, is_done};
use crate::ledger::folder::turn::{Taking, TurnFile};
use crate::on_disk::{self, file_name};
use crate::stored::broken_off;
use crate::{Counts, Progress, RunError, RunRecord, RunState};

/// A run as its file has it: the record's JSON, and what is needed to tell whether it still works.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    #[serde(flatten)]
    record: RunRecord,
    turn: String,
    delivery: String,
    /// When it was written last.
    #[serde(with = "times")]
    renewed_at: Timestamp,
}

/// The folder. Its methods block, but for those that are `async`, which have a thread for that.
#[derive(Debug, Clone)]
pub(super) struct Folder {
    path: PathBuf,
    clock: Clock,
}

/// A turn and a run that are ours, until it is dropped.
#[derive(Debug)]
pub(super) struct Hold(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: Folder,
    kept: Kept,
    /// None after end or release. Whoever writes the run's file holds the mutex meanwhile, so a renewal whose future was
    /// dropped, but which still goes on, can neither come after the end nor outlive the lock on the turn.
    turn: Mutex<Option<TurnFile>>,
}

impl Folder {
    pub(super) fn new(path: &Path, clock: &Clock) -> Self {
        Self { path: path.to_owned(), clock: clock.clone() }
    }

    pub(super) async fn begin(&self, record: &RunRecord, turn: &str, delivery: &str) -> Result<Taken<Hold>, RunError> {
        let folder = self.clone();
        let kept = Kept {
            record: fresh(record),
            turn: turn.to_owned(),
            delivery: delivery.to_owned(),
            renewed_at: self.clock.now(),
        };
        blocking(move || folder.take(kept)).await
    }

    pub(super) async fn get(&self, id: &str) -> Result<Option<RunRecord>, RunError> {
        let (folder, path) = (self.clone(), self.run_path(id));
        blocking(move || folder.read(&path)?.map(|kept| folder.shown(kept)).transpose()).await
    }

    pub(super) async fn list(&self, kind: Option<&str>, limit: usize) -> Result<Vec<RunRecord>, RunError> {
        let (folder, kind) = (self.clone(), kind.map(str::to_owned));
        blocking(move || folder.listed(kind.as_deref(), limit)).await
    }

    fn run_path(&self, id: &str) -> PathBuf {
        self.path.join("runs").join(file_name(id, "json"))
    }

    fn turn_path(&self, turn: &str) -> PathBuf {
        self.path.join("turns").join(file_name(turn, "lock"))
    }

    fn gate_path(&self) -> PathBuf {
        self.path.join("ledger.lock")
    }

    fn take(self, mut kept: Kept) -> Result<Taken<Hold>, RunError> {
        let _gate = self.gate()?;
        let stood = self.read(&self.run_path(&kept.record.id))?;
        if let Some(stood) = &stood
            && is_done(&stood.record)
        {
            return Ok(Taken::Ended(stood.record.clone()));
        }
        let turn = match TurnFile::take(&self.turn_path(&kept.turn), &kept.record.id)? {
            Taking::Ours(turn) => turn,
            Taking::Held { by } => return Ok(Taken::Busy { run: by, until: None }),
        };
        if let Some(stood) = stood {
            if let Some(record) = begun_again(&stood.record, &kept.record) {
                kept.record = record;
            } else if stood.turn != kept.turn && self.works(&stood)? {
                // It works under another turn: its settings have changed since.
                return Ok(Taken::Busy { run: stood.record.id, until: None });
            } else {
                kept.record = stood.record;
            }
        }
        self.write(&kept)?;
        let record = kept.record.clone();
        let hold = Hold(Arc::new(Inner { folder: self, kept, turn: Mutex::new(Some(turn)) }));
        Ok(Taken::Ours { hold, record, since: Instant::now() })
    }

    /// Keeps all beginners out while it is held: what is read of several files belongs together.
    fn gate(&self) -> Result<File, RunError> {
        let path = self.gate_path();
        on_disk::make_folder(&self.path).map_err(RunError::Folder)?;
        let gate = on_disk::open_lock(&path).map_err(RunError::Folder)?;
        gate.lock().map_err(|error| cannot("lock", &path, &error))?;
        Ok(gate)
    }

    /// The same for who only looks; others may look too. None before the first beginning. A folder that is only readable
    /// can be looked at.
    fn window(&self) -> Result<Option<File>, RunError> {
        let path = self.gate_path();
        let gate = match File::open(&path) {
            Ok(gate) => gate,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(cannot("open", &path, &error)),
        };
        gate.lock_shared().map_err(|error| cannot("lock", &path, &error))?;
        Ok(Some(gate))
    }

    fn read(&self, path: &Path) -> Result<Option<Kept>, RunError> {
        let text = match fs::read(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(cannot("read", path, &error)),
        };
        serde_json::from_slice(&text).map(Some).map_err(|error| {
            RunError::Folder(format!("{} does not read ({error}): move it out of the way", path.display()))
        })
    }

    fn write(&self, kept: &Kept) -> Result<(), RunError> {
        let text = serde_json::to_vec_pretty(kept).map_err(|error| RunError::Folder(error.to_string()))?;
        on_disk::replace(&self.run_path(&kept.record.id), &text).map_err(RunError::Folder)
    }

    /// Whether a process holds the run's turn for this run. To be asked behind the gate or the window.
    fn works(&self, kept: &Kept) -> Result<bool, RunError> {
        Ok(TurnFile::holder(&self.turn_path(&kept.turn))?.is_some_and(|run| run == kept.record.id))
    }

    /// The record as a reader should see it: a run whose process is gone does not run.
    fn shown(&self, kept: Kept) -> Result<RunRecord, RunError> {
        if kept.record.state != RunState::Running {
            return Ok(kept.record);
        }
        let _window = self.window()?;
        let path = self.run_path(&kept.record.id);
        // Its end may have come since it was read. A holder writes the end first and gives the turn back then: what is
        // read after its turn was found free is its last word.
        let now = self.read(&path)?.unwrap_or(kept);
        if self.works(&now)? {
            return Ok(now.record);
        }
        let last = self.read(&path)?.unwrap_or(now);
        if last.record.state != RunState::Running {
            return Ok(last.record);
        }
        Ok(broken_off(last.record, last.renewed_at))
    }

    fn listed(&self, kind: Option<&str>, limit: usize) -> Result<Vec<RunRecord>, RunError> {
        let folder = self.path.join("runs");
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(cannot("read", &folder, &error)),
        };
        let mut runs = Vec::new();
        for entry in entries {
            let path = entry.map_err(|error| cannot("read", &folder, &error))?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            match self.read(&path) {
                Ok(kept) => runs.extend(kept),
                Err(error) => tracing::warn!(%error, "a run was left out of the list"),
            }
        }
        runs.retain(|kept| kind.is_none_or(|kind| kept.record.kind == kind));
        // As the table lists them: by start, then by id.
        runs.sort_by(|a, b| {
            let (a, b) = (&a.record, &b.record);
            (b.started_at, &b.id).cmp(&(a.started_at, &a.id))
        });
        runs.truncate(limit);
        runs.into_iter().map(|kept| self.shown(kept)).collect()
    }
}

impl Hold {
    /// Makes sure that the turn is still ours, and writes what is known of the run's progress.
    pub(super) async fn renew(&self, progress: Progress, counts: Counts) -> Result<(), RunError> {
        self.blocking(move |inner| {
            let turn = inner.turn.lock().unwrap_or_else(PoisonError::into_inner);
            inner.check(turn.as_ref())?;
            inner.write(RunRecord { progress, counts, ..inner.kept.record.clone() })
        })
        .await
    }

    /// Makes sure that the turn is still ours.
    pub(super) async fn confirm(&self) -> Result<(), RunError> {
        self.blocking(|inner| inner.check(inner.turn.lock().unwrap_or_else(PoisonError::into_inner).as_ref())).await
    }

    /// Writes the ended record, and then gives the turn back.
    pub(super) async fn end(&self, record: &RunRecord) -> Result<(), RunError> {
        if record.state == RunState::Running {
            let refusal = format!("the run {} cannot end in the state running", self.0.kept.record.id);
            return Err(RunError::Folder(refusal));
        }
        let known = self.0.kept.record.clone();
        let ended_at = record.ended_at.unwrap_or_else(|| self.0.folder.clock.now());
        let record = RunRecord {
            id: known.id,
            kind: known.kind,
            source: known.source,
            dry_run: known.dry_run,
            started_at: known.started_at,
            ended_at: Some(ended_at),
            ..record.clone()
        };
        self.blocking(move |inner| {
            let mut turn = inner.turn.lock().unwrap_or_else(PoisonError::into_inner);
            inner.check(turn.as_ref())?;
            inner.write(record)?;
            drop(turn.take());
            Ok(())
        })
        .await
    }

    /// Gives the turn back.
    pub(super) async fn release(&self) -> Result<(), RunError> {
        self.blocking(|inner| {
            drop(inner.turn.lock().unwrap_or_else(PoisonError::into_inner).take());
            Ok(())
        })
        .await
    }

    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T, RunError> + Send + 'static,
    ) -> Result<T, RunError> {
        let inner = self.0.clone();
        blocking(move || work(&inner)).await
    }
}

impl Inner {
    fn check(&self, turn: Option<&TurnFile>) -> Result<(), RunError> {
        match turn {
            Some(turn) if turn.is_in_place()? => Ok(()),
            _ => Err(RunError::Lost { run: self.kept.record.id.clone() }),
        }
    }

    fn write(&self, record: RunRecord) -> Result<(), RunError> {
        let renewed_at = self.folder.clock.now();
        self.folder.write(&Kept { record, renewed_at, ..self.kept.clone() })
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RunError> + Send + 'static,
) -> Result<T, RunError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(RunError::Folder(format!("the work on it broke off: {error}"))))
}

fn cannot(what: &str, path: &Path, error: &std::io::Error) -> RunError {
    RunError::Folder(on_disk::cannot(what, path, error))
}
