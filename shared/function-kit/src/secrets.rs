//! Secrets from the environment or from Secrets Manager, kept for five minutes.

use secrecy::SecretString;

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
pub struct Secrets {}

/// A secret that cannot be had. The message names the setting and what to do, never the value.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SecretError(pub String);

impl Secrets {
    /// With the given AWS configuration; nothing is fetched yet.
    pub fn new(_config: &aws_config::SdkConfig) -> Self {
        todo!()
    }

    /// The secret's value, at most five minutes old. `setting` names it in errors.
    pub async fn get(&self, _setting: &'static str, _source: &SecretSource) -> Result<SecretString, SecretError> {
        todo!()
    }

    /// Forgets a value that the other side refused (401, 403), so that the next `get` fetches it again.
    pub async fn forget(&self, _source: &SecretSource) {
        todo!()
    }
}
