//! What somebody else could try: forged and mixed states, other sites, redirects and headers of their choice.

use crosswalk_function_kit::Entropy;
use crosswalk_invitations::Token;
use crosswalk_stand_ins::labarchives::{Fault, Faults};
use reqwest::Method;

use crate::bed::{Bed, COOKIE_NAME, path, state_of, with_query};
use crate::logged;

const MIXED: &str = "This does not fit together";

#[tokio::test]
async fn state_and_cookie_belong_together() {
    let bed = Bed::start().await;
    let (token, others) = (bed.invite("ann").await, bed.invite("ben").await);
    let (mut browser, mut other) = (bed.browser(), bed.browser());
    let back = bed.sign_in(&browser.press(&token).await, "ann").await;
    let back_other = bed.sign_in(&other.press(&others).await, "ben").await;
    let before = bed.items().await;
    bed.labarchives.take_counts();

    // Without the cookie, with another one's, with a made-up one, and with one that is none.
    let drawn = Token::draw(&Entropy::system()).expose().to_owned();
    let short = state_of(&back)[..42].to_owned();
    for cookie in [None, other.cookie.clone(), Some(drawn.clone()), Some(String::new()), Some(short)] {
        let mut stranger = bed.browser();
        stranger.cookie = cookie;
        let answer = stranger.come_back(&back).await;
        answer.says(400, MIXED);
        assert!(!answer.body.contains(token.expose()), "whoever has the state alone learns no link");
    }
    // The victim's browser with the attacker's way back, and the other way round.
    browser.come_back(&back_other).await.says(400, MIXED);
    // A state that nobody was given, in path and cookie.
    for state in [drawn.as_str(), "x", "..%2f..", "%0d%0aSet-Cookie:a=b", &"A".repeat(43)] {
        let mut forger = bed.browser();
        forger.cookie = Some(state.to_owned());
        forger.get(&format!("/registrations/callback/{state}?auth_code=a&email=b")).await.says(400, MIXED);
    }
    // A personal link's token is no state, and a state no token.
    let mut confused = bed.browser();
    confused.cookie = Some(token.expose().to_owned());
    let swapped = format!("/registrations/callback/{}?auth_code=a&email=b", token.expose());
    confused.get(&swapped).await.says(400, MIXED);
    bed.browser().get(&format!("/registrations/{}", state_of(&back))).await.says(404, "This link is not known");

    assert_eq!(bed.labarchives.take_counts().asked, 0, "nothing of it reaches LabArchives");
    assert_eq!(bed.items().await, before);
    // None of it has spoilt the true way back.
    browser.cookie = Some(state_of(&back));
    browser.come_back(&back).await.says(200, "Your LabArchives account is linked");
    other.cookie = Some(state_of(&back_other));
    other.come_back(&back_other).await.says(200, "Your LabArchives account is linked");
    let drawn = [token.expose(), &state_of(&back), &state_of(&back_other)].map(str::to_owned);
    logged::assert_nothing_of(drawn);
}

#[tokio::test]
async fn a_way_back_is_taken_once() {
    let bed = Bed::start().await;
    let token = bed.invite("ann").await;
    let mut browser = bed.browser();
    let back = bed.sign_in(&browser.press(&token).await, "ann").await;
    let state = state_of(&back);
    browser.come_back(&back).await.says(200, "Your LabArchives account is linked");
    let before = bed.items().await;
    bed.labarchives.take_counts();
    // Replayed from a history without the cookie, and with a cookie that was stolen, and with another code.
    let replayed = bed.browser().come_back(&back).await;
    replayed.says(410, "This link was used already");
    assert!(!replayed.body.contains(token.expose()));
    let mut thief = bed.browser();
    thief.cookie = Some(state.clone());
    thief.come_back(&back).await.says(200, "Your LabArchives account is linked already");
    thief.cookie = Some(state);
    let other = with_query(&back, "auth_code", Some("another"));
    thief.come_back(&other).await.says(200, "Your LabArchives account is linked already");
    assert_eq!(bed.labarchives.take_counts().asked, 0);
    assert_eq!(bed.items().await, before);
}

/// Programs that look at addresses before a person does ask with HEAD, even with cookies.
#[tokio::test]
async fn looking_at_a_way_back_takes_nothing() {
    let bed = Bed::start().await;
    let token = bed.invite("ann").await;
    let mut browser = bed.browser();
    let back = bed.sign_in(&browser.press(&token).await, "ann").await;
    let path = format!("{}?{}", back.path(), back.query().unwrap());
    for method in [Method::HEAD, Method::POST, Method::OPTIONS] {
        let answer = browser.ask(method, &path).await;
        assert!(answer.status == 405 && answer.cookies().is_empty(), "{answer:?}");
    }
    browser.come_back(&back).await.says(200, "Your LabArchives account is linked");
}

#[tokio::test]
async fn a_way_back_that_failed_is_not_taken_again() {
    let bed = Bed::start().await;
    let token = bed.invite("ann").await;
    let mut browser = bed.browser();
    let back = bed.sign_in(&browser.press(&token).await, "ann").await;
    let cookie = browser.cookie.clone();
    bed.labarchives.fail(Faults { times: Some(1), ..Faults::exchange(Fault::BreakAfter) });
    browser.come_back(&back).await.says(503, "LabArchives does not answer");
    browser.cookie = cookie;
    browser.come_back(&back).await.says(409, "This step was taken already");
    assert!(bed.mappings().await.is_empty());
    browser.register(&token, "ann").await.says(200, "Your LabArchives account is linked");
}

/// A person's page in a browser where another person's attempt is under way: the later one counts.
#[tokio::test]
async fn the_last_attempt_of_a_browser_counts() {
    let bed = Bed::start().await;
    let (first, second) = (bed.invite("ann").await, bed.invite("ben").await);
    let mut browser = bed.browser();
    let back_first = bed.sign_in(&browser.press(&first).await, "ann").await;
    let back_second = bed.sign_in(&browser.press(&second).await, "ben").await;
    browser.come_back(&back_first).await.says(400, MIXED);
    browser.come_back(&back_second).await.says(200, "Your LabArchives account is linked");
    assert_eq!(bed.mappings().await.into_keys().collect::<Vec<_>>(), ["ben"]);
}

#[tokio::test]
async fn other_sites_press_no_button() {
    let bed = Bed::start().await;
    let token = bed.invite("ann").await;
    let before = bed.items().await;
    for headers in [
        &[("sec-fetch-site", "cross-site"), ("origin", "null")][..],
        &[("sec-fetch-site", "same-site")],
        &[("origin", "https://evil.example.com")],
    ] {
        let answer = bed.ask(Method::POST, &path(&token), headers).await;
        answer.says(403, "Open your personal link itself");
        assert!(answer.cookies().is_empty() && answer.header("location").is_empty());
    }
    assert_eq!(bed.items().await, before);
    for headers in [&[("sec-fetch-site", "same-origin"), ("origin", "null")][..], &[("origin", &bed.url)]] {
        assert_eq!(bed.ask(Method::POST, &path(&token), headers).await.status, 303);
    }
}

/// The one redirect leads to LabArchives, and names the one way back, whatever is asked for and whatever host is named.
#[tokio::test]
async fn no_redirect_leads_elsewhere() {
    let bed = Bed::start().await;
    let token = bed.invite("ann").await;
    let there = format!("{}/api_user_login?", bed.labarchives.url());
    let ours = format!("{}/registrations/callback/", bed.url);
    for query in [
        "?next=https://evil.example.com/",
        "?redirect_uri=https%3A%2F%2Fevil.example.com",
        "?redirect_uri=//evil.example.com",
        "?url=%5C%5Cevil.example.com&return_to=/%09/evil.example.com",
        "?akid=x&expires=1&sig=y",
    ] {
        for headers in [&[][..], &[("host", "evil.example.com")], &[("x-forwarded-host", "evil.example.com")]] {
            let answer = bed.ask(Method::POST, &format!("{}{query}", path(&token)), headers).await;
            let to = answer.header("location");
            assert!(answer.status == 303 && to.starts_with(&there) && !to.contains("evil"), "{query}: {answer:?}");
            let back = reqwest::Url::parse(to).unwrap();
            let (name, back) = back.query_pairs().next().unwrap();
            assert!(name == "redirect_uri" && back.starts_with(&ours), "{back}");
        }
    }
    for path in [
        "//evil.example.com",
        "//evil.example.com/registrations/x",
        "/%5Cevil.example.com",
        "/\\evil.example.com",
        "/registrations/https:%2F%2Fevil.example.com",
        "/registrations//evil.example.com",
        "/registrations/callback///evil.example.com",
        "/registrations/%2F%2Fevil.example.com%2F..",
        "/registrations/",
        "/",
    ] {
        for method in ["GET", "POST"] {
            let head = format!("{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let answer = bed.send_raw(head.as_bytes()).await;
            assert!(answer.starts_with("HTTP/1.1 4"), "{method} {path}: {answer}");
            assert!(!answer.to_lowercase().contains("location:") && !answer.contains("evil"), "{path}: {answer}");
        }
    }
}

/// Of nothing that is sent can a header of the answer be made.
#[tokio::test]
async fn no_header_is_injected() {
    let bed = Bed::start().await;
    let token = bed.invite("ann").await;
    let mut browser = bed.browser();
    let back = bed.sign_in(&browser.press(&token).await, "ann").await;
    let state = state_of(&back);
    let breaks =
        ["%0d%0aX-Injected:%20yes", "%0aX-Injected:yes", "%0dX-Injected:yes", "%E5%98%8A%E5%98%8DX-Injected:yes"];
    for odd in breaks {
        for (method, target) in [
            ("GET", format!("/registrations/{}{odd}", token.expose())),
            ("POST", format!("/registrations/{}{odd}", token.expose())),
            ("POST", format!("{}?x={odd}", path(&token))),
            ("GET", format!("/registrations/callback/{state}{odd}?auth_code=a&email=b")),
            ("GET", format!("/registrations/callback/{state}?auth_code=a{odd}&email=b")),
            ("GET", format!("/registrations/callback/{state}?auth_code=a&email=b{odd}")),
            ("GET", format!("/registrations/callback/{state}?error={odd}")),
            ("GET", format!("/{odd}")),
        ] {
            let head = format!(
                "{method} {target} HTTP/1.1\r\nHost: x\r\nCookie: {COOKIE_NAME}={state}; a={odd}\r\nX-Request-Id: {odd}\r\n\
                 Content-Length: 0\r\nConnection: close\r\n\r\n"
            );
            let answer = bed.send_raw(head.as_bytes()).await;
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(!head.to_lowercase().contains("x-injected"), "{method} {target}: {head}");
            assert!(!body.to_lowercase().contains("x-injected"), "nor does a page repeat it: {body}");
        }
    }
    // True line breaks are no request at all.
    for target in ["/registrations/a\r\nX-Injected: yes", "/registrations/a b"] {
        let answer =
            bed.send_raw(format!("GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes()).await;
        let head = answer.split("\r\n\r\n").next().unwrap_or_default().to_lowercase();
        assert!(!head.contains("x-injected"), "{answer}");
    }
    assert!(bed.mappings().await.is_empty());
}

/// A username is anything that a person may be called by: the page shows it as text.
#[tokio::test]
async fn a_username_is_text_on_the_page() {
    let bed = Bed::start().await;
    for username in ["<script>alert(1)<script>", "\"><img src=x onerror=alert(1)>", "a&amp;b", "zo\u{eb} o'neil"] {
        let page = bed.browser().get(&path(&bed.invite(username).await)).await;
        assert_eq!(page.status, 200);
        assert!(!page.body.contains("<script") && !page.body.contains("<img"), "{}", page.body);
        // `&amp;amp;` or a numeric form: what matters is that it is not taken for markup.
        assert!(!page.body.contains("a&amp;b"), "{}", page.body);
    }
}

mod any {
    use crosswalk_stand_ins::labarchives::Counts;
    use proptest::prelude::*;

    use super::*;

    /// Texts of the kinds that break readers of paths, queries and cookies.
    fn odd() -> impl Strategy<Value = String> {
        prop_oneof![
            "[A-Za-z0-9_-]{0,60}",
            "[A-Za-z0-9_-]{43}",
            "[ -~]{0,40}",
            "\\PC{0,20}",
            "(%[0-9A-F]{2}){0,20}",
            "[=;,\"\\\\ \t]{0,10}[A-Za-z0-9_-]{43}[=;,\"\\\\ \t]{0,10}",
        ]
    }

    fn encoded(text: &str) -> String {
        url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
    }

    /// Whatever is sent: an answer with a page, no redirect, nothing written, and LabArchives not asked.
    #[test]
    fn whatever_is_sent_an_unknown_person_changes_nothing() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let (bed, before) = runtime.block_on(async {
            let bed = Bed::start().await;
            bed.invite("ann").await;
            let before = bed.items().await;
            (bed, before)
        });
        let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases()) };
        proptest!(config, |(path in odd(), cookie in odd(), code in odd(), email in odd(), callback: bool, post: bool)| {
            let method = if post { Method::POST } else { Method::GET };
            let place = if callback { "callback/" } else { "" };
            let target = format!("/registrations/{place}{}?auth_code={}&email={}", encoded(&path), encoded(&code), encoded(&email));
            let cookie = format!("{COOKIE_NAME}={cookie}");
            let headers: Vec<_> = reqwest::header::HeaderValue::from_str(&cookie).is_ok().then_some(("cookie", cookie.as_str())).into_iter().collect();
            let answer = runtime.block_on(bed.ask(method, &target, &headers));
            prop_assert!((400..500).contains(&answer.status) || (answer.status == 200 && path == "style.css"), "{answer:?}");
            prop_assert!(answer.header("location").is_empty() && answer.header("content-security-policy").starts_with("default-src 'none'"));
        });
        assert_eq!(runtime.block_on(bed.items()), before);
        assert_eq!(bed.labarchives.take_counts(), Counts::default());
    }

    fn cases() -> u32 {
        ProptestConfig::default().cases
    }
}
