//! The embedded AWS: DynamoDB, S3, SQS, Cognito, Secrets Manager and SES behind one endpoint on loopback, in memory or in
//! a folder.
//!
//! | service | made of | corrected here | still untrue |
//! |---|---|---|---|
//! | DynamoDB | dynoxide | expired items are removed within a minute | never answers TransactionConflict or throttles; reads and the index are always consistent |
//! | S3 | s3s-fs for the bytes, an index of our own | conditional writes are serial; any key (`//`, trailing `/`, 1,024 bytes); NoSuchBucket, NoSuchUpload, InvalidPart; a refused put leaves the old object; ETags, `encoding-type=url` and paging in listings; conditional reads; events | no versions, tags, ACLs or encryption; checksums of parts are not checked; only queues are notified, at once, once and in order; path-style addresses only |
//! | SQS | winterbaume-sqs over storage of our own | modelled error names; messages and receive counts survive a restart; no message is lost without its dead-letter queue | JSON protocol only; no FIFO order, no retention; `VisibilityTimeout=0` on a receive is taken as not given |
//! | Cognito | our own | – | the operations of a pool's life, accounts and password sign-in only; no groups, MFA, SRP or triggers; tokens are opaque; ListUsers is always consistent; throttles on demand only |
//! | Secrets Manager | our own | – | not encrypted; no rotation; a deleted secret waits for ever |
//! | SES v2 | our own | – | SendEmail with simple content, and GetAccount; any sender may send; one domain is refused ([`MailRules`]); nothing leaves the machine |
//!
//! Only S3 checks signatures; nothing checks permissions.

mod cognito;
pub mod description;
mod drawer;
mod dynamodb;
mod endpoint;
pub mod event_source;
mod json_protocol;
mod mailbox;
pub mod provision;
mod s3;
mod secrets;
mod ses;
mod sqs;
pub mod testbed;

use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use serde::{Deserialize, Serialize};
pub use ses::{MailRules, SesFault};
use tokio::sync::oneshot;

/// The region that the embedded AWS says it is.
pub const REGION: &str = "us-east-1";
/// The access key that it takes; a request must be signed with it for S3.
pub const ACCESS_KEY_ID: &str = "crosswalk";
/// The secret key that belongs to it.
pub const SECRET_ACCESS_KEY: &str = "crosswalk-local";
/// The account that it says it is.
pub const ACCOUNT_ID: &str = "000000000000";

/// Answers carry a request id; nobody looks one up here.
const REQUEST_ID: &str = "00000000-0000-4000-8000-000000000000";

/// Where the embedded AWS keeps what it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// Nowhere: gone when it stops.
    Memory,
    /// In a folder, which is locked while it runs; everything survives a restart.
    Folder(PathBuf),
}

/// A running embedded AWS, on a thread and runtime of its own (a server that is started inside a test's runtime dies with
/// it). Dropping it stops it.
#[derive(Debug)]
pub struct LocalAws {
    endpoint: String,
    services: Arc<endpoint::Services>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// A mail that the embedded SES took.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Mail {
    /// The sender.
    pub from: String,
    /// The recipients.
    pub to: Vec<String>,
    /// Whom an answer goes to, if not the sender.
    #[serde(default)]
    pub reply_to: Vec<String>,
    /// Other lines of its head.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// The subject.
    pub subject: String,
    /// The text part.
    pub text: Option<String>,
    /// The HTML part.
    pub html: Option<String>,
}

impl LocalAws {
    /// Starts it on 127.0.0.1, on `port` or on any free one (0), and returns when it serves.
    ///
    /// # Errors
    /// The port is taken, the folder is locked by another process (the message names it), or it does not read.
    pub fn start(storage: Storage, port: u16) -> anyhow::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port))
            .with_context(|| format!("cannot listen on 127.0.0.1:{port}: is another `crosswalk up` running there? `--port` names another port"))?;
        listener.set_nonblocking(true)?;
        let endpoint = format!("http://{}", listener.local_addr()?);
        let services = Arc::new(endpoint::Services::open(&storage, &endpoint)?);

        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(4)
            .thread_name("local-aws")
            .enable_all()
            .build()
            .context("cannot start the embedded AWS's runtime")?;
        let (stop, stopped) = oneshot::channel();
        let (ready, serves) = std::sync::mpsc::channel();
        let serving = Arc::clone(&services);
        let thread = std::thread::Builder::new().name("local-aws-main".to_owned()).spawn(move || {
            runtime.block_on(async move {
                let server = match endpoint::Server::bind(listener, serving).await {
                    Ok(server) => {
                        let _ = ready.send(Ok(()));
                        server
                    }
                    Err(error) => {
                        let _ = ready.send(Err(error));
                        return;
                    }
                };
                tokio::select! {
                    () = server.run() => {}
                    _ = stopped => {}
                }
            });
            // Connections that a client keeps open must not hold up the stop.
            runtime.shutdown_timeout(Duration::from_millis(500));
        })?;
        serves.recv().context("the embedded AWS's thread ended before it served")??;
        Ok(Self { endpoint, services, stop: Some(stop), thread: Some(thread) })
    }

    /// `http://127.0.0.1:<port>`, for every SDK and the AWS CLI (`AWS_ENDPOINT_URL`).
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// An SDK configuration that talks to it.
    pub fn sdk_config(&self) -> SdkConfig {
        sdk_config_for(&self.endpoint)
    }

    /// Makes the next `times` calls of a Cognito operation answer TooManyRequestsException.
    pub fn throttle_cognito(&self, operation: &str, times: u32) {
        self.services.cognito.throttle(operation, times);
    }

    /// How the embedded SES treats mails from now on.
    pub fn set_mail_rules(&self, rules: MailRules) {
        self.services.ses.set_rules(rules);
    }

    /// Makes the next `times` calls of SES's SendEmail or GetAccount fail so.
    pub fn fail_ses(&self, operation: &str, fault: SesFault, times: u32) {
        self.services.ses.fail(operation, fault, times);
    }
}

impl Drop for LocalAws {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// An SDK configuration for any AWS-like endpoint on loopback, with the embedded AWS's keys.
pub fn sdk_config_for(endpoint: &str) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static(REGION))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            ACCESS_KEY_ID,
            SECRET_ACCESS_KEY,
            None,
            None,
            "crosswalk-local-aws",
        )))
        .endpoint_url(endpoint)
        // Plain HTTP: no certificate store is read, which would take longer than the whole start.
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build()
}

/// An S3 client that addresses buckets by path. On an endpoint that is an IP address a plain client does so by itself; on
/// `localhost` it would look for `<bucket>.localhost`.
pub fn s3_client(config: &SdkConfig) -> aws_sdk_s3::Client {
    aws_sdk_s3::Client::from_conf(aws_sdk_s3::config::Builder::from(config).force_path_style(true).build())
}

/// The mails that the embedded SES at `endpoint` took, oldest first.
///
/// # Errors
/// Nothing answers there, or it is not the embedded AWS.
pub async fn mails(endpoint: &str) -> anyhow::Result<Vec<Mail>> {
    let url = format!("{}/_crosswalk/mails", endpoint.trim_end_matches('/'));
    let client = reqwest::Client::builder().no_proxy().build()?;
    let answer = client.get(&url).send().await.with_context(|| format!("{url} does not answer"))?;
    answer.error_for_status()?.json().await.with_context(|| format!("{url} did not answer with mails"))
}

/// Timestamps of the JSON protocol: seconds since the epoch, with milliseconds behind the point.
#[expect(clippy::cast_precision_loss, reason = "milliseconds of this era fit a double exactly")]
fn epoch_seconds(at: jiff::Timestamp) -> f64 {
    at.as_millisecond() as f64 / 1000.0
}
