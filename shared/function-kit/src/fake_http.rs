//! For this crate's tests: an SDK configuration whose HTTP layer is a closure, and a count of its calls.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_secretsmanager::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use serde_json::json;

/// What the other side answers.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// A status and a JSON body.
    Json(u16, String),
    /// Nothing: the connection breaks.
    Broken,
}

impl Answer {
    /// A success.
    pub(crate) fn ok(body: serde_json::Value) -> Self {
        Self::Json(200, body.to_string())
    }

    /// An error in the form of the JSON protocols.
    pub(crate) fn error(status: u16, code: &str, message: &str) -> Self {
        Self::Json(status, json!({ "__type": code, "message": message }).to_string())
    }
}

struct Closure {
    answer: Box<dyn Fn(&str) -> Answer + Send + Sync>,
    calls: Arc<AtomicUsize>,
}

impl fmt::Debug for Closure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Closure")
    }
}

impl HttpConnector for Closure {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.calls.fetch_add(1, Ordering::SeqCst);
        let body = request.body().bytes().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default();
        let answer = (self.answer)(&body);
        HttpConnectorFuture::new(async move {
            // Long enough that callers at the same time do overlap.
            tokio::time::sleep(Duration::from_millis(5)).await;
            match answer {
                Answer::Json(status, body) => {
                    let status = status.try_into().expect("a status");
                    Ok(HttpResponse::new(status, SdkBody::from(body)))
                }
                Answer::Broken => Err(ConnectorError::io("the connection broke".into())),
            }
        })
    }
}

/// A configuration that asks `answer` with each request's body.
pub(crate) fn config(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> (SdkConfig, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let connector = SharedHttpConnector::new(Closure { answer: Box::new(answer), calls: calls.clone() });
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("key", "secret", None, None, "test")))
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .build();
    (config, calls)
}
