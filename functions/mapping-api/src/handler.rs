//! Lambda's handler: one request of API Gateway through the router.

use std::convert::Infallible;

use axum::Router;
use axum::http::{Response, StatusCode};
use http_body_util::BodyExt;
use lambda_http::LambdaEvent;
use lambda_http::aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use tower::ServiceExt;

use crate::adapter;

/// Answers an event of an HTTP API with payload v2.
///
/// # Errors
/// None: whatever goes wrong is a problem in the answer.
pub async fn handle(
    router: Router,
    event: LambdaEvent<ApiGatewayV2httpRequest>,
) -> Result<ApiGatewayV2httpResponse, Infallible> {
    let (mut parts, body) = router.oneshot(adapter::request(event)).await?.into_parts();
    let collected = body.collect().await.ok().and_then(|body| String::from_utf8(body.to_bytes().into()).ok());
    let text = collected.unwrap_or_else(|| {
        tracing::error!("an answer's body could not be read");
        parts.status = StatusCode::INTERNAL_SERVER_ERROR;
        String::new()
    });
    Ok(adapter::response(Response::from_parts(parts, text)))
}
