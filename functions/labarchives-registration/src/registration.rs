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

impl Shared {
    /// The page of an outcome, which is counted.
    pub(crate) fn end(&self, outcome: Outcome, way_back: Option<&Token>) -> Response {
        let at = self.clock.now();
        self.metrics.tell(at, Some(("Outcome", outcome.name())), &[("Registrations", Unit::Count, 1)]);
        tracing::info!(outcome = outcome.name(), detail = ?outcome, "a registration's page");
        pages::message(outcome, way_back, self.contact.as_deref())
    }

    fn observer(&self) -> Observer {
        let (contact, shield) = (self.contact.clone(), self.shield.clone());
        Observer::new(self.clock.clone(), self.entropy.clone(), self.metrics.clone(), move |failure| {
            let outcome = match failure {
                Failure::Panicked => Outcome::Failed,
                Failure::TooLong => Outcome::Busy,
            };
            let mut response = pages::message(outcome, None, contact.as_deref());
            shield.cover(response.headers_mut());
            response
        })
    }
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
