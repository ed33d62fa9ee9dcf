//! The one place where a request is sent, tried again and counted.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use crosswalk_function_kit::Deadline;
use crosswalk_function_kit::http;
use crosswalk_function_kit::rate::Pace;
use crosswalk_function_kit::retry::retry_as_told;
use crosswalk_function_kit::secrets::Secrets;
use crosswalk_runs::Traffic;
use reqwest::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use super::answer::{Endpoint, Verdict, judge, tidy};
use super::settings::{GleanSettings, TOKEN_NAME};
use super::types::Employee;
use super::{Confirm, SendError};

/// As the specification writes it.
const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=UTF-8");
const DEPRECATED: &str = "x-glean-deprecated";
/// How much of an answer's body is kept; the rest is read and dropped.
const KEPT: usize = 64 * 1024;
/// How many different warnings of a run are kept.
const WARNINGS: usize = 20;

/// Connections, token and pace, shared by all runs.
pub(super) struct Client {
    pub(super) settings: GleanSettings,
    http: reqwest::Client,
    secrets: Secrets,
    pace: Pace,
    /// The individual way's places, one a change that is under way.
    pub(super) places: Semaphore,
}

/// What a run sent, and what it was told.
#[derive(Default)]
pub(super) struct Tally {
    requests: AtomicU64,
    retries: AtomicU64,
    bytes_sent: AtomicU64,
    bytes_received: AtomicU64,
    warnings: Mutex<Warnings>,
}

#[derive(Default)]
struct Warnings {
    kept: Vec<String>,
    dropped: u64,
    deprecation: bool,
}

/// A request to Glean.
pub(super) struct Request<'a> {
    pub(super) endpoint: Endpoint,
    pub(super) body: Bytes,
    /// Whom it names: what Glean says is told without them.
    pub(super) people: &'a [Employee],
    /// Is asked each time right before it is sent.
    pub(super) confirm: Option<&'a dyn Confirm>,
}

/// Why a request was not taken.
#[derive(Debug)]
pub(super) enum Untaken {
    /// The body is too large (413). The text says what Glean answered.
    TooLarge(String),
    /// Anything else.
    Error(SendError),
}

impl From<SendError> for Untaken {
    fn from(error: SendError) -> Self {
        Self::Error(error)
    }
}

/// Why an attempt failed.
enum Failure {
    /// Another may succeed, after the wait that Glean asks for.
    Passing { what: String, wait: Option<Duration> },
    /// Another would fail as well.
    Lasting(Untaken),
}

impl From<SendError> for Failure {
    fn from(error: SendError) -> Self {
        Self::Lasting(Untaken::Error(error))
    }
}

/// The attempts at one request.
#[derive(Default)]
struct Attempts {
    sent: AtomicU64,
    /// Whether Glean may have taken one of which we never knew.
    lost: AtomicBool,
}

/// One answer, read to its end.
struct Answer {
    status: StatusCode,
    text: String,
    wait: Option<Duration>,
}

impl Client {
    /// Nothing is asked yet.
    pub(super) fn new(settings: GleanSettings, secrets: Secrets) -> Result<Self, reqwest::Error> {
        Ok(Self {
            http: http::client(&settings.api_url, settings.timeout)?,
            secrets,
            pace: Pace::per_second(settings.requests_per_second),
            places: Semaphore::new(settings.connections),
            settings,
        })
    }

    /// Sends a request until Glean has taken it, refuses it, or has failed too often.
    pub(super) async fn post(&self, request: &Request<'_>, deadline: Deadline, tally: &Tally) -> Result<(), Untaken> {
        let attempts = Attempts::default();
        let passing = |failure: &Failure| matches!(failure, Failure::Passing { .. });
        let told = |failure: &Failure| match failure {
            Failure::Passing { wait, .. } => *wait,
            Failure::Lasting(_) => None,
        };
        let attempt = || self.attempt(request, &attempts, tally);
        let sent = retry_as_told(self.settings.retries, deadline, passing, told, attempt).await;
        sent.map_err(|failure| match failure {
            Failure::Lasting(untaken) => untaken,
            Failure::Passing { what, .. } => {
                let tried = match attempts.sent.load(Ordering::Relaxed) {
                    1 => "tried once, as no time was left".to_owned(),
                    times => format!("tried {times} times"),
                };
                SendError::Unreachable(format!("{what} ({tried})")).into()
            }
        })
    }

    async fn attempt(&self, request: &Request<'_>, attempts: &Attempts, tally: &Tally) -> Result<(), Failure> {
        let endpoint = request.endpoint;
        let mut token = self.token().await?;
        let mut may_renew = true;
        let answer = loop {
            if !endpoint.is_bulk() {
                self.pace.wait().await;
            }
            if let Some(confirm) = request.confirm {
                confirm.confirm().await.map_err(SendError::Stopped)?;
            }
            let answer = self.send(request, &token, attempts, tally).await?;
            let refused = matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN);
            if !refused || !std::mem::take(&mut may_renew) {
                break answer;
            }
            match self.another_token(&token).await? {
                Some(other) => token = other,
                None => break answer,
            }
        };
        let lost = attempts.lost.load(Ordering::Relaxed);
        match judge(endpoint, answer.status, &answer.text, lost, request.people) {
            Verdict::Taken => Ok(()),
            Verdict::TakenWith(warning) => {
                tally.warn(warning);
                Ok(())
            }
            Verdict::TooLarge(what) => Err(Failure::Lasting(Untaken::TooLarge(what))),
            Verdict::Refused(error) => Err(error.into()),
            Verdict::Passing(what) => {
                // A throttled request was not looked at; of any other that failed it is not known.
                if answer.status != StatusCode::TOO_MANY_REQUESTS {
                    attempts.lost.store(true, Ordering::Relaxed);
                }
                tracing::debug!(%endpoint, status = answer.status.as_u16(), "a request to Glean failed and may pass");
                Err(Failure::Passing { what, wait: answer.wait })
            }
        }
    }

    /// Sends it once and reads the answer.
    async fn send(
        &self,
        request: &Request<'_>,
        token: &SecretString,
        attempts: &Attempts,
        tally: &Tally,
    ) -> Result<Answer, Failure> {
        let mut authorization = HeaderValue::try_from(format!("Bearer {}", token.expose_secret()))
            .map_err(|_| SendError::Denied(format!("{TOKEN_NAME} holds what cannot stand in a header")))?;
        authorization.set_sensitive(true);
        let url = format!("{}/{}", self.settings.api_url, request.endpoint);
        let mut post = self.http.post(url).header(AUTHORIZATION, authorization).body(request.body.clone());
        // Said in so many words, as the client says nothing of the length of no body, and front ends answer 411 to that.
        post = if request.body.is_empty() { post.header(CONTENT_LENGTH, 0) } else { post.header(CONTENT_TYPE, JSON) };
        tally.sends(request.body.len(), attempts.sent.fetch_add(1, Ordering::Relaxed) > 0);
        let broken = |error| broken(request.endpoint, error, attempts);
        let mut answer = post.send().await.map_err(broken)?;
        let status = answer.status();
        let wait = http::retry_after(answer.headers());
        tally.hear_deprecation(request.endpoint, answer.headers());
        let (text, end) = read(&mut answer, tally).await;
        match end {
            // The text decides there what the status means.
            Err(error) if status == StatusCode::BAD_REQUEST => Err(broken(error)),
            _ => Ok(Answer { status, text, wait }),
        }
    }

    async fn token(&self) -> Result<SecretString, SendError> {
        let token = self.secrets.get(TOKEN_NAME, &self.settings.api_token).await;
        token.map_err(|error| SendError::Denied(error.to_string()))
    }

    /// A token other than the one that was refused, if the secret holds one by now.
    async fn another_token(&self, refused: &SecretString) -> Result<Option<SecretString>, SendError> {
        let is_other = |token: &SecretString| token.expose_secret() != refused.expose_secret();
        let kept = self.token().await?;
        if is_other(&kept) {
            // Another request has renewed it meanwhile.
            return Ok(Some(kept));
        }
        self.secrets.forget(&self.settings.api_token).await;
        Ok(Some(self.token().await?).filter(is_other))
    }
}

/// A connection that broke, was refused or took too long; what cannot even be sent will not be later either.
fn broken(endpoint: Endpoint, error: reqwest::Error, attempts: &Attempts) -> Failure {
    if !error.is_connect() {
        attempts.lost.store(true, Ordering::Relaxed);
    }
    let lasting = error.is_builder();
    let why = http::explain(error);
    tracing::debug!(%endpoint, why, "a request to Glean broke");
    let what = format!("no answer from Glean to {endpoint}: {why}. Check GLEAN_API_URL and the network");
    if lasting { SendError::Refused(what).into() } else { Failure::Passing { what, wait: None } }
}

/// The beginning of the answer's body, and whether it could be read to its end.
async fn read(answer: &mut Response, tally: &Tally) -> (String, Result<(), reqwest::Error>) {
    let mut kept = Vec::new();
    let end = loop {
        match answer.chunk().await {
            Ok(Some(chunk)) => {
                tally.bytes_received.fetch_add(chunk.len() as u64, Ordering::Relaxed);
                let room = KEPT.saturating_sub(kept.len()).min(chunk.len());
                kept.extend_from_slice(&chunk[..room]);
            }
            Ok(None) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    (String::from_utf8_lossy(&kept).into_owned(), end)
}

impl Tally {
    fn sends(&self, bytes: usize, again: bool) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.retries.fetch_add(u64::from(again), Ordering::Relaxed);
        self.bytes_sent.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn traffic(&self) -> Traffic {
        Traffic {
            requests: self.requests.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
            bytes_sent: self.bytes_sent.load(Ordering::Relaxed),
            bytes_received: Some(self.bytes_received.load(Ordering::Relaxed)),
        }
    }

    /// Keeps and logs a warning, once.
    fn warn(&self, warning: String) {
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        if warnings.kept.contains(&warning) {
            return;
        }
        if warnings.kept.len() < WARNINGS {
            tracing::warn!("{warning}");
            warnings.kept.push(warning);
        } else {
            warnings.dropped += 1;
        }
    }

    /// Keeps and logs the first word of a deprecation, whichever endpoint it is of.
    fn hear_deprecation(&self, endpoint: Endpoint, headers: &HeaderMap) {
        let Some(header) = headers.get(DEPRECATED) else { return };
        let first = {
            let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
            !std::mem::replace(&mut warnings.deprecation, true)
        };
        if first {
            let said = tidy(&String::from_utf8_lossy(header.as_bytes()), &[]);
            self.warn(format!("Glean says that {endpoint} is deprecated (X-Glean-Deprecated): {said}"));
        }
    }

    pub(super) fn warnings(&self) -> Vec<String> {
        let warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        let mut told = warnings.kept.clone();
        if warnings.dropped > 0 {
            told.push(format!("{} warnings of Glean's more are not kept", warnings.dropped));
        }
        told
    }
}
