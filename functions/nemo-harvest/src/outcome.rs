//! What came of everybody: users in = outcomes out.

use crosswalk_reconcile::{Counts, Outcome, Reasons};
use crosswalk_runs::report::Row;
use crosswalk_runs::{Progress, RunRecord, RunState};

use crate::naming::Left;

/// Counts, reasons, and the rows that a report names.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Users of NEMO, each once.
    pub(crate) mappings: Counts,
    /// People whom usage events name, each once; none if events are not read.
    pub(crate) seen: Option<Counts>,
    pub(crate) reasons: Reasons,
    pub(crate) warnings: Reasons,
    rows: Vec<Row>,
    /// Whether something is not as it should be.
    lacking: bool,
}

impl Tally {
    /// A user whose mapping is not stored.
    pub(crate) fn left(&mut self, left: Left) {
        let Left { id, name, outcome, reason, detail } = left;
        self.mappings.add(outcome);
        self.lacking |= outcome != Outcome::Skipped;
        self.reasons.add(&reason);
        let reason = match detail {
            Some(detail) => format!("{reason} ({detail})").into(),
            None => reason,
        };
        self.rows.push(Row { kind: "mapping", id: id.to_string().into(), name: name.into(), outcome, reason });
    }

    /// Somebody's mapping that was not reached, as the time was up.
    pub(crate) fn not_reached(&mut self, left: Left) {
        self.left(left);
        self.lacking = true;
    }

    /// A sighting that could not be stored.
    pub(crate) fn unseen(&mut self, id: u64, name: &str, reason: String) {
        self.seen.get_or_insert_default().add(Outcome::Failed);
        self.lacking = true;
        self.reasons.add(&reason);
        self.rows.push(Row {
            kind: "last_seen",
            id: id.to_string().into(),
            name: name.to_owned(),
            outcome: Outcome::Failed,
            reason: reason.into(),
        });
    }

    /// Both together.
    pub(crate) fn counts(&self) -> Counts {
        self.seen.map_or(self.mappings, |seen| self.mappings.plus(&seen))
    }

    /// Adds what this very run did before its time was up: whom it stored then is unchanged by now.
    pub(crate) fn go_on_from(&mut self, earlier: &RunRecord) {
        let Some(before) = earlier.parts.get(MAPPINGS) else { return };
        let mappings = &mut self.mappings;
        for (now, before) in [
            (&mut mappings.created, before.created),
            (&mut mappings.updated, before.updated),
            (&mut mappings.verified, before.verified),
        ] {
            let of_before = before.min(mappings.unchanged);
            mappings.unchanged -= of_before;
            *now += of_before;
        }
    }

    /// Fills in the record of a run that has worked. Who is only skipped comes last in the report.
    pub(crate) fn fill(mut self, record: &mut RunRecord) -> Vec<Row> {
        record.counts = self.counts();
        record.progress = Progress { rows: record.counts.read, bytes: 0, percent: Some(100.0) };
        record.parts = [(MAPPINGS.to_owned(), self.mappings)].into();
        record.parts.extend(self.seen.map(|seen| ("last_seen".to_owned(), seen)));
        record.reasons = self.reasons.most_frequent();
        record.warnings = self.warnings.most_frequent();
        record.state = if self.lacking { RunState::Partly } else { RunState::Succeeded };
        self.rows.sort_by_key(|row| row.outcome == Outcome::Skipped);
        self.rows
    }
}

/// The part of a record that counts users.
const MAPPINGS: &str = "mappings";

#[cfg(test)]
mod tests {
    use super::*;

    fn left(id: u64, outcome: Outcome) -> Left {
        Left { id, name: "ada".into(), outcome, reason: "for a reason".into(), detail: Some("bo".to_owned()) }
    }

    fn record() -> RunRecord {
        RunRecord::begin("nemo-harvest-1", "nemo-harvest", "https://nemo.example.org", jiff::Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn who_is_skipped_by_policy_lacks_nothing_and_comes_last() {
        let mut tally = Tally::default();
        tally.left(left(1, Outcome::Skipped));
        let mut first = record();
        tally.fill(&mut first);
        assert_eq!((first.state, first.counts.skipped), (RunState::Succeeded, 1));

        let mut tally = Tally::default();
        tally.left(left(1, Outcome::Skipped));
        tally.left(left(2, Outcome::Conflict));
        let mut second = record();
        let rows = tally.fill(&mut second);
        assert_eq!((second.state, &*rows[0].id, rows[0].reason.as_ref()), (RunState::Partly, "2", "for a reason (bo)"));
        assert_eq!(second.reasons_line(), "for a reason (2)");
    }

    #[test]
    fn a_run_that_goes_on_counts_what_it_did_before() {
        let mut tally = Tally::default();
        tally.mappings.add_many(Outcome::Created, 2);
        tally.not_reached(left(9, Outcome::Skipped));
        let mut first = record();
        tally.fill(&mut first);
        assert_eq!(first.state, RunState::Partly);

        let mut tally = Tally::default();
        tally.mappings.add_many(Outcome::Unchanged, 2);
        tally.mappings.add(Outcome::Verified);
        tally.go_on_from(&first);
        let mappings = tally.mappings;
        assert_eq!((mappings.read, mappings.created, mappings.verified, mappings.unchanged), (3, 2, 1, 0));
    }
}
