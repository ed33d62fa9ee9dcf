//! Mappings: a CSV in S3 becomes mappings, and the API answers for them, forward and in reverse.

use crosswalk_runs::RunState;
use crosswalk_tests::House;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn dropped_in_looked_up_and_looked_up_in_reverse() {
    let house = House::start().await.unwrap();
    let file = "Username;External_ID;Email;Notes;Building\n\
        zoë x+y@example.org;12345;zoe@example.org;\"two\nlines\";B7\n\
        bob;Ab/c?d#e%f;;;\n";
    let run = house.import("imports/mappings/nemo/staff.csv", file).await.unwrap();
    assert_eq!((run.state, run.counts.created), (RunState::Succeeded, 2), "{run:?}");
    assert_eq!(run.kind, "mappings");

    let (status, mapping) = house.get("/people/ZOË%20x%2By%40example.org/identifiers/nemo").await.unwrap();
    assert_eq!(status, 200, "{mapping}");
    assert_eq!(mapping["external_id"], "12345");
    assert_eq!(mapping["notes"], "two\nlines");
    assert_eq!(mapping["last_verified_at"], json!(null));
    assert_eq!(mapping["stored_by"], format!("{}#2", run.id));

    let (status, reverse) = house.get("/systems/nemo/identifiers?external_id=Ab%2Fc%3Fd%23e%25f").await.unwrap();
    assert_eq!((status, &reverse["username"]), (200, &json!("bob")));

    // The same rows again: verified, and an empty cell keeps what is stored.
    let again = "username,external_id,email\nzoë x+y@example.org,12345,\nbob,Ab/c?d#e%f,bob@example.org\n";
    let run = house.import("imports/mappings/nemo/again.csv", again).await.unwrap();
    assert_eq!((run.counts.verified, run.counts.updated), (1, 1), "{run:?}");
    let (_, mapping) = house.get("/people/zoë x+y@example.org/identifiers/nemo").await.unwrap();
    assert_eq!(mapping["email"], "zoe@example.org");
    assert_ne!(mapping["last_verified_at"], json!(null));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_rows_that_claim_one_id_the_first_wins() {
    let house = House::start().await.unwrap();
    let file = "username,external_id\nann,7\nben,7\ncarl,8\nann,9\ndora,7\n";
    let run = house.import("imports/mappings/cdcs/clash.csv", file).await.unwrap();
    // ann takes 7, ben's claim fails, ann moves on to 9, and then 7 is free for dora: file order decides.
    let counts = run.counts;
    assert_eq!((counts.created, counts.updated, counts.conflict), (3, 1, 1), "{run:?}");
    let failed = house.report(run.reports.failed.as_ref()).await.unwrap();
    assert_eq!((failed[0].line, failed[0].outcome.as_str()), (3, "conflict"));
    assert!(failed[0].reason.contains("ann"), "{failed:?}");
    let (_, owner) = house.get("/systems/cdcs/identifiers?external_id=7").await.unwrap();
    assert_eq!(owner["username"], "dora");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_system_or_prefix_is_a_failed_run_that_names_the_known_ones() {
    let house = House::start().await.unwrap();
    let run = house.import("imports/mappings/nemmo/a.csv", "username,external_id\na,1\n").await.unwrap();
    assert_eq!(run.state, RunState::Failed);
    assert!(run.reasons[0].reason.contains("labarchives_eln"), "{run:?}");
    let run = house.import("imports/people/a.csv", "username,external_id\na,1\n").await.unwrap();
    assert_eq!(run.state, RunState::Failed);
    assert!(run.reasons[0].reason.contains("imports/leave-admins/"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn files_that_cannot_be_read_say_how_to_save_them() {
    let house = House::start().await.unwrap();
    let utf16: Vec<u8> = "\u{feff}username,external_id\na,1\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let latin1 = b"username,external_id\nzo\xeb,1\n".to_vec();
    for (name, body) in [("utf16", utf16), ("latin1", latin1)] {
        let run = house.import(&format!("imports/mappings/nemo/{name}.csv"), body).await.unwrap();
        assert!(run.reasons.iter().any(|reason| reason.reason.contains("UTF-8")), "{name}: {run:?}");
        assert_ne!(run.state, RunState::Succeeded);
    }
    let run = house.import("imports/mappings/nemo/header-only.csv", "username,external_id\n").await.unwrap();
    assert_eq!(run.counts.read, 0);
    assert_ne!(run.state, RunState::Running);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_life_of_a_mapping_through_the_api() {
    use reqwest::Method;
    let house = House::start().await.unwrap();
    let put = |id: &'static str| Some(json!({ "external_id": id }));
    let (status, _) = house.ask(Method::PUT, "/people/ann/identifiers/nemo", put("1")).await.unwrap();
    assert_eq!(status, 201);
    let (status, _) = house.ask(Method::PUT, "/people/ann/identifiers/nemo", put("1")).await.unwrap();
    assert_eq!(status, 200);
    let (status, problem) = house.ask(Method::PUT, "/people/ben/identifiers/nemo", put("1")).await.unwrap();
    assert_eq!((status, &problem["owner"]), (409, &json!("ann")));
    house.ask(Method::PUT, "/people/ben/identifiers/nemo", put("2")).await.unwrap();
    let swap = Some(json!({ "a": "ann", "b": "ben" }));
    let (status, _) = house.ask(Method::POST, "/systems/nemo/swaps", swap).await.unwrap();
    assert_eq!(status, 200);
    let (_, owner) = house.get("/systems/nemo/identifiers?external_id=1").await.unwrap();
    assert_eq!(owner["username"], "ben");
    let moved = Some(json!({ "external_id": "1", "from": "ben", "to": "carl" }));
    let (status, _) = house.ask(Method::POST, "/systems/nemo/moves", moved).await.unwrap();
    assert_eq!(status, 200);
    let (status, _) = house.get("/people/ben/identifiers/nemo").await.unwrap();
    assert_eq!(status, 404);
    let (_, page) = house.get("/systems/nemo/identifiers?limit=10").await.unwrap();
    assert_eq!(page["items"].as_array().unwrap().len(), 2, "{page}");
    let (status, _) = house.ask(Method::DELETE, "/people/carl/identifiers/nemo", None).await.unwrap();
    assert_eq!(status, 204);
    let (status, _) = house.get("/systems/nemo/identifiers?external_id=1").await.unwrap();
    assert_eq!(status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_that_are_passed_on_down_a_file_reach_their_new_owners() {
    const PEOPLE: usize = 300;
    let house = House::start().await.unwrap();
    let mut before = String::from("username,external_id\n");
    let mut after = String::from("username,external_id\nperson0,fresh\n");
    for n in 0..PEOPLE {
        before.push_str(&format!("person{n},{n}\n"));
        if n > 0 {
            // Each takes the id that the row above has just given up.
            after.push_str(&format!("person{n},{}\n", n - 1));
        }
    }
    let run = house.import("imports/mappings/cdcs/before.csv", before).await.unwrap();
    assert_eq!(run.counts.created, PEOPLE as u64, "{run:?}");
    let run = house.import("imports/mappings/cdcs/after.csv", after).await.unwrap();
    assert_eq!(run.counts.updated, PEOPLE as u64, "{run:?}");
    let (_, owner) = house.get("/systems/cdcs/identifiers?external_id=298").await.unwrap();
    assert_eq!(owner["username"], "person299");
}
