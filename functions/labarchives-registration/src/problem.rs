//! Refusals of the JSON route, as RFC 9457 problem details.

use axum::Json;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use crosswalk_identifier_store::StoreError;
use serde::Serialize;

/// A problem (RFC 9457).
#[derive(Debug, Serialize)]
pub(crate) struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    #[serde(skip)]
    header: Option<Box<(HeaderName, HeaderValue)>>,
}

impl Problem {
    fn new(status: StatusCode, kind: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self { kind, title, status: status.as_u16(), detail: detail.into(), header: None }
    }

    /// The request is not one that we can read: say what to send.
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "urn:crosswalk:problem:invalid-request", "The request is not valid", detail)
    }

    pub(crate) fn no_claims() -> Self {
        let detail = "no authorizer has checked this request: send `Authorization: Bearer <token>` with the person's own \
                      token to the deployed API. Where it runs locally nobody signs in: `crosswalk ids invite` makes a link";
        let mut problem =
            Self::new(StatusCode::UNAUTHORIZED, "urn:crosswalk:problem:unauthorized", "No token was checked", detail);
        problem.header = Some(Box::new((WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))));
        problem
    }

    /// The token is good, and is no person's.
    pub(crate) fn no_person(claim: &str) -> Self {
        let detail = format!(
            "the token names no person: its claim `{claim}` is missing, or is no username. Send a person's own token, or set \
             CROSSWALK_USERNAME_CLAIM to the claim that holds the username"
        );
        Self::new(StatusCode::FORBIDDEN, "urn:crosswalk:problem:no-person", "The token names no person", detail)
    }

    pub(crate) fn too_large() -> Self {
        let title = "The body is too large";
        let detail = "the body is over 4 KiB; nothing here needs as much";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "urn:crosswalk:problem:too-large", title, detail)
    }

    pub(crate) fn method_not_allowed() -> Self {
        let title = "The method is not allowed here";
        let detail = "POST makes a personal link for the person whose token it is";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "urn:crosswalk:problem:method-not-allowed", title, detail)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        if let StoreError::Busy(_) = error {
            tracing::warn!(%error, "the store is busy");
            let title = "The store is busy";
            let detail = "DynamoDB was busy for too long; send the same request again";
            let mut problem = Self::new(StatusCode::SERVICE_UNAVAILABLE, "urn:crosswalk:problem:busy", title, detail);
            problem.header = Some(Box::new((RETRY_AFTER, HeaderValue::from_static("1"))));
            return problem;
        }
        tracing::error!(%error, "the store failed");
        let title = "Something failed here";
        let detail =
            "the request could not be answered; the log has the reason under the id in the X-Request-Id header";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "urn:crosswalk:problem:internal", title, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, header) = (StatusCode::from_u16(self.status).unwrap_or_default(), self.header.clone());
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.extend(header.map(|header| *header));
        response
    }
}
