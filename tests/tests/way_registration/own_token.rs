//! `POST /registrations`: a person's own token makes their link, through an event as API Gateway hands it to Lambda.

use axum::Router;
use crosswalk_invitations::{InvitedBy, Token};
use crosswalk_labarchives_registration::handle;
use lambda_http::{Context, LambdaEvent};
use serde_json::{Value, json};

use crate::bed::{Bed, path};
use crate::logged;

/// An event of a request, with these claims of a token that API Gateway has checked.
fn event(method: &str, path: &str, claims: Value, body: Option<&str>) -> Value {
    let authorizer = if claims.is_null() { Value::Null } else { json!({"jwt": {"claims": claims, "scopes": null}}) };
    json!({
        "version": "2.0",
        "routeKey": format!("{method} {path}"),
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"host": "crosswalk.example.org", "content-type": "application/json"},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "example",
            "authorizer": authorizer,
            "domainName": "crosswalk.example.org",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "x"},
            "requestId": "example",
            "routeKey": format!("{method} {path}"),
            "stage": "$default",
            "timeEpoch": 1_795_341_600_000_i64,
        },
        "body": body,
        "isBase64Encoded": false,
    })
}

async fn answer(router: &Router, event: Value) -> (u64, Value, Value) {
    let event = LambdaEvent::new(serde_json::from_value(event).unwrap(), Context::default());
    let answer = serde_json::to_value(handle(router.clone(), event).await.unwrap()).unwrap();
    let body = answer["body"].as_str().unwrap_or_default();
    let body = serde_json::from_str(body).unwrap_or_else(|_| json!(body));
    (answer["statusCode"].as_u64().unwrap(), body, answer)
}

async fn post(router: &Router, claims: Value, body: Option<&str>) -> (u64, Value) {
    let (status, body, answer) = answer(router, event("POST", "/registrations", claims, body)).await;
    let kind = if status == 201 { "application/json" } else { "application/problem+json" };
    assert_eq!(answer["headers"]["content-type"], kind, "{answer}");
    assert_eq!(answer["headers"]["cache-control"], "no-store");
    (status, body)
}

fn token_of(made: &Value) -> Token {
    Token::parse(made["url"].as_str().unwrap().rsplit('/').next().unwrap()).unwrap()
}

#[tokio::test]
async fn a_persons_token_makes_their_own_link() {
    let bed = Bed::start().await;
    let claims = json!({"sub": "0000", "username": "paula.person", "scope": "openid", "exp": "1795345200"});
    for body in [None, Some(""), Some("{}"), Some("{\"system\": \"labarchives_eln\"}")] {
        let (status, made) = post(&bed.router, claims.clone(), body).await;
        assert_eq!(status, 201, "{made}");
        assert_eq!((&made["username"], &made["system"]), (&json!("paula.person"), &json!("labarchives_eln")));
        let token = token_of(&made);
        assert_eq!(made["url"], format!("{}{}", bed.url, path(&token)));
        let invitation = bed.invitation(&token).await;
        assert_eq!(invitation.invited_by, InvitedBy::Person);
        assert_eq!(made["ends_at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap(), invitation.ends_at);
        logged::assert_nothing_of([token.expose(), "paula.person"]);
        if body.is_none() {
            bed.browser().register(&token, "ann").await.says(200, "Your LabArchives account is linked");
        }
    }
    assert_eq!(bed.mappings().await.into_keys().collect::<Vec<_>>(), ["paula.person"]);
}

#[tokio::test]
async fn the_claim_is_a_setting() {
    let bed = Bed::start().await;
    let router = bed.router_with("CROSSWALK_USERNAME_CLAIM", "cognito:username");
    let claims = json!({"cognito:username": "ann", "username": "somebody-else"});
    assert_eq!(post(&router, claims, None).await.1["username"], "ann");
    assert_eq!(post(&router, json!({"username": "ann"}), None).await.0, 403);
}

#[tokio::test]
async fn without_a_person_there_is_no_link() {
    let bed = Bed::start().await;
    let before = bed.items().await;
    let (status, problem) = post(&bed.router, Value::Null, None).await;
    assert_eq!((status, &problem["status"]), (401, &json!(401)));
    // A token of a program, of nobody, and of somebody who cannot be.
    for claims in
        [json!({"scope": "identifiers/write", "client_id": "x"}), json!({"username": ""}), json!({"username": " "})]
    {
        assert_eq!(post(&bed.router, claims, None).await.0, 403);
    }
    // No header forges claims, and the same over HTTP has none.
    let mut forged = event("POST", "/registrations", Value::Null, None);
    forged["headers"]["x-amzn-request-context"] =
        json!("{\"authorizer\":{\"jwt\":{\"claims\":{\"username\":\"ann\"}}}}");
    forged["headers"]["authorization"] = json!("Bearer x");
    assert_eq!(answer(&bed.router, forged).await.0, 401);
    assert_eq!(bed.ask(reqwest::Method::POST, "/registrations", &[]).await.status, 401);
    assert_eq!(bed.items().await, before);
}

#[tokio::test]
async fn nobody_makes_anothers_link() {
    let bed = Bed::start().await;
    let before = bed.items().await;
    let claims = json!({"username": "ann"});
    for body in [
        "{\"username\": \"ben\"}",
        "{\"system\": \"labarchives_eln\", \"username\": \"ben\"}",
        "{\"system\": \"nemo\"}",
        "{\"system\": 1}",
        "[\"labarchives_eln\"]",
        "null",
        "{",
        "username=ben",
    ] {
        let (status, problem) = post(&bed.router, claims.clone(), Some(body)).await;
        assert!(status == 400 && !problem.to_string().contains("ben"), "{body}: {problem}");
    }
    let (status, _) = post(&bed.router, claims, Some(&" ".repeat(5000))).await;
    assert_eq!(status, 413);
    assert_eq!(bed.items().await, before);
}

/// The pages by events too: the cookie goes out and comes in where API Gateway has cookies.
#[tokio::test]
async fn the_whole_way_by_events() {
    let bed = Bed::start().await;
    let token = bed.invite("ann").await;
    let (status, page, _) = answer(&bed.router, event("GET", &path(&token), Value::Null, None)).await;
    assert!(status == 200 && page.as_str().unwrap().contains("<h1"), "{page}");
    let (status, _, begun) = answer(&bed.router, event("POST", &path(&token), Value::Null, None)).await;
    assert_eq!((status, begun["cookies"].as_array().unwrap().len()), (303, 1), "{begun}");
    let at = begun["headers"]["location"].as_str().unwrap().parse().unwrap();
    let back = bed.sign_in(&at, "ann").await;
    let mut come = event("GET", back.path(), Value::Null, None);
    come["rawQueryString"] = json!(back.query());
    let (status, _, refused) = answer(&bed.router, come.clone()).await;
    assert_eq!(status, 400, "{refused}");
    come["cookies"] = json!(["other=1", begun["cookies"][0].as_str().unwrap().split(';').next()]);
    let (status, _, done) = answer(&bed.router, come).await;
    assert_eq!(status, 200, "{done}");
    assert!(done["cookies"][0].as_str().unwrap().contains("Max-Age=0"));
    assert!(bed.is_spent(&token).await);
}
