//! LabArchives: where people sign in, and which id the code has that they come back with.
//!
//! `https://<host>/api_user_login` is for the browser, `https://<host>/api/users/user_access_info` for us. Both are signed
//! with the access password, and hold until `expires`, in milliseconds since the Unix epoch.

mod answer;
mod sign;

use std::time::Duration;

use crosswalk_function_kit::http;
use crosswalk_function_kit::retry::{Retries, retry_as_told};
use crosswalk_function_kit::secrets::Secrets;
use crosswalk_function_kit::{Clock, Deadline};
use crosswalk_identity::ExternalId;
use jiff::SignedDuration;
use reqwest::Response;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::settings::{ACCESS_PASSWORD, LabArchivesSettings};

pub(crate) use answer::ExchangeError;
pub use sign::Hash;

/// How long a person may take to reach LabArchives' sign-in by a link of ours, as LabArchives documents it. Its clock
/// decides: the method `utilities/epoch_time`, by which clients on people's machines learn how far theirs is off, is not
/// asked, as servers keep theirs in step.
const SIGN_IN_HOLDS: SignedDuration = SignedDuration::from_mins(5);
/// How long a request of ours holds.
const REQUEST_HOLDS: SignedDuration = SignedDuration::from_mins(1);

/// For a connection that is not made. LabArchives asks for at least a second between two attempts, and for an end to them;
/// a person waits for this one.
const RETRIES: Retries = Retries { first: Duration::from_millis(500), longest: Duration::from_millis(500), times: 2 };
const LEFT_ALONE: Duration = Duration::from_secs(1);
/// The longest answer that is taken. It names all of the person's notebooks.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// One LabArchives, and our access to it.
pub(crate) struct LabArchives {
    settings: LabArchivesSettings,
    http: reqwest::Client,
    secrets: Secrets,
    clock: Clock,
}

/// What a person brings back: a code, and the e-mail that LabArchives wants with it. Whose e-mail it is proves nothing.
pub(crate) struct Code {
    pub(crate) auth_code: SecretString,
    pub(crate) email: SecretString,
}

/// An attempt that failed.
struct Failure {
    error: ExchangeError,
    /// It never reached LabArchives.
    is_unsent: bool,
}

impl LabArchives {
    /// Nothing is asked yet.
    pub(crate) fn new(settings: LabArchivesSettings, secrets: Secrets, clock: Clock) -> Result<Self, reqwest::Error> {
        Ok(Self { http: http::client(&settings.url, settings.timeout)?, settings, secrets, clock })
    }

    /// Where a person signs in, who shall come back to `redirect_uri`.
    ///
    /// # Errors
    /// The access password cannot be had.
    pub(crate) async fn sign_in(&self, redirect_uri: &Url) -> Result<Url, ExchangeError> {
        let mut url = self.settings.url.clone();
        url.set_path("/api_user_login");
        url.query_pairs_mut().append_pair("redirect_uri", redirect_uri.as_str());
        self.sign(&mut url, redirect_uri.as_str(), SIGN_IN_HOLDS).await?;
        Ok(url)
    }

    /// The id of the person who was given this code.
    ///
    /// It is sent once: nothing says that a code may be used again, so only an attempt that never reached LabArchives is
    /// repeated. Neither is 429 or 503, though LabArchives has done nothing then: it asks that no 4xx be repeated by a
    /// program, and a person who begins again does as well.
    ///
    /// # Errors
    /// [`ExchangeError`].
    pub(crate) async fn exchange(&self, code: &Code) -> Result<ExternalId, ExchangeError> {
        let mut url = self.settings.url.clone();
        url.set_path("/api/users/user_access_info");
        url.query_pairs_mut()
            .append_pair("login_or_email", code.email.expose_secret())
            .append_pair("password", code.auth_code.expose_secret());
        self.sign(&mut url, "user_access_info", REQUEST_HOLDS).await?;
        let is_unsent = |failure: &Failure| failure.is_unsent;
        let told = |_: &Failure| Some(LEFT_ALONE);
        let answer = retry_as_told(RETRIES, Deadline::NONE, is_unsent, told, || Box::pin(self.send(&url))).await;
        let answer = answer.map_err(|failure| failure.error);
        if let Err(ExchangeError::Misconfigured(_)) = &answer {
            // Perhaps the password was changed in the secret since it was fetched.
            self.secrets.forget(&self.settings.access_password).await;
        }
        answer
    }

    async fn sign(&self, url: &mut Url, method: &str, holds: SignedDuration) -> Result<(), ExchangeError> {
        let password = self.secrets.get(ACCESS_PASSWORD.name, &self.settings.access_password).await;
        let password = password.map_err(|error| ExchangeError::Misconfigured(error.to_string()))?;
        let (akid, expires) = (&self.settings.akid, (self.clock.now() + holds).as_millisecond());
        let signature = self.settings.hash.sign(&password, akid, method, expires);
        url.query_pairs_mut()
            .append_pair("akid", akid)
            .append_pair("expires", &expires.to_string())
            .append_pair("sig", &signature);
        Ok(())
    }

    async fn send(&self, url: &Url) -> Result<ExternalId, Failure> {
        let mut answer = match self.http.get(url.clone()).send().await {
            Ok(answer) => answer,
            Err(error) => return Err(Failure { is_unsent: error.is_connect(), error: broken(error) }),
        };
        let (status, wait) = (answer.status(), http::retry_after(answer.headers()));
        let body = read(&mut answer).await;
        body.and_then(|body| answer::judge(status, wait, body.as_deref()))
            .map_err(|error| Failure { error, is_unsent: false })
    }
}

/// The whole body; nothing if it is too long.
async fn read(answer: &mut Response) -> Result<Option<Vec<u8>>, ExchangeError> {
    let mut body = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(broken)? {
        if body.len() + chunk.len() > MOST_BYTES {
            return Ok(None);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

/// A connection that broke, was refused or took too long.
fn broken(error: reqwest::Error) -> ExchangeError {
    let why = http::explain(error);
    let what = format!("no answer from LabArchives: {why}. Check LABARCHIVES_URL, LABARCHIVES_TIMEOUT and the network");
    ExchangeError::Unavailable { what, wait: None }
}
