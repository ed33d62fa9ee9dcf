//! Secrets from the environment or from Secrets Manager, kept for five minutes.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::SdkError;
use aws_sdk_secretsmanager::operation::get_secret_value::GetSecretValueError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::time::Instant;

use crate::aws;

/// How long a value is kept.
const KEPT: Duration = Duration::from_secs(5 * 60);

/// Where a secret comes from.
#[derive(Clone, Debug)]
pub enum SecretSource {
    /// The environment held it.
    Value(SecretString),
    /// Secrets Manager holds it: an ARN or a name, with `#key` for one key of a JSON secret.
    Id(String),
}

/// Reads secrets; clones share one cache and one client, which is built on first use.
#[derive(Clone)]
pub struct Secrets(Arc<Shared>);

struct Shared {
    config: SdkConfig,
    client: OnceLock<Client>,
    /// By the secret's id without its key: two keys of one JSON secret are one fetch.
    kept: Mutex<HashMap<String, Slot>>,
}

/// One secret's text and when it was fetched. Its lock is held over a fetch: one at a time.
type Slot = Arc<tokio::sync::Mutex<Option<(Instant, SecretString)>>>;

/// A secret that cannot be had. The message names the setting and what to do, never the value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SecretError(pub String);

impl Secrets {
    /// With the given AWS configuration; nothing is fetched yet.
    pub fn new(config: &SdkConfig) -> Self {
        Self(Arc::new(Shared { config: config.clone(), client: OnceLock::new(), kept: Mutex::default() }))
    }

    /// The secret's value, at most five minutes old. `setting` names it in errors.
    ///
    /// # Errors
    /// There is no such secret, it is empty, it may not be read, or Secrets Manager does not answer. Errors are not kept.
    pub async fn get(&self, setting: &'static str, source: &SecretSource) -> Result<SecretString, SecretError> {
        let given = match source {
            SecretSource::Value(value) => return Ok(value.clone()),
            SecretSource::Id(given) => given,
        };
        let (id, key) = split(given);
        let slot = self.slot(id);
        let mut kept = slot.lock().await;
        let text = match &*kept {
            Some((fetched, text)) if fetched.elapsed() < KEPT => text.clone(),
            _ => {
                let text = self.fetch(setting, id, key).await?;
                *kept = Some((Instant::now(), text.clone()));
                text
            }
        };
        drop(kept);
        let value = match key {
            None => text,
            Some(key) => of_key(&text, key).map_err(|problem| {
                let hint = "put all its keys, as this replaces the whole text";
                SecretError(format!(
                    "{setting}: the secret {id} {problem}. Fill it with `{}` ({hint})",
                    fill(id, Some(key))
                ))
            })?,
        };
        if value.expose_secret().trim().is_empty() {
            return Err(empty(setting, id, key));
        }
        Ok(value)
    }

    /// Forgets a value that the other side refused (401, 403), so that the next `get` fetches it again.
    pub async fn forget(&self, source: &SecretSource) {
        if let SecretSource::Id(given) = source {
            *self.slot(split(given).0).lock().await = None;
        }
    }

    fn slot(&self, id: &str) -> Slot {
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.entry(id.to_owned()).or_default().clone()
    }

    async fn fetch(&self, setting: &str, id: &str, key: Option<&str>) -> Result<SecretString, SecretError> {
        let client = self.0.client.get_or_init(|| Client::new(&self.0.config));
        match client.get_secret_value().secret_id(id).send().await {
            Ok(answer) => match answer.secret_string {
                Some(text) => Ok(SecretString::from(text)),
                None if answer.secret_binary.is_some() => Err(SecretError(format!(
                    "{setting}: the secret {id} holds bytes, not text. Fill it with `{}`",
                    fill(id, key)
                ))),
                None => Err(empty(setting, id, key)),
            },
            Err(error) => Err(refused(setting, id, key, &error)),
        }
    }
}

/// `id#key`; neither a name nor an ARN holds a `#`.
fn split(given: &str) -> (&str, Option<&str>) {
    match given.split_once('#') {
        Some((id, key)) => (id.trim(), Some(key.trim())),
        None => (given, None),
    }
}

/// One key's value in a JSON secret. The problem says nothing of what the secret holds.
fn of_key(text: &SecretString, key: &str) -> Result<SecretString, String> {
    let json: Value = serde_json::from_str(text.expose_secret()).map_err(|_| "is not JSON, so it has no keys")?;
    match json.get(key) {
        Some(Value::String(value)) => Ok(SecretString::from(value.as_str())),
        Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(SecretString::from(value.to_string())),
        Some(_) => Err(format!("holds no text under the key {key}")),
        None => Err(format!("has no key {key}")),
    }
}

/// The command that fills a secret.
fn fill(id: &str, key: Option<&str>) -> String {
    let text = key.map_or_else(|| "VALUE".to_owned(), |key| format!(r#"{{"{key}":"VALUE"}}"#));
    format!("aws secretsmanager put-secret-value --secret-id {id} --secret-string '{text}'")
}

fn empty(setting: &str, id: &str, key: Option<&str>) -> SecretError {
    let what = key.map_or_else(|| "is empty".to_owned(), |key| format!("is empty under the key {key}"));
    SecretError(format!("{setting}: the secret {id} {what}. Fill it with `{}`", fill(id, key)))
}

fn refused(
    setting: &str,
    id: &str,
    key: Option<&str>,
    error: &SdkError<GetSecretValueError, HttpResponse>,
) -> SecretError {
    let text = aws::explain(error);
    SecretError(match aws::code(error) {
        // A secret that was made without a value answers the same code, but speaks of its version.
        Some("ResourceNotFoundException") if text.contains("AWSCURRENT") || text.contains("staging label") => {
            return empty(setting, id, key);
        }
        Some("ResourceNotFoundException") => format!(
            "{setting}: there is no secret {id} in this account and region. Make it with `aws secretsmanager \
             create-secret --name NAME`, fill it with `{}`, or set {setting}_SECRET_ID to the right one",
            fill(id, key)
        ),
        Some("AccessDeniedException") => format!(
            "{setting}: the secret {id} may not be read: allow this role secretsmanager:GetSecretValue on it (and \
             kms:Decrypt, if it has a key of its own)"
        ),
        _ => format!("{setting}: the secret {id} could not be read: {text}"),
    })
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;
    use serde_json::json;

    use super::*;
    use crate::fake_http::{self, Answer};

    fn source(id: &str) -> SecretSource {
        SecretSource::Id(id.to_owned())
    }

    fn holding(text: &str) -> (Secrets, Arc<AtomicUsize>) {
        let answer = Answer::ok(json!({ "SecretString": text }));
        let (config, calls) = fake_http::config(move |_| answer.clone());
        (Secrets::new(&config), calls)
    }

    async fn error_of(answer: Answer, id: &str) -> String {
        let (config, _) = fake_http::config(move |_| answer.clone());
        Secrets::new(&config).get("API_TOKEN", &source(id)).await.unwrap_err().to_string()
    }

    #[tokio::test(start_paused = true)]
    async fn a_value_is_fetched_once_and_kept_five_minutes() {
        let (secrets, calls) = holding("hunter2");
        let id = source("token");
        let values = join_all((0..20).map(|_| secrets.get("API_TOKEN", &id))).await;
        assert!(values.into_iter().all(|value| value.unwrap().expose_secret() == "hunter2"));
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        tokio::time::advance(Duration::from_secs(299)).await;
        secrets.clone().get("API_TOKEN", &id).await.unwrap();
        assert_eq!(calls.load(Ordering::SeqCst), 1);
        tokio::time::advance(Duration::from_secs(2)).await;
        secrets.get("API_TOKEN", &id).await.unwrap();
        assert_eq!(calls.load(Ordering::SeqCst), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_value_is_fetched_again() {
        let turn = AtomicUsize::new(0);
        let (config, _) = fake_http::config(move |_| {
            Answer::ok(json!({ "SecretString": format!("value {}", turn.fetch_add(1, Ordering::SeqCst)) }))
        });
        let secrets = Secrets::new(&config);
        let id = source("token");
        assert_eq!(secrets.get("API_TOKEN", &id).await.unwrap().expose_secret(), "value 0");
        secrets.forget(&id).await;
        assert_eq!(secrets.get("API_TOKEN", &id).await.unwrap().expose_secret(), "value 1");
    }

    #[tokio::test(start_paused = true)]
    async fn two_keys_of_one_secret_are_one_fetch() {
        let (secrets, calls) = holding(r#"{"user":"clerk","pin":1234,"list":[]}"#);
        assert_eq!(secrets.get("API_USER", &source("both#user")).await.unwrap().expose_secret(), "clerk");
        assert_eq!(secrets.get("API_PIN", &source("both#pin")).await.unwrap().expose_secret(), "1234");
        for key in ["list", "absent"] {
            let error = secrets.get("API_TOKEN", &source(&format!("both#{key}"))).await.unwrap_err().to_string();
            let command = format!(
                r#"aws secretsmanager put-secret-value --secret-id both --secret-string '{{"{key}":"VALUE"}}'"#
            );
            assert!(error.contains(&command), "{error}");
            assert!(!error.contains("clerk"), "{error}");
        }
        assert_eq!(calls.load(Ordering::SeqCst), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn the_environments_value_needs_no_call() {
        let (secrets, calls) = holding("other");
        let given = SecretSource::Value(SecretString::from("hunter2"));
        secrets.forget(&given).await;
        assert_eq!(secrets.get("API_TOKEN", &given).await.unwrap().expose_secret(), "hunter2");
        assert_eq!(calls.load(Ordering::SeqCst), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn an_empty_secret_names_the_command_that_fills_it() {
        let command = "aws secretsmanager put-secret-value --secret-id token --secret-string 'VALUE'";
        let unfilled = "Secrets Manager can't find the specified secret value for staging label: AWSCURRENT";
        for answer in [
            Answer::ok(json!({ "SecretString": " " })),
            Answer::ok(json!({ "Name": "token" })),
            Answer::error(400, "ResourceNotFoundException", unfilled),
        ] {
            let error = error_of(answer, "token").await;
            assert!(error.starts_with("API_TOKEN: the secret token is empty."), "{error}");
            assert!(error.contains(command), "{error}");
        }
        let error = error_of(Answer::ok(json!({ "SecretString": r#"{"pin":""}"# })), "token#pin").await;
        assert!(error.contains("is empty under the key pin"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_else_is_wrong_says_what_to_do() {
        let missing = "Secrets Manager can't find the specified secret.";
        let error = error_of(Answer::error(400, "ResourceNotFoundException", missing), "token").await;
        assert!(error.contains("there is no secret token") && error.contains("API_TOKEN_SECRET_ID"), "{error}");
        let error = error_of(Answer::error(400, "AccessDeniedException", "no"), "token").await;
        assert!(error.contains("allow this role secretsmanager:GetSecretValue"), "{error}");
        let error = error_of(Answer::ok(json!({ "SecretBinary": "AAEC" })), "token").await;
        assert!(error.contains("holds bytes"), "{error}");
        let error = error_of(Answer::ok(json!({ "SecretString": "hunter2" })), "token#pin").await;
        assert!(error.contains("is not JSON") && !error.contains("hunter2"), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_error_is_not_kept() {
        let turn = AtomicUsize::new(0);
        let (config, _) = fake_http::config(move |_| match turn.fetch_add(1, Ordering::SeqCst) {
            0 => Answer::error(400, "AccessDeniedException", "not yet"),
            _ => Answer::ok(json!({ "SecretString": "hunter2" })),
        });
        let secrets = Secrets::new(&config);
        assert!(secrets.get("API_TOKEN", &source("token")).await.is_err());
        assert!(secrets.get("API_TOKEN", &source("token")).await.is_ok());
    }
}
