//! Around every request: its id, one log line, its metrics, the headers that every answer bears, and an end to panics and
//! long waits.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{CACHE_CONTROL, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use crosswalk_function_kit::metrics::{Group, Metric, Metrics, Unit};
use crosswalk_function_kit::traffic::Counter;
use crosswalk_function_kit::{Clock, Entropy};
use crosswalk_identity::Mark;
use futures::FutureExt;
use tokio::time::Instant;
use tracing::Instrument;

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

/// Why there is no answer but one of [`Observer`]'s making.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// A handler panicked: 500 is what fits.
    Panicked,
    /// No answer came within 25 seconds: 503 is what fits.
    TooLong,
}

/// What [`observe`] needs to know. Clones are cheap.
#[derive(Clone)]
pub struct Observer {
    clock: Clock,
    entropy: Entropy,
    metrics: Metrics,
    fail: Arc<dyn Fn(Failure) -> Response + Send + Sync>,
}

impl Observer {
    /// `fail` makes the function's own answer of a failure: a problem, say, or a page.
    pub fn new(
        clock: Clock,
        entropy: Entropy,
        metrics: Metrics,
        fail: impl Fn(Failure) -> Response + Send + Sync + 'static,
    ) -> Self {
        Self { clock, entropy, metrics, fail: Arc::new(fail) }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Observer").finish_non_exhaustive()
    }
}

/// The outermost layer: `.layer(from_fn_with_state(observer, observe))`. Handlers find the [`RequestId`] among the request's
/// extensions.
///
/// The query string and the path's segments are personal: only the matched route's pattern is logged. An answer that does
/// not say how long it may be cached may not be.
pub async fn observe(State(observer): State<Observer>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let id = match request.extensions().get::<RequestId>() {
        Some(id) => id.clone(),
        None => RequestId(observer.entropy.uuid().to_string()),
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
            (observer.fail)(Failure::Panicked)
        }
        Err(_) => {
            tracing::warn!(parent: &span, route, "the answer took too long");
            (observer.fail)(Failure::TooLong)
        }
    };
    let headers = response.headers_mut();
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(id) = HeaderValue::from_str(&id.0) {
        headers.insert(X_REQUEST_ID, id);
    }
    let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    log(&span, &method, &route, response.status(), milliseconds);
    tell(&observer, response.status(), milliseconds, &calls);
    response
}

fn log(span: &tracing::Span, method: &Method, route: &str, status: StatusCode, milliseconds: u64) {
    tracing::info!(parent: span, %method, route, status = status.as_u16(), milliseconds, "answered");
}

/// Tells the metrics, in one line. Neither route nor method is a dimension, as each value would be a metric of its own; who
/// asks about one finds it in the log.
fn tell(observer: &Observer, status: StatusCode, milliseconds: u64, calls: &Counter) {
    let class = match status.as_u16() {
        500.. => "Requests5xx",
        400..500 => "Requests4xx",
        _ => "Requests2xx",
    };
    let requests: [Metric; 3] =
        [("Requests", Unit::Count, 1), (class, Unit::Count, 1), ("RequestTime", Unit::Milliseconds, milliseconds)];
    let calls: [Metric; 2] = [("Calls", Unit::Count, calls.requests()), ("Retries", Unit::Count, calls.retries())];
    let calls: Group<'_> = (Some(("Target", "dynamodb")), &calls);
    observer.metrics.tell_together(observer.clock.now(), &[(None, &requests), calls]);
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::body::Body;
    use axum::middleware::from_fn_with_state;
    use axum::response::IntoResponse;
    use axum::routing::get;
    use tower::ServiceExt;

    use super::*;

    fn fail(failure: Failure) -> Response {
        match failure {
            Failure::Panicked => (StatusCode::INTERNAL_SERVER_ERROR, "our own words").into_response(),
            Failure::TooLong => (StatusCode::SERVICE_UNAVAILABLE, "come back").into_response(),
        }
    }

    async fn ask(route: axum::routing::MethodRouter) -> (Response, Vec<String>) {
        let (metrics, lines) = Metrics::kept("function");
        let observer = Observer::new(Clock::system(), Entropy::system(), metrics, fail);
        let router = Router::new().route("/", route).layer(from_fn_with_state(observer, observe));
        let response = router.oneshot(Request::new(Body::empty())).await.unwrap();
        let lines = lines.lock().unwrap().iter().map(ToString::to_string).collect();
        (response, lines)
    }

    #[tokio::test]
    async fn a_panic_is_the_function_s_own_failure() {
        let (response, lines) = ask(get(async || -> &str { panic!("alice@example.org") })).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()["x-request-id"].len(), 36);
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        assert_eq!(body, "our own words");
        assert!(lines.concat().contains("\"Requests5xx\":1") && !lines.concat().contains("alice"), "{lines:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends_before_api_gateway_s() {
        let began = Instant::now();
        let (response, _) = ask(get(async || tokio::time::sleep(Duration::from_secs(3600)).await)).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(began.elapsed() < Duration::from_secs(29));
    }

    #[tokio::test]
    async fn only_what_says_so_is_cached() {
        let (response, _) = ask(get(async || "x")).await;
        assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
        assert_eq!(response.headers()[X_CONTENT_TYPE_OPTIONS], "nosniff");
        let (response, _) = ask(get(async || ([(CACHE_CONTROL, "max-age=60")], "x"))).await;
        assert_eq!(response.headers()[CACHE_CONTROL], "max-age=60");
    }
}
