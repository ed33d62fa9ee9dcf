//! Lambda's handler: one request of API Gateway through a router.

use std::convert::Infallible;

use axum::Router;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{Response, StatusCode};
use http_body_util::BodyExt;
use lambda_http::LambdaEvent;
use lambda_http::aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use tower::ServiceExt;

use crate::adapter;

/// Answers an event of an HTTP API with payload v2.
///
/// # Errors
/// None: whatever goes wrong is in the answer.
pub async fn handle(
    router: Router,
    event: LambdaEvent<ApiGatewayV2httpRequest>,
) -> Result<ApiGatewayV2httpResponse, Infallible> {
    let (mut parts, body) = router.oneshot(adapter::request(event)).await?.into_parts();
    let collected = body.collect().await.ok().and_then(|body| String::from_utf8(body.to_bytes().into()).ok());
    let text = collected.unwrap_or_else(|| {
        tracing::error!("an answer's body could not be read as text");
        parts.status = StatusCode::INTERNAL_SERVER_ERROR;
        parts.headers.remove(CONTENT_LENGTH);
        parts.headers.remove(CONTENT_TYPE);
        String::new()
    });
    Ok(adapter::response(Response::from_parts(parts, text)))
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::http::header::{COOKIE, SET_COOKIE};
    use axum::http::{HeaderMap, HeaderName};
    use axum::response::{AppendHeaders, Html, IntoResponse};
    use axum::routing::get;
    use lambda_http::Context;
    use serde_json::{Value, json};

    use super::*;
    use crate::{Claims, RequestId};

    /// As API Gateway writes it: cookies beside the headers, claims in the context.
    fn event() -> Value {
        json!({
            "version": "2.0",
            "routeKey": "GET /page",
            "rawPath": "/page",
            "rawQueryString": "",
            "cookies": ["a=1", "__Host-b=2=="],
            "headers": {"host": "api.example.org"},
            "requestContext": {
                "authorizer": {"jwt": {"claims": {"scope": "openid email", "username": "alice"}, "scopes": null}},
                "http": {"method": "GET", "path": "/page", "protocol": "HTTP/1.1", "sourceIp": "192.0.2.1", "userAgent": "x"},
                "timeEpoch": 1_795_341_600_000_i64,
            },
            "isBase64Encoded": false,
        })
    }

    async fn answer(router: Router, event: Value) -> Value {
        let mut context = Context::default();
        context.request_id = "id".to_owned();
        let event = LambdaEvent::new(serde_json::from_value(event).unwrap(), context);
        serde_json::to_value(handle(router, event).await.unwrap()).unwrap()
    }

    /// Says what arrived, one a line.
    async fn say(headers: HeaderMap, request: axum::extract::Request) -> String {
        let cookies: Vec<_> = headers.get_all(COOKIE).iter().map(|value| value.to_str().unwrap()).collect();
        let claims = request.extensions().get::<Claims>().and_then(|claims| claims.get("username").map(str::to_owned));
        let id = request.extensions().get::<RequestId>().map(|id| id.0.clone());
        format!("{cookies:?}\n{claims:?}\n{id:?}")
    }

    #[tokio::test]
    async fn cookies_and_claims_arrive() {
        let router = Router::new().route("/page", get(say));
        let told = answer(router.clone(), event()).await;
        assert_eq!(told["body"], "[\"a=1; __Host-b=2==\"]\nSome(\"alice\")\nSome(\"id\")");

        let mut bare = event();
        bare["cookies"] = Value::Null;
        bare["requestContext"]["authorizer"] = Value::Null;
        assert_eq!(answer(router.clone(), bare).await["body"], "[]\nNone\nSome(\"id\")");

        // No server would have let these in as headers: they are dropped, the others stay.
        let mut odd = event();
        odd["cookies"] = json!(["bad=\r\nx: y", "a=1"]);
        assert!(answer(router, odd).await["body"].as_str().unwrap().starts_with("[\"a=1\"]\n"));
    }

    #[tokio::test]
    async fn every_cookie_of_an_answer_goes_out() {
        let cookies = AppendHeaders([(SET_COOKIE, "a=1; Secure"), (SET_COOKIE, "b=2; HttpOnly")]);
        let vary =
            AppendHeaders([("vary", "cookie"), ("vary", "accept")].map(|(k, v)| (HeaderName::from_static(k), v)));
        let router = Router::new().route("/page", get(async move || (cookies, vary, "x")));
        let told = answer(router, event()).await;
        assert_eq!(told["cookies"], json!(["a=1; Secure", "b=2; HttpOnly"]));
        let content_type = "text/plain; charset=utf-8";
        let headers = json!({"content-length": "1", "content-type": content_type, "vary": "cookie, accept"});
        assert_eq!(told["headers"], headers);
    }

    #[tokio::test]
    async fn text_of_any_type_passes_and_bytes_are_a_failure() {
        let html = async || Html("<p>zo\u{eb}</p>");
        let css = async || ([(CONTENT_TYPE, "text/css")], "a{}").into_response();
        let told = answer(Router::new().route("/page", get(html)), event()).await;
        assert_eq!((&told["statusCode"], &told["isBase64Encoded"]), (&json!(200), &json!(false)));
        assert_eq!(told["headers"]["content-type"], "text/html; charset=utf-8");
        assert_eq!(told["body"], "<p>zo\u{eb}</p>");
        let told = answer(Router::new().route("/page", get(css)), event()).await;
        assert_eq!((&told["headers"]["content-type"], &told["body"]), (&json!("text/css"), &json!("a{}")));
        let bytes = async || Body::from(vec![0xff, 0xfe]);
        let told = answer(Router::new().route("/page", get(bytes)), event()).await;
        assert_eq!((&told["statusCode"], &told["headers"], told.get("body")), (&json!(500), &json!({}), None));
    }
}
