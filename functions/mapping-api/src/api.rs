//! What the routes share, and the router.

use std::sync::Arc;

use aws_config::SdkConfig;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use crosswalk_function_kit::metrics::Metrics;
use crosswalk_function_kit::traffic::OfTask;
use crosswalk_function_kit::{Clock, Entropy};
use crosswalk_identifier_store::{IdentifierStore, Table};
use crosswalk_identity::Systems;
use crosswalk_people::People;
use crosswalk_runs::Runs;

use crate::auth::{AuthMode, require_scope};
use crate::body;
use crate::observe::observe;
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

    pub(crate) fn auth(&self) -> AuthMode {
        self.0.auth
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(crate) fn entropy(&self) -> &Entropy {
        &self.0.entropy
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
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
        .layer(from_fn_with_state(api.clone(), observe))
        .with_state(api)
}
