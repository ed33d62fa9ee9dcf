//! DynamoDB: dynoxide, whose server is the only public way to its JSON protocol. It listens on a loopback port of its own
//! and the endpoint passes requests on over kept-alive connections.

use anyhow::Context as _;
use http::uri::{Authority, Scheme};
use http::{Request, Response, StatusCode, Uri};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use s3s::Body;

/// The way to dynoxide's server.
pub(crate) struct DynamoDb {
    authority: Authority,
    client: Client<HttpConnector, Incoming>,
}

impl DynamoDb {
    /// Starts dynoxide's server on the present runtime; it ends with the runtime.
    pub(crate) async fn start(database: dynoxide::Database) -> anyhow::Result<Self> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.context("cannot listen for DynamoDB")?;
        let authority = listener.local_addr()?.to_string().parse()?;
        tokio::spawn(dynoxide::server::serve_with_shutdown(listener, database, std::future::pending()));
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Ok(Self { authority, client: Client::builder(TokioExecutor::new()).build(connector) })
    }

    /// Passes a request on.
    pub(crate) async fn answer(&self, mut request: Request<Incoming>) -> Response<Body> {
        let mut parts = request.uri().clone().into_parts();
        parts.scheme = Some(Scheme::HTTP);
        parts.authority = Some(self.authority.clone());
        let answer = match Uri::from_parts(parts) {
            Ok(uri) => {
                *request.uri_mut() = uri;
                self.client.request(request).await.map_err(|error| error.to_string())
            }
            Err(error) => Err(error.to_string()),
        };
        match answer {
            Ok(response) => response.map(Body::from),
            Err(error) => {
                tracing::warn!(error, "DynamoDB did not answer");
                let mut response = Response::new(Body::from(
                    r#"{"__type":"com.amazonaws.dynamodb.v20120810#InternalServerError","message":"no answer"}"#
                        .to_owned(),
                ));
                *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                response
            }
        }
    }
}
