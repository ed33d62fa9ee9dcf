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

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use aws_config::{BehaviorVersion, SdkConfig};
    use axum::Router;
    use axum::http::{StatusCode, Uri};
    use crosswalk_function_kit::settings::Environment;
    use tokio::net::TcpListener;
    use tokio::time::Instant;

    use super::*;
    use crate::RegistrationSettings;

    fn labarchives(url: &str) -> LabArchives {
        let environment = Environment::from_iter([
            ("LABARCHIVES_URL", url),
            ("LABARCHIVES_AKID", "example_akid"),
            ("LABARCHIVES_ACCESS_PASSWORD", "access-password"),
            ("REGISTRATION_URL", "https://crosswalk.example.org"),
            ("CROSSWALK_TABLE", "crosswalk"),
        ]);
        let settings = RegistrationSettings::from_env(&environment).unwrap().labarchives;
        let config = SdkConfig::builder().behavior_version(BehaviorVersion::latest()).build();
        let clock = Clock::fixed("2026-11-22T10:00:00Z".parse().unwrap());
        LabArchives::new(settings, Secrets::new(&config), clock).unwrap()
    }

    fn code() -> Code {
        Code { auth_code: "a+b/c=&x".into(), email: "zoe+x@example.org".into() }
    }

    /// What an exchange gives where everything is answered so, and how often it was asked.
    async fn exchange(status: u16, body: Vec<u8>) -> (Result<ExternalId, ExchangeError>, usize, Uri) {
        let (asked, last) = (Arc::new(AtomicUsize::new(0)), Arc::new(std::sync::Mutex::new(Uri::default())));
        let answer = {
            let (asked, last) = (Arc::clone(&asked), Arc::clone(&last));
            async move |uri: Uri| {
                asked.fetch_add(1, Ordering::Relaxed);
                *last.lock().unwrap() = uri;
                (
                    StatusCode::from_u16(status).unwrap(),
                    [("location", "/elsewhere"), ("retry-after", "7")],
                    body.clone(),
                )
            }
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = tokio::spawn(axum::serve(listener, Router::new().fallback(answer)).into_future());
        let given = labarchives(&url).exchange(&code()).await;
        server.abort();
        let last = last.lock().unwrap().clone();
        (given, asked.load(Ordering::Relaxed), last)
    }

    fn query(uri: &str) -> Vec<(String, String)> {
        url::form_urlencoded::parse(uri.split_once('?').unwrap().1.as_bytes()).into_owned().collect()
    }

    #[tokio::test]
    async fn a_sign_in_is_signed_over_where_it_comes_back_to() {
        let back = "https://crosswalk.example.org/registrations/callback/AAAA";
        let url = labarchives("https://api.labarchives.com").sign_in(&back.parse().unwrap()).await.unwrap();
        assert!(url.as_str().starts_with("https://api.labarchives.com/api_user_login?redirect_uri="), "{url}");
        let expires = 1_795_341_600_000 + 300_000;
        let signature = Hash::Sha512.sign(&"access-password".into(), "example_akid", back, expires);
        let expected = [
            ("redirect_uri", back.to_owned()),
            ("akid", "example_akid".to_owned()),
            ("expires", expires.to_string()),
            ("sig", signature),
        ];
        assert_eq!(query(url.as_str()), expected.map(|(name, value)| (name.to_owned(), value)));
        assert!(!url.query().unwrap().contains(['+', ' ', '/']), "{url}");
    }

    #[tokio::test]
    async fn a_code_is_exchanged_for_the_id() {
        let (given, asked, uri) = exchange(200, b"<users><id>UID-1</id></users>".to_vec()).await;
        assert_eq!((given.unwrap().as_str(), asked, uri.path()), ("UID-1", 1, "/api/users/user_access_info"));
        let expires = 1_795_341_600_000 + 60_000;
        let signature = Hash::Sha512.sign(&"access-password".into(), "example_akid", "user_access_info", expires);
        let expected = [
            ("login_or_email", "zoe+x@example.org".to_owned()),
            ("password", "a+b/c=&x".to_owned()),
            ("akid", "example_akid".to_owned()),
            ("expires", expires.to_string()),
            ("sig", signature),
        ];
        assert_eq!(query(&uri.to_string()), expected.map(|(name, value)| (name.to_owned(), value)));
    }

    /// Whatever is answered: the code may be used up.
    #[tokio::test]
    async fn what_was_sent_is_not_sent_again() {
        let wait = Some(Duration::from_secs(7));
        for status in [429, 500, 503] {
            let (given, asked, _) = exchange(status, b"<html>".to_vec()).await;
            assert!(matches!(given, Err(ExchangeError::Unavailable { wait: told, .. }) if told == wait), "{status}");
            assert_eq!(asked, 1, "{status}");
        }
        for status in [302, 307, 404] {
            let (given, asked, _) = exchange(status, Vec::new()).await;
            assert!(matches!(given, Err(ExchangeError::Misconfigured(_))), "{status}");
            assert_eq!(asked, 1, "{status}: redirects are not followed");
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let accepted = Arc::new(AtomicUsize::new(0));
        let server = tokio::spawn({
            let accepted = Arc::clone(&accepted);
            async move {
                while listener.accept().await.is_ok() {
                    accepted.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        let given = labarchives(&url).exchange(&code()).await;
        server.abort();
        let Err(ExchangeError::Unavailable { what, .. }) = given else { panic!("{given:?}") };
        assert!(!what.contains("zoe") && !what.contains("a+b") && !what.contains("127.0.0.1"), "{what}");
        assert_eq!(accepted.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn a_long_answer_is_read_and_an_endless_one_is_not() {
        let notebooks = "<notebook><id>N</id></notebook>".repeat(100_000);
        let (given, ..) = exchange(200, format!("<users>{notebooks}<id>UID-1</id></users>").into_bytes()).await;
        assert_eq!(given.unwrap().as_str(), "UID-1");
        let (given, ..) = exchange(200, vec![b' '; MOST_BYTES + 1]).await;
        assert!(matches!(given, Err(ExchangeError::NotUnderstood(what)) if what.contains("longer than any")));
    }

    #[tokio::test(start_paused = true)]
    async fn what_never_arrived_is_sent_again_and_then_no_more() {
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let began = Instant::now();
        let given = labarchives(&format!("http://{closed}")).exchange(&code()).await;
        assert!(matches!(given, Err(ExchangeError::Unavailable { .. })), "{given:?}");
        let pauses = u32::try_from(RETRIES.times).unwrap();
        assert!(began.elapsed() >= LEFT_ALONE * pauses, "{:?}", began.elapsed());
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    }
}
