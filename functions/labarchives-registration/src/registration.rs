//! What the routes share, and the router.

use std::fmt;
use std::sync::Arc;

use aws_config::SdkConfig;
use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use crosswalk_function_kit::metrics::{Metrics, Unit};
use crosswalk_function_kit::secrets::Secrets;
use crosswalk_function_kit::traffic::OfTask;
use crosswalk_function_kit::{Clock, Entropy};
use crosswalk_http_edge::{Failure, Observer, observe};
use crosswalk_identifier_store::{IdentifierStore, StoreError, Table};
use crosswalk_identity::System;
use crosswalk_invitations::{Invitations, Pages, Token};
use jiff::SignedDuration;

use crate::attempts::Attempts;
use crate::labarchives::{ExchangeError, LabArchives};
use crate::pages::{self, Outcome};
use crate::problem::Problem;
use crate::settings::RegistrationSettings;
use crate::shield::Shield;
use crate::{callback, invite, link};

/// What the routes share. Clones are cheap.
#[derive(Clone)]
pub struct Registration(Arc<Shared>);

/// The same, inside.
pub(crate) struct Shared {
    pub(crate) labarchives: LabArchives,
    pub(crate) invitations: Invitations,
    pub(crate) attempts: Attempts,
    pub(crate) store: IdentifierStore,
    pub(crate) system: System,
    pub(crate) pages: Pages,
    pub(crate) lasts: SignedDuration,
    pub(crate) username_claim: String,
    pub(crate) contact: Option<String>,
    pub(crate) shield: Shield,
    pub(crate) clock: Clock,
    entropy: Entropy,
    metrics: Metrics,
}

impl Registration {
    /// Builds the clients; nothing is asked yet.
    ///
    /// # Errors
    /// The TLS configuration cannot be built.
    pub fn new(
        config: &SdkConfig,
        settings: RegistrationSettings,
        clock: Clock,
        entropy: Entropy,
    ) -> Result<Self, reqwest::Error> {
        let counted = aws_sdk_dynamodb::config::Builder::from(config).interceptor(OfTask).build();
        let table = Table::new(aws_sdk_dynamodb::Client::from_conf(counted), settings.table);
        let shield = Shield::new(&settings.labarchives, &settings.pages);
        Ok(Self(Arc::new(Shared {
            labarchives: LabArchives::new(settings.labarchives, Secrets::new(config), clock.clone())?,
            invitations: Invitations::new(table.clone(), clock.clone(), entropy.clone()),
            attempts: Attempts::new(table.clone(), clock.clone(), entropy.clone()),
            // Who signs in with another account than the one that is linked may have come by somebody else's link.
            store: IdentifierStore::new(table, clock.clone(), entropy.clone()).keeping_ids(),
            system: settings.system,
            pages: settings.pages,
            lasts: settings.lasts,
            username_claim: settings.username_claim,
            contact: settings.contact,
            shield,
            clock,
            entropy,
            metrics: settings.metrics,
        })))
    }
}

#[cfg(test)]
impl Registration {
    /// For a test that puts something else in place of a part.
    pub(crate) fn shared_mut(&mut self) -> &mut Shared {
        Arc::get_mut(&mut self.0).unwrap()
    }
}

impl Shared {
    /// The page of an outcome, which is counted.
    pub(crate) fn end(&self, outcome: Outcome, way_back: Option<&Token>) -> Response {
        count(&self.metrics, &self.clock, outcome);
        tracing::info!(outcome = outcome.name(), detail = ?outcome, "a registration's page");
        pages::message(outcome, way_back, self.contact.as_deref())
    }

    fn observer(&self) -> Observer {
        let (contact, shield) = (self.contact.clone(), self.shield.clone());
        let (metrics, clock) = (self.metrics.clone(), self.clock.clone());
        Observer::new(self.clock.clone(), self.entropy.clone(), self.metrics.clone(), move |failure| {
            let outcome = match failure {
                Failure::Panicked => Outcome::Failed,
                Failure::TooLong => Outcome::Busy,
            };
            count(&metrics, &clock, outcome);
            let mut response = pages::message(outcome, None, contact.as_deref());
            shield.cover(response.headers_mut());
            response
        })
    }
}

/// Counts an outcome.
fn count(metrics: &Metrics, clock: &Clock, outcome: Outcome) {
    metrics.tell(clock.now(), Some(("Outcome", outcome.name())), &[("Registrations", Unit::Count, 1)]);
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registration").finish_non_exhaustive()
    }
}

/// What the store's failure is to a person.
impl From<StoreError> for Outcome {
    fn from(error: StoreError) -> Self {
        if let StoreError::Busy(_) = error {
            tracing::warn!(%error, "the store is busy");
            return Self::Busy;
        }
        tracing::error!(%error, "the store failed");
        Self::Failed
    }
}

/// What LabArchives' failure is to a person. Its text holds nothing of theirs.
impl From<ExchangeError> for Outcome {
    fn from(error: ExchangeError) -> Self {
        match error {
            ExchangeError::SignIn(_) => {
                tracing::warn!(%error, "LabArchives refuses a sign-in");
                Self::SignInRefused
            }
            ExchangeError::Unavailable { wait, .. } => {
                tracing::warn!(%error, wait = wait.map(|wait| wait.as_secs()), "LabArchives does not answer");
                Self::Unavailable
            }
            ExchangeError::Misconfigured(_) | ExchangeError::NotUnderstood(_) => {
                tracing::error!(%error, "LabArchives does not take what is set here");
                Self::Misconfigured
            }
        }
    }
}

/// The routes alone, for another router to be merged with.
pub fn routes(registration: Registration) -> Router {
    let shared = registration.0;
    let pages = Router::new()
        .route("/registrations/{token}", get(link::show).post(link::begin))
        .route("/registrations/callback/{state}", get(callback::take).head(no_method))
        .route("/registrations/style.css", get(style))
        .method_not_allowed_fallback(no_method);
    let json = Router::new()
        .route("/registrations", post(invite::invite))
        .method_not_allowed_fallback(async || Problem::method_not_allowed());
    pages
        .merge(json)
        .layer(DefaultBodyLimit::max(invite::MOST_BYTES))
        .layer(from_fn_with_state(shared.clone(), cover))
        .layer(from_fn_with_state(shared.observer(), observe))
        .with_state(shared)
}

/// The whole function: the routes, and a page for every other path.
pub fn router(registration: Registration) -> Router {
    let shared = Arc::clone(&registration.0);
    let nothing = Router::new()
        .fallback(async |State(shared): State<Arc<Shared>>| {
            pages::message(Outcome::NoPage, None, shared.contact.as_deref())
        })
        .layer(from_fn_with_state(shared.clone(), cover))
        .layer(from_fn_with_state(shared.observer(), observe))
        .with_state(shared);
    routes(registration).merge(nothing)
}

async fn no_method(State(shared): State<Arc<Shared>>) -> Response {
    pages::message(Outcome::NoMethod, None, shared.contact.as_deref())
}

async fn style() -> Response {
    let headers = [(CONTENT_TYPE, "text/css; charset=utf-8"), (CACHE_CONTROL, "public, max-age=3600")];
    (headers, pages::STYLE).into_response()
}

async fn cover(State(shared): State<Arc<Shared>>, request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    shared.shield.cover(response.headers_mut());
    response
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use aws_config::BehaviorVersion;
    use axum::body::Body;
    use axum::routing::MethodRouter;
    use crosswalk_function_kit::settings::Environment;
    use tower::ServiceExt;

    use super::*;

    /// What is answered where a route behaves so, and the outcomes that were counted.
    async fn ask(route: MethodRouter) -> (u16, Vec<String>) {
        let environment = Environment::from_iter([
            ("LABARCHIVES_AKID", "example"),
            ("LABARCHIVES_ACCESS_PASSWORD", "hunter2"),
            ("REGISTRATION_URL", "https://crosswalk.example.org"),
            ("CROSSWALK_TABLE", "crosswalk"),
        ]);
        let (metrics, lines) = Metrics::kept("labarchives-registration");
        let settings = RegistrationSettings { metrics, ..RegistrationSettings::from_env(&environment).unwrap() };
        let config = SdkConfig::builder().behavior_version(BehaviorVersion::latest()).build();
        let registration = Registration::new(&config, settings, Clock::system(), Entropy::seeded(1)).unwrap();
        let router = Router::new().route("/", route).layer(from_fn_with_state(registration.0.observer(), observe));
        let response = router.oneshot(Request::new(Body::empty())).await.unwrap();
        let lines = lines.lock().unwrap();
        let outcomes = lines.iter().filter_map(|line| line["Outcome"].as_str().map(str::to_owned)).collect();
        (response.status().as_u16(), outcomes)
    }

    #[tokio::test(start_paused = true)]
    async fn what_ends_without_an_answer_is_a_failed_registration() {
        assert_eq!(ask(get(async || -> &str { panic!("a handler") })).await, (500, vec!["failed".to_owned()]));
        let endless = get(async || tokio::time::sleep(Duration::from_secs(3600)).await);
        assert_eq!(ask(endless).await, (503, vec!["failed".to_owned()]));
        assert_eq!(ask(get(async || "fine")).await.1, Vec::<String>::new());
    }
}
