//! What holds for every request: scopes, methods, headers, bodies, refusals.

use crate::world::{RUN, World, ask, ask_with_scope, send};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

const GUARDED: &[(&str, &str)] = &[
    ("GET", "/people?email=alice%40example.org"),
    ("GET", "/people/alice@example.org"),
    ("GET", "/people/alice@example.org/identifiers"),
    ("GET", "/people/alice@example.org/identifiers/nemo"),
    ("PUT", "/people/alice@example.org/identifiers/nemo"),
    ("DELETE", "/people/alice@example.org/identifiers/nemo"),
    ("GET", "/systems/nemo/identifiers"),
    ("POST", "/systems/nemo/moves"),
    ("POST", "/systems/nemo/swaps"),
    ("GET", "/employers/042127847"),
    ("GET", "/runs"),
    ("GET", "/runs/x"),
    ("GET", "/audit/missing"),
];

#[tokio::test]
async fn the_list_of_guarded_routes_is_whole() {
    let world = World::empty().await;
    let openapi = ask(&world.router("jwt"), "GET", "/openapi.json", None).await.ok().clone();
    let mut described = 0;
    for (path, item) in openapi["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let guarded = operation.get("security").is_some();
            assert_eq!(guarded, !matches!(path.as_str(), "/health" | "/openapi.json"), "{method} {path}");
            described += usize::from(guarded);
        }
    }
    assert_eq!(described, GUARDED.len());
}

#[tokio::test]
async fn without_claims_everything_but_health_and_openapi_is_refused() {
    let world = World::empty().await;
    let router = world.router("jwt");
    for (method, path) in GUARDED {
        let answer = ask(&router, method, path, None).await;
        assert!(answer.problem(StatusCode::UNAUTHORIZED).contains("CROSSWALK_AUTH=none"), "{answer:?}");
        assert_eq!(answer.header("www-authenticate"), "Bearer");
    }
    assert_eq!(ask(&router, "GET", "/health", None).await.ok()["status"], "ok");
    assert_eq!(ask(&router, "GET", "/openapi.json", None).await.ok()["openapi"], "3.1.0");
}

#[tokio::test]
async fn each_route_needs_its_scope() {
    let world = World::peopled().await;
    for router in [world.router("jwt"), world.router("none")] {
        for (method, path) in GUARDED {
            let (needed, other) = match *method {
                "GET" => ("identifiers/read", "identifiers/write"),
                _ => ("identifiers/write", "identifiers/read"),
            };
            for scope in ["", "openid", other] {
                let answer = ask_with_scope(&router, method, path, scope).await;
                assert!(answer.problem(StatusCode::FORBIDDEN).contains(needed), "{method} {path}: {answer:?}");
            }
        }
    }
    let router = world.router("jwt");
    let path = "/people/alice@example.org/identifiers/nemo";
    ask_with_scope(&router, "GET", path, "openid identifiers/read").await.ok();
    let deleted = ask_with_scope(&router, "DELETE", path, "identifiers/write").await;
    assert_eq!(deleted.status, 204);
}

#[tokio::test]
async fn no_header_forges_claims() {
    let world = World::empty().await;
    let request = Request::get("/runs")
        .header("authorization", "Bearer x")
        .header("x-amzn-request-context", r#"{"authorizer":{"jwt":{"claims":{"scope":"identifiers/read"}}}}"#)
        .body(Body::empty());
    send(&world.router("jwt"), request.unwrap()).await.problem(StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn unknown_paths_and_methods_are_problems() {
    let world = World::empty().await;
    for router in [world.router("none"), world.router("jwt")] {
        for path in ["/", "/people/", "/people/a/b", "/systems/nemo", "/People/a", "/runs/a/b"] {
            let answer = ask(&router, "GET", path, None).await;
            assert!(answer.problem(StatusCode::NOT_FOUND).contains("/openapi.json"), "{path}: {answer:?}");
        }
        for (method, path, allow) in [
            ("POST", "/people/a", "GET,HEAD"),
            ("PATCH", "/people/a/identifiers/nemo", "GET,HEAD,PUT,DELETE"),
            ("GET", "/systems/nemo/moves", "POST"),
            ("DELETE", "/health", "GET,HEAD"),
        ] {
            let answer = ask(&router, method, path, None).await;
            answer.problem(StatusCode::METHOD_NOT_ALLOWED);
            let mut allowed: Vec<_> = answer.header("allow").split(',').map(str::trim).collect();
            let mut expected: Vec<_> = allow.split(',').collect();
            allowed.sort_unstable();
            expected.sort_unstable();
            assert_eq!(allowed, expected, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn head_works_as_get() {
    let world = World::peopled().await;
    let router = world.router("none");
    for path in ["/health", "/people/alice@example.org", "/systems/nemo/identifiers", "/people/nobody", "/runs?limit=0"]
    {
        let (get, head) = (ask(&router, "GET", path, None).await, ask(&router, "HEAD", path, None).await);
        assert_eq!((head.status, &head.body), (get.status, &Value::Null), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"));
    }
}

#[tokio::test]
async fn every_answer_bears_the_same_headers() {
    let world = World::peopled().await;
    let router = world.router("none");
    let mut ids = Vec::new();
    for path in ["/health", &format!("/runs/{RUN}"), "/nothing", "/runs?limit=0"] {
        let answer = ask(&router, "GET", path, None).await;
        assert_eq!(answer.header("cache-control"), "no-store", "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        ids.push(answer.header("x-request-id").to_owned());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 4);
}

#[tokio::test]
async fn bodies_are_bounded_and_json() {
    let world = World::empty().await;
    let router = world.router("none");
    let put = async |content_type: Option<&str>, body: Body| {
        let mut request = Request::put("/people/carol/identifiers/nemo");
        if let Some(content_type) = content_type {
            request = request.header("content-type", content_type);
        }
        send(&router, request.body(body).unwrap()).await
    };
    let fits = r#"{"external_id":"1"}"#;
    for content_type in [None, Some("text/plain"), Some("application/x-www-form-urlencoded")] {
        let answer = put(content_type, Body::from(fits)).await;
        assert!(answer.problem(StatusCode::UNSUPPORTED_MEDIA_TYPE).contains("Content-Type: application/json"));
    }
    for body in ["", "{", "null", "\u{feff}{}", "{} {}", "\"x"] {
        put(Some("application/json"), Body::from(body)).await.problem(StatusCode::BAD_REQUEST);
    }
    // 64 KiB exactly pass; a byte more does not, whether its length is told beforehand or not.
    let padded = |bytes: usize| format!("{fits}{}", " ".repeat(bytes - fits.len()));
    assert_eq!(put(Some("application/json; charset=utf-8"), Body::from(padded(64 * 1024))).await.status, 201);
    let over = padded(64 * 1024 + 1);
    put(Some("application/json"), Body::from(over.clone())).await.problem(StatusCode::PAYLOAD_TOO_LARGE);
    let chunks =
        over.into_bytes().chunks(1000).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect::<Vec<_>>();
    let streamed = Body::from_stream(futures::stream::iter(chunks));
    put(Some("application/json"), streamed).await.problem(StatusCode::PAYLOAD_TOO_LARGE);
}

/// Where logs go while a test looks at them.
#[derive(Clone, Default)]
struct Logged(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_request_logs_its_route_and_nothing_personal() {
    let world = World::peopled().await;
    let router = world.router("none");
    let logged = Logged::default();
    let writer = logged.clone();
    // For the whole process: whether a place in the code logs at all is decided once, by whichever test gets there first.
    tracing_subscriber::fmt().json().with_writer(move || writer.clone()).init();
    let path = "/people/alice@example.org/identifiers/nemo";
    let answers = [
        ask(&router, "GET", path, None).await,
        ask(&router, "GET", "/systems/labarchives_eln/identifiers?external_id=a%2Fb%3F1", None).await,
        ask(&router, "GET", "/people?email=alice%40example.org", None).await,
        ask(&router, "PUT", path, Some(json!({"external_id": "4001", "email": "alice@example.org"}))).await,
        ask(&router, "GET", "/nothing/alice", None).await,
    ];
    let logged = String::from_utf8(logged.0.lock().unwrap().clone()).unwrap();
    let answered: Vec<_> = logged.lines().filter(|line| line.contains("\"answered\"")).collect();
    let lines: Vec<_> = answers
        .iter()
        .map(|answer| {
            let id = answer.header("x-request-id");
            *answered.iter().find(|line| line.contains(id)).unwrap()
        })
        .collect();
    let expected = [
        ("GET", "/people/{username}/identifiers/{system}", 200),
        ("GET", "/systems/{system}/identifiers", 200),
        ("GET", "/people", 200),
        ("PUT", "/people/{username}/identifiers/{system}", 409),
        ("GET", "none", 404),
    ];
    for (line, (method, route, status)) in lines.iter().zip(expected) {
        let line: Value = serde_json::from_str(line).unwrap();
        let fields = &line["fields"];
        assert_eq!(
            (&fields["method"], &fields["route"], &fields["status"]),
            (&json!(method), &json!(route), &json!(status))
        );
        assert!(fields["milliseconds"].is_u64(), "{line}");
    }
    for personal in ["alice", "example.org", "4001", "a/b", "a%2Fb", "dora"] {
        assert!(!logged.contains(personal), "{personal}: {logged}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_does_not_answer_is_told_without_details() {
    // Nothing listens on the port of a listener that is gone.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let config = crosswalk_local_aws::sdk_config_for(&format!("http://{address}"));
    let router = World::router_of(&config, "crosswalk", "none");
    for path in [
        "/people/alice@example.org",
        "/people/alice@example.org/identifiers/nemo",
        "/systems/nemo/identifiers",
        "/runs/x",
    ] {
        let answer = ask(&router, "GET", path, None).await;
        answer.problem(StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(answer.header("retry-after"), "1");
        assert!(!answer.body.to_string().contains(&address.port().to_string()), "{answer:?}");
    }
}

#[tokio::test]
async fn a_table_that_is_not_there_is_told_without_details() {
    let world = World::empty().await;
    let router = World::router_of(&world.bed.config, "no-such-table", "none");
    let answer = ask(&router, "GET", "/people/alice@example.org/identifiers/nemo", None).await;
    assert!(answer.problem(StatusCode::INTERNAL_SERVER_ERROR).contains("X-Request-Id"));
    assert!(!answer.body.to_string().contains("no-such-table"), "{answer:?}");
}
