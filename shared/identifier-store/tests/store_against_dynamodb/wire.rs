//! Faults between the SDK and its DynamoDB, at the HTTP layer: no emulator conflicts, throttles or loses an answer by
//! itself.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use futures::future::BoxFuture;
use serde_json::{Value, json};

/// What happens to one request.
pub(crate) enum Fault {
    /// The connection breaks before the request arrives.
    Broken,
    /// The request is carried out, and the answer is lost.
    LostAnswer,
    /// Not carried out; this status and error code come back.
    Error(u16, &'static str),
    /// A transaction is cancelled: this code for its first action, None for the others.
    Cancelled(&'static str),
    /// A batch read leaves half of its keys unprocessed.
    Unprocessed,
    /// Something else happens first; then the request is carried out.
    Meanwhile(BoxFuture<'static, ()>),
    /// The token that came with the transaction is no longer remembered, as after ten minutes.
    ForgottenToken,
}

/// One request that went through.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) operation: String,
    pub(crate) body: Value,
}

#[derive(Default)]
struct State {
    faults: Vec<(&'static str, VecDeque<Fault>)>,
    seen: Vec<Seen>,
}

/// An HTTP client around the real one.
#[derive(Clone)]
pub(crate) struct Wire {
    inner: SharedHttpClient,
    state: Arc<Mutex<State>>,
}

impl Wire {
    pub(crate) fn around(inner: SharedHttpClient) -> Self {
        Self { inner, state: Arc::default() }
    }

    /// The next requests of this operation meet these, in order.
    pub(crate) fn inject(&self, operation: &'static str, faults: impl IntoIterator<Item = Fault>) {
        self.state.lock().unwrap().faults.push((operation, faults.into_iter().collect()));
    }

    /// The requests since the last asking, in order.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        let mut state = self.state.lock().unwrap();
        let left: usize = state.faults.iter().map(|(_, faults)| faults.len()).sum();
        assert_eq!(left, 0, "every injected fault was met");
        state.faults.clear();
        std::mem::take(&mut state.seen)
    }

    /// How many requests of which operations there were since the last asking: `BatchGetItem 2, UpdateItem 1`.
    pub(crate) fn counts(&self) -> String {
        let mut counts = std::collections::BTreeMap::<String, usize>::new();
        for seen in self.seen() {
            *counts.entry(seen.operation).or_default() += 1;
        }
        counts.iter().map(|(operation, count)| format!("{operation} {count}")).collect::<Vec<_>>().join(", ")
    }

    fn meet(&self, request: &HttpRequest) -> Option<Fault> {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let body = serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap_or_default();
        let mut state = self.state.lock().unwrap();
        let queue = state.faults.iter_mut().find(|(of, faults)| *of == operation && !faults.is_empty());
        let fault = queue.and_then(|(_, faults)| faults.pop_front());
        state.seen.push(Seen { operation, body });
        fault
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

impl HttpClient for Wire {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector {
            wire: self.clone(),
            inner: self.inner.http_connector(settings, components),
        })
    }
}

#[derive(Debug)]
struct Connector {
    wire: Wire,
    inner: SharedHttpConnector,
}

impl HttpConnector for Connector {
    fn call(&self, mut request: HttpRequest) -> HttpConnectorFuture {
        let inner = self.inner.clone();
        let fault = self.wire.meet(&request);
        HttpConnectorFuture::new(async move {
            match fault {
                None => inner.call(request).await,
                Some(Fault::Broken) => Err(ConnectorError::io("the connection broke".into())),
                Some(Fault::LostAnswer) => {
                    inner.call(request).await?;
                    Err(ConnectorError::io("the answer was lost".into()))
                }
                Some(Fault::Error(status, code)) => Ok(answer(
                    status,
                    &json!({ "__type": format!("com.amazonaws.dynamodb.v20120810#{code}"), "message": "injected" }),
                )),
                Some(Fault::Cancelled(code)) => {
                    let body: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
                    let actions = body["TransactItems"].as_array().unwrap().len();
                    let mut reasons = vec![json!({ "Code": "None" }); actions];
                    reasons[0] = json!({ "Code": code, "Message": "injected" });
                    Ok(answer(
                        400,
                        &json!({
                            "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
                            "Message": "Transaction cancelled, please refer cancellation reasons for specific reasons",
                            "CancellationReasons": reasons,
                        }),
                    ))
                }
                Some(Fault::Unprocessed) => {
                    let mut body: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
                    let (table, keys) = body["RequestItems"].as_object_mut().unwrap().iter_mut().next().unwrap();
                    let (table, keys) = (table.clone(), keys["Keys"].as_array_mut().unwrap());
                    let left = keys.split_off(keys.len() / 2);
                    let answered = inner.call(with_body(request, &body)).await?;
                    let read = ByteStream::new(answered.into_body()).collect().await.unwrap();
                    let mut body: Value = serde_json::from_slice(&read.into_bytes()).unwrap();
                    body["UnprocessedKeys"] = json!({ table: { "Keys": left, "ConsistentRead": true } });
                    Ok(answer(200, &body))
                }
                Some(Fault::Meanwhile(other)) => {
                    other.await;
                    inner.call(request).await
                }
                Some(Fault::ForgottenToken) => {
                    let mut body: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
                    body["ClientRequestToken"] = json!("a-token-of-another-time");
                    request = with_body(request, &body);
                    inner.call(request).await
                }
            }
        })
    }
}

fn with_body(mut request: HttpRequest, body: &Value) -> HttpRequest {
    let bytes = serde_json::to_vec(body).unwrap();
    request.headers_mut().insert("content-length", bytes.len().to_string());
    *request.body_mut() = SdkBody::from(bytes);
    request
}

fn answer(status: u16, body: &Value) -> HttpResponse {
    let mut answer = HttpResponse::new(status.try_into().unwrap(), SdkBody::from(serde_json::to_vec(body).unwrap()));
    answer.headers_mut().insert("content-type", "application/x-amz-json-1.0");
    answer
}
