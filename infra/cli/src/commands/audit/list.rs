//! The file of `--people`.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use crosswalk_csv_import::FileError;
use crosswalk_mapping_audit::listed::{self, List, Rejected};
use indicatif::HumanCount;

use crate::ended::SHOWN;
use crate::show;

/// Reads it. The first lines that do not read are told on standard error.
///
/// # Errors
/// It cannot be read, or nobody on it can.
pub(super) fn read(file: &Path) -> anyhow::Result<List> {
    let shown = file.display();
    let bytes = fs::read(file).with_context(|| format!("cannot read {shown}"))?;
    let text = text(&bytes).map_err(|problem| anyhow!("{shown}: {problem}"))?;
    let list = listed::read(text).map_err(|problem| anyhow!("{shown}: {problem}"))?;
    for Rejected { line, reason } in list.rejected.iter().take(SHOWN) {
        show::complain(&format!("{shown}: line {line}: {}", show::plain(reason)));
    }
    if let Some(more @ 1..) = list.rejected.len().checked_sub(SHOWN) {
        let more = HumanCount(more as u64);
        show::complain(&format!("{shown}: {more} more lines do not read: the run's failed.csv names them"));
    }
    Ok(list)
}

/// What else spreadsheets save is refused as an import refuses it.
fn text(bytes: &[u8]) -> Result<&str, FileError> {
    let head = &bytes[..bytes.len().min(128)];
    // UTF-16 without a mark has a NUL beside every ASCII letter.
    let zeros = head.iter().filter(|byte| **byte == 0).count();
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") || zeros * 3 > head.len() {
        return Err(FileError::Utf16);
    }
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"\x1f\x8b") {
        return Err(FileError::Workbook);
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = (1..).zip(before.split(|byte| *byte == b'\n')).last().map_or(1, |(line, _)| line);
        FileError::NotUtf8 { line }
    })
}
