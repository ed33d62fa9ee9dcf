//! What Glean is to hold, derived from a realm.

use std::borrow::Cow;
use std::fmt;

use crosswalk_reconcile::Outcome;

use crate::glean::types::{Employee, Team};
use crate::keycloak::Wanted;
use crate::realm::Realm;
pub use settings::{MappingSettings, SETTINGS};

mod settings;

/// What Glean is to hold, and what became of the rest.
#[derive(Debug, Default)]
pub struct Desired {
    /// People, sorted by e-mail; e-mails are lowercased and different.
    pub people: Vec<Employee>,
    /// Teams, sorted by id.
    pub teams: Vec<Team>,
    /// Users and groups that are not exported, users first, in the realm's order.
    pub left_out: Vec<LeftOut>,
    /// What is exported and may surprise: a name that Glean filters, a manager who is not in the realm, …
    pub warnings: Vec<Warning>,
}

/// A user or a group of the realm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A user; a person in Glean.
    Person,
    /// A group; a team in Glean.
    Team,
}

/// The word, as in JSON.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Person => "person",
            Self::Team => "team",
        })
    }
}

/// Why a user or a group is not exported.
#[derive(Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Which.
    pub kind: Kind,
    /// Keycloak's id.
    pub id: Box<str>,
    /// The username, or the group's path: for the report and the terminal, not for logs.
    pub name: String,
    /// What Glean would know it by: the lowercased e-mail, or the group's id. None without an e-mail.
    pub key: Option<String>,
    /// Rejected, conflict or skipped.
    pub outcome: Outcome,
    /// Why, and what to do; without personal data.
    pub reason: Cow<'static, str>,
}

/// Something to know about what is exported.
#[derive(Clone, PartialEq, Eq)]
pub struct Warning {
    /// Of which.
    pub kind: Kind,
    /// Keycloak's id.
    pub id: Box<str>,
    /// The username, or the group's path.
    pub name: String,
    /// What, and what to do; without personal data.
    pub text: Cow<'static, str>,
}

/// How users become people and groups become teams.
#[derive(Debug, Clone)]
pub struct Mapping {
    settings: MappingSettings,
}

impl Mapping {
    /// With settings that were checked when they were read.
    pub fn new(settings: MappingSettings) -> Self {
        Self { settings }
    }

    /// The attributes that are needed.
    pub fn wanted(&self) -> Wanted {
        let _ = &self.settings;
        todo!()
    }

    /// Each user and each group of the realm ends in exactly one of people, teams and left out.
    pub fn desired(&self, _realm: &Realm) -> Desired {
        todo!()
    }
}

impl fmt::Debug for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LeftOut({:?} {}, {}: {})", self.kind, self.id, self.outcome, self.reason)
    }
}

impl fmt::Debug for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Warning({:?} {}: {})", self.kind, self.id, self.text)
    }
}
