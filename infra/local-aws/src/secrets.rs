//! Secrets Manager: secrets by name or ARN, with their current and previous version.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crosswalk_function_kit::{Clock, Entropy};
use jiff::Timestamp;
use rand::RngExt as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::drawer::Drawer;
use crate::json_protocol::ApiError;
use crate::{ACCOUNT_ID, REGION, epoch_seconds};

/// The service.
#[derive(Debug)]
pub(crate) struct SecretsManager {
    clock: Clock,
    entropy: Entropy,
    secrets: Mutex<BTreeMap<String, Secret>>,
    files: Drawer,
}

#[derive(Clone, Serialize, Deserialize)]
struct Secret {
    name: String,
    arn: String,
    description: Option<String>,
    created: Timestamp,
    deleted: Option<Timestamp>,
    /// At most two: the previous one, and the current one last.
    versions: Vec<Version>,
}

/// What a secret holds has no business in a log.
impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secret").field("name", &self.name).finish_non_exhaustive()
    }
}

#[derive(Clone, Serialize, Deserialize)]
struct Version {
    id: String,
    text: Option<String>,
    /// Base64, as calls give it.
    binary: Option<String>,
    created: Timestamp,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Ask {
    name: Option<String>,
    secret_id: Option<String>,
    secret_string: Option<String>,
    secret_binary: Option<String>,
    description: Option<String>,
    client_request_token: Option<String>,
    version_id: Option<String>,
    version_stage: Option<String>,
    #[serde(default)]
    force_delete_without_recovery: bool,
}

fn not_found(what: &str) -> ApiError {
    ApiError::new("ResourceNotFoundException", format!("Secrets Manager can't find the specified {what}."))
}

impl SecretsManager {
    /// Reads what the folder holds, if there is one.
    pub(crate) fn open(folder: Option<&Path>, clock: Clock, entropy: Entropy) -> anyhow::Result<Self> {
        let files = Drawer::below(folder, "secrets")?;
        let secrets = files.load::<Secret>()?.into_iter().map(|secret| (secret.name.clone(), secret)).collect();
        Ok(Self { clock, entropy, secrets: Mutex::new(secrets), files })
    }

    /// Answers an operation.
    pub(crate) fn answer(&self, operation: &str, body: &[u8]) -> Result<Value, ApiError> {
        let ask: Ask =
            serde_json::from_slice(body).map_err(|error| ApiError::new("SerializationException", error.to_string()))?;
        match operation {
            "CreateSecret" => self.create(ask),
            "GetSecretValue" => self.get(&ask),
            "PutSecretValue" | "UpdateSecret" => self.put(ask),
            "DescribeSecret" => self.describe(&ask),
            "DeleteSecret" => self.delete(&ask),
            "RestoreSecret" => self.restore(&ask),
            "ListSecrets" => Ok(json!({ "SecretList": self.secrets().values().map(described).collect::<Vec<_>>() })),
            _ => Err(ApiError::new(
                "UnknownOperationException",
                format!("The embedded Secrets Manager does not have {operation}"),
            )),
        }
    }

    fn secrets(&self) -> MutexGuard<'_, BTreeMap<String, Secret>> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn create(&self, ask: Ask) -> Result<Value, ApiError> {
        let name = ask.name.clone().filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| ApiError::new("InvalidParameterException", "You must provide a secret name."))?;
        let now = self.clock.now();
        let mut secrets = self.secrets();
        match secrets.get(&name) {
            Some(Secret { deleted: Some(_), .. }) => {
                return Err(ApiError::new(
                    "InvalidRequestException",
                    "You can't create this secret because a secret with this name is already scheduled for deletion.",
                ));
            }
            Some(_) => {
                return Err(ApiError::new(
                    "ResourceExistsException",
                    format!("The operation failed because the secret {name} already exists."),
                ));
            }
            None => {}
        }
        const LETTERS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
        let letter = || LETTERS[self.entropy.draw(|rng| rng.random_range(0..LETTERS.len()))] as char;
        let suffix: String = std::iter::repeat_with(letter).take(6).collect();
        let mut secret = Secret {
            arn: format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT_ID}:secret:{name}-{suffix}"),
            name,
            description: ask.description.clone(),
            created: now,
            deleted: None,
            versions: Vec::new(),
        };
        let version = self.add_version(&mut secret, ask);
        let mut answer = json!({ "ARN": secret.arn, "Name": secret.name });
        if let Some(version) = version {
            answer["VersionId"] = json!(version);
        }
        self.files.put(&secret.name, &secret);
        secrets.insert(secret.name.clone(), secret);
        Ok(answer)
    }

    /// Makes what a call gives the current version.
    fn add_version(&self, secret: &mut Secret, ask: Ask) -> Option<String> {
        if ask.secret_string.is_none() && ask.secret_binary.is_none() {
            return None;
        }
        let id = ask.client_request_token.unwrap_or_else(|| self.entropy.uuid().to_string());
        if secret.versions.len() == 2 {
            secret.versions.remove(0);
        }
        secret.versions.push(Version {
            id: id.clone(),
            text: ask.secret_string,
            binary: ask.secret_binary,
            created: self.clock.now(),
        });
        Some(id)
    }

    fn get(&self, ask: &Ask) -> Result<Value, ApiError> {
        let secrets = self.secrets();
        let secret = usable(&secrets, ask)?;
        let current = secret.versions.len().checked_sub(1);
        let at = match (ask.version_id.as_deref(), ask.version_stage.as_deref()) {
            (Some(id), _) => secret.versions.iter().position(|version| version.id == id),
            (None, None | Some("AWSCURRENT")) => current,
            (None, Some("AWSPREVIOUS")) => current.and_then(|current| current.checked_sub(1)),
            (None, Some(_)) => None,
        };
        let at = at.ok_or_else(|| {
            let stage = ask.version_stage.as_deref().unwrap_or("AWSCURRENT");
            not_found(&format!("secret value for staging label: {stage}"))
        })?;
        let version = &secret.versions[at];
        let stage = if Some(at) == current { "AWSCURRENT" } else { "AWSPREVIOUS" };
        let mut answer = json!({
            "ARN": secret.arn,
            "Name": secret.name,
            "VersionId": version.id,
            "VersionStages": [stage],
            "CreatedDate": epoch_seconds(version.created),
        });
        if let Some(text) = &version.text {
            answer["SecretString"] = json!(text);
        }
        if let Some(binary) = &version.binary {
            answer["SecretBinary"] = json!(binary);
        }
        Ok(answer)
    }

    fn put(&self, ask: Ask) -> Result<Value, ApiError> {
        let mut secrets = self.secrets();
        let name = usable(&secrets, &ask)?.name.clone();
        let secret = secrets.get_mut(&name).ok_or_else(|| not_found("secret"))?;
        if ask.description.is_some() {
            secret.description.clone_from(&ask.description);
        }
        let version = self.add_version(secret, ask);
        self.files.put(&name, secret);
        let mut answer = json!({ "ARN": secret.arn, "Name": name });
        if let Some(version) = version {
            answer["VersionId"] = json!(version);
            answer["VersionStages"] = json!(["AWSCURRENT"]);
        }
        Ok(answer)
    }

    fn describe(&self, ask: &Ask) -> Result<Value, ApiError> {
        let secrets = self.secrets();
        find(&secrets, ask).map(described)
    }

    fn delete(&self, ask: &Ask) -> Result<Value, ApiError> {
        let now = self.clock.now();
        let mut secrets = self.secrets();
        let name = match find(&secrets, ask) {
            Ok(secret) => secret.name.clone(),
            // By the API reference, a forced deletion of what is not there succeeds.
            Err(_) if ask.force_delete_without_recovery => {
                return Ok(json!({ "Name": ask.secret_id, "DeletionDate": epoch_seconds(now) }));
            }
            Err(error) => return Err(error),
        };
        let secret = secrets.get_mut(&name).ok_or_else(|| not_found("secret"))?;
        let answer = json!({ "ARN": secret.arn, "Name": name, "DeletionDate": epoch_seconds(now) });
        if ask.force_delete_without_recovery {
            secrets.remove(&name);
            self.files.remove(&name);
        } else {
            secret.deleted = Some(now);
            self.files.put(&name, secret);
        }
        Ok(answer)
    }

    fn restore(&self, ask: &Ask) -> Result<Value, ApiError> {
        let mut secrets = self.secrets();
        let name = find(&secrets, ask)?.name.clone();
        let secret = secrets.get_mut(&name).ok_or_else(|| not_found("secret"))?;
        secret.deleted = None;
        self.files.put(&name, secret);
        Ok(json!({ "ARN": secret.arn, "Name": name }))
    }
}

/// By name, ARN, or ARN without its random end.
fn find<'a>(secrets: &'a BTreeMap<String, Secret>, ask: &Ask) -> Result<&'a Secret, ApiError> {
    let id = ask.secret_id.as_deref().unwrap_or_default();
    let by_arn = |secret: &&Secret| secret.arn == id || secret.arn.rsplit_once('-').is_some_and(|(arn, _)| arn == id);
    secrets.get(id).or_else(|| secrets.values().find(by_arn)).ok_or_else(|| not_found("secret"))
}

/// The same, unless it is marked for deletion.
fn usable<'a>(secrets: &'a BTreeMap<String, Secret>, ask: &Ask) -> Result<&'a Secret, ApiError> {
    let secret = find(secrets, ask)?;
    if secret.deleted.is_some() {
        return Err(ApiError::new(
            "InvalidRequestException",
            "You can't perform this operation on the secret because it was marked for deletion.",
        ));
    }
    Ok(secret)
}

fn described(secret: &Secret) -> Value {
    let mut stages = serde_json::Map::new();
    for (version, stage) in secret.versions.iter().rev().zip(["AWSCURRENT", "AWSPREVIOUS"]) {
        stages.insert(version.id.clone(), json!([stage]));
    }
    let mut described = json!({
        "ARN": secret.arn,
        "Name": secret.name,
        "CreatedDate": epoch_seconds(secret.created),
        "VersionIdsToStages": stages,
    });
    if let Some(description) = &secret.description {
        described["Description"] = json!(description);
    }
    if let Some(deleted) = secret.deleted {
        described["DeletedDate"] = json!(epoch_seconds(deleted));
    }
    described
}
