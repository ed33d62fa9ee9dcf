//! The events in `events/`, through Lambda's handler.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crosswalk_function_kit::Entropy;
use crosswalk_labarchives_registration::handle;
use lambda_http::{Context, LambdaEvent};
use serde_json::Value;

use crate::world::World;

/// Each event with the status that it gets, in this order, where the link of `show` and `begin` is known.
const EVENTS: &[(&str, u16)] = &[
    ("begin", 303),
    ("callback", 200),
    ("invite", 201),
    ("invite-without-claims", 401),
    ("invite-without-person", 403),
    ("show", 200),
    ("style", 200),
];

fn events() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events")
}

async fn invoke(world: &World, case: &str) -> Value {
    let path = events().join(format!("labarchives-registration.{case}.json"));
    let event: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut context = Context::default();
    context.request_id = format!("request-{case}");
    let event = LambdaEvent::new(serde_json::from_value(event).unwrap(), context);
    serde_json::to_value(handle(world.router.clone(), event).await.unwrap()).unwrap()
}

#[tokio::test]
async fn every_event_is_answered() {
    let listed: BTreeSet<_> = EVENTS.iter().map(|(case, _)| format!("labarchives-registration.{case}.json")).collect();
    let names = std::fs::read_dir(events()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let found: BTreeSet<_> = names.filter(|name| name.starts_with("labarchives-registration.")).collect();
    assert_eq!(found, listed);

    // Of these, the events' link and state are drawn first.
    let world = World::start_with(Entropy::seeded(8)).await;
    let token = world.invite_with("zoe", "labarchives_eln", Entropy::seeded(7)).await;
    for (case, status) in EVENTS {
        let answer = invoke(&world, case).await;
        assert_eq!(answer["statusCode"], *status, "{case}: the link is {}: {answer}", token.expose());
        assert_eq!(answer["isBase64Encoded"], false);
        assert_eq!(answer["headers"]["x-request-id"], format!("request-{case}"));
        let cookies = answer["cookies"].as_array().map_or(0, Vec::len);
        assert_eq!(cookies, usize::from(matches!(*case, "begin" | "callback")), "{answer}");
    }
    let callback = invoke(&world, "callback").await;
    assert!(callback["body"].as_str().unwrap().contains("<h1>Nothing was linked"), "{callback}");
}
