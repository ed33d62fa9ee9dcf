//! Answers of AWS's JSON 1.1 protocol, which Cognito and Secrets Manager speak, and of REST JSON, which SES speaks.

use http::{HeaderValue, Response, StatusCode, header};
use s3s::Body;
use serde_json::{Value, json};

/// An error by the name that the service's API model gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) status: StatusCode,
    pub(crate) name: &'static str,
    pub(crate) message: String,
}

impl ApiError {
    /// A client's error.
    pub(crate) fn new(name: &'static str, message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, name, message: message.into() }
    }

    /// With another status than 400.
    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = status;
        self
    }
}

/// The answer to a call of the JSON 1.1 protocol.
pub(crate) fn json_1_1(answer: Result<Value, ApiError>) -> Response<Body> {
    respond(answer, "application/x-amz-json-1.1")
}

/// The answer to a REST JSON call.
pub(crate) fn rest_json(answer: Result<Value, ApiError>) -> Response<Body> {
    respond(answer, "application/json")
}

fn respond(answer: Result<Value, ApiError>, content_type: &'static str) -> Response<Body> {
    let (status, name, body) = match answer {
        Ok(body) => (StatusCode::OK, None, body),
        Err(error) => (error.status, Some(error.name), json!({ "__type": error.name, "message": error.message })),
    };
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert("x-amzn-requestid", HeaderValue::from_static(crate::REQUEST_ID));
    if let Some(name) = name {
        headers.insert("x-amzn-errortype", HeaderValue::from_static(name));
    }
    response
}
