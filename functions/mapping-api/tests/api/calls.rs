//! How many calls of DynamoDB a request costs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;

use crate::world::{World, ask};

/// Counts the requests that leave.
#[derive(Debug, Clone)]
struct Counting {
    calls: Arc<AtomicUsize>,
    inner: SharedHttpClient,
}

impl HttpClient for Counting {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(CountingConnector { calls: self.calls.clone(), inner })
    }
}

#[derive(Debug)]
struct CountingConnector {
    calls: Arc<AtomicUsize>,
    inner: SharedHttpConnector,
}

impl HttpConnector for CountingConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.calls.fetch_add(1, Ordering::SeqCst);
        self.inner.call(request)
    }
}

#[tokio::test]
async fn a_lookup_is_one_call_and_a_reverse_lookup_two() {
    let world = World::peopled().await;
    let calls = Arc::new(AtomicUsize::new(0));
    let inner = aws_smithy_http_client::Builder::new().build_http();
    let counting = SharedHttpClient::new(Counting { calls: calls.clone(), inner });
    let config = world.bed.config.to_builder().http_client(counting).build();
    let router = world.router_over(&config, "none");
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
