//! Whom the syncs last saw: a file a sync, `state/sightings/<sync>.csv`, which the sync writes after each complete reading
//! of its source, and the audit reads. So people whom a sync knows are known to the audit even if the sync stores no
//! mappings, and it writes to nobody whose account the sync has found, or made, inactive.
//!
//! The columns are `username`, `email` (may be empty), `seen_at` (RFC 3339) and `active` (`true` or `false`), in the order in
//! which the sync gives them.

use bytes::Bytes;
use crosswalk_identity::{Email, Username, times};
use crosswalk_runs::files::{Files, FilesError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Where the files stand.
const FOLDER: &str = "state/sightings/";
const SUFFIX: &str = ".csv";

/// A person as a sync saw them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// The canonical name.
    pub username: Username,
    /// The address, if the source has one.
    pub email: Option<Email>,
    /// When the source last had them.
    #[serde(with = "times")]
    pub seen_at: Timestamp,
    /// Whether their account is to be in use.
    pub active: bool,
}

/// Puts what a sync saw in the place of what it saw before. Of the sightings only their text is held.
///
/// # Errors
/// It cannot be written.
pub async fn put(files: &Files, sync: &str, sightings: impl IntoIterator<Item = Sighting>) -> Result<(), FilesError> {
    let key = format!("{FOLDER}{sync}{SUFFIX}");
    let mut writer = csv::Writer::from_writer(Vec::new());
    let written = sightings.into_iter().try_for_each(|sighting| writer.serialize(sighting));
    let text = written.map_err(|error| error.to_string()).and_then(|()| writer.into_inner().map_err(|e| e.to_string()));
    let text = text.map_err(|error| FilesError(format!("{key} could not be made: {error}")))?;
    files.put(&key, Bytes::from(text), "text/csv; charset=utf-8").await
}

/// What all syncs saw, a file after the other; `each` is told every sighting.
///
/// # Errors
/// They cannot be listed or read, or one is damaged: nothing is concluded from a part of it.
pub async fn read(files: &Files, mut each: impl FnMut(Sighting)) -> Result<(), FilesError> {
    for key in files.keys(FOLDER).await? {
        if key.ends_with(SUFFIX) {
            read_file(files, &key, &mut each).await?;
        }
    }
    Ok(())
}

/// What one sync saw; nothing before its first run.
///
/// # Errors
/// It cannot be read, or is damaged.
pub async fn read_of(files: &Files, sync: &str, mut each: impl FnMut(Sighting)) -> Result<(), FilesError> {
    read_file(files, &format!("{FOLDER}{sync}{SUFFIX}"), &mut each).await
}

async fn read_file(files: &Files, key: &str, each: &mut impl FnMut(Sighting)) -> Result<(), FilesError> {
    let Some(text) = files.get(key).await? else { return Ok(()) };
    for (row, sighting) in csv::Reader::from_reader(&*text).deserialize::<Sighting>().enumerate() {
        // The library's message would show the cells.
        let sighting = sighting.map_err(|_| {
            FilesError(format!(
                "{key}, row {}, does not read: delete the file, which its sync writes again with its next run",
                row + 2
            ))
        })?;
        each(sighting);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(username: &str, email: Option<&str>, active: bool) -> Sighting {
        let email = email.map(|email| Email::parse(email).unwrap());
        let seen_at = "2026-11-22T08:00:00Z".parse().unwrap();
        Sighting { username: Username::parse(username).unwrap(), email, seen_at, active }
    }

    async fn all(files: &Files) -> Result<Vec<Sighting>, FilesError> {
        let mut all = Vec::new();
        read(files, |sighting| all.push(sighting)).await?;
        Ok(all)
    }

    #[tokio::test]
    async fn what_was_put_is_read_and_a_later_file_takes_the_place_of_an_earlier_one() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::Folder(folder.path().to_owned());
        assert_eq!(all(&files).await.unwrap(), []);
        let (zoe, omar) = (of("zoe, \"o\"", Some("zoe@example.org"), true), of("omar", None, false));
        put(&files, "staff", [omar.clone()]).await.unwrap();
        put(&files, "staff", [zoe.clone(), omar.clone()]).await.unwrap();
        put(&files, "guests", []).await.unwrap();
        assert_eq!(all(&files).await.unwrap(), [zoe, omar]);
    }

    #[tokio::test]
    async fn a_damaged_file_is_named_without_its_cells() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::Folder(folder.path().to_owned());
        let text = "username,email,seen_at,active\nzoe,zoe@example.org,yesterday,true\n";
        files.put("state/sightings/staff.csv", Bytes::from(text), "text/csv").await.unwrap();
        let told = all(&files).await.unwrap_err().to_string();
        assert!(told.contains("state/sightings/staff.csv, row 2") && !told.contains("zoe"), "{told}");
    }
}
