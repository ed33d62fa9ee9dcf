//! A sync that is longer than an invocation goes on in the next one, as one run.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use crosswalk_directory_sync::handler::{self, Again};
use crosswalk_function_kit::{Deadline, Entropy};
use serde_json::{Value, json};

use crate::bed::{Bed, many, refs};

/// Keeps what it was to invoke.
#[derive(Default)]
struct Kept(Mutex<Vec<Value>>);

#[async_trait]
impl Again for Kept {
    async fn invoke(&self, event: &Value) -> Result<(), String> {
        self.0.lock().unwrap().push(event.clone());
        Ok(())
    }
}

#[tokio::test]
async fn a_run_goes_on_in_legs_until_all_is_done() {
    let bed = Bed::with_people(&refs(&many(0, 250))).await.with("CROSSWALK_COGNITO_USER_CREATION_RPS", "60");
    let (syncer, again) = (bed.syncer(), Kept::default());
    let mut event: Value = serde_json::from_str(include_str!("../../../events/directory-sync.schedule.json")).unwrap();
    let mut legs = Vec::new();
    loop {
        // Of which 20 seconds are kept for what comes last.
        let deadline = Deadline::within(Duration::from_millis(21_500));
        let answer = handler::handle(&syncer, event, &Entropy::system(), deadline, &again).await.unwrap();
        legs.push(answer["run"].clone());
        match again.0.lock().unwrap().pop() {
            Some(next) => event = next,
            None => break,
        }
        assert!(legs.len() < 10, "{legs:?}");
    }
    assert!(legs.len() > 1, "it was to take more than one");
    let (last, earlier) = legs.split_last().unwrap();
    for leg in earlier {
        assert_eq!((&leg["state"], &leg["continues"], &leg["id"]), (&json!("partly"), &json!(true), &last["id"]));
    }
    assert_eq!((&last["state"], &last["continues"]), (&json!("succeeded"), &Value::Null));
    assert_eq!((&last["counts"]["created"], &last["counts"]["read"]), (&json!(250), &json!(250)), "of all legs");
    assert_eq!(last["started_at"], legs[0]["started_at"]);
    assert_eq!(bed.accounts().await.len(), 250);
}
