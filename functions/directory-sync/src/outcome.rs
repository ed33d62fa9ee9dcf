//! What came of everybody: people in = outcomes out.

use std::borrow::Cow;

use crosswalk_reconcile::{Counts, Outcome, Reasons};
use crosswalk_runs::report::Row;
use crosswalk_runs::{Progress, RunRecord, RunState};

use crate::people::LeftOut;
use crate::step::{Step, What, Why};
use crate::target::Done;
use crate::{Field, Person};

/// Counts, reasons, and the rows that a report names.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// People: each entry of the source once.
    pub(crate) people: Counts,
    /// Mappings: each external id that was to be stored once; none if none are stored.
    pub(crate) mappings: Option<Counts>,
    /// Why some are not as the source wants them.
    pub(crate) reasons: Reasons,
    /// What was done and may surprise.
    pub(crate) warnings: Reasons,
    /// Who is not as the source wants them, by name.
    pub(crate) rows: Vec<Row>,
    /// Whether something is not as it should be although it was tried, or could not be.
    pub(crate) lacking: bool,
}

impl Tally {
    /// Nothing was done yet: who is left out, and of how many nothing differs.
    pub(crate) fn begin(left_out: &[&[LeftOut]], unchanged: u64) -> Self {
        let mut tally = Self {
            people: Counts { deactivated: Some(0), reactivated: Some(0), deleted: Some(0), ..Counts::default() },
            ..Self::default()
        };
        for left in left_out.iter().copied().flatten() {
            tally.lacking |= left.outcome != Outcome::Skipped;
            tally.people.add(left.outcome);
            tally.reasons.add(&left.reason);
            let reason = match &left.detail {
                Some(detail) => format!("{} ({detail})", left.reason).into(),
                None => left.reason.clone(),
            };
            let id = left.key.clone().unwrap_or_default();
            tally.rows.push(Row { kind: "person", id, name: left.name.to_string(), outcome: left.outcome, reason });
        }
        tally.people.add_many(Outcome::Unchanged, unchanged);
        tally
    }

    /// A step that was taken.
    pub(crate) fn done(&mut self, done: &Done) {
        match &done.result {
            Ok(applied) => {
                self.applied(&done.step);
                if let Some(warning) = &applied.warning {
                    self.warnings.add(warning);
                }
            }
            Err(failure) => {
                let outcome = if failure.conflict { Outcome::Conflict } else { Outcome::Failed };
                self.undone(&Waiting::of(&done.step), outcome, failure.reason.clone());
            }
        }
    }

    /// A step that a dry run leaves, or that was taken.
    pub(crate) fn applied(&mut self, step: &Step) {
        let more = |count: &mut Option<u64>| *count = Some(count.unwrap_or(0) + 1);
        match step.what {
            What::Deactivate { .. } => more(&mut self.people.deactivated),
            What::Delete => more(&mut self.people.deleted),
            What::Create => self.people.add(Outcome::Created),
            What::Update | What::Adopt | What::Rekey { .. } | What::Complete => {}
        }
        if step.active == Some(true) {
            more(&mut self.people.reactivated);
        }
        if step.what != What::Create && Waiting::of(step).undone.is_none() {
            self.people.add(Outcome::Updated);
        }
    }

    /// A step that was not reached.
    pub(crate) fn not_reached(&mut self, waiting: &Waiting, why: &'static str) {
        self.undone(waiting, Outcome::Skipped, why.into());
    }

    fn undone(&mut self, waiting: &Waiting, outcome: Outcome, reason: Cow<'static, str>) {
        let Waiting { key, name, undone } = waiting;
        self.lacking = true;
        if undone.is_none() {
            self.people.add(outcome);
        }
        self.reasons.add(&reason);
        let (kind, reason) = match undone {
            None => ("person", reason),
            Some(what) => ("account", format!("{what}: {reason}").into()),
        };
        self.rows.push(Row { kind, id: key.clone(), name: name.to_string(), outcome, reason });
    }

    /// A mapping that was stored, or not.
    pub(crate) fn mapping(&mut self, person: &Person, outcome: Outcome, reason: Option<(Cow<'static, str>, String)>) {
        self.mappings.get_or_insert_default().add(outcome);
        let Some((reason, detail)) = reason else { return };
        self.lacking = true;
        self.reasons.add(&reason);
        let name = person.username.as_ref().or(person.emails.first()).map(|name| name.to_string());
        self.rows.push(Row {
            kind: "mapping",
            id: person.key.clone(),
            name: name.unwrap_or_default(),
            outcome,
            reason: if detail.is_empty() { reason } else { format!("{reason} ({detail})").into() },
        });
    }

    /// Adds what the legs before this one did: whom they created or changed is unchanged by now.
    pub(crate) fn go_on_from(&mut self, earlier: &RunRecord) {
        let Some(before) = earlier.parts.get("people") else { return };
        let sum = |now: Option<u64>, before: Option<u64>| Some(now.unwrap_or(0) + before.unwrap_or(0));
        let people = &mut self.people;
        let created = before.created.min(people.unchanged);
        let updated = before.updated.min(people.unchanged - created);
        people.unchanged -= created + updated;
        people.created += created;
        people.updated += updated;
        people.deactivated = sum(people.deactivated, before.deactivated);
        people.reactivated = sum(people.reactivated, before.reactivated);
        people.deleted = sum(people.deleted, before.deleted);
        if let Some(before) = earlier.parts.get("mappings") {
            self.mappings = Some(self.mappings.unwrap_or_default().plus(before));
        }
    }

    /// Fills in the record of a run that has worked; `broke` is why it could not go on, if it could not.
    pub(crate) fn fill(self, record: &mut RunRecord, broke: Option<String>) -> Vec<Row> {
        record.counts = self.mappings.map_or(self.people, |mappings| self.people.plus(&mappings));
        record.progress = Progress { rows: record.counts.read, bytes: 0, percent: Some(100.0) };
        record.parts = [("people".to_owned(), self.people)].into();
        record.parts.extend(self.mappings.map(|mappings| ("mappings".to_owned(), mappings)));
        record.reasons = self.reasons.most_frequent();
        record.warnings = self.warnings.most_frequent();
        match broke {
            Some(reason) => record.fail(reason),
            None if self.lacking => record.state = RunState::Partly,
            None => record.state = RunState::Succeeded,
        }
        self.rows
    }
}

/// What is told of a step that is not taken.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Waiting {
    key: Box<str>,
    name: Box<str>,
    /// Of a step that stands for no entry of the source, as its person is absent: what is then not done.
    undone: Option<&'static str>,
}

impl Waiting {
    /// Of this step.
    pub(crate) fn of(step: &Step) -> Self {
        let undone = match step.what {
            What::Deactivate { why: Why::Absent } => Some("not deactivated"),
            What::Delete => Some("not deleted"),
            _ => None,
        };
        let name = step.new_value(Field::Email).or(step.account.as_deref()).unwrap_or_default();
        Self { key: step.key.clone(), name: name.into(), undone }
    }

    /// Of a person of whom no more is known than their key in the source.
    pub(crate) fn person(key: Box<str>) -> Self {
        Self { key, name: Box::default(), undone: None }
    }

    /// The person's key in the source; no two steps of a plan have the same.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Whether it stands for nobody of the source.
    pub(crate) fn is_absent(&self) -> bool {
        self.undone.is_some()
    }
}
