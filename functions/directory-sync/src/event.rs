//! What starts a run: a schedule, a person by hand, or the leg of the run before this one.

use crosswalk_function_kit::Entropy;
use crosswalk_runs::event::{self, Expected, Started};
use crosswalk_runs::run_id;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::sync::SyncRequest;

/// The name of this way: in runs' ids, kinds and turns.
pub const WAY: &str = "directory-sync";

/// The most legs of a run: a sync that needs more does not come to an end. Lambda itself stops a function that calls itself
/// so often (recursive loop detection: about 16 times).
pub const MOST_LEGS: u32 = 15;

/// An event, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What to do.
    pub request: SyncRequest,
    /// Plan only.
    pub dry_run: bool,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct ByHand {
    dry_run: bool,
    allow_removals: bool,
    plan_hash: Option<String>,
    leg: Option<Leg>,
}

/// The run goes on here: what the function sends to itself.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Leg {
    run: String,
    number: u32,
}

const EXPECTED: Expected = Expected {
    way: WAY,
    by_hand: "{\"dry_run\", \"allow_removals\", \"plan_hash\"}",
    never_scheduled: &[
        ("allow_removals", "invoke the function once by hand with {\"allow_removals\": true}"),
        ("plan_hash", "a plan is another one each time"),
    ],
};

impl Event {
    /// Reads an event. A schedule's run is known by schedule and time, so a repeated delivery is the same run; one by hand
    /// is a new run each time; a further leg belongs to the run that it names.
    ///
    /// # Errors
    /// What is wrong with it, and what is allowed.
    pub fn read(event: Value, entropy: &Entropy) -> Result<Self, String> {
        let (run_id, delivery, by_hand) = match event::read::<ByHand>(&EXPECTED, event)? {
            Started::Schedule { run_id } => (run_id, "schedule".to_owned(), ByHand::default()),
            Started::ByHand(by_hand) => match by_hand.leg {
                None => (run_id::random(WAY, entropy), "invocation".to_owned(), by_hand),
                Some(Leg { number, .. }) if !(2..=MOST_LEGS).contains(&number) => {
                    return Err(format!("the event does not read at `leg`: a leg's number is 2 to {MOST_LEGS}"));
                }
                Some(Leg { ref run, number }) => (run.clone(), format!("leg {number}"), by_hand),
            },
        };
        let ByHand { dry_run, allow_removals, plan_hash, leg } = by_hand;
        let leg = leg.map_or(1, |leg| leg.number);
        Ok(Self { request: SyncRequest { run_id, delivery, leg, allow_removals, plan_hash }, dry_run })
    }
}

/// The event of the leg after this request's; none if there were too many. What was let through once stays so for the
/// whole run; the plan was looked at by its first leg.
pub fn next_leg(request: &SyncRequest) -> Option<Value> {
    let number = request.leg + 1;
    let leg = Leg { run: request.run_id.clone(), number };
    (number <= MOST_LEGS).then(|| json!({ "leg": leg, "allow_removals": request.allow_removals }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(event: Value) -> Result<Event, String> {
        Event::read(event, &Entropy::seeded(1))
    }

    #[test]
    fn a_schedules_event_is_the_same_run_each_time() {
        let given: Value = serde_json::from_str(include_str!("../../../events/directory-sync.schedule.json")).unwrap();
        let first = event(given.clone()).unwrap();
        assert_eq!(first, Event::read(given, &Entropy::seeded(2)).unwrap());
        assert!(!first.dry_run && !first.request.allow_removals && first.request.leg == 1);
    }

    #[test]
    fn by_hand_a_plan_may_be_named() {
        let given: Value = serde_json::from_str(include_str!("../../../events/directory-sync.dry-run.json")).unwrap();
        assert!(event(given).unwrap().dry_run);
        let named = event(json!({"plan_hash": "0011223344556677", "allow_removals": true})).unwrap().request;
        assert_eq!((named.plan_hash.as_deref(), named.allow_removals), (Some("0011223344556677"), true));
    }

    #[test]
    fn a_leg_belongs_to_its_run() {
        let request = event(json!({"allow_removals": true, "plan_hash": "x"})).unwrap().request;
        let second = event(next_leg(&request).unwrap()).unwrap().request;
        assert_eq!((&second.run_id, second.leg, second.delivery.as_str()), (&request.run_id, 2, "leg 2"));
        assert!(second.allow_removals && second.plan_hash.is_none());
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let scheduled = read(include_str!("../../../events/directory-sync.schedule.json"));
        let leg = read(include_str!("../../../events/directory-sync.leg.json"));
        assert_eq!(next_leg(&event(scheduled).unwrap().request), Some(leg));
        let last = SyncRequest { leg: MOST_LEGS, ..request };
        assert_eq!(next_leg(&last), None);
        for number in [0, 1, MOST_LEGS + 1] {
            assert!(event(json!({"leg": {"run": "r", "number": number}})).unwrap_err().contains("at `leg`"));
        }
    }

    #[test]
    fn what_would_hold_for_every_run_is_refused() {
        for field in ["allow_removals", "plan_hash"] {
            let mut given = json!({"schedule": "s", "scheduled_at": "2026-11-22T02:00:00Z"});
            given[field] = json!(true);
            assert!(event(given).unwrap_err().contains(field));
        }
    }
}
