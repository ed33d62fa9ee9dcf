//! Refusals and failures, as RFC 9457 problem details.

use axum::Json;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use crosswalk_identifier_store::StoreError;
use crosswalk_identity::{Refusal, Username};
use serde::Serialize;
use utoipa::ToSchema;

/// The media type of a problem.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// A problem (RFC 9457): what is wrong with the request, or with us, and what to do. Members may be added later.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Problem {
    /// Which kind of problem, for programs: `urn:crosswalk:problem:<kind>`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The kind in words; the same for every problem of the kind.
    title: &'static str,
    /// The HTTP status.
    #[serde(serialize_with = "as_number")]
    #[schema(value_type = u16, example = 409)]
    status: StatusCode,
    /// What is wrong with this request and what to do, for people.
    detail: String,
    /// On a conflict: the username in the way.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    owner: Option<String>,
    #[serde(skip)]
    header: Option<Box<(HeaderName, HeaderValue)>>,
}

fn as_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}

impl Problem {
    fn new(status: StatusCode, kind: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        Self { kind, title, status, detail: detail.into(), owner: None, header: None }
    }

    fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.header = Some(Box::new((name, value)));
        self
    }

    /// The HTTP status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What is wrong, for people.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// The request is not one that we can read: say what to send.
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "urn:crosswalk:problem:invalid-request", "The request is not valid", detail)
    }

    /// There is no such thing.
    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "urn:crosswalk:problem:not-found", "Not found", detail)
    }

    /// Someone is in the way.
    pub(crate) fn conflict(detail: impl Into<String>, owner: &Username) -> Self {
        let title = "Taken by another person";
        let mut problem = Self::new(StatusCode::CONFLICT, "urn:crosswalk:problem:conflict", title, detail);
        problem.owner = Some(owner.as_str().to_owned());
        problem
    }

    /// The cursor is not one that we gave for this.
    pub(crate) fn no_cursor() -> Self {
        Self::invalid(
            "the `cursor` is not one that this listing gave; send `next_cursor` of the page before, or none to begin",
        )
    }

    /// The cursor is of an audit that is not the last one any more.
    pub(crate) fn outdated_cursor() -> Self {
        let title = "The cursor is of an older audit";
        let detail = "another audit has ended since the page before; begin anew, without `cursor`";
        Self::new(StatusCode::GONE, "urn:crosswalk:problem:outdated-cursor", title, detail)
    }

    /// The audit's index and its rows do not fit together.
    pub(crate) fn audit_changed() -> Self {
        let title = "The audit's rows are not there";
        let detail = "the rows of the last audit are not where its index says: it is being written again, or its report \
                      was deleted. Send the same request again in a minute; if that does not help, run an audit";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "urn:crosswalk:problem:audit-changed", title, detail)
            .with_header(RETRY_AFTER, HeaderValue::from_static("60"))
    }

    /// The API was not told where audits are kept.
    pub(crate) fn no_bucket() -> Self {
        let title = "The API has no bucket";
        let detail = "this API was not told where audits are kept: set CROSSWALK_BUCKET, the bucket with the reports, and \
                      start it again";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "urn:crosswalk:problem:not-set-up", title, detail)
    }

    pub(crate) fn no_claims(needed: &'static str) -> Self {
        let detail = format!(
            "no authorizer has checked this request: send `Authorization: Bearer <token>` with the scope `{needed}` to \
             the deployed API. An API that runs locally, without an authorizer, lets requests in only if it was started \
             with CROSSWALK_AUTH=none"
        );
        let title = "No token was checked";
        Self::new(StatusCode::UNAUTHORIZED, "urn:crosswalk:problem:unauthorized", title, detail)
            .with_header(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    pub(crate) fn missing_scope(needed: &'static str) -> Self {
        let detail = format!("the token lacks the scope `{needed}`; ask for a token that has it");
        let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{needed}\"");
        let title = "The token lacks a scope";
        let problem = Self::new(StatusCode::FORBIDDEN, "urn:crosswalk:problem:missing-scope", title, detail);
        match HeaderValue::from_str(&challenge) {
            Ok(challenge) => problem.with_header(WWW_AUTHENTICATE, challenge),
            Err(_) => problem,
        }
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        let detail = format!("the body is over {} KiB; nothing here needs as much", limit / 1024);
        let title = "The body is too large";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "urn:crosswalk:problem:too-large", title, detail)
    }

    pub(crate) fn not_json() -> Self {
        let title = "The body is not JSON";
        let detail = "send the body as JSON, with the header `Content-Type: application/json`";
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "urn:crosswalk:problem:not-json", title, detail)
    }

    pub(crate) fn no_route() -> Self {
        Self::not_found("there is nothing at this path; GET /openapi.json lists the paths")
    }

    pub(crate) fn method_not_allowed() -> Self {
        let title = "The method is not allowed here";
        let detail = "this path does not take this method; the Allow header names those that it takes";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "urn:crosswalk:problem:method-not-allowed", title, detail)
    }

    /// We failed. The log has the reason under the request's id; the caller is told no more, as it may be personal.
    pub(crate) fn internal() -> Self {
        let title = "Something failed here";
        let detail =
            "the request could not be answered; the log has the reason under the id in the X-Request-Id header";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "urn:crosswalk:problem:internal", title, detail)
    }

    pub(crate) fn busy() -> Self {
        let title = "The store is busy";
        let detail = "DynamoDB was busy for too long; send the same request again";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "urn:crosswalk:problem:busy", title, detail)
            .with_header(RETRY_AFTER, HeaderValue::from_static("1"))
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self::invalid(refusal.to_string())
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Cursor => Self::no_cursor(),
            StoreError::Notes { .. } => Self::invalid(error.to_string()),
            StoreError::Busy(_) => {
                tracing::warn!(%error, "the store is busy");
                Self::busy()
            }
            StoreError::Refused(_) | StoreError::Broken { .. } => {
                tracing::error!(%error, "the store failed");
                Self::internal()
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (status, header) = (self.status, self.header.clone());
        let mut response = (status, Json(self)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        headers.extend(header.map(|header| *header));
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_store_s_words_stay_inside() {
        for error in [StoreError::Refused("alice@example.org".into()), StoreError::Busy("alice@example.org".into())] {
            let problem = serde_json::to_string(&Problem::from(error)).unwrap();
            assert!(!problem.contains("alice"), "{problem}");
        }
    }

    #[test]
    fn a_busy_store_says_when_to_come_back() {
        let response = Problem::from(StoreError::Busy("throttled".into())).into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[RETRY_AFTER], "1");
        assert_eq!(response.headers()[CONTENT_TYPE], MEDIA_TYPE);
    }

    #[test]
    fn only_a_conflict_names_an_owner() {
        let owner = Username::parse("Bob").unwrap();
        let json = serde_json::to_value(Problem::conflict("taken", &owner)).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "type": "urn:crosswalk:problem:conflict",
                "title": "Taken by another person",
                "status": 409,
                "detail": "taken",
                "owner": "Bob",
            })
        );
        let json = serde_json::to_value(Problem::no_route()).unwrap();
        assert!(json.get("owner").is_none(), "{json}");
    }
}
