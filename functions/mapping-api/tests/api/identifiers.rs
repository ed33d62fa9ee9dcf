//! A person's mappings and a system's.

use crate::world::{NOW, ODD, World, ask, mapping, system, username};
use axum::http::StatusCode;
use serde_json::{Value, json};

const CAROL: &str = "/people/carol@example.org/identifiers/nemo";

#[tokio::test]
async fn put_creates_verifies_and_updates() {
    let world = World::empty().await;
    let router = world.router("none");
    let put = async |body: Value| ask(&router, "PUT", CAROL, Some(body)).await;

    let created = put(json!({"external_id": "1", "email": "Carol@example.org", "notes": "x"})).await;
    assert_eq!(created.status, 201, "{created:?}");
    assert_eq!(created.header("location"), "/people/carol%40example.org/identifiers/nemo");
    assert_eq!(
        created.body,
        json!({
            "username": "carol@example.org", "system": "nemo", "external_id": "1", "email": "Carol@example.org",
            "created_at": NOW, "last_verified_at": null, "last_seen": null, "notes": "x",
            "stored_by": created.header("x-request-id"),
        })
    );
    let location = created.header("location");
    assert_eq!(ask(&router, "GET", location, None).await.ok(), &created.body);

    let verified = put(json!({"external_id": "1"})).await;
    assert_eq!(verified.ok()["last_verified_at"], NOW);
    assert_eq!((&verified.body["email"], &verified.body["notes"]), (&json!("Carol@example.org"), &json!("x")));

    let updated = put(json!({"external_id": "2", "email": null})).await;
    assert_eq!(updated.ok()["external_id"], "2");
    assert_eq!((&updated.body["email"], &updated.body["notes"]), (&json!(null), &json!("x")));
    assert_eq!(updated.body["stored_by"], updated.header("x-request-id"));

    let cleared = put(json!({"external_id": "2", "notes": null})).await;
    assert_eq!(cleared.ok()["notes"], json!(null));
    assert_eq!(ask(&router, "GET", CAROL, None).await.ok(), &cleared.body);
    ask(&router, "GET", "/systems/nemo/identifiers?external_id=1", None).await.problem(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_path_of_an_odd_username_is_encoded() {
    let world = World::empty().await;
    let router = world.router("none");
    let path = "/people/zo%C3%AB%20x%2By%40example.org/identifiers/nemo";
    let created = ask(&router, "PUT", path, Some(json!({"external_id": "1"}))).await;
    assert_eq!((created.status, created.header("location")), (201, path));
    assert_eq!(created.body["username"], ODD);
}

#[tokio::test]
async fn a_taken_external_id_is_a_conflict_that_names_the_owner() {
    let world = World::peopled().await;
    let router = world.router("none");
    let answer = ask(&router, "PUT", CAROL, Some(json!({"external_id": "1001"}))).await;
    assert!(answer.problem(StatusCode::CONFLICT).contains("belongs to `owner`"));
    assert_eq!(answer.body["owner"], "alice@example.org");
    ask(&router, "GET", CAROL, None).await.problem(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn put_refuses_what_it_cannot_read() {
    let world = World::empty().await;
    let router = world.router("none");
    for (body, words) in [
        (json!({"external_id": 7}), "at `external_id`"),
        (json!({"external_id": ""}), "the external id is empty"),
        (json!({"external_id": "x".repeat(1025)}), "at most 1024"),
        (json!({"external_id": "1", "mail": "c@example.org"}), "unknown field `mail`"),
        (json!({"external_id": "1", "email": "carol"}), "at `email`"),
        (json!({"external_id": "1", "notes": " "}), "send null to clear it"),
        (json!({"notes": "x"}), "missing field `external_id`"),
        (json!(["1"]), "the body is an array"),
        (json!({"external_id": "1", "notes": "x".repeat(4097)}), "at most 4096 are allowed"),
    ] {
        let answer = ask(&router, "PUT", CAROL, Some(body)).await;
        assert!(answer.problem(StatusCode::BAD_REQUEST).contains(words), "{answer:?}");
    }
    let answer = ask(&router, "PUT", CAROL, Some(json!({"external_id": "1", "notes": "x".repeat(65 * 1024)}))).await;
    assert!(answer.problem(StatusCode::PAYLOAD_TOO_LARGE).contains("over 64 KiB"));
    assert_eq!(world.store().list(&username("carol@example.org")).await.unwrap(), []);
}

#[tokio::test]
async fn an_unknown_system_is_not_found_and_the_known_ones_are_named() {
    let world = World::peopled().await;
    let router = world.router("none");
    for (method, path, body) in [
        ("GET", "/people/alice@example.org/identifiers/nmeo", None),
        ("PUT", "/people/alice@example.org/identifiers/NEMO", Some(json!({"external_id": "1"}))),
        ("DELETE", "/people/alice@example.org/identifiers/nmeo", None),
        ("GET", "/systems/nmeo/identifiers", None),
        ("POST", "/systems/nmeo/moves", Some(json!({"external_id": "1", "from": "a", "to": "b"}))),
        ("POST", "/systems/nmeo/swaps", Some(json!({"a": "a", "b": "b"}))),
    ] {
        let answer = ask(&router, method, path, body).await;
        let detail = answer.problem(StatusCode::NOT_FOUND);
        assert!(
            detail.contains("known are cdcs, labarchives_eln, labarchives_scheduler, nemo, sharepoint"),
            "{detail}"
        );
    }
}

#[tokio::test]
async fn delete_frees_the_external_id() {
    let world = World::peopled().await;
    let router = world.router("none");
    let path = "/people/dora@example.org/identifiers/nemo";
    let deleted = ask(&router, "DELETE", path, None).await;
    assert_eq!((deleted.status, &deleted.body), (204, &Value::Null));
    ask(&router, "DELETE", path, None).await.problem(StatusCode::NOT_FOUND);
    ask(&router, "GET", path, None).await.problem(StatusCode::NOT_FOUND);
    let put = ask(&router, "PUT", CAROL, Some(json!({"external_id": "4001"}))).await;
    assert_eq!(put.status, 201, "{put:?}");
}

#[tokio::test]
async fn a_person_s_mappings_are_listed() {
    let world = World::peopled().await;
    let router = world.router("none");
    let answer = ask(&router, "GET", "/people/alice@example.org/identifiers", None).await;
    assert_eq!(
        answer.ok(),
        &json!({"items": [
            mapping("alice@example.org", "labarchives_eln", "a/b?1"),
            mapping("alice@example.org", "nemo", "1001"),
        ]})
    );
    let answer = ask(&router, "GET", "/people/nobody/identifiers", None).await;
    assert_eq!(answer.ok(), &json!({"items": []}));
}

#[tokio::test]
async fn an_external_id_finds_its_mapping() {
    let world = World::peopled().await;
    world.map("ivy@example.org", "cdcs", "a+b c&d=\u{e9}#%").await;
    let router = world.router("none");
    for (path, expected) in [
        (
            "/systems/labarchives_eln/identifiers?external_id=a%2Fb%3F1",
            mapping("alice@example.org", "labarchives_eln", "a/b?1"),
        ),
        (
            "/systems/cdcs/identifiers?external_id=a%2Bb+c%26d%3D%C3%A9%23%25",
            mapping("ivy@example.org", "cdcs", "a+b c&d=\u{e9}#%"),
        ),
    ] {
        assert_eq!(ask(&router, "GET", path, None).await.ok(), &expected);
    }
    // Ids are exact, and one system's are not another's.
    for path in
        ["/systems/labarchives_eln/identifiers?external_id=A%2Fb%3F1", "/systems/cdcs/identifiers?external_id=1001"]
    {
        let answer = ask(&router, "GET", path, None).await;
        assert_eq!(answer.problem(StatusCode::NOT_FOUND), "nobody holds this external id in this system");
    }
}

#[tokio::test]
async fn a_system_s_mappings_come_page_by_page() {
    let world = World::empty().await;
    for index in 0..25 {
        world.map(&format!("person{index}@example.org"), "nemo", &format!("id{index}")).await;
    }
    world.map("person1@example.org", "cdcs", "id1").await;
    let router = world.router("none");
    let (mut ids, mut cursor, mut pages) = (Vec::new(), None::<String>, 0);
    loop {
        let after = cursor.map_or_else(String::new, |cursor| {
            format!("&cursor={}", percent_encoding::utf8_percent_encode(&cursor, percent_encoding::NON_ALPHANUMERIC))
        });
        let answer = ask(&router, "GET", &format!("/systems/nemo/identifiers?limit=7{after}"), None).await;
        let page = answer.ok();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 7);
        ids.extend(items.iter().map(|item| item["external_id"].as_str().unwrap().to_owned()));
        pages += 1;
        assert!(pages < 50, "the listing has no end");
        cursor = page["next_cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            break;
        }
    }
    ids.sort();
    let mut expected: Vec<_> = (0..25).map(|index| format!("id{index}")).collect();
    expected.sort();
    assert_eq!(ids, expected);
    let all = ask(&router, "GET", "/systems/nemo/identifiers", None).await;
    assert_eq!((all.ok()["items"].as_array().unwrap().len(), &all.body["next_cursor"]), (25, &Value::Null));
}

#[tokio::test]
async fn a_listing_refuses_what_it_cannot_read() {
    let world = World::peopled().await;
    let router = world.router("none");
    for (query, words) in [
        ("limit=0", "from 1 to 1000"),
        ("limit=1001", "from 1 to 1000"),
        ("limit=many", "from 1 to 1000"),
        ("limit=1&limit=2", "given twice"),
        ("cursor=nonsense", "send `next_cursor` of the page before"),
        ("cursor=", "send `next_cursor` of the page before"),
        ("external_id=1001&limit=5", "not both"),
        ("external_id=1001&cursor=x", "not both"),
        ("external_id=", "the external id is empty"),
        ("external-id=1001", "known are `external_id`, `cursor`, `limit`"),
    ] {
        let answer = ask(&router, "GET", &format!("/systems/nemo/identifiers?{query}"), None).await;
        assert!(answer.problem(StatusCode::BAD_REQUEST).contains(words), "{query}: {answer:?}");
    }
}

#[tokio::test]
async fn a_move_passes_the_id_on() {
    let world = World::peopled().await;
    let router = world.router("none");
    let moved = |from: &str, to: &str| json!({"external_id": "5001", "from": from, "to": to});
    let post = async |body: Value| ask(&router, "POST", "/systems/nemo/moves", Some(body)).await;

    let answer = post(moved("erin@example.org", "frank@example.org")).await;
    let items = answer.ok()["items"].as_array().unwrap();
    assert_eq!(items.len(), 1, "{items:?}");
    assert_eq!((&items[0]["username"], &items[0]["external_id"]), (&json!("frank@example.org"), &json!("5001")));
    assert_eq!(items[0]["stored_by"], answer.header("x-request-id"));
    ask(&router, "GET", "/people/erin@example.org/identifiers/nemo", None).await.problem(StatusCode::NOT_FOUND);

    let answer = post(moved("erin@example.org", "frank@example.org")).await;
    assert!(answer.problem(StatusCode::CONFLICT).contains("holds this external id already"));

    let answer = post(moved("erin@example.org", "ivy@example.org")).await;
    assert!(answer.problem(StatusCode::CONFLICT).contains("`from` does not hold"));
    assert_eq!(answer.body["owner"], "frank@example.org");
    let answer = post(moved("frank@example.org", "Gina@example.org")).await;
    assert!(answer.problem(StatusCode::CONFLICT).contains("`to` has another"));
    assert_eq!(answer.body["owner"].as_str().unwrap().to_lowercase(), "gina@example.org");

    let answer = post(json!({"external_id": "9999", "from": "a", "to": "b"})).await;
    assert_eq!(answer.problem(StatusCode::NOT_FOUND), "nobody holds this external id in this system");
    for (body, words) in [
        (moved("frank@example.org", "FRANK@example.org"), "the same person"),
        (moved("a/b", "c"), "at `from`"),
        (json!({"external_id": "1", "from": "a"}), "missing field `to`"),
        (json!({"external_id": "1", "from": "a", "to": "b", "force": true}), "unknown field `force`"),
    ] {
        let answer = post(body).await;
        assert!(answer.problem(StatusCode::BAD_REQUEST).contains(words), "{answer:?}");
    }
}

#[tokio::test]
async fn a_swap_exchanges_two_ids() {
    let world = World::peopled().await;
    let router = world.router("none");
    let post =
        async |a: &str, b: &str| ask(&router, "POST", "/systems/nemo/swaps", Some(json!({"a": a, "b": b}))).await;

    let answer = post("gina@example.org", "hank@example.org").await;
    let items = answer.ok()["items"].as_array().unwrap();
    let mut pairs: Vec<_> =
        items.iter().map(|item| (item["username"].as_str(), item["external_id"].as_str())).collect();
    pairs.sort_unstable();
    assert_eq!(pairs, [(Some("gina@example.org"), Some("7001")), (Some("hank@example.org"), Some("6001"))]);
    let stored = world.store().get(&username("gina@example.org"), &system("nemo")).await.unwrap().unwrap();
    assert_eq!(stored.external_id.as_str(), "7001");

    let answer = post("gina@example.org", "nobody").await;
    assert!(answer.problem(StatusCode::NOT_FOUND).contains("one of the two"));
    let answer = post("gina@example.org", " GINA@example.org").await;
    assert!(answer.problem(StatusCode::BAD_REQUEST).contains("the same person"));
}
