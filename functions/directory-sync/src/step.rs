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

impl What {
    /// The word, as a plan shows it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Update => "update",
            Self::Adopt => "adopt",
            Self::Rekey { .. } => "rekey",
            Self::Complete => "complete",
            Self::Create => "create",
            Self::Deactivate { .. } => "deactivate",
            Self::Delete => "delete",
        }
    }
}

impl Step {
    /// What is done, and a line for each field that changes and for each step that comes before. A name may hold a line
    /// break: whoever prints the lines sees to it.
    pub fn lines(&self) -> Vec<String> {
        let mut first = format!("{} {}", self.what.word(), self.key);
        match &self.what {
            What::Rekey { from } => first.push_str(&format!(" (was {from})")),
            What::Deactivate { why: Why::Disabled } => first.push_str(" (disabled in the source)"),
            What::Deactivate { why: Why::Absent } => first.push_str(" (absent)"),
            What::Update | What::Adopt | What::Complete | What::Create | What::Delete => {}
        }
        if let Some(account) = &self.account {
            first.push_str(&format!(", account {account}"));
        }
        if self.active == Some(true) {
            first.push_str(", reactivated");
        }
        let changes = self.changes.iter().map(|Change { field, old, new }| match old {
            Some(old) => format!("    {field}: {old} => {new}"),
            None => format!("    {field}: {new}"),
        });
        let after = self.after.iter().map(|key| format!("    after {key}"));
        std::iter::once(first).chain(changes).chain(after).collect()
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join("\n"))
    }
}

/// Without anything personal.
impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fields: Vec<_> = self.changes.iter().map(|change| change.field).collect();
        write!(f, "Step({:?}, {fields:?}, active: {:?}, after {})", self.what, self.active, self.after.len())
    }
}
