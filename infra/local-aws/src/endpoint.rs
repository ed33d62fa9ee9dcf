//! The one endpoint: tells from a request which service it is for, and passes it on.

use std::convert::Infallible;
use std::net::TcpListener;
use std::sync::Arc;

use anyhow::Context as _;
use http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use s3s::Body;

use crate::Storage;
use crate::dynamodb::DynamoDb;

/// All services' state.
#[derive(Debug)]
pub(crate) struct Services {
    database: DynamoDbHandle,
}

/// dynoxide's database has no `Debug`.
struct DynamoDbHandle(dynoxide::Database);

impl std::fmt::Debug for DynamoDbHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Database")
    }
}

impl Services {
    /// Opens what the storage holds.
    pub(crate) fn open(storage: Storage, _endpoint: &str) -> anyhow::Result<Self> {
        let database = match storage {
            Storage::Memory => dynoxide::Database::memory(),
            Storage::Folder(folder) => dynoxide::Database::new(&folder.join("dynamodb.sqlite").to_string_lossy()),
        };
        Ok(Self {
            database: DynamoDbHandle(database.map_err(|error| anyhow::anyhow!("DynamoDB does not open: {error}"))?),
        })
    }
}

/// The endpoint, bound.
pub(crate) struct Server {
    listener: tokio::net::TcpListener,
    dispatch: Arc<Dispatch>,
}

struct Dispatch {
    dynamodb: DynamoDb,
}

impl Server {
    /// Takes over the listener and starts what needs the runtime.
    pub(crate) async fn bind(listener: TcpListener, services: Arc<Services>) -> anyhow::Result<Self> {
        let listener = tokio::net::TcpListener::from_std(listener).context("cannot listen")?;
        let dynamodb = DynamoDb::start(services.database.0.clone()).await?;
        Ok(Self { listener, dispatch: Arc::new(Dispatch { dynamodb }) })
    }

    /// Serves until it is dropped.
    pub(crate) async fn run(self) {
        loop {
            let Ok((stream, _)) = self.listener.accept().await else { continue };
            let _ = stream.set_nodelay(true);
            let dispatch = Arc::clone(&self.dispatch);
            tokio::spawn(async move {
                let service = service_fn(move |request| {
                    let dispatch = Arc::clone(&dispatch);
                    async move { Ok::<_, Infallible>(dispatch.answer(request).await) }
                });
                // A client that hangs up is no error of ours.
                let _ =
                    hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    }
}

/// Whom a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Service {
    DynamoDb,
    Unknown,
}

impl Service {
    fn of<B>(request: &Request<B>) -> Self {
        let target = request.headers().get("x-amz-target").and_then(|value| value.to_str().ok()).unwrap_or_default();
        match target.split_once('.').map(|(service, _)| service) {
            Some("DynamoDB_20120810" | "DynamoDBStreams_20120810") => Self::DynamoDb,
            _ => Self::Unknown,
        }
    }
}

impl Dispatch {
    async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        match Service::of(&request) {
            Service::DynamoDb => self.dynamodb.answer(request).await,
            Service::Unknown => {
                let mut response = Response::new(Body::from("no such service".to_owned()));
                *response.status_mut() = StatusCode::NOT_FOUND;
                response
            }
        }
    }
}
