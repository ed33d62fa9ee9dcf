//! The two listings.

use std::cmp::Reverse;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, RawQuery, State as Given};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::{EventSpec, Shared, State, TOKEN, UserSpec};
use crate::server::broken;

pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new().route("/api/{listing}/", get(listed)).with_state(shared)
}

type Parameters = Vec<(String, String)>;

async fn listed(
    Given(shared): Given<Arc<Shared>>,
    Path(listing): Path<String>,
    RawQuery(raw): RawQuery,
    Query(parameters): Query<Parameters>,
    headers: HeaderMap,
) -> Response {
    let mut state = shared.state();
    state.requests.push(format!("/api/{listing}/?{}", raw.unwrap_or_default()));
    if state.faults.broken_from.is_some_and(|from| state.requests.len() >= from) {
        return broken();
    }
    if state.faults.busy > 0 {
        state.faults.busy -= 1;
        return (StatusCode::SERVICE_UNAVAILABLE, "busy").into_response();
    }
    if let Some(refusal) = refused(&state, &listing, &headers) {
        return refusal;
    }
    let parameter =
        |name: &str| parameters.iter().rev().find(|(given, _)| given == name).map(|(_, value)| value.as_str());
    let page = parameter("page").and_then(|page| page.parse::<usize>().ok());
    let records = match listing.as_str() {
        "users" => users(&state, page.unwrap_or(1)),
        "usage_events" => match events(&state, parameter("start__gte")) {
            Ok(events) => events,
            Err(refusal) => return refusal,
        },
        _ => return (StatusCode::NOT_FOUND, "<h1>Not Found</h1>").into_response(),
    };
    let records: Vec<Value> = records.into_iter().map(|record| picked(record, parameter("fields"))).collect();
    let Some(size) = parameter("page_size").and_then(|size| size.parse::<usize>().ok()).filter(|size| *size > 0) else {
        let records = if state.faults.short_whole { &records[1..] } else { &records[..] };
        return axum::Json(records).into_response();
    };
    let (count, number) = (records.len(), page.unwrap_or(1));
    let first = number.saturating_sub(1) * size;
    if page == Some(0) || (first >= count && number > 1) {
        return detail(StatusCode::NOT_FOUND, "Invalid page.");
    }
    let end = (first + size).min(count);
    let mut results = records[first..end].to_vec();
    if state.faults.short && end == count && size > 1 {
        results.pop();
    }
    // As behind a proxy that NEMO does not know of: the address leads nowhere.
    let next =
        (end < count).then(|| format!("http://nemo.invalid/api/{listing}/?page={}&page_size={size}", number + 1));
    axum::Json(json!({"count": count, "next": next, "previous": null, "results": results})).into_response()
}

fn refused(state: &State, listing: &str, headers: &HeaderMap) -> Option<Response> {
    let given = headers.get("authorization").and_then(|value| value.to_str().ok());
    let denied = if state.faults.denies_with_403 { StatusCode::FORBIDDEN } else { StatusCode::UNAUTHORIZED };
    match given.map(|given| given.strip_prefix("Token ")) {
        None | Some(None) => Some(detail(denied, "Authentication credentials were not provided.")),
        Some(Some(token)) if token != TOKEN => Some(detail(denied, "Invalid token.")),
        Some(Some(_)) if state.faults.forbidden.contains(listing) => {
            Some(detail(StatusCode::FORBIDDEN, "You do not have permission to perform this action."))
        }
        Some(Some(_)) => None,
    }
}

fn detail(status: StatusCode, text: &str) -> Response {
    (status, axum::Json(json!({ "detail": text }))).into_response()
}

/// By first name; equal ones forwards on odd pages and backwards on even ones.
fn users(state: &State, page: usize) -> Vec<Value> {
    let mut users = state.users.clone();
    if page.is_multiple_of(2) && !state.faults.stable {
        users.reverse();
    }
    users.sort_by(|one, other| one.first_name.cmp(&other.first_name));
    let value = |user: UserSpec| {
        let UserSpec { id, username, first_name, email, is_active } = user;
        json!({
            "id": id, "username": username, "first_name": first_name, "last_name": "Example", "email": email,
            "domain": "", "notes": null, "badge_number": null, "access_expiration": null, "is_active": is_active,
            "is_staff": false, "date_joined": "2024-01-01T00:00:00-05:00", "last_login": null, "type": null,
            "projects": [],
        })
    };
    users.into_iter().map(value).collect()
}

#[expect(clippy::result_large_err, reason = "an answer is one")]
fn events(state: &State, since: Option<&str>) -> Result<Vec<Value>, Response> {
    let since = match since.map(str::parse::<Timestamp>) {
        Some(Err(_)) => {
            let problem = json!({"start__gte": ["Enter a valid date/time."]});
            return Err((StatusCode::BAD_REQUEST, axum::Json(problem)).into_response());
        }
        Some(Ok(since)) if !state.faults.unfiltered => since,
        _ => Timestamp::MIN,
    };
    let mut events: Vec<EventSpec> = state.events.iter().filter(|event| event.start >= since).cloned().collect();
    events.sort_by_key(|event| Reverse(event.start));
    let value = |EventSpec { id, start, user, operator }: EventSpec| {
        // With an offset, as NEMO has it.
        let start = start.to_zoned(jiff::tz::TimeZone::fixed(jiff::tz::offset(-5)));
        let start = start.strftime("%Y-%m-%dT%H:%M:%S%.6f%:z").to_string();
        json!({
            "id": id, "start": start, "end": null, "user": user, "operator": operator, "project": 1, "tool": 1,
            "validated": false, "run_data": null,
        })
    };
    Ok(events.into_iter().map(value).collect())
}

/// Only these fields, if any are named; those that there are not are ignored.
fn picked(record: Value, fields: Option<&str>) -> Value {
    let (Some(fields), Value::Object(record)) = (fields, &record) else { return record };
    let named: Vec<&str> = fields.split(',').collect();
    let picked: Map<String, Value> = record
        .iter()
        .filter(|(name, _)| named.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    Value::Object(picked)
}
