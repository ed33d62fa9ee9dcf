//! What the last audit of everybody found, for who answers questions about it without reading it whole:
//! `state/mapping-audit/latest.json` says where the rows of each system stand in that audit's own `missing.csv`.
//!
//! The file that it leads to is the run's own, which no other run writes; its `etag` tells the rows of this very attempt from
//! those of a repeat. Readers ask for a part of the file under that tag ([`Files::get_part`]); when it no longer holds, they
//! read the index again.

use std::collections::BTreeMap;

use bytes::Bytes;
use crosswalk_identity::{System, times};
use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::files::{Files, FilesError};

/// Where the index stands.
pub const KEY: &str = "state/mapping-audit/latest.json";

/// The columns of `missing.csv`, each cell of it as [`crate::spreadsheet::guard`] has it. `also` holds the other usernames of
/// a person, with [`ALSO_BETWEEN`] between them.
pub const MISSING_COLUMNS: [&str; 4] = ["username", "email", "system", "also"];

/// What stands between them: no username holds a slash.
pub const ALSO_BETWEEN: &str = " / ";

/// What the last audit of everybody found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditIndex {
    /// The run.
    pub run: String,
    /// The day of its reports (UTC).
    pub date: Date,
    /// When it began.
    #[serde(with = "times")]
    pub at: Timestamp,
    /// The systems that everybody is to be known to.
    pub required: Vec<System>,
    /// Where its `missing.csv` stands: a row for each person and system, by system and then by username's key.
    pub missing_key: String,
    /// The entity tag of that file; none in a folder.
    pub etag: Option<String>,
    /// Where the rows of each required system stand in it.
    pub systems: BTreeMap<System, RowsAt>,
    /// Mappings that nobody has verified for long.
    pub stale: u64,
    /// Items that break the constraints.
    pub broken: u64,
}

/// The rows of a system: without the header, whole, one after the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RowsAt {
    /// How many.
    pub rows: u64,
    /// The offset of the first one's first byte.
    pub first: u64,
    /// The offset after the last one's last byte, its line's end included.
    pub end: u64,
}

impl AuditIndex {
    /// The last one; none before the first audit.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub async fn read(files: &Files) -> Result<Option<Self>, FilesError> {
        let Some(text) = files.get(KEY).await? else { return Ok(None) };
        let index = serde_json::from_slice(&text).map_err(|error| {
            FilesError(format!("{KEY} does not read ({error}): delete it, the next audit writes it again"))
        })?;
        Ok(Some(index))
    }

    /// Puts it in the place of the last one.
    ///
    /// # Errors
    /// It cannot be written.
    pub async fn write(&self, files: &Files) -> Result<(), FilesError> {
        let text = serde_json::to_vec_pretty(self)
            .map_err(|error| FilesError(format!("{KEY} could not be written: {error}")))?;
        files.put(KEY, Bytes::from(text), "application/json").await
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn index() -> AuditIndex {
        let nemo = System::parse("nemo").unwrap();
        AuditIndex {
            run: "mapping-audit-1".to_owned(),
            date: "2026-11-22".parse().unwrap(),
            at: "2026-11-22T04:00:00Z".parse().unwrap(),
            required: vec![nemo.clone()],
            missing_key: "reports/audit/2026-11-22/mapping-audit-1/missing.csv".to_owned(),
            etag: None,
            systems: [(nemo, RowsAt { rows: 2, first: 27, end: 81 })].into(),
            stale: 3,
            broken: 0,
        }
    }

    #[tokio::test]
    async fn it_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::Folder(folder.path().to_owned());
        assert_eq!(AuditIndex::read(&files).await, Ok(None));
        index().write(&files).await.unwrap();
        assert_eq!(AuditIndex::read(&files).await, Ok(Some(index())));
        files.put(KEY, Bytes::from_static(b"{}"), "application/json").await.unwrap();
        let told = AuditIndex::read(&files).await.unwrap_err().to_string();
        assert!(told.contains(KEY) && told.contains("missing field `run`"), "{told}");
    }

    // Other releases read it.
    #[test]
    fn its_json() {
        let expected = json!({
            "run": "mapping-audit-1",
            "date": "2026-11-22",
            "at": "2026-11-22T04:00:00.000Z",
            "required": ["nemo"],
            "missing_key": "reports/audit/2026-11-22/mapping-audit-1/missing.csv",
            "etag": null,
            "systems": { "nemo": { "rows": 2, "first": 27, "end": 81 } },
            "stale": 3,
            "broken": 0,
        });
        assert_eq!(serde_json::to_value(index()).unwrap(), expected);
    }
}
