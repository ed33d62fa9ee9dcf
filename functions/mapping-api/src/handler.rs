//! Lambda's handler: one request of API Gateway through the router.

use std::convert::Infallible;

use axum::Router;
use http_body_util::BodyExt;
use lambda_http::http::{Response, StatusCode};
use lambda_http::{Body, Request};
use tower::ServiceExt;

use crate::adapter;

/// Answers a request.
///
/// # Errors
/// None: whatever goes wrong is a problem in the answer.
pub async fn handle(router: Router, request: Request) -> Result<Response<Body>, Infallible> {
    let (parts, body) = router.oneshot(adapter::to_axum(request)).await?.into_parts();
    let collected = body.collect().await.map(|collected| collected.to_bytes());
    // All answers are JSON, which API Gateway takes as text.
    Ok(match collected.map(|bytes| String::from_utf8(bytes.into())) {
        Ok(Ok(text)) if text.is_empty() => Response::from_parts(parts, Body::Empty),
        Ok(Ok(text)) => Response::from_parts(parts, Body::Text(text)),
        _ => {
            let mut response = Response::new(Body::Empty);
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        }
    })
}
