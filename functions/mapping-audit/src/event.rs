//! What starts a run: a schedule, or a person by hand.

use crosswalk_function_kit::Entropy;
use crosswalk_runs::event::{self, Expected, Started};
use crosswalk_runs::run_id;
use serde::Deserialize;
use serde_json::Value;

use crate::audit::{AuditRequest, Whom};

/// The name of this way: in runs' ids, kinds and turns.
pub const WAY: &str = "mapping-audit";

/// An event, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What to do.
    pub request: AuditRequest,
    /// Look only.
    pub dry_run: bool,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct ByHand {
    dry_run: bool,
}

const EXPECTED: Expected = Expected { way: WAY, by_hand: "{\"dry_run\"}", never_scheduled: &[] };

impl Event {
    /// Reads an event. A schedule's run is known by schedule and time, so a repeated delivery is the same run; one by hand
    /// is a new run each time.
    ///
    /// # Errors
    /// What is wrong with it, and what is allowed.
    pub fn read(event: Value, entropy: &Entropy) -> Result<Self, String> {
        let (run_id, delivery, dry_run) = match event::read::<ByHand>(&EXPECTED, event)? {
            Started::Schedule { run_id } => (run_id, "schedule", false),
            Started::ByHand(ByHand { dry_run }) => (run_id::random(WAY, entropy), "invocation", dry_run),
        };
        let request = AuditRequest { run_id, delivery: delivery.to_owned(), whom: Whom::Everybody };
        Ok(Self { request, dry_run })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(event: Value) -> Result<Event, String> {
        Event::read(event, &Entropy::seeded(1))
    }

    #[test]
    fn a_schedules_event_is_the_same_run_each_time() {
        let given: Value = serde_json::from_str(include_str!("../../../events/mapping-audit.schedule.json")).unwrap();
        let first = event(given.clone()).unwrap();
        assert_eq!(first, Event::read(given, &Entropy::seeded(2)).unwrap());
        assert!(!first.dry_run && first.request.run_id.starts_with("mapping-audit-"));
    }

    #[test]
    fn by_hand_each_is_a_run_of_its_own() {
        let given: Value = serde_json::from_str(include_str!("../../../events/mapping-audit.dry-run.json")).unwrap();
        assert!(event(given).unwrap().dry_run);
        assert_ne!(event(json!({})), Event::read(json!({}), &Entropy::seeded(2)));
        assert!(event(json!({"people": []})).unwrap_err().contains("unknown field `people`"));
    }
}
