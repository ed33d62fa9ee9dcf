//! State as files: one small JSON file an entry, each replaced atomically, so that a killed process leaves none torn.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context as _;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

/// A folder of entries of one kind; in memory mode it keeps nothing.
#[derive(Debug)]
pub(crate) struct Drawer {
    folder: Option<PathBuf>,
    writes: AtomicU64,
}

impl Drawer {
    /// Keeps nothing.
    pub(crate) fn in_memory() -> Self {
        Self { folder: None, writes: AtomicU64::new(0) }
    }

    /// In a folder, which is made if need be.
    pub(crate) fn in_folder(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        Ok(Self { folder: Some(folder.to_owned()), writes: AtomicU64::new(0) })
    }

    /// In a folder below `root`, or in memory when there is no root.
    pub(crate) fn below(root: Option<&Path>, name: &str) -> anyhow::Result<Self> {
        root.map_or_else(|| Ok(Self::in_memory()), |root| Self::in_folder(&root.join(name)))
    }

    /// All entries, in no order.
    pub(crate) fn load<T: DeserializeOwned>(&self) -> anyhow::Result<Vec<T>> {
        let Some(folder) = &self.folder else { return Ok(Vec::new()) };
        let mut entries = Vec::new();
        for file in fs::read_dir(folder).with_context(|| format!("cannot read the folder {}", folder.display()))? {
            let path = file?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let entry = serde_json::from_slice(&text)
                .with_context(|| format!("{} does not read: move it away to go on without it", path.display()))?;
            entries.push(entry);
        }
        Ok(entries)
    }

    /// Stores an entry under any name, in place of what was there.
    pub(crate) fn put(&self, name: &str, entry: &impl Serialize) {
        let Some(folder) = &self.folder else { return };
        let path = folder.join(file_name(name));
        let temporary = folder.join(format!(".{}.tmp", self.writes.fetch_add(1, Ordering::Relaxed)));
        let written = serde_json::to_vec(entry)
            .map_err(anyhow::Error::from)
            .and_then(|text| Ok(fs::write(&temporary, text)?))
            .and_then(|()| Ok(fs::rename(&temporary, &path)?));
        if let Err(error) = written {
            tracing::error!(%error, file = %path.display(), "the embedded AWS cannot store its state");
        }
    }

    /// Removes an entry, if it is there.
    pub(crate) fn remove(&self, name: &str) {
        let Some(folder) = &self.folder else { return };
        let path = folder.join(file_name(name));
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                tracing::error!(%error, file = %path.display(), "the embedded AWS cannot remove its state");
            }
            _ => {}
        }
    }
}

/// Names may hold anything and be longer than a file name may be.
fn file_name(name: &str) -> String {
    format!("{}.json", hex::encode(Sha256::digest(name)))
}
