//! What starts a run: a schedule's event, or one by hand.

use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::run_id;

/// An event, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Started<T> {
    /// By a schedule. A repeated delivery is the same run.
    Schedule {
        /// The run's id, made of the schedule and its time.
        run_id: String,
    },
    /// By hand, with what may be asked for.
    ByHand(T),
}

/// What a way's events may hold.
#[derive(Debug, Clone, Copy)]
pub struct Expected {
    /// The name of the way: in runs' ids, kinds and turns.
    pub way: &'static str,
    /// The fields of an event by hand, as a refusal lists them.
    pub by_hand: &'static str,
    /// Fields that would stay on for good in a schedule's event: the name, and what to do instead.
    pub never_scheduled: &'static [(&'static str, &'static str)],
}

/// From the template: EventBridge Scheduler fills in `<aws.scheduler.schedule-arn>` and `<aws.scheduler.scheduled-time>`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scheduled {
    schedule: String,
    scheduled_at: Timestamp,
}

/// Reads an event. A schedule's run is known by schedule and time; one by hand (`{}` and `null` too) is a new run each time.
///
/// # Errors
/// What is wrong with it, and what is allowed.
pub fn read<T: DeserializeOwned>(expected: &Expected, event: Value) -> Result<Started<T>, String> {
    let event = if event.is_null() { Value::Object(serde_json::Map::new()) } else { event };
    let Some(fields) = event.as_object() else {
        return Err(format!("the event is no JSON object; {}", expected.fields()));
    };
    if !fields.contains_key("schedule") && !fields.contains_key("scheduled_at") {
        return Ok(Started::ByHand(expected.typed(event)?));
    }
    for (name, instead) in expected.never_scheduled {
        if fields.contains_key(*name) {
            return Err(format!(
                "{name} cannot stand in a schedule's event, where it would hold for every run; {instead}"
            ));
        }
    }
    let Scheduled { schedule, scheduled_at } = expected.typed(event)?;
    Ok(Started::Schedule { run_id: run_id::for_schedule(expected.way, &schedule, scheduled_at) })
}

impl Expected {
    fn fields(&self) -> String {
        format!("expected {{\"schedule\", \"scheduled_at\"}} from a schedule, or by hand any of {}", self.by_hand)
    }

    fn typed<T: DeserializeOwned>(&self, event: Value) -> Result<T, String> {
        serde_path_to_error::deserialize(event).map_err(|error| match error.path().to_string().as_str() {
            "." => format!("the event does not read: {}; {}", error.inner(), self.fields()),
            path => format!("the event does not read at `{path}`: {}; {}", error.inner(), self.fields()),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const EXPECTED: Expected = Expected {
        way: "some-way",
        by_hand: "{\"dry_run\"}",
        never_scheduled: &[("force", "invoke the function once by hand with {\"force\": true}")],
    };

    #[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    struct ByHand {
        dry_run: bool,
        force: bool,
    }

    fn read(event: Value) -> Result<Started<ByHand>, String> {
        super::read(&EXPECTED, event)
    }

    #[test]
    fn a_schedules_event_is_the_same_run_each_time() {
        let event = json!({"schedule": "arn:aws:scheduler:x", "scheduled_at": "2026-11-22T02:00:00Z"});
        let first = read(event.clone()).unwrap();
        assert!(matches!(&first, Started::Schedule { run_id } if run_id.starts_with("some-way-")), "{first:?}");
        assert_eq!(read(event.clone()).unwrap(), first);
        let mut later = event;
        later["scheduled_at"] = json!("2026-11-23T02:00:00Z");
        assert_ne!(read(later).unwrap(), first);
    }

    #[test]
    fn by_hand_anything_may_be_left_out() {
        for empty in [json!(null), json!({})] {
            assert_eq!(read(empty).unwrap(), Started::ByHand(ByHand::default()));
        }
        assert_eq!(read(json!({"dry_run": true})).unwrap(), Started::ByHand(ByHand { dry_run: true, force: false }));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for (given, told) in [
            (json!([]), "no JSON object"),
            (json!({"dryrun": true}), "unknown field `dryrun`"),
            (json!({"dry_run": "yes"}), "at `dry_run`"),
            (json!({"schedule": "s"}), "missing field `scheduled_at`"),
            (json!({"schedule": "s", "scheduled_at": "yesterday"}), "at `scheduled_at`"),
            (json!({"schedule": "s", "scheduled_at": "2026-11-22T02:00:00Z", "dry_run": true}), "unknown field"),
            (json!({"schedule": "s", "scheduled_at": "2026-11-22T02:00:00Z", "force": true}), "once by hand"),
        ] {
            let refusal = read(given.clone()).unwrap_err();
            assert!(refusal.contains(told), "{given}: {refusal}");
        }
    }
}
