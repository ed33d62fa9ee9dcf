//! What else is asked of the function: links for oneself, odd paths and headers, other systems.

use axum::body::Body;
use axum::http::Request;
use crosswalk_function_kit::Entropy;
use crosswalk_invitations::Token;
use serde_json::Value;

use crate::world::{PAGES, SYSTEM, World, link};

#[tokio::test]
async fn a_person_makes_their_own_link() {
    let world = World::start().await;
    let claims = [("username", "Zoe"), ("sub", "1")];
    for body in ["", "{}", r#"{"system":"labarchives_eln"}"#] {
        let answer = world.post_with_claims(&claims, body).await;
        assert_eq!((answer.status, answer.header("cache-control")), (201, "no-store"), "{answer:?}");
        let made: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!((made["username"].as_str(), made["system"].as_str()), (Some("Zoe"), Some(SYSTEM)));
        let ends: jiff::Timestamp = made["ends_at"].as_str().unwrap().parse().unwrap();
        assert_eq!(ends.duration_since(world.now()).as_hours(), 7 * 24 - 1);
        let path = made["url"].as_str().unwrap().strip_prefix(PAGES).unwrap().to_owned();
        let page = world.ask("GET", &path, &[]).await.page(200, "Link your LabArchives account");
        assert!(page.body.contains("<dd>Zoe</dd>") && page.body.contains("you, signed in"), "{page:?}");
    }
}

#[tokio::test]
async fn nobody_makes_another_s() {
    let world = World::start().await;
    let claims = [("username", "zoe")];
    let large = format!("{{\"system\":\"{}\"}}", "x".repeat(5_000));
    for (claims, body, status) in [
        (&claims[..], r#"{"username":"kim"}"#, 400),
        (&claims, r#"{"system":"nemo"}"#, 400),
        (&claims, "[]", 400),
        (&claims, "{", 400),
        (&claims, &large, 413),
        (&[("sub", "1")], "", 403),
        (&[("username", "a/b")], "", 403),
        (&[("username", " ")], "", 403),
    ] {
        let answer = world.post_with_claims(claims, body).await;
        assert_eq!(answer.status, status, "{body}: {answer:?}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        let problem: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(problem["status"], status);
        assert!(!problem["detail"].as_str().unwrap().contains("kim"), "{problem}");
    }
    // No header is a claim.
    let forged = [("username", "zoe"), ("x-claims", "username=zoe"), ("authorization", "Bearer x")];
    let answer = world.ask("POST", "/registrations", &forged).await;
    assert_eq!((answer.status, answer.header("www-authenticate")), (401, "Bearer"));
    assert_eq!(world.ask("GET", "/registrations", &[]).await.status, 405);
    assert_eq!(world.items().await, 0);
}

#[tokio::test]
async fn odd_paths_are_pages() {
    let world = World::start().await;
    let unknown = link(&Token::draw(&Entropy::system()));
    for path in [
        unknown.as_str(),
        "/registrations/callback",
        "/registrations/x",
        "/registrations/%0d%0aSet-Cookie:%20a=b",
        "/registrations/..%2f..%2fetc",
        "/registrations/https:%2f%2fevil.example.org",
        "/registrations/%3Cscript%3E",
        "/registrations/%ff",
    ] {
        for method in ["GET", "POST"] {
            let answer = world.ask(method, path, &[]).await;
            assert!(matches!(answer.status, 400 | 404), "{path}: {answer:?}");
            assert!(!answer.headers.contains_key("location") && !answer.headers.contains_key("set-cookie"), "{path}");
            assert!(!answer.body.contains("evil") && !answer.body.contains("<script"), "{answer:?}");
            assert!(answer.body.contains("<h1>This link is not known"), "{path}: {answer:?}");
        }
    }
    world.ask("GET", "/", &[]).await.page(404, "There is no page here");
    world.ask("GET", "//registrations/x", &[]).await.page(404, "There is no page here");
    world.ask("GET", "/registrations/callback/%ff", &[]).await.page(400, "This does not fit together");
    for (method, path) in
        [("PUT", unknown.as_str()), ("POST", "/registrations/callback/x"), ("POST", "/registrations/style.css")]
    {
        world.ask(method, path, &[]).await.page(405, "This page cannot be asked for in this way");
    }
}

#[tokio::test]
async fn where_the_browser_is_sent_is_ours_to_say() {
    let world = World::start().await;
    let token = world.invite("zoe").await;
    let odd = "?next=https://evil.example.org&redirect_uri=//evil.example.org&%0d%0aX:1";
    let headers = [("host", "evil.example.org"), ("x-forwarded-host", "evil.example.org")];
    let answer = world.ask("POST", &format!("{}{odd}", link(&token)), &headers).await;
    assert_eq!(answer.status, 303);
    let location = answer.header("location");
    assert!(
        location.starts_with(&format!(
            "{}/api_user_login?redirect_uri=https%3A%2F%2Fcrosswalk.example.org%2Fregistrations%2Fcallback%2F",
            world.labarchives.url()
        )),
        "{location}"
    );
    assert!(!location.contains("evil"));
    let cookie = answer.header("set-cookie");
    let state = cookie.strip_prefix("__Host-crosswalk-registration=").unwrap().split(';').next().unwrap();
    assert_eq!(
        cookie,
        format!("__Host-crosswalk-registration={state}; Secure; HttpOnly; SameSite=Lax; Path=/; Max-Age=900")
    );
    assert!(location.contains(&format!("callback%2F{state}&")), "{location}");
    assert_ne!(state, token.expose());

    let pressed = world.ask("POST", &link(&token), &[("sec-fetch-site", "cross-site")]).await;
    pressed.page(403, "Open your personal link itself");
    assert_eq!(world.items().await, 2);
}

#[tokio::test]
async fn another_system_s_link_is_not_taken() {
    let world = World::start().await;
    let token = world.invite_with("zoe", "nemo", Entropy::system()).await;
    for method in ["GET", "POST"] {
        world.ask(method, &link(&token), &[]).await.page(404, "This link is not for LabArchives");
    }
}

#[tokio::test]
async fn names_on_pages_are_text() {
    let world = World::start().await;
    let token = world.invite("<img src=x onerror=alert(1)>").await;
    let page = world.ask("GET", &link(&token), &[]).await.page(200, "Link your");
    assert!(page.body.contains("<dd>&#60;img src=x onerror=alert(1)&#62;</dd>"), "{page:?}");
}

#[tokio::test]
async fn the_stylesheet_may_be_kept() {
    let world = World::start().await;
    let style = world.ask("GET", "/registrations/style.css", &[]).await;
    assert_eq!((style.status, style.header("content-type")), (200, "text/css; charset=utf-8"));
    assert_eq!(style.header("cache-control"), "public, max-age=3600");
    assert!(style.body.contains("prefers-color-scheme: dark") && style.body.contains(":focus-visible"));
}

#[tokio::test]
async fn a_form_s_body_is_not_read() {
    let world = World::start().await;
    let token = world.invite("zoe").await;
    let request = Request::post(link(&token)).body(Body::from("username=kim&".repeat(10_000))).unwrap();
    assert_eq!(world.send(request).await.status, 303);
}
