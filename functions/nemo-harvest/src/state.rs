//! What earlier runs have stored, by NEMO's ids, and until when they have read usage events; kept between the runs.
//!
//! A text of lines: a head in JSON, then a line a user, sorted by id. The head says how many, so that a file which was cut
//! short is known as such. There is one a system, bound to NEMO's address.
//!
//! It only saves work: a user who stands in it as they are, and was verified lately, is neither read nor written. What is
//! not in it is decided by the mappings themselves.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use crosswalk_reconcile::Fingerprint;
use crosswalk_runs::files::{Files, FilesError};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::naming::Wanted;

/// What earlier runs have stored.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    /// NEMO's root.
    pub source: String,
    /// When the last run began that read all events and stored what they tell.
    pub read_until: Option<Timestamp>,
    /// The users whose mapping stands.
    pub users: BTreeMap<u64, Stored>,
}

/// A user whose mapping stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// Of what the mapping was made of.
    pub print: Fingerprint,
    /// When it was stored or verified last.
    pub verified_at: Timestamp,
    /// What the latest sighting was that was stored.
    pub seen: Option<Timestamp>,
}

#[derive(Serialize, Deserialize)]
struct Head {
    version: u32,
    source: String,
    read_until: Option<Timestamp>,
    users: usize,
}

/// A line: id, print, verified, seen.
#[derive(Serialize, Deserialize)]
struct Line<'a>(u64, Cow<'a, str>, Timestamp, Option<Timestamp>);

const VERSION: u32 = 1;

/// Of what a mapping is made of: another spelling of the same username is the same mapping.
pub fn print(wanted: &Wanted) -> Fingerprint {
    let email = wanted.email.as_ref().map_or("", |email| email.as_str());
    Fingerprint::of(format!("{}\n{}\n{email}", wanted.id, wanted.username.key()).as_bytes())
}

impl State {
    /// The text that is kept.
    pub fn text(&self) -> Bytes {
        let Self { source, read_until, users } = self;
        let head = Head { version: VERSION, source: source.clone(), read_until: *read_until, users: users.len() };
        // Plain data always serialises.
        let mut text = serde_json::to_vec(&head).unwrap_or_default();
        text.push(b'\n');
        for (id, Stored { print, verified_at, seen }) in users {
            let _ = serde_json::to_writer(&mut text, &Line(*id, print.to_string().into(), *verified_at, *seen));
            text.push(b'\n');
        }
        text.into()
    }

    /// Reads the text.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "is not text")?;
        let (head, rest) = text.split_once('\n').ok_or("is cut short")?;
        let head: Head =
            serde_json::from_str(head).map_err(|error| format!("has a head that does not read: {error}"))?;
        if head.version != VERSION {
            return Err(format!("has version {}, which this release does not know", head.version));
        }
        let mut users = BTreeMap::new();
        for (at, line) in rest.lines().enumerate() {
            let broken = |why: String| format!("does not read in line {}: {why}", at + 2);
            let Line(id, print, verified_at, seen) =
                serde_json::from_str(line).map_err(|error| broken(error.to_string()))?;
            let print = print.parse().map_err(|_| broken("a fingerprint has 32 hex digits".to_owned()))?;
            users.insert(id, Stored { print, verified_at, seen });
        }
        if users.len() != head.users || !text.ends_with('\n') {
            return Err("is cut short".to_owned());
        }
        Ok(Self { source: head.source, read_until: head.read_until, users })
    }
}

/// Where a system's state is.
#[derive(Debug, Clone)]
pub struct StateFile {
    files: Files,
    key: String,
}

impl StateFile {
    /// Of the harvest of this system.
    pub fn new(files: &Files, system: &crosswalk_identity::System) -> Self {
        Self { files: files.clone(), key: format!("state/nemo-harvest/{system}.txt") }
    }

    /// The state that is kept; a fresh one before the first run.
    ///
    /// # Errors
    /// It cannot be read, is damaged, or is that of another NEMO.
    pub async fn load(&self, source: &str) -> Result<State, FilesError> {
        let Some(text) = self.files.get(&self.key).await? else {
            return Ok(State { source: source.to_owned(), ..State::default() });
        };
        let Self { files, key } = self;
        let state = State::parse(&text).map_err(|problem| {
            FilesError(format!(
                "the state {key} in {files} {problem}. Restore it from an earlier version, or delete it: the next run then \
                 counts as a first one, which verifies every mapping and reads NEMO_LOOK_BACK_DAYS of usage events"
            ))
        })?;
        if state.source != source {
            return Err(FilesError(format!(
                "the ids of this system have so far come from {}, and NEMO_URL is now {source}. Another NEMO needs a system \
                 of its own (NEMO_SYSTEM), as its ids are others' ids; if it is the same one under another address, delete \
                 {key} in {files}: the next run then counts as a first one",
                state.source
            )));
        }
        Ok(state)
    }

    /// Puts the state in the place of the kept one.
    ///
    /// # Errors
    /// It cannot be written.
    pub async fn save(&self, state: &State) -> Result<(), FilesError> {
        self.files.put(&self.key, state.text(), "text/plain; charset=utf-8").await
    }
}

#[cfg(test)]
mod tests {
    use crosswalk_identity::System;

    use super::*;

    fn state() -> State {
        let at: Timestamp = "2026-11-22T04:00:00Z".parse().unwrap();
        let stored = Stored { print: Fingerprint::of(b"a"), verified_at: at, seen: Some(at) };
        State {
            source: "https://nemo.example.org".to_owned(),
            read_until: Some(at),
            users: [(3, stored), (12, Stored { seen: None, ..stored })].into(),
        }
    }

    #[test]
    fn it_reads_back() {
        for state in [state(), State::default()] {
            assert_eq!(State::parse(&state.text()), Ok(state));
        }
    }

    #[test]
    fn a_state_that_was_cut_anywhere_is_refused() {
        let text = state().text();
        for end in 0..text.len() {
            assert!(State::parse(&text[..end]).is_err(), "{end}");
        }
    }

    #[tokio::test]
    async fn it_is_one_nemos() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::Folder(folder.path().to_owned());
        let file = StateFile::new(&files, &System::parse("nemo").unwrap());
        let first = file.load("https://nemo.example.org").await.unwrap();
        assert_eq!((first.read_until, first.users.len()), (None, 0));
        file.save(&state()).await.unwrap();
        assert_eq!(file.load("https://nemo.example.org").await, Ok(state()));
        let told = file.load("https://other.example.org").await.unwrap_err().to_string();
        assert!(told.contains("NEMO_SYSTEM") && told.contains("delete state/nemo-harvest/nemo.txt"), "{told}");
        files.put("state/nemo-harvest/nemo.txt", Bytes::from_static(b"{}\n"), "text/plain").await.unwrap();
        let told = file.load("https://nemo.example.org").await.unwrap_err().to_string();
        assert!(told.contains("head that does not read") && told.contains("Restore it"), "{told}");
    }
}
