//! The access token: client_credentials, kept until shortly before it ends, fetched by one at a time.

use std::sync::Arc;
use std::time::Duration;

use crosswalk_function_kit::http::is_transient_status;
use crosswalk_function_kit::secrets::Secrets;
use reqwest::{Client, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::KeycloakSettings;
use super::calls::{CallError, Counters, no_realm, unreachable};
use super::settings::{CLIENT_ID, CLIENT_SECRET};

/// A token is not used in its last seconds, in which it may lapse on the way.
const LAST_SECONDS: Duration = Duration::from_secs(30);
/// What holds for a token that does not say how long it holds: the shortest that Keycloak gives unless told otherwise.
const DEFAULT_LIFE: u64 = 60;
/// The error codes of OAuth 2.0 (RFC 6749, 5.2). Nothing else of a refusal is repeated: it may hold what was sent.
const CODES: &[&str] = &[
    "invalid_request",
    "invalid_client",
    "invalid_grant",
    "unauthorized_client",
    "unsupported_grant_type",
    "invalid_scope",
];

/// Gives out the token. Whoever needs one while it is being fetched waits, and shares it.
pub(super) struct Tokens {
    http: Client,
    url: String,
    settings: Arc<KeycloakSettings>,
    secrets: Secrets,
    counters: Arc<Counters>,
    kept: Mutex<Option<Token>>,
}

struct Token {
    value: SecretString,
    until: Instant,
}

#[derive(Deserialize)]
struct Answer {
    access_token: SecretString,
    expires_in: Option<u64>,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
}

/// What the endpoint said of a secret.
enum Fetched {
    Token(Token),
    /// The credentials do not do, for this reason.
    Refused(String),
}

impl Tokens {
    /// Nothing is fetched yet. `url` is the realm's token endpoint.
    pub(super) fn new(
        http: Client,
        url: String,
        settings: Arc<KeycloakSettings>,
        secrets: Secrets,
        counters: Arc<Counters>,
    ) -> Self {
        Self { http, url, settings, secrets, counters, kept: Mutex::default() }
    }

    /// The token, fetched if there is none that still holds.
    pub(super) async fn get(&self) -> Result<SecretString, CallError> {
        let mut kept = self.kept.lock().await;
        if let Some(token) = kept.as_ref().filter(|token| token.until > Instant::now()) {
            return Ok(token.value.clone());
        }
        let token = self.fetch().await?;
        let value = token.value.clone();
        *kept = Some(token);
        Ok(value)
    }

    /// Drops a token that was refused; not one that another call has fetched meanwhile.
    pub(super) async fn forget(&self, refused: &SecretString) {
        let mut kept = self.kept.lock().await;
        if kept.as_ref().is_some_and(|token| token.value.expose_secret() == refused.expose_secret()) {
            *kept = None;
        }
    }

    /// Asks for a token; once more if the secret was refused and has been changed where it is kept.
    async fn fetch(&self) -> Result<Token, CallError> {
        let secret = self.secret().await?;
        let refused = match self.ask(&secret).await? {
            Fetched::Token(token) => return Ok(token),
            Fetched::Refused(why) => why,
        };
        self.secrets.forget(&self.settings.client_secret).await;
        let changed = self.secret().await?;
        if changed.expose_secret() != secret.expose_secret() {
            self.counters.retry();
            if let Fetched::Token(token) = self.ask(&changed).await? {
                return Ok(token);
            }
        }
        Err(CallError::Refused(format!(
            "Keycloak gave no token ({refused}): check {} and {}, and that the client has client authentication and a \
             service account (\"Service accounts roles\") in the realm `{}`",
            CLIENT_ID.name, CLIENT_SECRET.name, self.settings.realm
        )))
    }

    async fn secret(&self) -> Result<SecretString, CallError> {
        let secret = self.secrets.get(CLIENT_SECRET.name, &self.settings.client_secret).await;
        secret.map_err(|error| CallError::Refused(error.to_string()))
    }

    async fn ask(&self, secret: &SecretString) -> Result<Fetched, CallError> {
        self.counters.request();
        let asked = Instant::now();
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", &self.settings.client_id),
            ("client_secret", secret.expose_secret()),
        ];
        let broken = |error| unreachable(&self.settings, error);
        let answer = self.http.post(&self.url).form(&form).send().await.map_err(broken)?;
        let status = answer.status();
        if is_transient_status(status) {
            return Err(CallError::Passing(format!("Keycloak answered {} to a request for a token", status.as_u16())));
        }
        match status {
            StatusCode::OK => {}
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED => {
                let body = answer.bytes().await.map_err(broken)?;
                let told = serde_json::from_slice::<Refusal>(&body).ok();
                let code = told.and_then(|refusal| CODES.iter().find(|code| **code == refusal.error));
                let code = code.map(|code| format!(", {code}")).unwrap_or_default();
                return Ok(Fetched::Refused(format!("{}{code}", status.as_u16())));
            }
            StatusCode::NOT_FOUND => return Err(no_realm(&self.settings)),
            _ => return Err(CallError::Refused(no_token(status))),
        }
        let body = answer.bytes().await.map_err(broken)?;
        let read: Answer = serde_json::from_slice(&body).map_err(|_| CallError::Refused(no_token(status)))?;
        let life = Duration::from_secs(read.expires_in.unwrap_or(DEFAULT_LIFE));
        // A very short one is used for half its life. It began when it was made, at the earliest when it was asked for.
        let until = asked + life.saturating_sub(LAST_SECONDS).max(life / 2);
        Ok(Fetched::Token(Token { value: read.access_token, until }))
    }
}

fn no_token(status: StatusCode) -> String {
    format!(
        "Keycloak answered {} and no token to a request for one: check that KEYCLOAK_BASE_URL is the root of the \
         server, and not an address that leads on to it",
        status.as_u16()
    )
}
