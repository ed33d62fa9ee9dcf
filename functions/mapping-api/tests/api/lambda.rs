//! Lambda's adapter: the events in `events/`, and the same answers as a local server gives.

use std::collections::BTreeSet;
use std::path::Path;

use crate::world::{self, Answer, World, invoke, invoke_as};
use axum::Router;
use axum::http::StatusCode;
use lambda_http::Context;
use serde_json::{Value, json};

/// Each event with the status that it gets from [`World::audited`].
const EVENTS: &[(&str, u16)] = &[
    ("audit-missing", 200),
    ("audit-numbers", 200),
    ("delete-identifier", 204),
    ("find-by-external-id", 200),
    ("find-people", 200),
    ("get-employer", 200),
    ("get-identifier", 200),
    ("get-identifier-absent", 404),
    ("get-identifier-odd-username", 200),
    ("get-person", 200),
    ("get-person-odd-username", 200),
    ("get-run", 200),
    ("health", 200),
    ("list-identifiers", 200),
    ("list-runs", 200),
    ("list-system", 200),
    ("list-system-limit-twice", 400),
    ("move", 200),
    ("move-conflict", 409),
    ("openapi", 200),
    ("put-identifier", 201),
    ("put-identifier-base64", 201),
    ("put-identifier-conflict", 409),
    ("swap", 200),
    ("without-claims", 401),
    ("without-scope", 403),
];

fn events() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events")
}

pub(crate) fn event(case: &str) -> Value {
    let path = events().join(format!("mapping-api.{case}.json"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[tokio::test]
async fn every_event_is_answered() {
    let listed: BTreeSet<_> = EVENTS.iter().map(|(case, _)| format!("mapping-api.{case}.json")).collect();
    let names = std::fs::read_dir(events()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let found: BTreeSet<_> = names.filter(|name| name.starts_with("mapping-api.")).collect();
    assert_eq!(found, listed);

    let world = World::audited().await;
    let router = world.router("jwt");
    for (case, status) in EVENTS {
        let answer = invoke(&router, &event(case)).await;
        assert_eq!(answer.status, *status, "{case}: {answer:?}");
        if *status >= 400 {
            assert_eq!(answer.header("content-type"), "application/problem+json", "{case}");
        }
    }
    let odd = invoke(&router, &event("get-person-odd-username")).await;
    let systems: Vec<_> =
        odd.body["identifiers"].as_array().unwrap().iter().map(|item| item["system"].clone()).collect();
    assert_eq!((odd.body["username"].as_str(), systems), (Some(world::ODD), vec![json!("cdcs"), json!("nemo")]));
}

/// Lambda's id of the invocation marks what the request writes.
#[tokio::test]
async fn the_lambda_request_id_is_the_mark() {
    let world = World::empty().await;
    let mut context = Context::default();
    context.request_id = "8f5e1c3a-0000-4000-8000-000000000001".to_owned();
    let answer = invoke_as(&world.router("jwt"), &event("put-identifier"), context.clone()).await;
    assert_eq!(answer.header("x-request-id"), context.request_id);
    assert_eq!(answer.body["stored_by"], context.request_id);
}

/// What no client should send, and some do, is answered too.
#[tokio::test]
async fn nothing_in_an_event_ends_the_process() {
    let world = World::peopled().await;
    let router = world.router("jwt");
    let ask = async |path: &str, query: &str, host: &str| {
        let mut event = event("list-system");
        event["rawPath"] = json!(path);
        event["rawQueryString"] = json!(query);
        event["headers"]["host"] = json!(host);
        invoke(&router, &event).await
    };
    for query in ["limit=<", "limit=1 2", "limit=\"", "limit=#", "limit=é", "limit=%zz", "limit", "&limit=0&"] {
        let answer = ask("/systems/nemo/identifiers", query, "example.org").await;
        assert!(answer.problem(StatusCode::BAD_REQUEST).contains("from 1 to 1000"), "{query}: {answer:?}");
    }
    for host in ["a b", "x:99999", ""] {
        ask("/systems/nemo/identifiers", "", host).await.ok();
    }
    for path in ["/people/a\0b", "/people/a\nb", "/people/a\\b"] {
        ask(path, "", "example.org").await.problem(StatusCode::BAD_REQUEST);
    }
    for path in ["//people", "/people//", "/people/../health", ""] {
        ask(path, "", "example.org").await.problem(StatusCode::NOT_FOUND);
    }
}

/// One request: method, path as it travels, query string, body.
type Asked = (&'static str, &'static str, &'static str, Option<&'static str>);

const ASKED: &[Asked] = &[
    ("GET", "/people/zo%C3%AB%20x%2By@example.org", "", None),
    ("GET", "/people/ZO%C3%8B%20X+Y%40EXAMPLE.ORG/identifiers", "", None),
    ("GET", "/people/zoe%CC%88%20x+y@example.org/identifiers/nemo", "", None),
    ("PUT", "/people/zo%C3%AB%20x+y@example.org/identifiers/sharepoint", "", Some(r#"{"external_id":"é/1"}"#)),
    ("PUT", "/people/zo%C3%AB%20x+y@example.org/identifiers/sharepoint", "", Some(r#"{"external_id":"é/1"}"#)),
    ("GET", "/systems/sharepoint/identifiers", "external_id=%C3%A9%2F1", None),
    ("GET", "/systems/sharepoint/identifiers", "external_id=%C3%A9/1", None),
    ("DELETE", "/people/zo%C3%AB%20x+y@example.org/identifiers/sharepoint", "", None),
    ("DELETE", "/people/zo%C3%AB%20x+y@example.org/identifiers/sharepoint", "", None),
    ("GET", "/people/a%25b", "", None),
    ("GET", "/people/a%2541", "", None),
    ("GET", "/people/a%23b", "", None),
    ("GET", "/people/a%5Cb", "", None),
    ("GET", "/people/a:b;c=d,e&f!$'()*~", "", None),
    (
        "PUT",
        "/people/a:b;c=d,e&f!$'()*~%22%3C%3E%5E%60%7B%7C%7D[]/identifiers/nemo",
        "",
        Some(r#"{"external_id":"odd"}"#),
    ),
    ("GET", "/people/%E4%BA%BA%F0%9F%99%82/identifiers", "", None),
    ("GET", "/people", "email=alice%40example.org", None),
    ("GET", "/people", "email=alice@example.org", None),
    ("GET", "/people", "email=alice%2Bx%40example.org&email=b%40example.org", None),
    ("GET", "/systems/nemo/identifiers", "limit=2", None),
    ("GET", "/systems/nemo/identifiers", "limit=2&limit=2", None),
    ("GET", "/systems/nemo/identifiers", "cursor=x%3D%3D", None),
    ("GET", "/systems/nemo/identifiers", "external_id=a%2Bb+c", None),
    ("GET", "/employers/04-2127847", "", None),
    ("GET", "/runs", "kind=mappings", None),
    ("GET", "/runs/import-0f3c5b8a9d2e4c17a6b0c1d2e3f40516", "", None),
    (
        "POST",
        "/systems/nemo/moves",
        "",
        Some(r#"{"external_id":"5001","from":"erin@example.org","to":"frank@example.org"}"#),
    ),
    ("POST", "/systems/nemo/swaps", "", Some(r#"{"a":"gina@example.org","b":"hank@example.org"}"#)),
    ("POST", "/systems/nemo/swaps", "", Some("{")),
    ("PATCH", "/people/a", "", None),
    ("HEAD", "/people/alice@example.org", "", None),
    ("GET", "/", "", None),
    ("GET", "/people/", "", None),
    ("GET", "/health", "", None),
];

/// Two tables that begin alike, so that writes can be compared too.
#[tokio::test]
async fn lambda_and_a_local_server_answer_alike() {
    let (local, deployed) = tokio::join!(World::peopled(), World::peopled());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(axum::serve(listener, local.router("none")).into_future());
    let router = deployed.router("jwt");
    let mut ids = (Vec::new(), Vec::new());
    for asked in ASKED {
        let (over_http, through_lambda) = (over_http(address, asked).await, through_lambda(&router, asked).await);
        let (over_http, through_lambda) = (comparable(over_http, &mut ids.0), comparable(through_lambda, &mut ids.1));
        assert_eq!(over_http, through_lambda, "{asked:?}");
    }
    server.abort();
}

async fn over_http(address: std::net::SocketAddr, (method, path, query, body): &Asked) -> Answer {
    use http_body_util::BodyExt;
    use hyper_util::client::legacy::Client;
    use hyper_util::rt::TokioExecutor;

    let client = Client::builder(TokioExecutor::new()).build_http();
    let query = if query.is_empty() { String::new() } else { format!("?{query}") };
    let mut request = axum::http::Request::builder().method(*method).uri(format!("http://{address}{path}{query}"));
    if body.is_some() {
        request = request.header("content-type", "application/json");
    }
    let body = axum::body::Body::from(body.unwrap_or_default());
    let (parts, body) = client.request(request.body(body).unwrap()).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
    Answer { status: parts.status.as_u16(), headers: parts.headers, body }
}

/// As API Gateway makes the event: the path decoded, the query not.
async fn through_lambda(router: &Router, (method, path, query, body): &Asked) -> Answer {
    let path = percent_encoding::percent_decode_str(path).decode_utf8().unwrap();
    let mut event = event("get-person");
    event["rawPath"] = json!(path);
    event["rawQueryString"] = json!(query);
    event["requestContext"]["http"]["path"] = json!(path);
    event["requestContext"]["http"]["method"] = json!(method);
    if let Some(body) = body {
        event["body"] = json!(body);
        event["headers"]["content-type"] = json!("application/json");
        event["headers"]["content-length"] = json!(body.len().to_string());
    }
    invoke(router, &event).await
}

/// Without what only a connection has, and with one name for the ids of all requests so far: they mark what was written.
fn comparable(mut answer: Answer, ids: &mut Vec<String>) -> Answer {
    ids.push(answer.headers.remove("x-request-id").unwrap().to_str().unwrap().to_owned());
    for name in ["date", "content-length", "connection"] {
        answer.headers.remove(name);
    }
    let mut text = answer.body.to_string();
    for id in ids {
        text = text.replace(id.as_str(), "a request's id");
    }
    Answer { body: serde_json::from_str(&text).unwrap(), ..answer }
}
