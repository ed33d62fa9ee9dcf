//! The harvest of a real NEMO, which `tests/peers/nemo/run` starts and fills. What is expected is taken from what NEMO itself
//! gives unpaged, in a way of its own.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use crosswalk_function_kit::secrets::Secrets;
use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Deadline, Entropy};
use crosswalk_identifier_store::{IdentifierStore, Table};
use crosswalk_identity::{Mapping, System};
use crosswalk_local_aws::testbed::Testbed;
use crosswalk_nemo_harvest::event::WAY;
use crosswalk_nemo_harvest::{HarvestRequest, HarvestSettings, Harvester, Ran};
use crosswalk_runs::{Place, RunRecord, RunState, run_id};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

/// What the peer's script has set.
fn told(name: &str) -> String {
    let environment = Environment::of_process();
    environment.get(name).unwrap_or_else(|| panic!("{name} is not set: run tests/peers/run nemo")).to_owned()
}

fn url() -> String {
    told("CROSSWALK_TEST_NEMO")
}

/// The token of READER, USERS, NOBODY or ADMIN.
fn token(of: &str) -> String {
    let tokens = std::fs::read_to_string(told("CROSSWALK_TEST_NEMO_TOKENS")).unwrap();
    tokens.lines().find_map(|line| line.strip_prefix(&format!("{of}="))).unwrap().to_owned()
}

/// Asks NEMO, without the harvest's client.
async fn ask(method: Method, token_of: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = client.request(method, format!("{}{path}", url()));
    let request = request.header("authorization", format!("Token {}", token(token_of)));
    let request = match body {
        Some(body) => request.json(&body),
        None => request,
    };
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn change(path: &str, body: Value) {
    let (status, answer) = ask(Method::PATCH, "ADMIN", path, Some(body)).await;
    assert_eq!(status, 200, "{answer}");
}

async fn listed(path: &str) -> Vec<Value> {
    let (status, answer) = ask(Method::GET, "READER", path, None).await;
    assert_eq!(status, 200, "{answer}");
    answer.as_array().unwrap().clone()
}

struct Bed {
    aws: Testbed,
}

impl Bed {
    async fn harvest(&self, settings: &[(&str, &str)]) -> RunRecord {
        let (url, token) = (url(), token("READER"));
        let names = &self.aws.names;
        let environment = Environment::from_iter([
            ("NEMO_URL", url.as_str()),
            ("NEMO_TOKEN", &token),
            ("NEMO_PAGE_SIZE", "100"),
            ("NEMO_LOOK_BACK_DAYS", "200"),
            ("CROSSWALK_TABLE", &names.table),
            ("CROSSWALK_BUCKET", &names.bucket),
        ]);
        let environment = settings.iter().fold(environment, |environment, (name, value)| environment.with(name, value));
        let settings = HarvestSettings::from_env(&environment).unwrap();
        let (config, clock, entropy) = (&self.aws.config, Clock::system(), Entropy::system());
        let place = Place::new(&settings.kept, config, &clock, &entropy);
        let request = HarvestRequest { run_id: run_id::random(WAY, &entropy), delivery: "test".to_owned() };
        let harvester = Harvester::new(settings, place, config, Secrets::new(config), clock, entropy).unwrap();
        match harvester.harvest(&request, Deadline::NONE, &|_| {}).await.unwrap() {
            Ran::Ended(record) => record,
            Ran::Busy { run, .. } => panic!("the run {run} is under way"),
        }
    }

    /// By NEMO's ids.
    async fn mappings(&self) -> BTreeMap<u64, Mapping> {
        let table = Table::new(aws_sdk_dynamodb::Client::new(&self.aws.config), &self.aws.names.table);
        let store = IdentifierStore::new(table, Clock::system(), Entropy::system());
        let (system, mut cursor, mut all) = (System::parse("nemo").unwrap(), None, BTreeMap::new());
        loop {
            let page = store.list_system(&system, cursor.as_deref(), 1_000).await.unwrap();
            all.extend(page.items.into_iter().map(|mapping| (mapping.external_id.as_str().parse().unwrap(), mapping)));
            cursor = page.next_cursor;
            if cursor.is_none() {
                return all;
            }
        }
    }
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap()
}

/// One test, as all of it changes the one NEMO.
#[tokio::test]
async fn a_real_nemo_is_harvested() {
    let bed = Bed { aws: Testbed::start().await };

    // What NEMO refuses is told, and nothing is stored.
    for (of, told) in [("NOBODY", "the permission NEMO.view_user"), ("USERS", "the permission NEMO.view_usageevent")] {
        let record = bed.harvest(&[("NEMO_TOKEN", &token(of))]).await;
        assert_eq!(record.state, RunState::Failed);
        assert!(record.reasons[0].reason.contains(told), "{:?}", record.reasons);
    }
    let record = bed.harvest(&[("NEMO_TOKEN", "hunter2")]).await;
    assert!(record.reasons[0].reason.contains("does not take the token (401)"), "{:?}", record.reasons);
    assert!(bed.mappings().await.is_empty());

    // Everybody but the inactive ones and the two whose names differ in case alone.
    let users = listed("/api/users/").await;
    let (active, inactive): (Vec<&Value>, Vec<&Value>) =
        users.iter().partition(|user| user["is_active"] == json!(true));
    let expected: BTreeMap<u64, String> = active
        .iter()
        .map(|user| (number(&user["id"]), user["username"].as_str().unwrap().to_owned()))
        .filter(|(_, name)| name.to_lowercase() != "twin")
        .collect();
    assert_eq!((expected.len(), inactive.len()), (1_004, 150));
    let record = bed.harvest(&[]).await;
    let counts = record.parts["mappings"];
    assert_eq!((counts.created, counts.skipped, counts.conflict, counts.read), (1_004, 150, 2, 1_156));
    let stored = bed.mappings().await;
    let names: BTreeMap<u64, String> =
        stored.iter().map(|(id, mapping)| (*id, mapping.username.as_str().to_owned())).collect();
    assert_eq!(names, expected);

    // Each was last seen when their latest use began.
    let mut latest = BTreeMap::<u64, Timestamp>::new();
    let since = Timestamp::from_second(record.started_at.as_second() - 200 * 24 * 3_600).unwrap();
    for event in listed("/api/usage_events/").await {
        let start: Timestamp = event["start"].as_str().unwrap().parse().unwrap();
        for id in [number(&event["user"]), number(&event["operator"])] {
            if start >= since {
                let seen = latest.entry(id).or_insert(start);
                *seen = (*seen).max(start);
            }
        }
    }
    let milliseconds = |time: Timestamp| time.round(jiff::Unit::Millisecond).unwrap().as_millisecond();
    assert!(latest.len() > 300 && latest.len() < expected.len(), "{}", latest.len());
    for (id, mapping) in &stored {
        let (seen, expected) = (mapping.last_seen, latest.get(id));
        // Texts of times end in three digits; those of NEMO in six.
        let apart = seen.zip(expected).map(|(seen, expected)| (milliseconds(seen) - milliseconds(*expected)).abs());
        assert!(seen.is_some() == expected.is_some() && apart.unwrap_or(0) <= 1, "{id}: {seen:?}, {expected:?}");
    }
    println!(
        "first run: {} mappings, {} seen, {} requests",
        stored.len(),
        latest.len(),
        record.traffic["nemo"].requests
    );

    // Nothing differs; then one is renamed, two change places, one gets another address and one a new use.
    assert_eq!(bed.harvest(&[]).await.parts["mappings"].unchanged, 1_004);
    let ids: Vec<u64> = expected.keys().copied().filter(|id| !latest.contains_key(id)).take(5).collect();
    change(&format!("/api/users/{}/", ids[0]), json!({"username": "renamed"})).await;
    let (one, other) = (&expected[&ids[1]], &expected[&ids[2]]);
    change(&format!("/api/users/{}/", ids[1]), json!({"username": "meanwhile"})).await;
    change(&format!("/api/users/{}/", ids[2]), json!({"username": one})).await;
    change(&format!("/api/users/{}/", ids[1]), json!({"username": other})).await;
    change(&format!("/api/users/{}/", ids[3]), json!({"email": "new@example.org"})).await;
    let now = Clock::system().now();
    let event = json!({"start": now.to_string(), "end": now.to_string(), "user": ids[4], "operator": ids[4], "has_ended": 99_999});
    change("/api/usage_events/2/", event).await;
    let record = bed.harvest(&[]).await;
    let counts = record.parts["mappings"];
    assert_eq!((counts.conflict, counts.updated, counts.unchanged), (5, 1, 1_000));
    let after = bed.mappings().await;
    let names: BTreeMap<u64, String> =
        after.iter().map(|(id, mapping)| (*id, mapping.username.as_str().to_owned())).collect();
    assert_eq!(names, expected, "no id has moved");
    assert!(after[&ids[4]].last_seen.is_some());
}
