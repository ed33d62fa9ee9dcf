//! What the routes share, and the router.

use std::sync::Arc;

use aws_config::SdkConfig;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use axum::response::IntoResponse;
use crosswalk_function_kit::metrics::Metrics;
use crosswalk_function_kit::traffic::OfTask;
use crosswalk_function_kit::{Clock, Entropy};
use crosswalk_http_edge::{AuthMode, Failure, Observer, observe};
use crosswalk_identifier_store::{IdentifierStore, Table};
use crosswalk_identity::Systems;
use crosswalk_people::People;
use crosswalk_runs::Runs;
use crosswalk_runs::files::{Files, s3_client};

use crate::auth::require_scope;
use crate::body;
use crate::openapi;
use crate::problem::Problem;
use crate::settings::ApiSettings;

/// What the routes share. Clones are cheap.
#[derive(Debug, Clone)]
pub struct Api(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: IdentifierStore,
    people: People,
    runs: Runs,
    systems: Systems,
    files: Option<Files>,
    auth: AuthMode,
    clock: Clock,
    entropy: Entropy,
    metrics: Metrics,
}

impl Api {
    /// Builds the client; nothing is fetched.
    pub fn new(config: &SdkConfig, settings: ApiSettings, clock: Clock, entropy: Entropy) -> Self {
        let counted = aws_sdk_dynamodb::config::Builder::from(config).interceptor(OfTask).build();
        let table = Table::new(aws_sdk_dynamodb::Client::from_conf(counted), settings.table);
        Self(Arc::new(Inner {
            store: IdentifierStore::new(table.clone(), clock.clone(), entropy.clone()),
            people: People::new(table.clone(), clock.clone(), entropy.clone()),
            runs: Runs::new(table, clock.clone(), entropy.clone()),
            systems: settings.systems,
            files: settings.bucket.map(|bucket| Files::Bucket { client: s3_client(config), bucket }),
            auth: settings.auth,
            clock,
            entropy,
            metrics: settings.metrics,
        }))
    }

    pub(crate) fn store(&self) -> &IdentifierStore {
        &self.0.store
    }

    pub(crate) fn people(&self) -> &People {
        &self.0.people
    }

    pub(crate) fn runs(&self) -> &Runs {
        &self.0.runs
    }

    pub(crate) fn systems(&self) -> &Systems {
        &self.0.systems
    }

    /// Where the audits' reports are.
    pub(crate) fn files(&self) -> Option<&Files> {
        self.0.files.as_ref()
    }

    pub(crate) fn auth(&self) -> AuthMode {
        self.0.auth
    }

    fn observer(&self) -> Observer {
        let Inner { clock, entropy, metrics, .. } = &*self.0;
        Observer::new(clock.clone(), entropy.clone(), metrics.clone(), |failure| match failure {
            Failure::Panicked => Problem::internal().into_response(),
            Failure::TooLong => Problem::busy().into_response(),
        })
    }
}

/// The whole API.
pub fn router(api: Api) -> Router {
    let (guarded, _) = openapi::guarded_routes().split_for_parts();
    let (open, _) = openapi::open_routes().split_for_parts();
    guarded
        .route_layer(from_fn_with_state(api.clone(), require_scope))
        .merge(open)
        .fallback(async || Problem::no_route())
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(DefaultBodyLimit::max(body::LIMIT))
        .layer(from_fn_with_state(api.observer(), observe))
        .with_state(api)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::body::Body;
    use axum::http::{Request, StatusCode};
    use axum::response::Response;
    use axum::routing::get;
    use crosswalk_function_kit::settings::Environment;
    use tower::ServiceExt;

    use super::*;

    async fn ask(route: axum::routing::MethodRouter) -> Response {
        let environment = Environment::from_iter([("CROSSWALK_TABLE", "crosswalk")]);
        let config = SdkConfig::builder().behavior_version(aws_config::BehaviorVersion::latest()).build();
        let settings = ApiSettings::from_env(&environment).unwrap();
        let api = Api::new(&config, settings, Clock::system(), Entropy::system());
        let router = Router::new().route("/", route).layer(from_fn_with_state(api.observer(), observe));
        router.oneshot(Request::new(Body::empty())).await.unwrap()
    }

    #[tokio::test]
    async fn a_panic_is_a_problem() {
        let response = ask(get(async || -> &str { panic!("alice@example.org") })).await;
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(response.headers()["content-type"], "application/problem+json");
        let body = axum::body::to_bytes(response.into_body(), 10_000).await.unwrap();
        assert!(!String::from_utf8_lossy(&body).contains("alice"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_long_wait_is_a_problem_that_says_when_to_come_back() {
        let response = ask(get(async || tokio::time::sleep(Duration::from_secs(3600)).await)).await;
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()["retry-after"], "1");
    }
}
