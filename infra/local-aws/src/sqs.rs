//! SQS: winterbaume's protocol and queue rules over storage of our own, which S3 can send into and which survives a
//! restart, messages and receive counts included.

mod storage;

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode};
use s3s::Body;
use winterbaume_core::{MockRequest, MockService as _};
use winterbaume_sqs::SqsService;

pub(crate) use storage::Queues;

/// The service.
pub(crate) struct Sqs {
    service: SqsService,
}

impl std::fmt::Debug for Sqs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sqs")
    }
}

impl Sqs {
    /// Over the queues.
    pub(crate) fn new(queues: Arc<Queues>) -> Self {
        Self { service: SqsService::with_backend(queues) }
    }

    /// Answers a request of the JSON protocol.
    pub(crate) async fn answer(&self, request: Request<Bytes>) -> Response<Body> {
        let (parts, body) = request.into_parts();
        let request =
            MockRequest { method: parts.method.to_string(), uri: parts.uri.to_string(), headers: parts.headers, body };
        let answer = self.service.handle(request).await;
        let (body, query_error) = corrected(answer.status, answer.body);
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        *response.headers_mut() = answer.headers;
        response.headers_mut().insert("x-amzn-requestid", HeaderValue::from_static(crate::REQUEST_ID));
        if let Some(header) = query_error.and_then(|name| HeaderValue::try_from(format!("{name};Sender")).ok()) {
            response.headers_mut().insert("x-amzn-query-error", header);
        }
        response
    }
}

/// winterbaume names errors as the query protocol did. The JSON protocol has names of its own in the body and the query
/// protocol's in a header, which the SDKs go by.
fn corrected(status: u16, body: Bytes) -> (Bytes, Option<String>) {
    if status == 200 {
        return (body, None);
    }
    let Ok(mut error) = serde_json::from_slice::<serde_json::Value>(&body) else { return (body, None) };
    let Some(query_name) = error["__type"].as_str().map(str::to_owned) else { return (body, None) };
    let name = match query_name.as_str() {
        "AWS.SimpleQueueService.NonExistentQueue" => "QueueDoesNotExist",
        "QueueAlreadyExists" => "QueueNameExists",
        other => other,
    };
    error["__type"] = format!("com.amazonaws.sqs#{name}").into();
    (error.to_string().into(), Some(query_name))
}
