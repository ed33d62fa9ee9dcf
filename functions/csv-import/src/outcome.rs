//! How a row ended, and why.

use std::borrow::Cow;

use crosswalk_runs::Outcome;
use serde::Serialize;

/// How one row ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowResult {
    /// The line on which the row begins, counted from 1 in the file.
    pub line: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, and what to do about it: for the administrator. It may name a person, and never goes into a log.
    pub reason: Cow<'static, str>,
    /// The reason without personal data, under which rows are counted together.
    #[serde(skip)]
    pub class: Cow<'static, str>,
}

/// How a row ended, before its line is put to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    pub(crate) outcome: Outcome,
    pub(crate) reason: Cow<'static, str>,
    pub(crate) class: Cow<'static, str>,
}

impl Verdict {
    /// With a reason that names nobody.
    pub(crate) fn new(outcome: Outcome, reason: impl Into<Cow<'static, str>>) -> Self {
        let reason = reason.into();
        Self { outcome, class: reason.clone(), reason }
    }

    /// With a reason that may name a person, and the same without.
    pub(crate) fn personal(outcome: Outcome, reason: String, class: impl Into<Cow<'static, str>>) -> Self {
        Self { outcome, reason: reason.into(), class: class.into() }
    }

    pub(crate) fn at(self, line: u64) -> RowResult {
        RowResult { line, outcome: self.outcome, reason: self.reason, class: self.class }
    }
}
