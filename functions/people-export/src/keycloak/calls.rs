//! The one place where requests are sent: inside the connection limit, with the token, again where that may help.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use async_trait::async_trait;
use crosswalk_function_kit::http::{client, explain, is_transient_status};
use crosswalk_function_kit::retry::{Retries, retry};
use crosswalk_function_kit::secrets::Secrets;
use crosswalk_runs::Traffic;
use futures::FutureExt;
use futures::future::BoxFuture;
use keycloak::{KeycloakAdmin, KeycloakError, KeycloakTokenSupplier};
use reqwest::{Client, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use super::token::Tokens;
use super::{KeycloakSettings, ReadError};

/// The typed client, with one request's token.
pub(super) type Admin = KeycloakAdmin<Lent>;

/// What the typed client gives.
pub(super) type Requested<'a, T> = BoxFuture<'a, Result<T, KeycloakError>>;

/// The realm's API.
pub(super) struct Calls {
    settings: Arc<KeycloakSettings>,
    http: Client,
    root: String,
    tokens: Tokens,
    permits: Semaphore,
    counters: Arc<Counters>,
    retries: Retries,
}

/// A token for one request: which one was refused must be known, or many calls that are refused at once would each drop
/// the token that another of them has just fetched.
pub(super) struct Lent(SecretString);

#[async_trait]
impl KeycloakTokenSupplier for Lent {
    async fn get(&self, _url: &str) -> Result<String, KeycloakError> {
        Ok(self.0.expose_secret().to_owned())
    }
}

/// What was sent so far.
#[derive(Debug, Default)]
pub(super) struct Counters {
    requests: AtomicU64,
    retries: AtomicU64,
}

impl Counters {
    pub(super) fn request(&self) {
        self.requests.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn retry(&self) {
        self.retries.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn traffic(&self) -> Traffic {
        Traffic {
            requests: self.requests.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
            ..Traffic::default()
        }
    }
}

/// What a request is for, in messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked {
    Users,
    Groups,
    Children,
    Members,
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Users => "users",
            Self::Groups => "groups",
            Self::Children => "a group's children",
            Self::Members => "a group's members",
        })
    }
}

/// Why a request failed. No text holds a secret, or anything of what was read.
#[derive(Debug, thiserror::Error)]
pub(super) enum CallError {
    /// There is no such thing.
    #[error("{0}")]
    NotFound(String),
    /// A repeat may succeed.
    #[error("{0}")]
    Passing(String),
    /// A repeat fails as well.
    #[error("{0}")]
    Refused(String),
}

impl From<CallError> for ReadError {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Passing(text) => Self::Unreachable(text),
            CallError::NotFound(text) | CallError::Refused(text) => Self::Refused(text),
        }
    }
}

impl Calls {
    /// Nothing is asked yet.
    pub(super) fn new(settings: Arc<KeycloakSettings>, secrets: Secrets, retries: Retries) -> anyhow::Result<Self> {
        let http = client(&settings.base_url, settings.timeout)?;
        let root = settings.base_url.as_str().trim_end_matches('/').to_owned();
        let mut token = settings.base_url.clone();
        if let Ok(mut path) = token.path_segments_mut() {
            path.pop_if_empty().extend(["realms", &settings.realm, "protocol", "openid-connect", "token"]);
        }
        let counters = Arc::<Counters>::default();
        let tokens = Tokens::new(http.clone(), token.into(), settings.clone(), secrets, counters.clone());
        let permits = Semaphore::new(settings.connections.max(1));
        Ok(Self { settings, http, root, tokens, permits, counters, retries })
    }

    pub(super) fn settings(&self) -> &KeycloakSettings {
        &self.settings
    }

    pub(super) fn traffic(&self) -> Traffic {
        self.counters.traffic()
    }

    /// Sends a request that reads, again if that may help. A permit is held while a request (and the one for its token)
    /// is under way, not over a pause.
    ///
    /// # Errors
    /// The last attempt's.
    pub(super) fn call<'a, T: Send + 'a>(
        &'a self,
        asked: Asked,
        request: impl Fn(Admin) -> Requested<'a, T> + Send + Sync + 'a,
    ) -> BoxFuture<'a, Result<T, CallError>> {
        async move {
            let attempts = AtomicUsize::new(0);
            let attempt = || {
                if attempts.fetch_add(1, Ordering::Relaxed) > 0 {
                    self.counters.retry();
                }
                self.attempt(asked, &request)
            };
            let passing = |error: &CallError| matches!(error, CallError::Passing(_));
            retry(self.retries, passing, attempt).await.map_err(|error| match error {
                CallError::Passing(text) => {
                    CallError::Passing(format!("{text}; it was asked {} times", attempts.load(Ordering::Relaxed)))
                }
                other => other,
            })
        }
        .boxed()
    }

    async fn attempt<'a, T>(
        &self,
        asked: Asked,
        request: &(impl Fn(Admin) -> Requested<'a, T> + Send + Sync),
    ) -> Result<T, CallError> {
        let _permit = self.permits.acquire().await;
        let mut renewed = false;
        loop {
            let token = self.tokens.get().await?;
            self.counters.request();
            match request(KeycloakAdmin::new(&self.root, Lent(token.clone()), self.http.clone())).await {
                Ok(answer) => return Ok(answer),
                Err(KeycloakError::HttpFailure { status: 401, .. }) if !renewed => {
                    renewed = true;
                    self.tokens.forget(&token).await;
                    self.counters.retry();
                }
                Err(error) => return Err(self.problem(asked, error)),
            }
        }
    }

    /// What a failure means here. The answer's body is left out: it may hold anything.
    fn problem(&self, asked: Asked, error: KeycloakError) -> CallError {
        let status = match error {
            KeycloakError::ReqwestFailure(error) => return self.broken(asked, error),
            KeycloakError::HttpFailure { status, .. } => status,
        };
        if StatusCode::from_u16(status).is_ok_and(is_transient_status) {
            return CallError::Passing(format!("Keycloak answered {status} to a request for {asked}"));
        }
        match status {
            401 => CallError::Refused(format!(
                "Keycloak refused a token that it had just given out (401), at a request for {asked}: is \
                 KEYCLOAK_BASE_URL the address that the realm `{}` calls its own?",
                self.settings.realm
            )),
            403 => CallError::Refused(format!("Keycloak refused a request for {asked} (403): {}", self.remedy())),
            404 => no_realm(&self.settings),
            _ => CallError::Refused(format!(
                "Keycloak answered {status} to a request for {asked}: check that KEYCLOAK_BASE_URL is the root of the \
                 server, and not an address that leads on to it"
            )),
        }
    }

    fn broken(&self, asked: Asked, error: reqwest::Error) -> CallError {
        let json = error.source().and_then(|source| source.downcast_ref::<serde_json::Error>());
        match json {
            // The text of such an error holds what was read.
            Some(json) if json.is_eof() => {
                CallError::Passing(format!("Keycloak's answer to a request for {asked} broke off"))
            }
            Some(json) => CallError::Refused(format!(
                "Keycloak answered a request for {asked} with something else than its API does (line {}, column {}): \
                 check KEYCLOAK_BASE_URL",
                json.line(),
                json.column()
            )),
            None => unreachable(&self.settings, error),
        }
    }

    /// What to do where the token sees nothing.
    pub(super) fn remedy(&self) -> String {
        format!(
            "give the service account of KEYCLOAK_CLIENT_ID the role view-users (of the client realm-management) in the \
             realm `{}`",
            self.settings.realm
        )
    }

    /// For listings that show nothing. Keycloak counts users and groups even for a token that only has query-users and
    /// query-groups, and shows it none of them.
    pub(super) fn shows_none(&self, asked: Asked, counted: u64) -> CallError {
        CallError::Refused(format!(
            "Keycloak counts {counted} {asked} and shows none, as it does where the token cannot see them: {}",
            self.remedy()
        ))
    }

    /// For an answer that lacks what the API promises.
    pub(super) fn lacks(asked: Asked, what: &str) -> CallError {
        CallError::Refused(format!("Keycloak answered a request for {asked} without {what}: check KEYCLOAK_BASE_URL"))
    }
}

/// No connection, none in time, or one that broke.
pub(super) fn unreachable(settings: &KeycloakSettings, error: reqwest::Error) -> CallError {
    CallError::Passing(format!(
        "Keycloak does not answer at {}: {}; check KEYCLOAK_BASE_URL",
        settings.base_url,
        explain(error)
    ))
}

pub(super) fn no_realm(settings: &KeycloakSettings) -> CallError {
    CallError::NotFound(format!(
        "there is no realm `{}` at {} (404): check KEYCLOAK_REALM and KEYCLOAK_BASE_URL (some servers have a path such \
         as /auth)",
        settings.realm, settings.base_url
    ))
}
