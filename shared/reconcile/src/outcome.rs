use std::fmt;

use serde::{Deserialize, Serialize};

/// How one input row or person ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was absent and now stands.
    Created,
    /// Something differed and was changed.
    Updated,
    /// Nothing differed.
    Unchanged,
    /// Nothing differed, and that was noted.
    Verified,
    /// Bad input.
    Rejected,
    /// Taken by another.
    Conflict,
    /// An error on the way.
    Failed,
    /// Left out by policy, or not reached.
    Skipped,
}

impl Outcome {
    /// All of them, in the order of [`Counts`].
    pub const ALL: [Self; 8] = [
        Self::Created,
        Self::Updated,
        Self::Unchanged,
        Self::Verified,
        Self::Rejected,
        Self::Conflict,
        Self::Failed,
        Self::Skipped,
    ];

    /// The word, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Updated => "updated",
            Self::Unchanged => "unchanged",
            Self::Verified => "verified",
            Self::Rejected => "rejected",
            Self::Conflict => "conflict",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }

    /// Whether the row is as the file wants it: created, updated, unchanged or verified.
    pub fn is_success(self) -> bool {
        matches!(self, Self::Created | Self::Updated | Self::Unchanged | Self::Verified)
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// How many rows ended how. `read` is the sum of the others up to `skipped`; what stands after that is beside the sum,
/// and only in the records of ways that remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// All rows.
    pub read: u64,
    /// Rows that were created.
    pub created: u64,
    /// Rows that were updated.
    pub updated: u64,
    /// Rows that were unchanged.
    pub unchanged: u64,
    /// Rows that were verified.
    pub verified: u64,
    /// Rows that were rejected.
    pub rejected: u64,
    /// Rows that were in conflict.
    pub conflict: u64,
    /// Rows that failed.
    pub failed: u64,
    /// Rows that were skipped.
    pub skipped: u64,
    /// Accounts that were deactivated; absent in the ways that never do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deactivated: Option<u64>,
    /// Accounts that were reactivated; absent in the ways that never do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reactivated: Option<u64>,
    /// What was deleted; absent in the ways that never do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deleted: Option<u64>,
}

impl Counts {
    /// Counts one observed outcome.
    pub fn add(&mut self, outcome: Outcome) {
        self.add_many(outcome, 1);
    }

    /// Counts an outcome that was observed so many times.
    pub fn add_many(&mut self, outcome: Outcome, times: u64) {
        let count = match outcome {
            Outcome::Created => &mut self.created,
            Outcome::Updated => &mut self.updated,
            Outcome::Unchanged => &mut self.unchanged,
            Outcome::Verified => &mut self.verified,
            Outcome::Rejected => &mut self.rejected,
            Outcome::Conflict => &mut self.conflict,
            Outcome::Failed => &mut self.failed,
            Outcome::Skipped => &mut self.skipped,
        };
        *count += times;
        self.read += times;
    }

    /// The rows of one outcome.
    pub fn of(&self, outcome: Outcome) -> u64 {
        match outcome {
            Outcome::Created => self.created,
            Outcome::Updated => self.updated,
            Outcome::Unchanged => self.unchanged,
            Outcome::Verified => self.verified,
            Outcome::Rejected => self.rejected,
            Outcome::Conflict => self.conflict,
            Outcome::Failed => self.failed,
            Outcome::Skipped => self.skipped,
        }
    }

    /// These and those together; what is removed is known if either knows it.
    pub fn plus(&self, other: &Self) -> Self {
        let sum = |one: Option<u64>, two: Option<u64>| one.map_or(two, |one| Some(one + two.unwrap_or(0)));
        Self {
            read: self.read + other.read,
            created: self.created + other.created,
            updated: self.updated + other.updated,
            unchanged: self.unchanged + other.unchanged,
            verified: self.verified + other.verified,
            rejected: self.rejected + other.rejected,
            conflict: self.conflict + other.conflict,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
            deactivated: sum(self.deactivated, other.deactivated),
            reactivated: sum(self.reactivated, other.reactivated),
            deleted: sum(self.deleted, other.deleted),
        }
    }

    /// Rows that are not as the file wants them.
    pub fn unsuccessful(&self) -> u64 {
        self.rejected + self.conflict + self.failed + self.skipped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn read_is_the_sum_of_the_outcomes() {
        let mut counts = Counts::default();
        for (times, outcome) in Outcome::ALL.into_iter().enumerate() {
            for _ in 0..=times {
                counts.add(outcome);
            }
        }
        assert_eq!(counts.read, 36);
        for (times, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(counts.of(outcome), times as u64 + 1, "{outcome}");
        }
        let unsuccessful: u64 = Outcome::ALL.into_iter().filter(|o| !o.is_success()).map(|o| counts.of(o)).sum();
        assert_eq!(counts.unsuccessful(), unsuccessful);
    }

    #[test]
    fn counts_add_up() {
        let mut one = Counts { deleted: Some(2), ..Counts::default() };
        let mut other = Counts { deactivated: Some(1), ..Counts::default() };
        Outcome::ALL.into_iter().for_each(|outcome| one.add(outcome));
        Outcome::ALL.into_iter().for_each(|outcome| other.add(outcome));
        let sum = one.plus(&other);
        assert_eq!(sum.read, 16);
        assert!(Outcome::ALL.into_iter().all(|outcome| sum.of(outcome) == 2));
        assert_eq!((sum.deleted, sum.deactivated, sum.reactivated), (Some(2), Some(1), None));
    }

    #[test]
    fn words_are_those_of_the_json() {
        for outcome in Outcome::ALL {
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.as_str());
        }
    }

    #[test]
    fn removals_are_absent_where_nothing_removes() {
        let plain = serde_json::to_string(&Counts::default()).unwrap();
        assert!(!plain.contains("deleted") && !plain.contains("activated"), "{plain}");
        assert_eq!(serde_json::from_str::<Counts>(&plain).unwrap(), Counts::default());
        let removing = Counts { deactivated: Some(0), deleted: Some(2), ..Counts::default() };
        let json = serde_json::to_value(removing).unwrap();
        assert_eq!((&json["deactivated"], &json["deleted"]), (&0.into(), &2.into()));
        assert!(json.get("reactivated").is_none());
    }
}
