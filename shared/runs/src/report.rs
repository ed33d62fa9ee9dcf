//! A run's reports: who did not end as they should and why, and the record.

use std::borrow::Cow;
use std::fmt;

use bytes::Bytes;
use crosswalk_reconcile::Outcome;

use crate::RunRecord;
use crate::files::{Files, FilesError};
use crate::spreadsheet::guard;

/// Somebody, or something, that did not end as it should.
#[derive(Clone, PartialEq, Eq)]
pub struct Row {
    /// What it is: `person`, `team`, `mapping`, …
    pub kind: &'static str,
    /// The source's id; empty for somebody who is known by the state alone.
    pub id: Box<str>,
    /// How people know it: the username, the e-mail, a group's path, a DN, …
    pub name: String,
    /// Rejected, conflict, failed or skipped.
    pub outcome: Outcome,
    /// Why, and what to do.
    pub reason: Cow<'static, str>,
}

/// Without the name, which is personal.
impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Row({} {}, {}: {})", self.kind, self.id, self.outcome, self.reason)
    }
}

/// The key of a report.
pub fn key(run: &str, name: &str) -> String {
    format!("reports/{run}/{name}")
}

/// The report of who did not end as they should.
pub const FAILED: &str = "failed.csv";
/// The report of the run as a whole.
pub const SUMMARY: &str = "summary.json";

/// Writes `failed.csv`, if there is anyone to name; its key.
///
/// # Errors
/// It cannot be written.
pub async fn put_failed(files: &Files, run: &str, rows: &[Row]) -> Result<Option<String>, FilesError> {
    if rows.is_empty() {
        return Ok(None);
    }
    let key = key(run, FAILED);
    let text = csv(rows).map_err(|error| FilesError(format!("{key} could not be written: {error}")))?;
    files.put(&key, Bytes::from(text), "text/csv; charset=utf-8").await?;
    Ok(Some(key))
}

/// Writes `summary.json`, which is the record.
///
/// # Errors
/// It cannot be written.
pub async fn put_summary(files: &Files, record: &RunRecord) -> Result<(), FilesError> {
    let key = key(&record.id, SUMMARY);
    let json = serde_json::to_vec_pretty(record)
        .map_err(|error| FilesError(format!("{key} could not be written: {error}")))?;
    files.put(&key, Bytes::from(json), "application/json").await
}

fn csv(rows: &[Row]) -> Result<Vec<u8>, String> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let written = writer.write_record(["kind", "id", "name", "outcome", "reason"]).and_then(|()| {
        rows.iter().try_for_each(|row| {
            let Row { kind, id, name, outcome, reason } = row;
            let cells = [*kind, &**id, name, outcome.as_str(), reason];
            writer.write_record(cells.map(|cell| guard(cell).into_owned()))
        })
    });
    written.map_err(|error| error.to_string())?;
    writer.into_inner().map_err(|error| error.to_string())
}
