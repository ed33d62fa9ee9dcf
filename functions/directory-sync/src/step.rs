//! The steps of a plan: plain data, sorted as they are taken, a few lines each for people.

use std::fmt;

use crosswalk_reconcile::Action;
use serde::Serialize;

use crate::Field;

/// What is to be done with one account. The key is the person's in the source.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Step {
    /// What is done.
    pub what: What,
    /// The person's stable key in the source.
    pub key: Box<str>,
    /// The account's id in the target; none for one that is to be created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<Box<str>>,
    /// The account's `version_id` as it was read; 0 where the target has none.
    #[serde(skip)]
    pub version: i32,
    /// The fields that differ, in the order of [`Field::ALL`]; for a creation all that it is given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// `true`: may log in again; `false`: may not any more; none: left as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub active: Option<bool>,
    /// The keys of those whose steps free an e-mail or a username that this step takes. They are updates of the same plan,
    /// and may in turn wait for this one (a swap): see [`crate::target::Bundle`].
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<Box<str>>,
}

/// What a step does. The order is that in which steps are taken: what frees names comes before what takes them, and what
/// removes comes last.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// The account, which is managed, is changed.
    Update,
    /// The account was found by its e-mail, and is managed from now on.
    Adopt,
    /// The account of somebody whose key is gone is theirs, under a new key: a rehire.
    Rekey {
        /// The key that is gone.
        from: Box<str>,
    },
    /// The creation, which broke off half way, is completed: the account stands, and its password is still to be set.
    Complete,
    /// An account is created.
    Create,
    /// An account that is managed is deactivated.
    Deactivate {
        /// Why.
        why: Why,
    },
    /// An account that was deactivated is deleted.
    Delete,
}

/// Why an account is deactivated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// The source marks the person as disabled.
    Disabled,
    /// The person has been absent for long enough.
    Absent,
}

/// A field that changes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Change {
    /// Which one.
    pub field: Field,
    /// What stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<Box<str>>,
    /// What is to stand.
    pub new: Box<str>,
}

impl Step {
    /// The new value of a field, if it changes.
    pub fn new_value(&self, field: Field) -> Option<&str> {
        self.changes.iter().find(|change| change.field == field).map(|change| &*change.new)
    }
}

impl Action for Step {
    fn removes(&self) -> bool {
        matches!(self.what, What::Deactivate { .. } | What::Delete)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match &self.what {
            What::Update => "update",
            What::Adopt => "adopt",
            What::Rekey { .. } => "rekey",
            What::Complete => "complete",
            What::Create => "create",
            What::Deactivate { .. } => "deactivate",
            What::Delete => "delete",
        };
        write!(f, "{word} {}", self.key)?;
        match &self.what {
            What::Rekey { from } => write!(f, " (was {from})")?,
            What::Deactivate { why: Why::Disabled } => write!(f, " (disabled in the source)")?,
            What::Deactivate { why: Why::Absent } => write!(f, " (absent)")?,
            _ => {}
        }
        if let Some(account) = &self.account {
            write!(f, ", account {account}")?;
        }
        match (self.active, &self.what) {
            (Some(true), _) => write!(f, ", reactivated")?,
            (Some(false), What::Deactivate { .. } | What::Delete) | (None, _) => {}
            (Some(false), _) => write!(f, ", deactivated")?,
        }
        for Change { field, old, new } in &self.changes {
            match old {
                Some(old) => write!(f, "\n    {field}: {old} => {new}")?,
                None => write!(f, "\n    {field}: {new}")?,
            }
        }
        for key in &self.after {
            write!(f, "\n    after {key}")?;
        }
        Ok(())
    }
}

/// Without anything personal.
impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields: Vec<_> = self.changes.iter().map(|change| change.field).collect();
        write!(f, "Step({:?}, {fields:?}, active: {:?}, after {})", self.what, self.active, self.after.len())
    }
}
