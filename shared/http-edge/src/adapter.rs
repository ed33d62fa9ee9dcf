//! From API Gateway's event to the request that the router would have got over HTTP, and from its answer back.

use axum::body::{Body, Bytes};
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::uri::PathAndQuery;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use lambda_http::LambdaEvent;
use lambda_http::aws_lambda_events::apigw::{
    ApiGatewayV2httpRequest, ApiGatewayV2httpRequestContext, ApiGatewayV2httpResponse,
};
use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::claims::Claims;
use crate::observe::RequestId;

/// Everything in a path's segment but RFC 3986's unreserved characters.
pub const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What no URI's query holds, but a careless client sends. `%` is not in it: what is encoded stays as it is.
const STRAY: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'#').add(b'<').add(b'>');

/// Makes the router's request. It never fails: lambda_http's own conversion panics where path, query or host are not as
/// a URI has them, and a panic ends the process.
///
/// `rawPath` arrives decoded, so each of its segments is encoded again: `/people/zoë x+y@example.org` would not be a URI
/// at all, and `a%41` would be decoded a second time. A `%2F` that was decoded to `/` cannot be told from a separator, and
/// what followed a decoded `?` is cut off by API Gateway; both are why usernames hold neither. The query string arrives
/// encoded and stays as it is, with parameters that were given twice.
///
/// The claims come from the event's context, which callers cannot write, and become an extension of the request. API Gateway takes the cookies
/// out of the headers; they go back there, in one header, as browsers send them.
pub(crate) fn request(event: LambdaEvent<ApiGatewayV2httpRequest>) -> Request<Body> {
    let LambdaEvent { payload, context } = event;
    let uri = uri(payload.raw_path.as_deref().unwrap_or_default(), payload.raw_query_string.as_deref());
    let mut request = Request::new(Body::from(body(payload.body.unwrap_or_default(), payload.is_base64_encoded)));
    let claims = claims(&payload.request_context);
    *request.method_mut() = payload.request_context.http.method;
    *request.headers_mut() = payload.headers;
    *request.uri_mut() = uri;
    if let Some(cookies) = cookies(payload.cookies.unwrap_or_default()) {
        request.headers_mut().insert(COOKIE, cookies);
    }
    let extensions = request.extensions_mut();
    if let Some(claims) = claims {
        extensions.insert(claims);
    }
    if !context.request_id.is_empty() {
        extensions.insert(RequestId(context.request_id));
    }
    request
}

fn claims(context: &ApiGatewayV2httpRequestContext) -> Option<Claims> {
    let claims = &context.authorizer.as_ref()?.jwt.as_ref()?.claims;
    Some(claims.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect())
}

/// Cookies that no header can hold are left out: API Gateway would have refused the request.
fn cookies(mut cookies: Vec<String>) -> Option<HeaderValue> {
    cookies.retain(|cookie| HeaderValue::from_str(cookie).is_ok());
    if cookies.is_empty() { None } else { HeaderValue::from_str(&cookies.join("; ")).ok() }
}

/// Text that is not base64, though the event says so, goes on as it is: whoever reads it refuses it.
fn body(text: String, is_base64: bool) -> Bytes {
    let decoded = if is_base64 { BASE64_STANDARD.decode(&text).ok() } else { None };
    decoded.unwrap_or_else(|| text.into_bytes()).into()
}

fn uri(raw_path: &str, query: Option<&str>) -> Uri {
    let segments = raw_path.split('/').map(|segment| utf8_percent_encode(segment, SEGMENT).to_string());
    let mut uri = segments.collect::<Vec<_>>().join("/");
    if !uri.starts_with('/') {
        uri.insert(0, '/');
    }
    if let Some(query) = query.filter(|query| !query.is_empty()) {
        uri.push('?');
        uri.extend(utf8_percent_encode(query, STRAY));
    }
    PathAndQuery::try_from(uri).map_or_else(|_| Uri::default(), Uri::from)
}

/// Makes API Gateway's response. Payload v2 has one value a header, so values of the same name are joined; cookies, which
/// cannot be joined, have a field of their own.
pub(crate) fn response(answer: Response<String>) -> ApiGatewayV2httpResponse {
    let (mut parts, body) = answer.into_parts();
    let mut response = ApiGatewayV2httpResponse::default();
    response.status_code = parts.status.as_u16().into();
    response.cookies = texts(&parts.headers, &SET_COOKIE);
    parts.headers.remove(SET_COOKIE);
    response.headers =
        parts.headers.keys().filter_map(|name| Some((name.clone(), joined(&parts.headers, name)?))).collect();
    response.multi_value_headers = HeaderMap::new();
    response.body = (!body.is_empty()).then(|| body.into());
    response
}

/// A value that is not text would make the whole response fail, as it travels as JSON; none of ours is such a value.
fn texts(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).map(str::to_owned).collect()
}

fn joined(headers: &HeaderMap, name: &HeaderName) -> Option<HeaderValue> {
    let texts = texts(headers, name);
    if texts.is_empty() { None } else { HeaderValue::from_str(&texts.join(", ")).ok() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_segment_is_encoded_again() {
        for (raw, query, uri) in [
            ("/people/zoë x+y@example.org", None, "/people/zo%C3%AB%20x%2By%40example.org"),
            ("/people/a%41/identifiers/labarchives_eln", None, "/people/a%2541/identifiers/labarchives_eln"),
            ("/people/..", None, "/people/.."),
            ("/people/a?b#c\\d", None, "/people/a%3Fb%23c%5Cd"),
            (
                "/systems/nemo/identifiers",
                Some("external_id=a%2Fb+c&x=1&x=2"),
                "/systems/nemo/identifiers?external_id=a%2Fb+c&x=1&x=2",
            ),
            ("/people/", None, "/people/"),
            ("//people//", Some(""), "//people//"),
            ("/people/a\0\n", None, "/people/a%00%0A"),
            ("/runs", Some("kind=a b<c>\"#é%zz"), "/runs?kind=a%20b%3Cc%3E%22%23%C3%A9%zz"),
            ("", None, "/"),
        ] {
            assert_eq!(super::uri(raw, query).to_string(), uri);
        }
    }

    #[test]
    fn base64_is_decoded_where_the_event_says_so() {
        assert_eq!(body("e30=".into(), true), "{}");
        assert_eq!(body("e30=".into(), false), "e30=");
        assert_eq!(body("{}".into(), true), "{}");
    }

    proptest! {
        #[test]
        fn any_path_and_query_make_a_uri_that_decodes_to_the_path(path in "/\\PC*", query in proptest::option::of(any::<String>())) {
            let uri = super::uri(&path, query.as_deref());
            let decoded = percent_encoding::percent_decode_str(uri.path()).decode_utf8().unwrap();
            prop_assert_eq!(decoded.as_ref(), path.as_str());
        }
    }
}
