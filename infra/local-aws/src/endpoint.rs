//! The one endpoint: tells from a request which service it is for, and passes it on.

use std::convert::Infallible;
use std::fs::File;
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use crosswalk_function_kit::{Clock, Entropy};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use s3s::Body;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Storage;
use crate::cognito::Cognito;
use crate::dynamodb::DynamoDb;
use crate::json_protocol::{ApiError, json_1_1, rest_json};
use crate::mailbox::Mailbox;
use crate::s3::S3;
use crate::secrets::SecretsManager;
use crate::ses::Ses;
use crate::sqs::{Queues, Sqs};

/// The largest body of a service that is not S3: SES takes 10 MB, SQS 1 MB.
const MAX_BODY: usize = 16 * 1024 * 1024;
/// How often DynamoDB items that have expired are removed.
const SWEEP: Duration = Duration::from_secs(60);

/// All services' state.
pub(crate) struct Services {
    database: dynoxide::Database,
    s3: S3,
    sqs: Sqs,
    pub(crate) cognito: Cognito,
    secrets: SecretsManager,
    pub(crate) ses: Ses,
    mailbox: Arc<Mailbox>,
    /// Held as long as the folder is used.
    _lock: Option<File>,
}

impl std::fmt::Debug for Services {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Services")
    }
}

impl Services {
    /// Opens what the storage holds.
    pub(crate) fn open(storage: &Storage, endpoint: &str) -> anyhow::Result<Self> {
        let (folder, lock) = match storage {
            Storage::Memory => (None, None),
            Storage::Folder(folder) => (Some(folder.as_path()), Some(lock(folder)?)),
        };
        let below = |name: &str| folder.map(|folder| folder.join(name));
        let clock = Clock::system();
        let entropy = Entropy::system();
        let database = match folder {
            None => dynoxide::Database::memory(),
            Some(folder) => dynoxide::Database::new(&folder.join("dynamodb.sqlite").to_string_lossy()),
        };
        let database = database.map_err(|error| anyhow::anyhow!("DynamoDB does not open: {error}"))?;
        let mailbox = Arc::new(Mailbox::open(below("ses").as_deref())?);
        let queues = Arc::new(Queues::open(below("sqs").as_deref(), endpoint)?);
        Ok(Self {
            database,
            s3: S3::open(below("s3").as_deref(), clock.clone(), entropy.clone(), Arc::clone(&queues))?,
            sqs: Sqs::new(queues),
            cognito: Cognito::open(below("cognito").as_deref(), clock.clone(), entropy.clone(), Arc::clone(&mailbox))?,
            secrets: SecretsManager::open(below("secretsmanager").as_deref(), clock.clone(), entropy)?,
            ses: Ses::new(Arc::clone(&mailbox), clock),
            mailbox,
            _lock: lock,
        })
    }
}

/// Makes the folder and locks it; the operating system lets go when the process ends, however it ends.
fn lock(folder: &Path) -> anyhow::Result<File> {
    let shown = folder.display();
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {shown}"))?;
    let file = File::create(folder.join("lock")).with_context(|| format!("cannot write in the folder {shown}"))?;
    match fs4::FileExt::try_lock(&file) {
        Ok(()) => Ok(file),
        Err(fs4::TryLockError::WouldBlock) => anyhow::bail!(
            "the folder {shown} is in use by another process (`crosswalk up`?): stop that one, or name another folder"
        ),
        Err(fs4::TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock the folder {shown}")),
    }
}

/// The endpoint, bound.
pub(crate) struct Server {
    listener: tokio::net::TcpListener,
    dispatch: Arc<Dispatch>,
}

struct Dispatch {
    dynamodb: DynamoDb,
    services: Arc<Services>,
}

impl Server {
    /// Takes over the listener and starts what needs the runtime.
    pub(crate) async fn bind(listener: TcpListener, services: Arc<Services>) -> anyhow::Result<Self> {
        let listener = tokio::net::TcpListener::from_std(listener).context("cannot listen")?;
        let dynamodb = DynamoDb::start(services.database.clone()).await?;
        tokio::spawn(sweep(services.database.clone()));
        Ok(Self { listener, dispatch: Arc::new(Dispatch { dynamodb, services }) })
    }

    /// Serves until it is dropped.
    pub(crate) async fn run(self) {
        loop {
            let Ok((stream, _)) = self.listener.accept().await else {
                // Too many open files, most likely: some will be closed.
                tokio::time::sleep(Duration::from_millis(10)).await;
                continue;
            };
            let _ = stream.set_nodelay(true);
            let dispatch = Arc::clone(&self.dispatch);
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let dispatch = Arc::clone(&dispatch);
                    async move { Ok::<_, Infallible>(dispatch.answer(request).await) }
                });
                // A client that hangs up is no error of ours.
                let _ = hyper::server::conn::http1::Builder::new()
                    .timer(TokioTimer::new())
                    .serve_connection(TokioIo::new(stream), service)
                    .await;
            });
        }
    }
}

/// Removes expired items, as DynamoDB does in its own time.
async fn sweep(database: dynoxide::Database) {
    loop {
        tokio::time::sleep(SWEEP).await;
        let database = database.clone();
        let swept = tokio::task::spawn_blocking(move || database.sweep_ttl()).await;
        if let Ok(Err(error)) = swept {
            tracing::warn!(%error, "expired DynamoDB items could not be removed");
        }
    }
}

/// Whom a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Service {
    DynamoDb,
    Sqs,
    Cognito(String),
    SecretsManager(String),
    Ses,
    /// Our own: mails and faults.
    Crosswalk,
    S3,
}

impl Service {
    fn of<B>(request: &Request<B>) -> Self {
        let target = request.headers().get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let (service, operation) = target.rsplit_once('.').unwrap_or_default();
        match service {
            "DynamoDB_20120810" | "DynamoDBStreams_20120810" => Self::DynamoDb,
            "AmazonSQS" => Self::Sqs,
            "AWSCognitoIdentityProviderService" => Self::Cognito(operation.to_owned()),
            "secretsmanager" => Self::SecretsManager(operation.to_owned()),
            // No bucket can be named `v2` (too short) or begin with an underscore.
            _ if request.uri().path().starts_with("/v2/email/") => Self::Ses,
            _ if request.uri().path().starts_with("/_crosswalk/") => Self::Crosswalk,
            _ => Self::S3,
        }
    }
}

#[derive(Deserialize)]
struct Fault {
    /// A Cognito operation.
    operation: String,
    /// How many of its next calls.
    times: u32,
}

impl Dispatch {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        let service = Service::of(&request);
        match service {
            Service::DynamoDb => return self.dynamodb.answer(request).await,
            Service::S3 => return self.services.s3.answer(request).await,
            _ => {}
        }
        let (parts, body) = request.into_parts();
        let body: Bytes = match Limited::new(body, MAX_BODY).collect().await {
            Ok(body) => body.to_bytes(),
            Err(_) => {
                return json_1_1(Err(ApiError::new("RequestEntityTooLarge", "The request's body is too large")
                    .with_status(StatusCode::PAYLOAD_TOO_LARGE)));
            }
        };
        match service {
            Service::Sqs => self.services.sqs.answer(Request::from_parts(parts, body)).await,
            Service::Cognito(operation) => json_1_1(self.services.cognito.answer(&operation, &body)),
            Service::SecretsManager(operation) => json_1_1(self.services.secrets.answer(&operation, &body)),
            Service::Ses => rest_json(self.services.ses.answer(&parts.method, parts.uri.path(), &body)),
            Service::Crosswalk | Service::DynamoDb | Service::S3 => {
                rest_json(self.own(&parts.method, parts.uri.path(), &body))
            }
        }
    }

    /// `GET /_crosswalk/mails`, and `POST /_crosswalk/faults` with `{"operation": "AdminCreateUser", "times": 3}`, for
    /// tests that run in another process.
    fn own(&self, method: &Method, path: &str, body: &[u8]) -> Result<Value, ApiError> {
        match (method, path) {
            (&Method::GET, "/_crosswalk/mails") => Ok(json!(self.services.mailbox.all())),
            (&Method::POST, "/_crosswalk/faults") => {
                let fault: Fault = serde_json::from_slice(body)
                    .map_err(|error| ApiError::new("BadRequestException", error.to_string()))?;
                self.services.cognito.throttle(&fault.operation, fault.times);
                Ok(json!({}))
            }
            _ => Err(ApiError::new("NotFoundException", "There are /_crosswalk/mails and /_crosswalk/faults")
                .with_status(StatusCode::NOT_FOUND)),
        }
    }
}
