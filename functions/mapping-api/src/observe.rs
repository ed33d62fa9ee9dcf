//! Around every request: its id, one log line, its metrics, the headers that every answer bears, and an end to panics and
//! long waits.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use crosswalk_function_kit::metrics::{Group, Metric, Unit};
use crosswalk_function_kit::traffic::Counter;
use crosswalk_identity::Mark;
use futures::FutureExt;
use tokio::time::Instant;
use tracing::Instrument;

use crate::api::Api;
use crate::problem::Problem;

/// API Gateway gives up after 30 seconds, with an answer that says nothing.
const PATIENCE: Duration = Duration::from_secs(25);

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

    let calls = Counter::default();
    let answer = calls.clone().around(AssertUnwindSafe(next.run(request)).catch_unwind()).instrument(span.clone());
    let mut response = match tokio::time::timeout(PATIENCE, answer).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => {
            tracing::error!(parent: &span, route, "a handler panicked");
            Problem::internal().into_response()
        }
        Err(_) => {
            tracing::warn!(parent: &span, route, "the store took too long");
            Problem::busy().into_response()
        }
    };
    let headers = response.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(id) = HeaderValue::from_str(&id.0) {
        headers.insert(X_REQUEST_ID, id);
    }
    let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    log(&span, &method, &route, response.status(), milliseconds);
    tell(&api, response.status(), milliseconds, &calls);
    response
}

fn log(span: &tracing::Span, method: &Method, route: &str, status: StatusCode, milliseconds: u64) {
    tracing::info!(parent: span, %method, route, status = status.as_u16(), milliseconds, "answered");
}

/// Tells the metrics, in one line. Neither route nor method is a dimension, as each value would be a metric of its own; who
/// asks about one finds it in the log.
fn tell(api: &Api, status: StatusCode, milliseconds: u64, calls: &Counter) {
    let class = match status.as_u16() {
        500.. => "Requests5xx",
        400..500 => "Requests4xx",
        _ => "Requests2xx",
    };
    let requests: [Metric; 3] =
        [("Requests", Unit::Count, 1), (class, Unit::Count, 1), ("RequestTime", Unit::Milliseconds, milliseconds)];
    let calls: [Metric; 2] = [("Calls", Unit::Count, calls.requests()), ("Retries", Unit::Count, calls.retries())];
    let calls: Group<'_> = (Some(("Target", "dynamodb")), &calls);
    api.metrics().tell_together(api.clock().now(), &[(None, &requests), calls]);
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn_with_state;
    use axum::routing::get;
    use crosswalk_function_kit::settings::Environment;
    use crosswalk_function_kit::{Clock, Entropy};
    use tower::ServiceExt;

    use super::*;
    use crate::settings::ApiSettings;

    async fn ask(route: axum::routing::MethodRouter<Api>) -> Response {
        let environment = Environment::from_iter([("CROSSWALK_TABLE", "crosswalk")]);
        let config = aws_config::SdkConfig::builder().behavior_version(aws_config::BehaviorVersion::latest()).build();
        let settings = ApiSettings::from_env(&environment).unwrap();
        let api = Api::new(&config, settings, Clock::system(), Entropy::system());
        let router = Router::new().route("/", route).layer(from_fn_with_state(api.clone(), observe)).with_state(api);
        router.oneshot(Request::new(Body::empty())).await.unwrap()
    }

    #[tokio::test]
    async fn a_panic_is_a_problem() {
        let response = ask(get(async || -> &str { panic!("alice@example.org") })).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        assert_eq!(response.headers()["x-request-id"].len(), 36);
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        assert!(!String::from_utf8_lossy(&body).contains("alice"));
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends_before_api_gateway_s() {
        let began = Instant::now();
        let response = ask(get(async || tokio::time::sleep(Duration::from_secs(3600)).await)).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()["retry-after"], "1");
        assert!(began.elapsed() < Duration::from_secs(29));
    }
}
