//! What an audit found.

use std::collections::BTreeMap;

use crosswalk_identity::{System, Username};
use jiff::Timestamp;

use crate::notify::Lacking;

/// What an audit found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings {
    /// The systems that everybody is to be known to.
    pub required: Vec<System>,
    /// How many people were looked at.
    pub people: u64,
    /// How many of them lack nothing.
    pub complete: u64,
    /// Who lacks what, by the key of the username that stands for the person.
    pub missing: Vec<Lacking>,
    /// Mappings that nobody has verified for long, by system and then by username.
    pub stale: Vec<Stale>,
    /// Items that break the constraints, by their keys.
    pub broken: Vec<Broken>,
}

/// A mapping that nobody has verified for long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stale {
    /// Whose it is.
    pub username: Username,
    /// In which system.
    pub system: System,
    /// When it was verified last; none if never since it was stored.
    pub last_verified_at: Option<Timestamp>,
    /// When its person was seen last, if that is known.
    pub last_seen: Option<Timestamp>,
}

/// An item that breaks a constraint. `Debug` names nobody.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Broken {
    /// Its partition key.
    pub key: String,
    /// Its sort key.
    pub sort_key: String,
    /// What is wrong with it.
    pub fault: String,
}

impl std::fmt::Debug for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Broken(…)")
    }
}

impl Findings {
    /// How many people each of the required systems does not know.
    pub fn missing_by_system(&self) -> BTreeMap<&System, u64> {
        let mut counts: BTreeMap<&System, u64> = self.required.iter().map(|system| (system, 0)).collect();
        for system in self.missing.iter().flat_map(|lacking| &lacking.systems) {
            *counts.entry(system).or_default() += 1;
        }
        counts
    }
}
