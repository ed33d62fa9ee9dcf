//! The paths, and what stands before them: faults, tokens, counting.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Path, Query, Request, State as Given};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use serde_json::json;
use tokio::time::Instant;
use url::form_urlencoded;

use super::served::Served;
use super::{Cut, Faults, Kind, Shared};
use crate::server;

type Parameters = Query<HashMap<String, String>>;

/// An error, as Keycloak words it.
struct Refused {
    status: StatusCode,
    error: Cow<'static, str>,
    retry_after: Option<u32>,
}

/// What a request is answered with, before faults of the body.
struct Answer {
    body: Bytes,
    /// The part that was asked for.
    page: Page,
}

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/realms/{realm}/protocol/openid-connect/token", post(token))
        .route("/admin/realms/{realm}/users", get(users))
        .route("/admin/realms/{realm}/users/count", get(users_count))
        .route("/admin/realms/{realm}/groups", get(groups))
        .route("/admin/realms/{realm}/groups/count", get(groups_count))
        .route("/admin/realms/{realm}/groups/{id}/children", get(children))
        .route("/admin/realms/{realm}/groups/{id}/members", get(members))
        .fallback(other)
        .with_state(shared)
}

async fn token(Given(shared): Given<Arc<Shared>>, Path(realm): Path<String>, request: Request) -> Response {
    let _gauge = shared.gauge.enter();
    if let Err(refused) = before(&shared, Kind::Token).await {
        return refused.into_response();
    }
    let is_form = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok())
        .is_some_and(|kind| kind.starts_with("application/x-www-form-urlencoded"));
    let Ok(body) = axum::body::to_bytes(request.into_body(), 64 * 1024).await else { return server::broken() };
    let form: HashMap<String, String> = form_urlencoded::parse(&body).into_owned().collect();
    let is = |name: &str, value: &str| form.get(name).is_some_and(|given| given == value);
    let mut state = shared.state();
    let spec = &state.realm.spec;
    if realm != spec.name {
        return refuse(StatusCode::NOT_FOUND, "Realm does not exist").into_response();
    }
    if !is_form || !is("grant_type", "client_credentials") {
        return refuse(StatusCode::BAD_REQUEST, "unsupported_grant_type").into_response();
    }
    if !is("client_id", &spec.client_id) || !is("client_secret", &spec.client_secret) {
        let told = json!({ "error": "unauthorized_client",
            "error_description": "Invalid client or Invalid client credentials" });
        return (StatusCode::UNAUTHORIZED, axum::Json(told)).into_response();
    }
    let seconds = spec.token_seconds;
    state.tokens_given += 1;
    let token = format!("stand-in-token-{}", state.tokens_given);
    state.tokens.insert(token.clone(), (Instant::now() + Duration::from_secs(seconds), 0));
    axum::Json(json!({
        "access_token": token,
        "expires_in": seconds,
        "refresh_expires_in": 0,
        "token_type": "Bearer",
        "not-before-policy": 0,
        "scope": "profile email",
    }))
    .into_response()
}

async fn users(shared: Given<Arc<Shared>>, headers: HeaderMap, path: Path<String>, query: Parameters) -> Response {
    let changed = Arc::clone(&shared);
    let answer = serve(&shared.0, Kind::Users, &headers, &path.0, |realm, faults| {
        let page = Page::read(&query, &["briefRepresentation"], Some(100))?;
        let brief = flag(&query, "briefRepresentation", false)?;
        if faults.blind {
            return Ok(Answer::new(String::from("[]"), page));
        }
        let first = if faults.repeat_first_page { 0 } else { page.first };
        let listed = realm.listed();
        let json = match faults.short_pages {
            // Every k-th place is taken by somebody who is filtered out.
            Some(kth) => {
                let kth = kth.max(2);
                let places = first..page.max.map_or(usize::MAX, |max| first.saturating_add(max));
                let shown = places
                    .take_while(|place| place - (place + 1) / kth < listed.len())
                    .filter(|place| (place + 1) % kth != 0)
                    .map(|place| listed[place - place / kth]);
                array(shown.map(|user| realm.user_json(user, brief)))
            }
            None => array(Page { first, max: page.max }.of(listed).map(|user| realm.user_json(*user, brief))),
        };
        Ok(Answer::new(json, page))
    })
    .await;
    match answer {
        Ok((answer, page)) => {
            let mut state = changed.state();
            while let Some(at) = state.faults.between_pages.iter().position(|between| page.holds(between.place)) {
                let between = state.faults.between_pages.remove(at);
                state.change(between.change);
            }
            answer
        }
        Err(refused) => refused.into_response(),
    }
}

async fn users_count(
    shared: Given<Arc<Shared>>,
    headers: HeaderMap,
    path: Path<String>,
    query: Parameters,
) -> Response {
    answered(
        serve(&shared.0, Kind::UsersCount, &headers, &path.0, |realm, faults| {
            known(&query, &[])?;
            let count = i64::try_from(realm.listed().len()).unwrap_or(i64::MAX);
            Ok(Answer::new((count + faults.count_off_by).max(0).to_string(), Page::ALL))
        })
        .await,
    )
}

async fn groups(shared: Given<Arc<Shared>>, headers: HeaderMap, path: Path<String>, query: Parameters) -> Response {
    answered(
        serve(&shared.0, Kind::Groups, &headers, &path.0, |realm, faults| {
            let page = Page::read(&query, &["briefRepresentation", "populateHierarchy", "subGroupsCount"], None)?;
            let brief = flag(&query, "briefRepresentation", true)?;
            let count = flag(&query, "subGroupsCount", true)?;
            flag(&query, "populateHierarchy", true)?;
            let shown: &[usize] = if faults.blind { &[] } else { &realm.top };
            let json = array(page.of(shown).map(|group| realm.group_json(*group, brief, count)));
            Ok(Answer::new(json, page))
        })
        .await,
    )
}

async fn groups_count(
    shared: Given<Arc<Shared>>,
    headers: HeaderMap,
    path: Path<String>,
    query: Parameters,
) -> Response {
    answered(
        serve(&shared.0, Kind::GroupsCount, &headers, &path.0, |realm, _| {
            known(&query, &["top"])?;
            let top = flag(&query, "top", false)?;
            let count = if top { realm.top.len() } else { realm.groups.len() };
            Ok(Answer::new(json!({ "count": count }).to_string(), Page::ALL))
        })
        .await,
    )
}

async fn children(
    shared: Given<Arc<Shared>>,
    headers: HeaderMap,
    Path((realm, id)): Path<(String, String)>,
    query: Parameters,
) -> Response {
    answered(
        serve(&shared.0, Kind::Children, &headers, &realm, |realm, faults| {
            let page = Page::read(&query, &["briefRepresentation", "subGroupsCount"], Some(10))?;
            let brief = flag(&query, "briefRepresentation", false)?;
            let count = flag(&query, "subGroupsCount", true)?;
            let group = realm.group(&id).filter(|_| !faults.blind).ok_or_else(no_group)?;
            let json = array(page.of(&group.children).map(|group| realm.group_json(*group, brief, count)));
            Ok(Answer::new(json, page))
        })
        .await,
    )
}

async fn members(
    shared: Given<Arc<Shared>>,
    headers: HeaderMap,
    Path((realm, id)): Path<(String, String)>,
    query: Parameters,
) -> Response {
    answered(
        serve(&shared.0, Kind::Members, &headers, &realm, |realm, faults| {
            let page = Page::read(&query, &["briefRepresentation"], Some(100))?;
            let brief = flag(&query, "briefRepresentation", false)?;
            let group = realm.group(&id).filter(|_| !faults.blind).ok_or_else(no_group)?;
            let json = array(page.of(&group.members).map(|user| realm.user_json(*user, brief)));
            Ok(Answer::new(json, page))
        })
        .await,
    )
}

async fn other(Given(shared): Given<Arc<Shared>>) -> Response {
    let _gauge = shared.gauge.enter();
    match before(&shared, Kind::Other).await {
        Ok(()) => refuse(StatusCode::NOT_FOUND, "HTTP 404 Not Found").into_response(),
        Err(refused) => refused.into_response(),
    }
}

/// Counts, waits, and fails as it was told to.
async fn before(shared: &Shared, kind: Kind) -> Result<(), Refused> {
    let (latency, failure) = {
        let mut state = shared.state();
        state.requests.add(kind);
        let number = state.requests.total();
        let failure = state.faults.every.filter(|every| number.is_multiple_of(every.kth.max(1)));
        (state.faults.latency, failure)
    };
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let Some(failure) = failure else { return Ok(()) };
    let status = StatusCode::from_u16(failure.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    Err(Refused { retry_after: failure.retry_after, ..refuse(status, "as the stand-in was told to") })
}

/// An answer of the Admin API, and the page that was asked for.
async fn serve(
    shared: &Arc<Shared>,
    kind: Kind,
    headers: &HeaderMap,
    realm: &str,
    make: impl FnOnce(&Served, &Faults) -> Result<Answer, Refused>,
) -> Result<(Response, Page), Refused> {
    let _gauge = shared.gauge.enter();
    before(shared, kind).await?;
    let mut state = shared.state();
    let given =
        headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|v| v.strip_prefix("Bearer "));
    let most_uses = state.faults.token_uses.unwrap_or(u32::MAX);
    let valid = given.and_then(|token| state.tokens.get_mut(token)).is_some_and(|(ends, uses)| {
        *uses = uses.saturating_add(1);
        Instant::now() < *ends && *uses <= most_uses
    });
    if state.faults.unauthorized > 0 {
        state.faults.unauthorized -= 1;
        if let Some(token) = given {
            state.tokens.remove(token);
        }
        return Err(unauthorized());
    }
    if !valid {
        return Err(unauthorized());
    }
    let served = Arc::clone(&state.realm);
    if realm != served.spec.name {
        return Err(refuse(StatusCode::NOT_FOUND, "Realm not found."));
    }
    if state.faults.forbidden {
        return Err(refuse(StatusCode::FORBIDDEN, "HTTP 403 Forbidden"));
    }
    let answer = make(&served, &state.faults)?;
    let response = ([(CONTENT_TYPE, "application/json;charset=UTF-8")], answer.body.clone()).into_response();
    let is_cut = match &mut state.faults.cut {
        Some(Cut { kind: of, place, times }) if *of == kind && answer.page.holds(*place) => match times {
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
            None => true,
        },
        _ => false,
    };
    drop(state);
    Ok((if is_cut { server::cut(response, &answer.body) } else { response }, answer.page))
}

fn answered(answer: Result<(Response, Page), Refused>) -> Response {
    match answer {
        Ok((answer, _)) => answer,
        Err(refused) => refused.into_response(),
    }
}

impl Answer {
    fn new(json: String, page: Page) -> Self {
        Self { body: json.into(), page }
    }
}

/// Which part of a listing was asked for.
#[derive(Clone, Copy)]
struct Page {
    first: usize,
    /// None is all of it.
    max: Option<usize>,
}

impl Page {
    const ALL: Self = Self { first: 0, max: None };

    fn read(query: &HashMap<String, String>, others: &[&str], default_max: Option<usize>) -> Result<Self, Refused> {
        known(query, &[others, &["first", "max"]].concat())?;
        // A negative number is as if none were given: from the start, without an end.
        let number = |name: &str| match query.get(name) {
            Some(given) => {
                given.parse::<i64>().map(Some).map_err(|_| refuse(StatusCode::NOT_FOUND, "HTTP 404 Not Found"))
            }
            None => Ok(None),
        };
        let first = number("first")?.and_then(|first| usize::try_from(first).ok()).unwrap_or(0);
        let max = match number("max")? {
            Some(max) => usize::try_from(max).ok(),
            None => default_max,
        };
        Ok(Self { first, max })
    }

    fn of<'a, T>(self, all: &'a [T]) -> impl Iterator<Item = &'a T> + use<'a, T> {
        all.iter().skip(self.first).take(self.max.unwrap_or(usize::MAX))
    }

    fn holds(self, place: usize) -> bool {
        place >= self.first && self.max.is_none_or(|max| place - self.first < max)
    }
}

/// Refuses parameters that the stand-in does not know, so that a test fails where Keycloak would do something else.
fn known(query: &HashMap<String, String>, names: &[&str]) -> Result<(), Refused> {
    match query.keys().find(|name| !names.contains(&name.as_str())) {
        Some(name) => Err(refuse(StatusCode::BAD_REQUEST, format!("the stand-in does not know the parameter {name}"))),
        None => Ok(()),
    }
}

fn flag(query: &HashMap<String, String>, name: &str, default: bool) -> Result<bool, Refused> {
    match query.get(name).map(String::as_str) {
        None => Ok(default),
        Some("true") => Ok(true),
        Some("false") => Ok(false),
        Some(_) => Err(refuse(StatusCode::BAD_REQUEST, format!("{name} is neither true nor false"))),
    }
}

fn array<T: AsRef<str>>(items: impl Iterator<Item = T>) -> String {
    let mut json = String::from("[");
    for item in items {
        if json.len() > 1 {
            json.push(',');
        }
        json.push_str(item.as_ref());
    }
    json.push(']');
    json
}

fn no_group() -> Refused {
    refuse(StatusCode::NOT_FOUND, "Could not find group by id")
}

fn unauthorized() -> Refused {
    refuse(StatusCode::UNAUTHORIZED, "HTTP 401 Unauthorized")
}

fn refuse(status: StatusCode, error: impl Into<Cow<'static, str>>) -> Refused {
    Refused { status, error: error.into(), retry_after: None }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let mut answer = (self.status, axum::Json(json!({ "error": self.error }))).into_response();
        if let Some(seconds) = self.retry_after {
            answer.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            answer.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        answer
    }
}
