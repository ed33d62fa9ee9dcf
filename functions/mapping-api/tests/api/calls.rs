//! How many calls of DynamoDB a request costs, and what the metrics tell of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

use serde_json::{Value, json};

use crate::world::{NOW, World, ask};

/// Counts the requests that leave, and breaks the connections of some.
#[derive(Debug, Clone)]
struct Counting {
    calls: Arc<AtomicUsize>,
    breaks: Arc<AtomicUsize>,
    inner: SharedHttpClient,
}

impl HttpClient for Counting {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(CountingConnector { counting: self.clone(), inner })
    }
}

#[derive(Debug)]
struct CountingConnector {
    counting: Counting,
    inner: SharedHttpConnector,
}

impl HttpConnector for CountingConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.counting.calls.fetch_add(1, Ordering::SeqCst);
        let breaks = self.counting.breaks.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        match breaks {
            Ok(_) => HttpConnectorFuture::ready(Err(ConnectorError::io("broken".into()))),
            Err(_) => self.inner.call(request),
        }
    }
}

impl Counting {
    fn new() -> Self {
        let inner = aws_smithy_http_client::Builder::new().build_http();
        Self { calls: Arc::default(), breaks: Arc::default(), inner }
    }

    fn config(&self, world: &World) -> aws_config::SdkConfig {
        world.bed.config.to_builder().http_client(SharedHttpClient::new(self.clone())).build()
    }
}

#[tokio::test]
async fn a_lookup_is_one_call_and_a_reverse_lookup_two() {
    let world = World::peopled().await;
    let counting = Counting::new();
    let calls = counting.calls.clone();
    let router = world.router_over(&counting.config(&world), "none");
    assert_eq!(calls.load(Ordering::SeqCst), 0, "something was fetched at start");
    for (path, expected) in [
        ("/health", 0),
        ("/openapi.json", 0),
        ("/people/alice@example.org/identifiers/nemo", 1),
        ("/people/alice@example.org/identifiers", 1),
        ("/systems/labarchives_eln/identifiers?external_id=a%2Fb%3F1", 2),
        // One for the person, one for the names of the employers, if there are any.
        ("/people/zo%C3%AB%20x+y@example.org", 1),
        ("/people/alice@example.org", 2),
        // One for the employer, one for who is linked, one for the links, one for the people.
        ("/employers/042127847", 4),
        (&format!("/runs/{}", crate::world::RUN), 1),
    ] {
        calls.store(0, Ordering::SeqCst);
        ask(&router, "GET", path, None).await.ok();
        assert_eq!(calls.load(Ordering::SeqCst), expected, "{path}");
    }
}

#[tokio::test]
async fn each_request_tells_its_metrics_in_one_line() {
    let world = World::peopled().await;
    let counting = Counting::new();
    let (router, lines) = world.measured(&counting.config(&world));
    let nemo = "/people/alice@example.org/identifiers/nemo";
    for (path, breaks, class, calls, retries) in [
        (nemo, 0, "Requests2xx", 1, 0),
        (nemo, 2, "Requests2xx", 3, 2),
        ("/people/nobody@example.org/identifiers/nemo", 0, "Requests4xx", 1, 0),
        ("/systems/nemo/identifiers?external_id=1001", 1, "Requests2xx", 3, 1),
        ("/health", 0, "Requests2xx", 0, 0),
        ("/nowhere", 0, "Requests4xx", 0, 0),
        // Broken until the store gives up: once, and ten times again.
        (nemo, 11, "Requests5xx", 11, 10),
    ] {
        counting.calls.store(0, Ordering::SeqCst);
        counting.breaks.store(breaks, Ordering::SeqCst);
        let answer = ask(&router, "GET", path, None).await;
        assert_eq!(format!("Requests{}xx", answer.status / 100), class, "{path}");
        assert_eq!(counting.calls.load(Ordering::SeqCst), calls, "{path}");
        let told = std::mem::take(&mut *lines.lock().unwrap());
        let [line] = &told[..] else { panic!("{path}: {told:?}") };
        let number = |name: &str| line[name].as_u64().unwrap_or_else(|| panic!("{name}: {line}"));
        assert_eq!((number("Requests"), number(class)), (1, 1), "{path}");
        assert_eq!((number("Calls"), number("Retries")), (calls as u64, retries), "{path}");
        assert!(number("RequestTime") < 60_000);
        let of = |value: &Value| value["CloudWatchMetrics"].as_array().unwrap().len();
        assert_eq!((&line["Target"], of(&line["_aws"])), (&json!("dynamodb"), 2));
        let at: jiff::Timestamp = NOW.parse().unwrap();
        assert_eq!(line["_aws"]["Timestamp"], at.as_millisecond());
        let line = line.to_string();
        assert!(!line.contains("alice") && !line.contains("nemo"), "{line}");
    }
}
