//! What the runs so far left in Glean, kept between them: after a good run that is what it sent.
//!
//! A text of lines: a head in JSON, then a fingerprint a person and a team. The head says how many, so that a file which
//! was cut short is known as such. It is keyed by the target alone: whichever realm is exported, Glean holds one company.

use bytes::Bytes;
use crosswalk_reconcile::Fingerprints;
use crosswalk_runs::files::{Files, FilesError};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use url::Url;

use crate::mapping::Kind;

/// Compact: some 33 bytes and the key a person and a team.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    /// People, by e-mail.
    pub people: Fingerprints,
    /// Teams, by id.
    pub teams: Fingerprints,
    /// Uploads that may stand unfinished in Glean.
    pub unfinished: Unfinished,
}

/// Uploads that were begun, and not known to have ended: the next ones must force a restart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfinished {
    /// The people's.
    pub people: bool,
    /// The teams'.
    pub teams: bool,
}

#[derive(Serialize, Deserialize)]
struct Head {
    version: u32,
    people: usize,
    teams: usize,
    unfinished: Unfinished,
}

const VERSION: u32 = 1;

/// 16 hex digits that stand for a Glean; they name its state and its turn.
pub fn target_id(api_url: &Url) -> String {
    hex::encode(&Sha256::digest(api_url.as_str().trim_end_matches('/'))[..8])
}

/// Where the state of a Glean is kept.
pub fn key(api_url: &Url) -> String {
    format!("state/people-export/{}.txt", target_id(api_url))
}

impl Unfinished {
    /// Of a kind.
    pub fn of_mut(&mut self, kind: Kind) -> &mut bool {
        match kind {
            Kind::Person => &mut self.people,
            Kind::Team => &mut self.teams,
        }
    }
}

impl State {
    /// What Glean holds of a kind.
    pub fn of(&self, kind: Kind) -> &Fingerprints {
        match kind {
            Kind::Person => &self.people,
            Kind::Team => &self.teams,
        }
    }

    /// The same, to be changed.
    pub fn of_mut(&mut self, kind: Kind) -> &mut Fingerprints {
        match kind {
            Kind::Person => &mut self.people,
            Kind::Team => &mut self.teams,
        }
    }

    /// The state that is kept; the empty one if there is none.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    pub async fn load(files: &Files, key: &str) -> Result<Self, FilesError> {
        let Some(bytes) = files.get(key).await? else {
            return Ok(Self::default());
        };
        Self::parse(&bytes).map_err(|problem| {
            FilesError(format!(
                "the state {key} in {files} {problem}. Restore it from an earlier version; without it the next run counts \
                 as a first one, which deletes nothing by itself and has no guard"
            ))
        })
    }

    /// Puts the state in the place of the earlier one.
    ///
    /// # Errors
    /// It cannot be written.
    pub async fn save(&self, files: &Files, key: &str) -> Result<(), FilesError> {
        files.put(key, Bytes::from(self.to_string()), "text/plain; charset=utf-8").await
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|_| "is not text")?;
        let (head, rest) = text.split_once('\n').ok_or("is cut short")?;
        let head: Head =
            serde_json::from_str(head).map_err(|error| format!("has a head that does not read: {error}"))?;
        if head.version != VERSION {
            return Err(format!("has version {}, which this release does not know", head.version));
        }
        let mut state = Self { unfinished: head.unfinished, ..Self::default() };
        for (at, line) in rest.lines().enumerate() {
            let part = if at < head.people { &mut state.people } else { &mut state.teams };
            part.read_line(line).map_err(|error| format!("does not read in line {}: {error}", at + 2))?;
        }
        if (state.people.len(), state.teams.len()) != (head.people, head.teams) || !text.ends_with('\n') {
            return Err("is cut short".to_owned());
        }
        Ok(state)
    }
}

/// The text that is kept.
impl std::fmt::Display for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { people, teams, unfinished } = self;
        let head = Head { version: VERSION, people: people.len(), teams: teams.len(), unfinished: *unfinished };
        let head = serde_json::to_string(&head).map_err(|_| std::fmt::Error)?;
        write!(f, "{head}\n{people}{teams}")
    }
}

#[cfg(test)]
mod tests {
    use crosswalk_reconcile::Fingerprint;

    use super::*;

    fn state() -> State {
        let mut state = State { unfinished: Unfinished { people: false, teams: true }, ..State::default() };
        state.people.insert("a@example.org", Fingerprint::of(b"a"));
        state.people.insert("b@example.org", Fingerprint::of(b"b"));
        state.teams.insert("t 1", Fingerprint::of(b"t"));
        state
    }

    #[test]
    fn it_reads_back() {
        for state in [state(), State::default()] {
            assert_eq!(State::parse(state.to_string().as_bytes()), Ok(state));
        }
    }

    #[test]
    fn a_state_that_was_cut_anywhere_is_refused() {
        let text = state().to_string();
        for end in 0..text.len() {
            assert!(State::parse(&text.as_bytes()[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn another_version_is_refused() {
        let text = state().to_string().replacen("\"version\":1", "\"version\":2", 1);
        assert!(State::parse(text.as_bytes()).unwrap_err().contains("version 2"));
    }

    #[tokio::test]
    async fn it_is_kept_by_the_target() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files::Folder(folder.path().to_owned());
        let key = key(&"https://x-be.example.org/api/index/v1".parse().unwrap());
        assert_eq!(key, super::key(&"https://x-be.example.org/api/index/v1/".parse().unwrap()));
        assert_ne!(key, super::key(&"https://y-be.example.org/api/index/v1".parse().unwrap()));
        assert_eq!(State::load(&files, &key).await.unwrap(), State::default());
        state().save(&files, &key).await.unwrap();
        assert_eq!(State::load(&files, &key).await.unwrap(), state());
        files.put(&key, Bytes::from_static(b"{"), "text/plain").await.unwrap();
        let told = State::load(&files, &key).await.unwrap_err().to_string();
        assert!(told.contains(&key) && told.contains("cut short"), "{told}");
    }
}
