//! What starts a run: a schedule, or a person by hand.

use crosswalk_function_kit::Entropy;
use crosswalk_runs::event::{self, Expected, Started};
use crosswalk_runs::run_id;
use serde::Deserialize;
use serde_json::Value;

use crate::export::ExportRequest;
use crate::glean::Mode;

/// The name of this way: in runs' ids, kinds and turns.
pub const WAY: &str = "people-export";

/// An event, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What to do.
    pub request: ExportRequest,
    /// Plan only.
    pub dry_run: bool,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct ByHand {
    mode: Option<Mode>,
    dry_run: bool,
    max_users: Option<usize>,
    allow_removals: bool,
}

impl Event {
    /// Reads an event. A schedule's run is known by schedule and time, so a repeated delivery is the same run; one by hand
    /// is a new run each time.
    ///
    /// # Errors
    /// What is wrong with it, and what is allowed.
    pub fn read(event: Value, entropy: &Entropy) -> Result<Self, String> {
        match event::read(&EXPECTED, event)? {
            Started::Schedule { run_id } => {
                let request = ExportRequest {
                    run_id,
                    delivery: "schedule".to_owned(),
                    mode: None,
                    max_users: None,
                    allow_removals: false,
                };
                Ok(Self { request, dry_run: false })
            }
            Started::ByHand(ByHand { max_users: Some(0), .. }) => {
                Err("the event does not read at `max_users`: it must be at least 1".to_owned())
            }
            Started::ByHand(ByHand { mode, dry_run, max_users, allow_removals }) => {
                let request = ExportRequest {
                    run_id: run_id::random(WAY, entropy),
                    delivery: "invocation".to_owned(),
                    mode,
                    max_users,
                    allow_removals,
                };
                Ok(Self { request, dry_run })
            }
        }
    }
}

const EXPECTED: Expected = Expected {
    way: WAY,
    by_hand: "{\"mode\": \"bulk\" or \"individual\", \"dry_run\", \"max_users\", \"allow_removals\"}",
    never_scheduled: &[("allow_removals", "invoke the function once by hand with {\"allow_removals\": true}")],
};

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(event: Value) -> Result<Event, String> {
        Event::read(event, &Entropy::seeded(1))
    }

    #[test]
    fn a_schedules_event_is_the_same_run_each_time() {
        let given: Value = serde_json::from_str(include_str!("../../../events/people-export.schedule.json")).unwrap();
        let first = event(given.clone()).unwrap();
        assert_eq!(first, Event::read(given.clone(), &Entropy::seeded(2)).unwrap());
        let mut later = given;
        later["scheduled_at"] = json!("2027-01-01T02:00:00Z");
        assert_ne!(event(later).unwrap().request.run_id, first.request.run_id);
        assert!(!first.dry_run && !first.request.allow_removals);
    }

    #[test]
    fn by_hand_anything_may_be_left_out() {
        for empty in [json!(null), json!({})] {
            let event = event(empty).unwrap();
            assert!(!event.dry_run && event.request.mode.is_none() && event.request.max_users.is_none());
        }
        let all =
            event(json!({"mode": "individual", "dry_run": true, "max_users": 3, "allow_removals": true})).unwrap();
        assert_eq!(all.request.mode, Some(Mode::Individual));
        assert!(all.dry_run && all.request.max_users == Some(3) && all.request.allow_removals);
        let dry: Value = serde_json::from_str(include_str!("../../../events/people-export.dry-run.json")).unwrap();
        assert!(event(dry).unwrap().dry_run);
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for (given, told) in [
            (json!({"dryrun": true}), "unknown field `dryrun`"),
            (json!({"mode": "both"}), "at `mode`"),
            (json!({"max_users": -1}), "at `max_users`"),
            (json!({"max_users": 0}), "at least 1"),
            (json!([]), "no JSON object"),
            (json!({"schedule": "s"}), "missing field `scheduled_at`"),
            (json!({"schedule": "s", "scheduled_at": "yesterday"}), "at `scheduled_at`"),
            (
                json!({"schedule": "s", "scheduled_at": "2026-11-22T02:00:00Z", "dry_run": true}),
                "unknown field `dry_run`",
            ),
            (json!({"schedule": "s", "scheduled_at": "2026-11-22T02:00:00Z", "allow_removals": true}), "by hand"),
        ] {
            let refusal = event(given.clone()).unwrap_err();
            assert!(refusal.contains(told), "{given}: {refusal}");
        }
    }
}
