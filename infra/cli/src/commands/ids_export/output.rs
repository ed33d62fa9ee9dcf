//! Standard output, or a new file that is there when it is whole.

use std::io::{BufWriter, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tempfile::NamedTempFile;

use crate::show;

/// Where text goes.
pub(super) enum Output {
    Standard,
    File(Box<(BufWriter<NamedTempFile>, PathBuf)>),
}

impl Output {
    pub(super) fn open(path: Option<&Path>) -> anyhow::Result<Self> {
        match path {
            None => Ok(Self::Standard),
            Some(path) => Ok(Self::File(Box::new((BufWriter::new(draft(path)?), path.to_owned())))),
        }
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        match self {
            Self::Standard => show::print_bytes(bytes),
            Self::File(file) => file.0.write_all(bytes).with_context(|| format!("cannot write {}", file.1.display())),
        }
    }

    pub(super) fn close(self) -> anyhow::Result<()> {
        match self {
            Self::Standard => Ok(()),
            Self::File(file) => {
                let (writer, path) = *file;
                let draft = writer.into_inner().map_err(|error| error.into_error());
                let draft = draft.with_context(|| format!("cannot write {}", path.display()))?;
                put(draft, &path)
            }
        }
    }
}

/// # Errors
/// There is something already.
pub(super) fn must_be_new(path: &Path) -> anyhow::Result<()> {
    // A link that leads nowhere is something too.
    if path.symlink_metadata().is_ok() {
        bail!("{} exists, and nothing is overwritten: name another file, or move it away", path.display());
    }
    Ok(())
}

/// A file of its own beside the one that it will be, for its owner alone; gone when dropped.
pub(super) fn draft(path: &Path) -> anyhow::Result<NamedTempFile> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let draft = tempfile::Builder::new().prefix(".crosswalk-").suffix(".part").tempfile_in(folder);
    draft.with_context(|| format!("cannot write to the folder {}", folder.display()))
}

/// Gives a draft its name, unless something has that name by now.
pub(super) fn put(draft: NamedTempFile, path: &Path) -> anyhow::Result<()> {
    draft.as_file().sync_all().with_context(|| format!("cannot write {}", path.display()))?;
    match draft.persist_noclobber(path) {
        Ok(_) => Ok(()),
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => must_be_new(path),
        Err(error) => Err(error.error).with_context(|| format!("cannot write {}", path.display())),
    }
}
