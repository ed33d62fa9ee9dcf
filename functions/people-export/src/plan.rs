//! What differs between what Glean is to hold and what the last good run left there.

use std::fmt;

use crosswalk_reconcile::{Action, Difference, Fingerprint, Fingerprints, Plan};
use serde::Serialize;

use crate::glean::types::{Employee, Team};
use crate::mapping::{Desired, Kind};
use crate::state::State;

/// A step: people before teams, and in each of them by key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Step {
    /// A person or a team.
    pub kind: Kind,
    /// The e-mail, or the team's id.
    pub key: String,
    /// What is to be done.
    pub change: Change,
}

/// What is to be done with a person or a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Glean does not hold it yet, as far as the last good run knows.
    Create(Fingerprint),
    /// Glean holds another version.
    Update(Fingerprint),
    /// Glean holds it, and the realm does not.
    Delete,
}

impl Action for Step {
    fn removes(&self) -> bool {
        self.change == Change::Delete
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let change = match self.change {
            Change::Create(_) => "create",
            Change::Update(_) => "update",
            Change::Delete => "delete",
        };
        let kind = match self.kind {
            Kind::Person => "person",
            Kind::Team => "team",
        };
        write!(f, "{change} {kind} {}", self.key)
    }
}

/// The change and the kind alone: a key may be an e-mail.
impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}", self.change, self.kind)
    }
}
