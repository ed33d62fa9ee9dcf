//! What came of everyone: rows in = outcomes out.

use std::collections::BTreeMap;

use crosswalk_reconcile::{Counts, Outcome, Reasons};
use crosswalk_runs::report::Row;
use crosswalk_runs::{Progress, RunRecord, RunState};

use crate::apply::Applied;
use crate::mapping::{Desired, Kind, LeftOut};

/// Counts, reasons and the rows that a report names.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    /// People: each user of the realm once.
    pub(crate) people: Counts,
    /// Teams: each group of the realm once.
    pub(crate) teams: Counts,
    /// Why some are not exported.
    pub(crate) reasons: Reasons,
    /// What is exported and may surprise.
    pub(crate) warnings: Reasons,
    /// Who is not exported, by name.
    pub(crate) rows: Vec<Row>,
    /// Why the run as a whole failed, if it did.
    pub(crate) broke: Option<String>,
    /// Whether something is not as it should be although it was tried: a rejected person, a failed deletion, …
    pub(crate) lacking: bool,
}

/// Counts what was observed.
pub(crate) fn settle(desired: &Desired, applied: &Applied) -> Settled {
    let mut settled = Settled { broke: applied.broke.clone(), ..Settled::default() };
    let sent = applied.people.iter().map(|outcome| (Kind::Person, *outcome));
    let sent = sent.chain(applied.teams.iter().map(|outcome| (Kind::Team, *outcome)));
    for (kind, outcome) in sent {
        let outcome = outcome.unwrap_or_else(|| {
            settled.reasons.add(applied.not_reached);
            Outcome::Skipped
        });
        settled.lacking |= !outcome.is_success() && !applied.limited;
        settled.counts(kind).add(outcome);
    }
    for left in &desired.left_out {
        settled.counts(left.kind).add(left.outcome);
        settled.reasons.add(&left.reason);
        settled.lacking |= left.outcome != Outcome::Skipped;
        settled.rows.push(row(left));
    }
    for row in &applied.failures {
        settled.reasons.add(&row.reason);
        settled.lacking = true;
        settled.rows.push(row.clone());
    }
    settled.people.deleted = Some(applied.deleted_people);
    settled.teams.deleted = Some(applied.deleted_teams);
    for warning in &desired.warnings {
        settled.warnings.add(&warning.text);
    }
    for warning in &applied.warnings {
        settled.warnings.add(warning);
    }
    settled
}

fn row(left: &LeftOut) -> Row {
    Row {
        kind: left.kind.as_str(),
        id: left.id.clone(),
        name: left.name.clone(),
        outcome: left.outcome,
        reason: left.reason.clone(),
    }
}

impl Settled {
    fn counts(&mut self, kind: Kind) -> &mut Counts {
        match kind {
            Kind::Person => &mut self.people,
            Kind::Team => &mut self.teams,
        }
    }

    /// Fills in the record of a run that has worked.
    pub(crate) fn fill(self, record: &mut RunRecord) {
        record.counts = self.people.plus(&self.teams);
        record.progress = Progress { rows: record.counts.read, bytes: 0, percent: Some(100.0) };
        record.parts = BTreeMap::from([("people".to_owned(), self.people), ("teams".to_owned(), self.teams)]);
        record.reasons = self.reasons.most_frequent();
        record.warnings = self.warnings.most_frequent();
        match self.broke {
            Some(reason) => record.fail(reason),
            None if self.lacking => record.state = RunState::Partly,
            None => record.state = RunState::Succeeded,
        }
    }
}
