//! The locked file of a turn, and the note beside it that says which run holds it.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::cannot;
use crate::RunError;
use crate::on_disk;

/// Who is named when the note is gone: somebody has deleted it.
const UNNAMED: &str = "of another process";

/// A locked file; given back when dropped, and when the process ends, however that comes.
#[derive(Debug)]
pub(super) struct TurnFile {
    path: PathBuf,
    file: File,
}

/// What came of taking it.
pub(super) enum Taking {
    Ours(TurnFile),
    Held { by: String },
}

/// Beside the lock and not in it, as a locked file cannot be read everywhere. It is believed only while the file is
/// locked, so one that a dead process left does no harm.
#[derive(Debug, Serialize, Deserialize)]
struct Note {
    run: String,
    /// For a person who looks for it.
    process: u32,
}

impl TurnFile {
    /// Takes the turn for a run, unless another has it. To be called behind the gate: otherwise one might read the note of
    /// a holder before this one.
    pub(super) fn take(path: &Path, run: &str) -> Result<Taking, RunError> {
        on_disk::make_parent(path).map_err(RunError::Folder)?;
        loop {
            let file = on_disk::open_lock(path).map_err(RunError::Folder)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(Taking::Held { by: note(path) }),
                Err(TryLockError::Error(error)) => return Err(cannot("lock", path, &error)),
            }
            let turn = Self { path: path.to_owned(), file };
            // Somebody may have deleted it between opening and locking: then others would lock another file.
            if turn.is_in_place()? {
                let note = Note { run: run.to_owned(), process: std::process::id() };
                let text = serde_json::to_vec(&note).map_err(|error| RunError::Folder(error.to_string()))?;
                on_disk::replace(&note_path(path), &text).map_err(RunError::Folder)?;
                return Ok(Taking::Ours(turn));
            }
        }
    }

    /// The run whose process holds the turn, if one does. To be called behind the gate or the window: to look is to lock
    /// for a moment.
    pub(super) fn holder(path: &Path) -> Result<Option<String>, RunError> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(cannot("open", path, &error)),
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => Ok(Some(note(path))),
            Err(TryLockError::Error(error)) => Err(cannot("lock", path, &error)),
        }
    }

    /// Whether the file that is locked is still the one that others would lock: neither deleted nor replaced.
    pub(super) fn is_in_place(&self) -> Result<bool, RunError> {
        let locked = self.file.metadata().map_err(|error| cannot("read", &self.path, &error))?;
        match fs::metadata(&self.path) {
            Ok(found) => Ok(same(&locked, &found)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(cannot("read", &self.path, &error)),
        }
    }
}

#[cfg(unix)]
fn same(one: &fs::Metadata, other: &fs::Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

/// Elsewhere a file that is open is not deleted before it is closed.
#[cfg(not(unix))]
fn same(_one: &fs::Metadata, _other: &fs::Metadata) -> bool {
    true
}

fn note_path(path: &Path) -> PathBuf {
    path.with_extension("holder")
}

fn note(path: &Path) -> String {
    let note = fs::read(note_path(path)).ok().and_then(|text| serde_json::from_slice(&text).ok());
    note.map_or_else(|| UNNAMED.to_owned(), |note: Note| note.run)
}
