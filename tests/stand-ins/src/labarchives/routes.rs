//! The page to sign in, and the API.

use std::io;
use std::sync::Arc;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State as Given;
use axum::http::header::{CONTENT_TYPE, LOCATION, REFERER};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use futures::stream;
use sha2::{Digest as _, Sha256};
use url::form_urlencoded;

use super::faults::Fault;
use super::signatures::{NO_LOGIN, Refusal};
use super::{Asked, CODE_LASTS, Code, Shared, State, pages, parameter};
use crate::server::broken;

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/api_user_login", get(page).post(sign_in))
        .route("/api/users/user_access_info", get(access_info))
        .route("/api/utilities/epoch_time", get(epoch_time))
        .fallback(|| async { (StatusCode::NOT_FOUND, "no such page of the stand-in") })
        .with_state(shared)
}

type Parameters = Vec<(String, String)>;

fn decoded(text: &[u8]) -> Parameters {
    form_urlencoded::parse(text).into_owned().collect()
}

impl State {
    /// Remembers the request; its parameters.
    fn heard(&mut self, uri: &Uri, headers: &HeaderMap) -> Parameters {
        let query = decoded(uri.query().unwrap_or_default().as_bytes());
        let referer = headers.get(REFERER).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
        self.asked.push(Asked { path: uri.path().to_owned(), query: query.clone(), referer });
        query
    }

    fn refuse(&mut self, refusal: Refusal) -> Response {
        self.counts.refused += 1;
        pages::refused(refusal)
    }
}

async fn page(Given(shared): Given<Arc<Shared>>, uri: Uri, headers: HeaderMap) -> Response {
    let mut state = shared.state();
    let asked = state.heard(&uri, &headers);
    match state.check(&asked, parameter(&asked, "redirect_uri").unwrap_or_default()) {
        Ok(()) => {
            state.counts.pages += 1;
            pages::sign_in(&asked, false)
        }
        Err(refusal) => state.refuse(refusal),
    }
}

async fn sign_in(Given(shared): Given<Arc<Shared>>, body: Bytes) -> Response {
    let mut state = shared.state();
    let form = decoded(&body);
    let given = |name| parameter(&form, name).unwrap_or_default();
    let back = given("redirect_uri");
    if let Err(refusal) = state.check(&form, back) {
        return state.refuse(refusal);
    }
    let answer = match given("do") {
        "cancel" => {
            form_urlencoded::Serializer::new(String::new()).append_pair("error", "cancelled by the user").finish()
        }
        _ => {
            let fits = |email: &str, password: &str| email == given("email") && password == given("password");
            let account = state.accounts.iter().find(|account| fits(&account.email, &account.password)).cloned();
            let Some(account) = account else {
                state.counts.refused += 1;
                return pages::sign_in(&form, true);
            };
            let code = code(state.codes.len());
            let email = state.faults.tells_email.clone().unwrap_or_else(|| account.email.clone());
            let ends_at = state.now() + CODE_LASTS;
            state.codes.insert(code.clone(), Code { account, ends_at, taken: false });
            state.counts.codes += 1;
            let pairs = [("auth_code", code), ("email", email)];
            form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish()
        }
    };
    (StatusCode::FOUND, [(LOCATION, format!("{back}?{answer}"))]).into_response()
}

/// Longer than what a person types, and with characters that a query must encode.
fn code(number: usize) -> String {
    format!("{}+/{number}", BASE64_STANDARD.encode(Sha256::digest(format!("code {number}"))))
}

async fn access_info(Given(shared): Given<Arc<Shared>>, uri: Uri, headers: HeaderMap) -> Response {
    let (fault, answer) = {
        let mut state = shared.state();
        let asked = state.heard(&uri, &headers);
        state.counts.asked += 1;
        let fault = state.faults.take();
        let answer = match (fault, state.check(&asked, "user_access_info")) {
            (Some(fault), _) if !fault.is_after() => None,
            (_, Err(refusal)) => return state.refuse(refusal),
            (_, Ok(())) => match state.exchange(&asked) {
                Ok(answer) => Some(answer),
                Err(refusal) => return state.refuse(refusal),
            },
        };
        (fault, answer.unwrap_or_default())
    };
    match fault {
        None => pages::xml(StatusCode::OK, answer),
        Some(Fault::Unavailable) => pages::html(StatusCode::SERVICE_UNAVAILABLE),
        Some(Fault::Silent(time)) => {
            tokio::time::sleep(time).await;
            pages::html(StatusCode::SERVICE_UNAVAILABLE)
        }
        Some(Fault::BreakBefore | Fault::BreakAfter) => broken(),
        Some(Fault::Refuse(code)) => shared.state().refuse((code, "refused on demand")),
        Some(Fault::OtherXml) => pages::xml(StatusCode::OK, "<notebooks><id>1</id></notebooks>".to_owned()),
        Some(Fault::CutXml) => pages::xml(StatusCode::OK, answer.chars().take(answer.len() / 8).collect()),
        Some(Fault::HtmlPage) => pages::html(StatusCode::OK),
        Some(Fault::HtmlError) => pages::html(StatusCode::INTERNAL_SERVER_ERROR),
        Some(Fault::Endless) => endless(),
    }
}

impl State {
    /// The answer to who gave a password, or a code in its place, which is taken.
    fn exchange(&mut self, asked: &[(String, String)]) -> Result<String, Refusal> {
        let given = |name| parameter(asked, name).unwrap_or_default();
        let (login, password, now) = (given("login_or_email"), given("password"), self.now());
        let is_login = |email: &str| self.faults.takes_any_login || email.eq_ignore_ascii_case(login);
        if let Some(account) = self.accounts.iter().find(|one| one.email == login && one.password == password) {
            return Ok(pages::access_info(account, asked));
        }
        match self.codes.get_mut(password) {
            Some(code) if !code.taken && now < code.ends_at && is_login(&code.account.email) => {
                code.taken = true;
                self.counts.exchanged += 1;
                Ok(pages::access_info(&code.account, asked))
            }
            _ => Err(NO_LOGIN),
        }
    }
}

/// XML that goes on for 256 MiB.
fn endless() -> Response {
    let mebibyte = Bytes::from(vec![b' '; 1 << 20]);
    let begin = Bytes::from_static(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<users>");
    let pieces = std::iter::once(begin).chain(std::iter::repeat_n(mebibyte, 256)).map(Ok::<_, io::Error>);
    ([(CONTENT_TYPE, "application/xml; charset=utf-8")], Body::from_stream(stream::iter(pieces))).into_response()
}

async fn epoch_time(Given(shared): Given<Arc<Shared>>) -> Response {
    let now = shared.state().now().as_millisecond();
    let text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<utilities>\n  <epoch-time type=\"integer\">{now}</epoch-time>\n</utilities>\n"
    );
    pages::xml(StatusCode::OK, text)
}
