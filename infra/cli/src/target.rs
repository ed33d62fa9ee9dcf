//! Which AWS a command talks to: `--aws`; else `AWS_ENDPOINT_URL`; else the `up` that runs on the folder; else the folder
//! itself, locked.
//!
//! A running `up` holds the lock of `up.lock` in its folder and says in `up.json` where it listens. The lock goes with the
//! process, however it ends, so a stale `up.json` is never believed.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use aws_config::SdkConfig;
use crosswalk_function_kit::aws::load_config;
use crosswalk_function_kit::http::is_this_machine;
use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Entropy};
use crosswalk_identifier_store::Table;
use crosswalk_identity::{System, Systems};
use crosswalk_local_aws::provision::{Names, Provisioned, provision};
use crosswalk_local_aws::{ACCESS_KEY_ID, LocalAws, REGION, SECRET_ACCESS_KEY, Storage, sdk_config_for};
use crosswalk_runs::files::Files;
use crosswalk_runs::{Ledger, Runs};
use serde::{Deserialize, Serialize};
use tokio::net::TcpStream;

use crate::args::{DEFAULT_DIR, Where};
use crate::show;

/// An AWS to talk to, and the settings that name what stands there.
pub(crate) struct Target {
    /// For building SDK clients.
    pub(crate) config: SdkConfig,
    /// The process's environment, and what a local AWS has made.
    pub(crate) environment: Environment,
    /// Keeps an AWS of this process's own running.
    _own: Option<LocalAws>,
}

/// What a running `up` says of itself.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Up {
    /// The AWS endpoint.
    pub(crate) endpoint: String,
    /// The API.
    pub(crate) api_url: String,
    /// The process.
    pub(crate) pid: u32,
    /// The table.
    pub(crate) table: String,
    /// The bucket.
    pub(crate) bucket: String,
    /// The user pool's id.
    pub(crate) pool_id: String,
}

impl Target {
    /// Finds or starts it.
    ///
    /// # Errors
    /// The folder is in use, or cannot be read.
    pub(crate) async fn open(place: &Where, environment: Environment) -> anyhow::Result<Self> {
        if place.aws {
            let config = without_endpoint(&load_config(&environment).await);
            if config.region().is_none() {
                bail!("no region is set: set AWS_REGION, or a region in your AWS profile");
            }
            return Ok(Self { config, environment, _own: None });
        }
        if let Some(endpoint) = environment.get("AWS_ENDPOINT_URL") {
            see_whether_it_listens(endpoint).await?;
            if place.folder.dir != Path::new(DEFAULT_DIR) {
                show::complain(
                    "note: --dir is not read, as AWS_ENDPOINT_URL is set and says which AWS this is; unset it to use the folder",
                );
            }
            return Ok(Self { config: config_of_endpoint(&environment).await, environment, _own: None });
        }
        let dir = &place.folder.dir;
        if let Some(up) = running_up(dir).await? {
            let config = sdk_config_for(&up.endpoint);
            return Ok(Self { config, environment: up.settings().fold(environment, with), _own: None });
        }
        if !dir.exists() {
            // Perhaps somebody meant another folder.
            show::complain(&format!("note: {} is a new, empty AWS of your own", dir.display()));
        }
        let own = start(Storage::Folder(dir.clone()), 0).await?;
        let config = own.sdk_config();
        let made = provision(&config, &Names::default()).await?;
        let environment = names(own.endpoint(), &made.table, &made.bucket, &made.pool_id).fold(environment, with);
        Ok(Self { config, environment, _own: Some(own) })
    }

    /// The table.
    ///
    /// # Errors
    /// Nothing names it.
    pub(crate) fn table(&self) -> anyhow::Result<Table> {
        let name = self.environment.get("CROSSWALK_TABLE").context(
            "CROSSWALK_TABLE is not set: the name of the DynamoDB table. For a local AWS, `eval \"$(crosswalk env)\"` sets it",
        )?;
        Ok(Table::new(aws_sdk_dynamodb::Client::new(&self.config), name))
    }

    /// The runs.
    ///
    /// # Errors
    /// Nothing names the table.
    pub(crate) fn ledger(&self) -> anyhow::Result<Ledger> {
        Ok(Ledger::Table(Runs::new(self.table()?, Clock::system(), Entropy::system())))
    }

    /// The bucket as the place of state and reports, if one is named.
    pub(crate) fn files(&self) -> Option<Files> {
        self.bucket().map(|bucket| Files::Bucket { client: self.s3(), bucket: bucket.to_owned() })
    }

    /// A client for the bucket.
    pub(crate) fn s3(&self) -> aws_sdk_s3::Client {
        crosswalk_runs::files::s3_client(&self.config)
    }

    /// The bucket's name, if one is named.
    pub(crate) fn bucket(&self) -> Option<&str> {
        self.environment.get("CROSSWALK_BUCKET")
    }
}

impl Up {
    /// What this `up` has made.
    pub(crate) fn of(aws: &LocalAws, made: &Provisioned, api_url: &str) -> Self {
        Self {
            endpoint: aws.endpoint().to_owned(),
            api_url: api_url.to_owned(),
            pid: std::process::id(),
            table: made.table.clone(),
            bucket: made.bucket.clone(),
            pool_id: made.pool_id.clone(),
        }
    }

    /// The environment variables for a shell, an SDK and these functions, in a fixed order.
    pub(crate) fn settings(&self) -> impl Iterator<Item = (&'static str, String)> {
        names(&self.endpoint, &self.table, &self.bucket, &self.pool_id)
            .chain([("CROSSWALK_API_URL", self.api_url.clone()), ("CROSSWALK_AUTH", "none".to_owned())])
    }
}

/// The right to be the folder's `up`; gone when dropped, with the file that says where it listens.
pub(crate) struct Presence {
    _lock: File,
    note: PathBuf,
}

impl Presence {
    /// Takes the right.
    ///
    /// # Errors
    /// Another `up` has it, or the folder cannot be written.
    pub(crate) fn take(dir: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(dir).with_context(|| format!("cannot make the folder {}", dir.display()))?;
        let lock = open_lock(dir)?;
        let note = dir.join("up.json");
        match lock.try_lock() {
            Ok(()) => {
                remove(&note)?;
                Ok(Self { _lock: lock, note })
            }
            Err(TryLockError::WouldBlock) => {
                let pid = read_note(&note).map(|up| format!(" (process {})", up.pid)).unwrap_or_default();
                bail!(
                    "another `crosswalk up`{pid} runs on {}; stop it, or give another folder with --dir",
                    dir.display()
                )
            }
            Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", dir.display())),
        }
    }

    /// Says where it listens. Whoever reads it finds the whole text or none.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub(crate) fn announce(&self, up: &Up) -> anyhow::Result<()> {
        let draft = self.note.with_extension("json.new");
        fs::write(&draft, serde_json::to_vec_pretty(up)?)
            .and_then(|()| fs::rename(&draft, &self.note))
            .with_context(|| format!("cannot write {}", self.note.display()))
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        // Whoever finds it later does not believe it without the lock.
        let _ = fs::remove_file(&self.note);
    }
}

/// The `up` that runs on the folder. One that starts just now is waited for.
///
/// # Errors
/// It does not say where it listens.
pub(crate) async fn running_up(dir: &Path) -> anyhow::Result<Option<Up>> {
    if !dir.join("up.lock").exists() {
        return Ok(None);
    }
    for _ in 0..100 {
        let lock = open_lock(dir)?;
        match lock.try_lock_shared() {
            Ok(()) => return Ok(None),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot look at the lock of {}", dir.display()));
            }
            Err(TryLockError::WouldBlock) => {}
        }
        if let Some(up) = read_note(&dir.join("up.json")) {
            return Ok(Some(up));
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("a `crosswalk up` holds {} and does not say where it listens; stop it and start it again", dir.display())
}

/// Starts an AWS of this process's own.
pub(crate) async fn start(storage: Storage, port: u16) -> anyhow::Result<LocalAws> {
    tokio::task::spawn_blocking(move || LocalAws::start(storage, port)).await?
}

/// What names an AWS and what was made there.
pub(crate) fn names(
    endpoint: &str,
    table: &str,
    bucket: &str,
    pool_id: &str,
) -> impl Iterator<Item = (&'static str, String)> + use<> {
    [
        ("AWS_ENDPOINT_URL", endpoint),
        ("AWS_REGION", REGION),
        // The older name is the only one that boto3 and version 1 of the AWS CLI read.
        ("AWS_DEFAULT_REGION", REGION),
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID),
        ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY),
        ("CROSSWALK_TABLE", table),
        ("CROSSWALK_BUCKET", bucket),
        ("COGNITO_IDENTITY_POOL_ID", pool_id),
    ]
    .map(|(name, value)| (name, value.to_owned()))
    .into_iter()
}

/// One variable more.
pub(crate) fn with(environment: Environment, (name, value): (&'static str, String)) -> Environment {
    environment.with(name, &value)
}

/// The systems that are known here.
///
/// # Errors
/// `CROSSWALK_SYSTEMS` does not read.
pub(crate) fn systems(environment: &Environment) -> anyhow::Result<Systems> {
    match environment.get("CROSSWALK_SYSTEMS") {
        Some(list) => Systems::parse(list).context("CROSSWALK_SYSTEMS does not read"),
        None => Ok(Systems::default()),
    }
}

/// A known system by its name.
///
/// # Errors
/// It is not known here; the message names the known ones.
pub(crate) fn system(environment: &Environment, name: &str) -> anyhow::Result<System> {
    Ok(systems(environment)?.get(name)?)
}

/// An endpoint on this machine takes the embedded AWS's keys unless the environment has others.
/// An `up` that has ended leaves its address in the shells that asked for it; the SDK would try it for seconds, and then
/// call it busy.
async fn see_whether_it_listens(endpoint: &str) -> anyhow::Result<()> {
    let Some(url) = url::Url::parse(endpoint).ok().filter(is_this_machine) else { return Ok(()) };
    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else { return Ok(()) };
    let host = host.trim_matches(['[', ']']);
    match TcpStream::connect((host, port)).await {
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => bail!(
            "nothing listens at {endpoint}, which AWS_ENDPOINT_URL names: if it was a `crosswalk up`, that has ended. Start it \
             again and ask `crosswalk env` anew, or unset AWS_ENDPOINT_URL"
        ),
        // Whatever else there is, the SDK tells it.
        _ => Ok(()),
    }
}

async fn config_of_endpoint(environment: &Environment) -> SdkConfig {
    let endpoint = environment.get("AWS_ENDPOINT_URL").unwrap_or_default();
    let local = url::Url::parse(endpoint).is_ok_and(|url| is_this_machine(&url));
    let keyless = environment.get("AWS_ACCESS_KEY_ID").is_none() && environment.get("AWS_PROFILE").is_none();
    if local && keyless { sdk_config_for(endpoint) } else { load_config(environment).await }
}

/// `--aws` means the account, also in a shell whose environment points at a local endpoint: everything is carried over
/// but the endpoint, which the SDKs would otherwise look up once more for each service.
fn without_endpoint(config: &SdkConfig) -> SdkConfig {
    let mut builder = SdkConfig::builder();
    builder
        .set_app_name(config.app_name().cloned())
        .set_behavior_version(config.behavior_version())
        .set_credentials_provider(config.credentials_provider())
        .set_http_client(config.http_client())
        .set_identity_cache(config.identity_cache())
        .set_region(config.region().cloned())
        .set_retry_config(config.retry_config().cloned())
        .set_sleep_impl(config.sleep_impl())
        .set_time_source(config.time_source())
        .set_timeout_config(config.timeout_config().cloned())
        .set_use_dual_stack(config.use_dual_stack())
        .set_use_fips(config.use_fips());
    builder.build()
}

fn open_lock(dir: &Path) -> anyhow::Result<File> {
    let path = dir.join("up.lock");
    File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&path)
        .with_context(|| format!("cannot open {}", path.display()))
}

fn read_note(path: &Path) -> Option<Up> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

fn remove(path: &Path) -> anyhow::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_account_is_meant_whatever_the_endpoint() {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", server.local_addr().unwrap());
        let environment = Environment::from_iter([("AWS_ENDPOINT_URL", url.as_str()), ("AWS_REGION", "eu-central-1")]);
        let place = Where { aws: true, folder: crate::args::DirArgs { dir: "nowhere".into() } };
        let target = Target::open(&place, environment.clone()).await.unwrap();
        assert_eq!(target.config.endpoint_url(), None);
        assert!(target.config.service_config().is_none());
        assert_eq!(target.config.region().unwrap().as_ref(), "eu-central-1");
        assert!(target.config.credentials_provider().is_some() && target.config.behavior_version().is_some());

        let target = Target::open(&Where { aws: false, ..place }, environment).await.unwrap();
        assert_eq!(target.config.endpoint_url(), Some(url.as_str()));
        assert!(target.table().unwrap_err().to_string().contains("CROSSWALK_TABLE is not set"));
    }

    #[tokio::test]
    async fn an_up_is_believed_while_it_holds_the_lock() {
        let folder = tempfile::tempdir().unwrap();
        let up = Up {
            endpoint: "http://127.0.0.1:1".into(),
            api_url: "http://127.0.0.1:2".into(),
            pid: 3,
            table: "t".into(),
            bucket: "b".into(),
            pool_id: "p".into(),
        };
        assert!(running_up(folder.path()).await.unwrap().is_none());
        let presence = Presence::take(folder.path()).unwrap();
        presence.announce(&up).unwrap();
        assert_eq!(running_up(folder.path()).await.unwrap().unwrap().endpoint, up.endpoint);
        let refusal = Presence::take(folder.path()).err().unwrap().to_string();
        assert!(refusal.contains("another `crosswalk up` (process 3)"), "{refusal}");
        // A process that is killed leaves its note, and loses its lock.
        let note = std::fs::read(folder.path().join("up.json")).unwrap();
        drop(presence);
        std::fs::write(folder.path().join("up.json"), note).unwrap();
        assert!(running_up(folder.path()).await.unwrap().is_none());
    }
}
