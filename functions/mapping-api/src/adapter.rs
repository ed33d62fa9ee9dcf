//! From API Gateway's event to the request that the router would have got over HTTP.

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::uri::PathAndQuery;
use axum::http::{Request, Uri};
use lambda_http::RequestExt;
use lambda_http::request::RequestContext;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::auth::Claims;
use crate::observe::RequestId;

/// Everything in a path's segment but RFC 3986's unreserved characters.
pub(crate) const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Makes the router's request.
///
/// `rawPath` arrives decoded, so each of its segments is encoded again: `/people/zoë x+y@example.org` would not be a URI
/// at all, and `a%41` would be decoded a second time. A `%2F` that was decoded to `/` cannot be told from a separator, and
/// what followed a decoded `?` is cut off by API Gateway; both are why usernames hold neither. The query string arrives
/// encoded and stays as it is, with parameters that were given twice.
///
/// The claims come from the event's context, which callers cannot write, and become an extension of the request.
pub fn to_axum(request: lambda_http::Request) -> Request<Body> {
    let claims = claims(&request);
    let id = request.lambda_context_ref().map(|context| RequestId(context.request_id.clone()));
    let uri = encoded(request.raw_http_path(), request.uri().query());
    let (Parts { method, headers, .. }, body) = request.into_parts();

    let mut converted = Request::new(Body::from(body.to_vec()));
    *converted.method_mut() = method;
    *converted.headers_mut() = headers;
    *converted.uri_mut() = uri;
    let extensions = converted.extensions_mut();
    if let Some(claims) = claims {
        extensions.insert(claims);
    }
    if let Some(id) = id.filter(|id| !id.0.is_empty()) {
        extensions.insert(id);
    }
    converted
}

fn claims(request: &lambda_http::Request) -> Option<Claims> {
    match request.request_context_ref()? {
        RequestContext::ApiGatewayV2(context) => {
            let mut claims = context.authorizer.as_ref()?.jwt.as_ref()?.claims.clone();
            Some(Claims { scope: claims.remove("scope").unwrap_or_default() })
        }
        _ => None,
    }
}

/// An encoded path is always a URI; a query that is none was not one when it came, and is left out.
fn encoded(raw_path: &str, query: Option<&str>) -> Uri {
    let segments = raw_path.split('/').map(|segment| utf8_percent_encode(segment, SEGMENT).to_string());
    let path = segments.collect::<Vec<_>>().join("/");
    let path = if path.starts_with('/') { path } else { format!("/{path}") };
    let with_query = query.map_or_else(|| path.clone(), |query| format!("{path}?{query}"));
    PathAndQuery::try_from(with_query)
        .or_else(|_| PathAndQuery::try_from(path))
        .map_or_else(|_| Uri::default(), Uri::from)
}

#[cfg(test)]
mod tests {
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
            ("", None, "/"),
        ] {
            assert_eq!(encoded(raw, query).to_string(), uri);
        }
    }
}
