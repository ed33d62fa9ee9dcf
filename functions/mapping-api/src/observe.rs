//! Around every request: its id, one log line, the headers that every answer bears, and an end to panics.

use std::panic::AssertUnwindSafe;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use crosswalk_identity::Mark;
use futures::FutureExt;
use tokio::time::Instant;
use tracing::Instrument;

use crate::api::Api;
use crate::problem::Problem;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The request's id: Lambda's, or one of our own. It is the mark on what the request writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub String);

impl RequestId {
    /// The mark on items that the request writes.
    pub fn mark(&self) -> Mark {
        Mark::request(&self.0)
    }
}

/// The query string and the path's segments are personal: only the matched route's pattern is logged.
pub(crate) async fn observe(State(api): State<Api>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = match request.extensions().get::<RequestId>() {
        Some(id) => id.clone(),
        None => RequestId(api.entropy().uuid().to_string()),
    };
    request.extensions_mut().insert(id.clone());
    let method = request.method().clone();
    let route = request.extensions().get::<MatchedPath>().map_or("none", |path| path.as_str()).to_owned();
    let span = tracing::info_span!("request", request_id = %id.0);

    let answer = AssertUnwindSafe(next.run(request)).catch_unwind().instrument(span.clone()).await;
    let mut response = answer.unwrap_or_else(|_| {
        tracing::error!(parent: &span, %route, "a handler panicked");
        Problem::internal().into_response()
    });
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(id) = HeaderValue::from_str(&id.0) {
        headers.insert(X_REQUEST_ID, id);
    }
    log(&span, &method, &route, response.status(), started);
    response
}

fn log(span: &tracing::Span, method: &Method, route: &str, status: StatusCode, started: Instant) {
    let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    tracing::info!(parent: span, %method, route, status = status.as_u16(), milliseconds, "answered");
}
