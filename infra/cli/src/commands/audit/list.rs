//! The file of `--people`.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, anyhow};
use crosswalk_csv_import::csv_file;
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
    let text = csv_file::text(&bytes).map_err(|problem| anyhow!("{shown}: {problem}"))?;
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
