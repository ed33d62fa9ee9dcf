//! People, employers and runs.

use crate::world::{NOW, ODD, RUN, World, ask, mapping};
use axum::http::StatusCode;
use serde_json::json;

#[tokio::test]
async fn a_person_is_shown_with_links_and_mappings() {
    let world = World::peopled().await;
    let router = world.router("none");
    let answer = ask(&router, "GET", "/people/ALICE@example.org", None).await;
    assert_eq!(
        answer.ok(),
        &json!({
            "username": "alice@example.org", "email": "Alice@example.org", "roles": ["EMPLOYER"],
            "links": [{"fein": "042127847", "employer": "Example Bakery", "fineos_web_id": "web-1"}],
            "identifiers": [
                mapping("alice@example.org", "labarchives_eln", "a/b?1"),
                mapping("alice@example.org", "nemo", "1001"),
            ],
        })
    );
}

#[tokio::test]
async fn one_who_only_has_mappings_is_shown_too() {
    let world = World::peopled().await;
    let router = world.router("none");
    let answer = ask(&router, "GET", "/people/ZO%C3%8B%20X%2By@example.org", None).await;
    assert_eq!(
        answer.ok(),
        &json!({
            "username": ODD, "email": null, "roles": [], "links": [],
            "identifiers": [mapping(ODD, "nemo", "2001")],
        })
    );
}

#[tokio::test]
async fn nobody_is_not_found_and_no_username_is_refused() {
    let world = World::empty().await;
    let router = world.router("none");
    let answer = ask(&router, "GET", "/people/nobody", None).await;
    assert_eq!(answer.problem(StatusCode::NOT_FOUND), "nothing is known of this username");
    for (path, words) in [
        ("/people/a%2Fb", "holds `/`"),
        ("/people/a%3Fb/identifiers", "holds `?`"),
        ("/people/%20", "is empty"),
        ("/people/a%00b", "control character U+0000"),
        ("/people/a%FFb", "percent-encoded UTF-8"),
        (&format!("/people/{}", "x".repeat(513)), "at most 512"),
    ] {
        let answer = ask(&router, "GET", path, None).await;
        assert!(answer.problem(StatusCode::BAD_REQUEST).contains(words), "{answer:?}");
    }
}

#[tokio::test]
async fn people_are_found_by_email() {
    let world = World::peopled().await;
    let router = world.router("none");
    let answer = ask(&router, "GET", "/people?email=alice%40EXAMPLE.org", None).await;
    assert_eq!(
        answer.ok(),
        &json!({"items": [{"username": "alice@example.org", "email": "Alice@example.org", "roles": ["EMPLOYER"]}]})
    );
    let answer = ask(&router, "GET", "/people?email=bob%40example.org", None).await;
    assert_eq!(answer.ok(), &json!({"items": []}));
    for (path, words) in [
        ("/people", "send the query parameter `email`"),
        ("/people?email=bob", "not a valid address"),
        ("/people?mail=bob%40example.org", "`mail` is no query parameter here; known are `email`"),
    ] {
        let answer = ask(&router, "GET", path, None).await;
        assert!(answer.problem(StatusCode::BAD_REQUEST).contains(words), "{answer:?}");
    }
}

#[tokio::test]
async fn an_employer_is_shown_with_its_administrators() {
    let world = World::peopled().await;
    let router = world.router("none");
    let employer = json!({
        "fein": "042127847", "name": "Example Bakery", "fineos_employer_id": "E-7",
        "administrators": [
            {"username": "alice@example.org", "email": "Alice@example.org", "fineos_web_id": "web-1"},
        ],
    });
    for path in ["/employers/042127847", "/employers/04-2127847", "/employers/42127847"] {
        assert_eq!(ask(&router, "GET", path, None).await.ok(), &employer);
    }
    ask(&router, "GET", "/employers/042127848", None).await.problem(StatusCode::NOT_FOUND);
    let answer = ask(&router, "GET", "/employers/bakery", None).await;
    assert!(answer.problem(StatusCode::BAD_REQUEST).contains("the FEIN must have 9 digits"));
}

#[tokio::test]
async fn runs_are_shown_one_or_many() {
    let world = World::peopled().await;
    world.run("import-2", "employers").await;
    let router = world.router("none");
    let run = ask(&router, "GET", &format!("/runs/{RUN}"), None).await.ok().clone();
    assert_eq!((&run["id"], &run["state"], &run["counts"]["read"]), (&json!(RUN), &json!("partly"), &json!(2)));
    assert_eq!(run["ended_at"], NOW);
    let ids = async |query: &str| {
        let answer = ask(&router, "GET", &format!("/runs{query}"), None).await;
        let items = answer.ok()["items"].as_array().unwrap().clone();
        let mut ids: Vec<_> = items.iter().map(|run| run["id"].as_str().unwrap().to_owned()).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids("").await, [RUN, "import-2"]);
    assert_eq!(ids("?kind=employers").await, ["import-2"]);
    assert_eq!(ids("?kind=leave-admins").await, [""; 0]);
    assert_eq!(ids("?limit=1").await.len(), 1);
    for query in ["?kind=", "?limit=0", "?limit=1001", "?limit=x", "?state=failed", "?limit=1&limit=2"] {
        ask(&router, "GET", &format!("/runs{query}"), None).await.problem(StatusCode::BAD_REQUEST);
    }
    ask(&router, "GET", "/runs/import-3", None).await.problem(StatusCode::NOT_FOUND);
}
