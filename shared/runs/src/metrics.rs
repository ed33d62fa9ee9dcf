//! What a run that has ended tells the metrics.

use crosswalk_function_kit::metrics::{Metric, Metrics, Unit};

use crate::{RunRecord, RunState};

impl RunRecord {
    /// Tells rows by outcome and the run's time, by kind, once a run, by who ended it; and calls and retries by target, for each
    /// of its legs.
    pub fn tell(&self, metrics: &Metrics) {
        let at = self.ended_at.unwrap_or(self.started_at);
        let took = at.duration_since(self.started_at).as_millis();
        let counts = self.counts;
        let rows: [Metric; 12] = [
            ("Runs", Unit::Count, 1),
            ("RunsFailed", Unit::Count, u64::from(self.state == RunState::Failed)),
            ("RunTime", Unit::Milliseconds, u64::try_from(took).unwrap_or(0)),
            ("RowsRead", Unit::Count, counts.read),
            ("RowsCreated", Unit::Count, counts.created),
            ("RowsUpdated", Unit::Count, counts.updated),
            ("RowsUnchanged", Unit::Count, counts.unchanged),
            ("RowsVerified", Unit::Count, counts.verified),
            ("RowsRejected", Unit::Count, counts.rejected),
            ("RowsConflict", Unit::Count, counts.conflict),
            ("RowsFailed", Unit::Count, counts.failed),
            ("RowsSkipped", Unit::Count, counts.skipped),
        ];
        // A run that continues is counted by its last leg, whose counts are those of all.
        if !self.continues {
            metrics.tell(at, Some(("Kind", &self.kind)), &rows);
        }
        for (target, traffic) in &self.traffic {
            let calls = [("Calls", Unit::Count, traffic.requests), ("Retries", Unit::Count, traffic.retries)];
            metrics.tell(at, Some(("Target", target)), &calls);
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use serde_json::json;

    use super::*;
    use crate::Traffic;

    #[test]
    fn rows_by_kind_and_calls_by_target() {
        let (metrics, lines) = Metrics::kept("f");
        let begun = Timestamp::UNIX_EPOCH;
        let mut record = RunRecord::begin("r", "people-export", "s", begun);
        record.ended_at = Some(begun + SignedDuration::from_millis(1_500));
        record.state = RunState::Failed;
        record.counts.read = 3;
        record.counts.failed = 2;
        record.traffic.insert("glean".to_owned(), Traffic { requests: 9, retries: 4, ..Traffic::default() });
        record.tell(&metrics);
        record.continues = true;
        record.tell(&metrics);
        let mut lines = lines.lock().unwrap();
        let leg = lines.split_off(2);
        assert!(leg.iter().all(|line| line.get("Kind").is_none()), "{leg:?}");
        let [rows, calls] = &lines[..] else { panic!("{lines:?}") };
        assert_eq!(
            (&rows["Kind"], &rows["RowsRead"], &rows["RowsFailed"]),
            (&json!("people-export"), &json!(3), &json!(2))
        );
        assert_eq!((&rows["RunTime"], &rows["Runs"], &rows["RunsFailed"]), (&json!(1_500), &json!(1), &json!(1)));
        assert_eq!((&calls["Target"], &calls["Calls"], &calls["Retries"]), (&json!("glean"), &json!(9), &json!(4)));
    }
}
