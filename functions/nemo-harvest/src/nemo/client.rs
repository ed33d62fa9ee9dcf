//! The one place where a request is sent, tried again and counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crosswalk_function_kit::Deadline;
use crosswalk_function_kit::http::{self, is_transient_status};
use crosswalk_function_kit::retry::{Retries, retry_as_told};
use crosswalk_function_kit::secrets::Secrets;
use crosswalk_runs::Traffic;
use reqwest::StatusCode;
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{Listing, ReadError};
use crate::settings::{NemoSettings, TOKEN};

/// For one request: 5 more attempts, over half a minute at the very most.
const RETRIES: Retries = Retries { first: Duration::from_millis(250), longest: Duration::from_secs(10), times: 5 };
/// The longest answer that is taken: a listing that is read whole is held whole, and a function's memory is bounded.
const MOST_BYTES: usize = 256 * 1024 * 1024;

/// Connections and token, shared by all runs.
pub(super) struct Client {
    settings: NemoSettings,
    http: reqwest::Client,
    secrets: Secrets,
}

/// What a run sent.
#[derive(Debug, Default)]
pub(super) struct Tally {
    requests: AtomicU64,
    retries: AtomicU64,
    bytes_received: AtomicU64,
}

/// What NEMO answered.
pub(super) enum Answer {
    Json(Vec<u8>),
    /// 404, which past the last page is the end.
    NotFound,
}

/// Why an attempt failed.
enum Failure {
    /// Another may succeed, after the wait that the answer asks for.
    Passing { what: String, wait: Option<Duration> },
    /// Another would fail as well.
    Lasting(String),
}

/// The body of an answer that is none: Django REST framework's.
#[derive(Deserialize)]
struct Refusal {
    detail: String,
}

impl Tally {
    pub(super) fn traffic(&self) -> Traffic {
        Traffic {
            requests: self.requests.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
            bytes_sent: 0,
            bytes_received: Some(self.bytes_received.load(Ordering::Relaxed)),
        }
    }
}

impl Client {
    /// Nothing is asked yet.
    pub(super) fn new(settings: NemoSettings, secrets: Secrets) -> Result<Self, reqwest::Error> {
        Ok(Self { http: http::client(&settings.url, settings.timeout)?, settings, secrets })
    }

    pub(super) fn settings(&self) -> &NemoSettings {
        &self.settings
    }

    /// Asks for a listing, again where that may help.
    ///
    /// # Errors
    /// What is wrong, and what to do. No text holds the token, or anything of what was read.
    pub(super) async fn get(
        &self,
        listing: Listing,
        query: &[(&'static str, String)],
        deadline: Deadline,
        tally: &Tally,
    ) -> Result<Answer, ReadError> {
        let attempts = AtomicU64::new(0);
        let passing = |failure: &Failure| matches!(failure, Failure::Passing { .. });
        let told = |failure: &Failure| match failure {
            Failure::Passing { wait, .. } => *wait,
            Failure::Lasting(_) => None,
        };
        let attempt = || {
            tally.retries.fetch_add(u64::from(attempts.fetch_add(1, Ordering::Relaxed) > 0), Ordering::Relaxed);
            Box::pin(self.attempt(listing, query, tally))
        };
        retry_as_told(RETRIES, deadline, passing, told, attempt).await.map_err(|failure| match failure {
            Failure::Lasting(what) => ReadError(what),
            Failure::Passing { what, .. } => match attempts.load(Ordering::Relaxed) {
                1 => ReadError(format!("{what} (tried once, as no time was left)")),
                times => ReadError(format!("{what} (tried {times} times)")),
            },
        })
    }

    async fn attempt(
        &self,
        listing: Listing,
        query: &[(&'static str, String)],
        tally: &Tally,
    ) -> Result<Answer, Failure> {
        let token = self.token().await?;
        let (status, wait, body) = self.send(listing, query, &token, tally).await?;
        if !matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return judge(listing, status, wait, body);
        }
        // Perhaps the token was changed in the secret since it was fetched.
        self.secrets.forget(&self.settings.token).await;
        let other = self.token().await?;
        if other.expose_secret() == token.expose_secret() {
            return judge(listing, status, wait, body);
        }
        tally.retries.fetch_add(1, Ordering::Relaxed);
        let (status, wait, body) = self.send(listing, query, &other, tally).await?;
        judge(listing, status, wait, body)
    }

    async fn send(
        &self,
        listing: Listing,
        query: &[(&'static str, String)],
        token: &SecretString,
        tally: &Tally,
    ) -> Result<(StatusCode, Option<Duration>, Vec<u8>), Failure> {
        let mut authorization = HeaderValue::try_from(format!("Token {}", token.expose_secret().trim()))
            .map_err(|_| Failure::Lasting(format!("{} holds what cannot stand in a header", TOKEN.name)))?;
        authorization.set_sensitive(true);
        let url = format!("{}/api/{}/", self.settings.root(), listing.path());
        let request = self.http.get(url).header(AUTHORIZATION, authorization).header(ACCEPT, "application/json");
        tally.requests.fetch_add(1, Ordering::Relaxed);
        let mut answer = request.query(query).send().await.map_err(|error| broken(listing, error))?;
        let (status, wait) = (answer.status(), http::retry_after(answer.headers()));
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(|error| broken(listing, error))? {
            tally.bytes_received.fetch_add(chunk.len() as u64, Ordering::Relaxed);
            if body.len() + chunk.len() > MOST_BYTES {
                let most = MOST_BYTES / 1024 / 1024;
                return Err(Failure::Lasting(format!(
                    "NEMO's answer to a request for {listing} is over {most} MiB; set NEMO_PAGE_SIZE to less, or \
                     NEMO_LOOK_BACK_DAYS"
                )));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((status, wait, body))
    }

    async fn token(&self) -> Result<SecretString, Failure> {
        let token = self.secrets.get(TOKEN.name, &self.settings.token).await;
        token.map_err(|error| Failure::Lasting(error.to_string()))
    }
}

/// A connection that broke, was refused or took too long; what cannot even be sent will not be later either.
fn broken(listing: Listing, error: reqwest::Error) -> Failure {
    let lasting = error.is_builder();
    let why = http::explain(error);
    let what =
        format!("no answer from NEMO to a request for {listing}: {why}. Check NEMO_URL, NEMO_TIMEOUT and the network");
    if lasting { Failure::Lasting(what) } else { Failure::Passing { what, wait: None } }
}

fn judge(listing: Listing, status: StatusCode, wait: Option<Duration>, body: Vec<u8>) -> Result<Answer, Failure> {
    let number = status.as_u16();
    let lasting = |what: String| Err(Failure::Lasting(what));
    match status {
        StatusCode::OK => Ok(Answer::Json(body)),
        StatusCode::NOT_FOUND => Ok(Answer::NotFound),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => lasting(denied(listing, number, &body)),
        StatusCode::BAD_REQUEST => lasting(format!(
            "NEMO refused a request for {listing} (400: {}); this release was made for NEMO 8",
            fields(&body)
        )),
        _ if is_transient_status(status) => {
            tracing::debug!(%listing, status = number, "a request to NEMO failed and may pass");
            Err(Failure::Passing { what: format!("NEMO answered {number} to a request for {listing}"), wait })
        }
        _ if status.is_redirection() => lasting(format!(
            "NEMO redirects a request for {listing} ({number}), which is not followed, as it would carry the token \
             elsewhere: set NEMO_URL to the address that it leads to (https://, and with the path, if NEMO has one)"
        )),
        _ => lasting(format!("NEMO answered {number} to a request for {listing}, which no NEMO should")),
    }
}

/// A token that is missing, wrong or of an inactive user gives 401 where tokens are the first way to log in, else 403, as
/// does a missing permission; the texts are Django REST framework's.
fn denied(listing: Listing, status: u16, body: &[u8]) -> String {
    let detail = serde_json::from_slice::<Refusal>(body).map(|refusal| refusal.detail.to_ascii_lowercase());
    let detail = detail.unwrap_or_default();
    let token = "set NEMO_TOKEN, or the secret that NEMO_TOKEN_SECRET_ID names, to the token of an active NEMO user (NEMO's \
                 administration, Auth Token)";
    let permission = format!("give the token's user the permission {}", listing.permission());
    if status == 401 || ["token", "credentials", "inactive"].iter().any(|word| detail.contains(word)) {
        format!("NEMO does not take the token ({status}): {token}")
    } else if detail.contains("permission") {
        format!("the token's user may not read {listing} ({status}): {permission}")
    } else {
        format!("NEMO forbids a request for {listing} ({status}): {permission}, or {token}")
    }
}

/// The names of the parameters that NEMO did not take.
fn fields(body: &[u8]) -> String {
    match serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(body) {
        Ok(fields) if !fields.is_empty() => {
            let names = fields.keys().filter(|name| name.len() <= 40 && name.bytes().all(|b| b.is_ascii_graphic()));
            names.map(String::as_str).collect::<Vec<_>>().join(", ")
        }
        _ => "it does not say why".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(listing: Listing, status: u16, body: &str) -> String {
        match judge(listing, StatusCode::from_u16(status).unwrap(), None, body.into()) {
            Err(Failure::Lasting(what)) => what,
            Err(Failure::Passing { what, .. }) => format!("may pass: {what}"),
            Ok(Answer::Json(_)) => "json".to_owned(),
            Ok(Answer::NotFound) => "not found".to_owned(),
        }
    }

    #[test]
    fn a_refusal_says_whether_token_or_permission_is_at_fault() {
        for (status, detail, expected) in [
            (401, "Invalid token.", "does not take the token (401)"),
            (401, "User inactive or deleted.", "does not take the token (401)"),
            (403, "Authentication credentials were not provided.", "does not take the token (403)"),
            (403, "Invalid token.", "does not take the token (403)"),
            (403, "You do not have permission to perform this action.", "the permission NEMO.view_usageevent"),
            (403, "", "NEMO.view_usageevent, or set NEMO_TOKEN"),
        ] {
            let told = told(Listing::UsageEvents, status, &format!(r#"{{"detail":"{detail}"}}"#));
            assert!(told.contains(expected), "{status} {detail}: {told}");
        }
        assert!(told(Listing::Users, 403, "<html>no</html>").contains("NEMO.view_user, or set"));
    }

    #[test]
    fn each_answer_is_judged() {
        for (status, body, expected) in [
            (200, "[]", "json"),
            (404, "", "not found"),
            (400, r#"{"start__gte":["Enter a valid date/time."]}"#, "(400: start__gte)"),
            (302, "", "redirects a request for users (302)"),
            (429, "", "may pass: NEMO answered 429"),
            (502, "<html>", "may pass: NEMO answered 502"),
            (418, "", "answered 418"),
        ] {
            let told = told(Listing::Users, status, body);
            assert!(told.contains(expected), "{status}: {told}");
        }
    }
}
