//! The stand-in for LabArchives, asked over HTTP.
#![allow(clippy::unwrap_used, reason = "integration tests")]
#![expect(clippy::disallowed_methods, reason = "the stand-in has a clock of its own, which is the machine's")]

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use crosswalk_stand_ins::labarchives::{
    ACCESS_PASSWORD, AKID, AccountSpec, Counts, Fault, Faults, Hash, LabArchivesStandIn,
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::{SignedDuration, Timestamp};
use sha1::Sha1;
use sha2::Sha512;
use url::Url;

const BACK: &str = "https://crosswalk.example.org/registrations/callback/x-_9";

struct Client {
    http: reqwest::Client,
    url: String,
}

fn start() -> (LabArchivesStandIn, Client) {
    let accounts = vec![AccountSpec::new("ann"), AccountSpec::new("ben")];
    let stand_in = LabArchivesStandIn::start(accounts).unwrap();
    let http = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let client = Client { http, url: stand_in.url().to_owned() };
    (stand_in, client)
}

fn signature(method: &str, expires: &str) -> String {
    let mac = Hmac::<Sha512>::new_from_slice(ACCESS_PASSWORD.as_bytes()).unwrap();
    BASE64_STANDARD.encode(mac.chain_update(format!("{AKID}{method}{expires}")).finalize().into_bytes())
}

/// In so many seconds.
fn expires(seconds: i64) -> String {
    (Timestamp::now() + SignedDuration::from_secs(seconds)).as_millisecond().to_string()
}

/// What is signed well for `method`, with further parameters.
fn signed<'a>(method: &str, more: &[(&'a str, &str)]) -> Vec<(&'a str, String)> {
    let expires = expires(60);
    let sig = signature(method, &expires);
    let mut all: Vec<_> = more.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    all.extend([("akid", AKID.to_owned()), ("expires", expires), ("sig", sig)]);
    all
}

/// The same with another value.
fn with<'a>(mut parameters: Vec<(&'a str, String)>, name: &str, value: &str) -> Vec<(&'a str, String)> {
    for parameter in &mut parameters {
        if parameter.0 == name {
            parameter.1 = value.to_owned();
        }
    }
    parameters
}

impl Client {
    async fn get(&self, path: &str, query: &[(&str, String)]) -> (u16, String) {
        let answer = self.http.get(format!("{}{path}", self.url)).query(query).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn post(&self, email: &str, password: &str, action: &str) -> (u16, Option<Url>) {
        let form = signed(BACK, &[("redirect_uri", BACK), ("email", email), ("password", password), ("do", action)]);
        let answer = self.http.post(format!("{}/api_user_login", self.url)).form(&form).send().await.unwrap();
        let location = answer.headers().get("location").map(|value| Url::parse(value.to_str().unwrap()).unwrap());
        (answer.status().as_u16(), location)
    }

    /// Signs in; the code.
    async fn code(&self, name: &str) -> String {
        let back = self.post(&format!("{name}@example.org"), &format!("{name}-password"), "sign-in").await.1.unwrap();
        assert!(back.as_str().starts_with(&format!("{BACK}?auth_code=")), "{back}");
        back.query_pairs().find(|(name, _)| name == "auth_code").unwrap().1.into_owned()
    }

    async fn exchange(&self, email: &str, code: &str) -> (u16, String) {
        let query = signed("user_access_info", &[("login_or_email", email), ("password", code)]);
        self.get("/api/users/user_access_info", &query).await
    }
}

#[track_caller]
fn assert_refused(answer: &(u16, String), code: u32) {
    assert!(answer.0 == 400 && answer.1.contains(&format!("<error-code>{code}</error-code>")), "{answer:?}");
}

#[tokio::test]
async fn a_person_signs_in_and_the_code_is_taken_once() {
    let (stand_in, client) = start();
    let (status, page) = client.get("/api_user_login", &signed(BACK, &[("redirect_uri", BACK)])).await;
    assert!(status == 200 && page.contains(&format!("value=\"{BACK}\"")), "{page}");

    let code = client.code("ann").await;
    let (status, xml) = client.exchange("ann@example.org", &code).await;
    assert_eq!(status, 200);
    let uid = AccountSpec::new("ann").uid.replace('\'', "&apos;");
    assert!(xml.contains(&format!("<users>\n  <id>{uid}</id>")), "{xml}");
    assert_refused(&client.exchange("ann@example.org", &code).await, 4514);
    assert_eq!(stand_in.take_counts(), Counts { pages: 1, refused: 1, codes: 1, asked: 2, exchanged: 1 });
    let asked = stand_in.take_asked();
    assert_eq!(asked.len(), 3);
    assert_eq!(asked[1].parameter("password"), Some(code.as_str()));
}

#[tokio::test]
async fn codes_end_and_are_their_owners() {
    let (stand_in, client) = start();
    let code = client.code("ann").await;
    assert_refused(&client.exchange("ben@example.org", &code).await, 4514);
    assert_refused(&client.exchange("ann@example.org", "guessed").await, 4514);
    stand_in.fail(Faults { takes_any_login: true, ..Faults::default() });
    assert_eq!(client.exchange("ben@example.org", &code).await.0, 200);

    let code = client.code("ann").await;
    stand_in.forward(SignedDuration::from_mins(-1));
    assert_eq!(client.exchange("ann@example.org", &code).await.0, 200);
    let code = client.code("ann").await;
    stand_in.forward(SignedDuration::from_mins(5));
    // The clock of who asks has gone on too.
    let expires = expires(300);
    let query = signed("user_access_info", &[("login_or_email", "ann@example.org"), ("password", &code)]);
    let query = with(with(query, "expires", &expires), "sig", &signature("user_access_info", &expires));
    assert_refused(&client.get("/api/users/user_access_info", &query).await, 4514);
}

#[tokio::test]
async fn what_is_not_signed_as_documented_is_refused() {
    let (stand_in, client) = start();
    let page = || signed(BACK, &[("redirect_uri", BACK)]);
    let login = async |query: Vec<_>| client.get("/api_user_login", &query).await;
    assert_refused(&login(with(page(), "akid", "other")).await, 4506);
    assert_refused(&login(with(page(), "sig", "AAAA")).await, 4520);
    assert_refused(&login(with(page(), "redirect_uri", "https://evil.example.com/")).await, 4520);
    assert_refused(&login(Vec::new()).await, 4506);
    // Seconds in place of milliseconds, past, and too far ahead.
    for given in [(Timestamp::now().as_second() + 60).to_string(), expires(-1), expires(6 * 60 + 10), "soon".to_owned()]
    {
        let query = with(with(page(), "sig", &signature(BACK, &given)), "expires", &given);
        assert_refused(&login(query).await, 4520);
    }
    // A page's signature is none for the exchange.
    assert_refused(&client.get("/api/users/user_access_info", &page()).await, 4520);

    stand_in.sign_with(Hash::Sha1);
    assert_refused(&login(page()).await, 4520);
    let mac = Hmac::<Sha1>::new_from_slice(ACCESS_PASSWORD.as_bytes()).unwrap();
    let given = expires(60);
    let mac = mac.chain_update(format!("{AKID}{BACK}{given}")).finalize().into_bytes();
    let query = with(with(page(), "expires", &given), "sig", &BASE64_STANDARD.encode(mac));
    assert_eq!(login(query).await.0, 200);
}

#[tokio::test]
async fn who_cancels_or_errs_gets_no_code() {
    let (stand_in, client) = start();
    let (status, back) = client.post("", "", "cancel").await;
    assert_eq!((status, back.unwrap().as_str()), (302, format!("{BACK}?error=cancelled+by+the+user").as_str()));
    assert_eq!(client.post("ann@example.org", "wrong", "sign-in").await, (401, None));
    assert_eq!(stand_in.take_counts().codes, 0);
}

#[tokio::test]
async fn it_fails_on_demand() {
    let (stand_in, client) = start();
    let code = client.code("ann").await;
    for (fault, status, taken) in [
        (Fault::Unavailable, 503, false),
        (Fault::Silent(Duration::from_millis(50)), 503, false),
        (Fault::HtmlError, 500, false),
        (Fault::Refuse(4533), 400, false),
        (Fault::CutXml, 200, true),
        (Fault::HtmlPage, 200, true),
        (Fault::OtherXml, 200, true),
    ] {
        stand_in.fail(Faults::exchange(fault));
        let code = if taken { client.code("ann").await } else { code.clone() };
        let (got, text) = client.exchange("ann@example.org", &code).await;
        assert!(got == status && !text.contains("fullname"), "{fault:?}: {got} {text}");
    }
    let query = |code: &str| signed("user_access_info", &[("login_or_email", "ann@example.org"), ("password", code)]);
    let url = format!("{}/api/users/user_access_info", client.url);
    stand_in.fail(Faults { times: Some(1), ..Faults::exchange(Fault::BreakBefore) });
    assert!(client.http.get(&url).query(&query(&code)).send().await.is_err());
    assert_eq!(client.exchange("ann@example.org", &code).await.0, 200, "broken once, and not taken");

    let code = client.code("ann").await;
    stand_in.fail(Faults { times: Some(1), ..Faults::exchange(Fault::BreakAfter) });
    assert!(client.http.get(&url).query(&query(&code)).send().await.is_err());
    assert_refused(&client.exchange("ann@example.org", &code).await, 4514);
}
