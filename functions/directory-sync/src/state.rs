//! What a sync manages: the accounts that it created or adopted, by the source's key, kept between its runs.
//!
//! A text of lines: a head in JSON, then a line a person, sorted by key. The head says how many, so that a file which was
//! cut short is known as such. It is keyed by the sync's name, and bound to the target by its id.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use crosswalk_reconcile::Fingerprint;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What a sync manages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// The target's id; empty before the first run.
    pub target: String,
    /// How many accounts were active at the end of the last good run: what the guard's share is a share of.
    pub known: u64,
    /// The run that counted absences last: a repeat of it does not count again.
    pub counted_by: String,
    /// The people, by the source's key.
    pub people: BTreeMap<Box<str>, Managed>,
}

/// A person whose account is managed.
#[derive(Clone, PartialEq, Eq)]
pub struct Managed {
    /// The account's id; none for one that is about to be created: it is ours if it stands.
    pub account: Option<Box<str>>,
    /// What the account was made of; [`Fingerprint::UNKNOWN`] if that is not certain.
    pub print: Fingerprint,
    /// What the mappings were made of.
    pub mapped: Fingerprint,
    /// Where the account stands.
    pub standing: Standing,
    /// Since when the person has been absent from the source, if they are.
    pub absent: Option<Absent>,
}

/// Where a managed account stands, as far as the sync has brought it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// The sync left it active.
    Active,
    /// The sync is about to deactivate it: the account tells whether that was done.
    Deactivating,
    /// The sync deactivated it: it may reactivate it.
    Deactivated,
}

/// An absence, as complete runs have seen it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Absent {
    /// How many complete runs.
    pub runs: u32,
    /// When the first of them was.
    pub since: Timestamp,
}

#[derive(Serialize, Deserialize)]
struct Head {
    version: u32,
    target: String,
    people: usize,
    known: u64,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    counted_by: String,
}

/// A line: key, account, print, mapped, standing, absent.
#[derive(Serialize, Deserialize)]
struct Line<'a>(Cow<'a, str>, Option<Cow<'a, str>>, Cow<'a, str>, Cow<'a, str>, Standing, Option<(u32, Timestamp)>);

const VERSION: u32 = 1;

impl Managed {
    /// An account of which nothing is certain but that it is ours.
    pub fn created(account: Box<str>) -> Self {
        Self { account: Some(account), ..Self::coming() }
    }

    /// An account that is about to be created.
    pub fn coming() -> Self {
        Self {
            account: None,
            print: Fingerprint::UNKNOWN,
            mapped: Fingerprint::UNKNOWN,
            standing: Standing::Active,
            absent: None,
        }
    }
}

impl State {
    /// How many accounts the sync has left active.
    pub fn active(&self) -> u64 {
        let active = |managed: &&Managed| managed.standing == Standing::Active && managed.account.is_some();
        self.people.values().filter(active).count() as u64
    }

    /// The text that is kept.
    pub fn text(&self) -> Bytes {
        let Self { target, known, counted_by, people } = self;
        let head = Head {
            version: VERSION,
            target: target.clone(),
            people: people.len(),
            known: *known,
            counted_by: counted_by.clone(),
        };
        // Plain data always serialises.
        let mut text = serde_json::to_vec(&head).unwrap_or_default();
        text.reserve(people.len() * 160);
        text.push(b'\n');
        for (key, managed) in people {
            let Managed { account, print, mapped, standing, absent } = managed;
            let line = Line(
                (&**key).into(),
                account.as_deref().map(Into::into),
                print.to_string().into(),
                if *mapped == Fingerprint::UNKNOWN { "".into() } else { mapped.to_string().into() },
                *standing,
                absent.map(|absent| (absent.runs, absent.since)),
            );
            let _ = serde_json::to_writer(&mut text, &line);
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
        // Collected, and not inserted one by one: of keys that come sorted that leaves the tree's nodes half empty, which of
        // many people is a good part of what a run holds.
        let read = rest
            .lines()
            .enumerate()
            .map(|(at, line)| read_line(line).map_err(|error| format!("does not read in line {}: {error}", at + 2)));
        let people: BTreeMap<_, _> = read.collect::<Result<_, String>>()?;
        if people.len() != head.people || !text.ends_with('\n') {
            return Err("is cut short".to_owned());
        }
        let Head { target, known, counted_by, .. } = head;
        Ok(Self { target, known, counted_by, people })
    }
}

fn read_line(line: &str) -> Result<(Box<str>, Managed), String> {
    let Line(key, account, print, mapped, standing, absent) =
        serde_json::from_str(line).map_err(|error| error.to_string())?;
    let read = |text: &str| match text {
        "" => Ok(Fingerprint::UNKNOWN),
        text => text.parse().map_err(|_| "a fingerprint has 32 hex digits".to_owned()),
    };
    let managed = Managed {
        account: account.map(Into::into),
        print: read(&print)?,
        mapped: read(&mapped)?,
        standing,
        absent: absent.map(|(runs, since)| Absent { runs, since }),
    };
    Ok((key.into(), managed))
}

/// Without anything personal.
impl fmt::Debug for Managed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { account, print, standing, absent, .. } = self;
        write!(f, "Managed({print}, {standing:?}, {absent:?}, account: {})", account.is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> State {
        let managed = Managed {
            account: Some("17".into()),
            print: Fingerprint::of(b"a"),
            mapped: Fingerprint::UNKNOWN,
            standing: Standing::Active,
            absent: None,
        };
        let since = "2026-11-22T02:00:00Z".parse().unwrap();
        let left = Managed {
            standing: Standing::Deactivated,
            mapped: Fingerprint::of(b"m"),
            absent: Some(Absent { runs: 3, since }),
            ..managed.clone()
        };
        let coming = Managed { account: None, print: Fingerprint::UNKNOWN, ..managed.clone() };
        State {
            target: "pool".to_owned(),
            known: 2,
            counted_by: "directory-sync-1".to_owned(),
            people: [("k 1".into(), managed), ("k\n2".into(), left), ("k\u{2028}3".into(), coming)].into(),
        }
    }

    fn text(state: &State) -> String {
        String::from_utf8(state.text().to_vec()).unwrap()
    }

    #[test]
    fn it_reads_back() {
        for state in [state(), State::default()] {
            assert_eq!(State::parse(text(&state).as_bytes()), Ok(state));
        }
        assert_eq!(state().active(), 1);
    }

    #[test]
    fn a_state_that_was_cut_anywhere_is_refused() {
        let text = text(&state());
        for end in 0..text.len() {
            if text.is_char_boundary(end) {
                assert!(State::parse(&text.as_bytes()[..end]).is_err(), "{end}");
            }
        }
        assert!(State::parse(text.replace("\"version\":1", "\"version\":2").as_bytes()).is_err());
        assert!(State::parse(text.replacen("active", "asleep", 1).as_bytes()).is_err());
    }
}
