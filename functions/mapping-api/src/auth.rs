//! Who may ask: scopes from the claims that API Gateway's JWT authorizer has checked.

use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use crosswalk_http_edge::{AuthMode, Claims};

use crate::api::Api;
use crate::problem::Problem;

/// The scope for reading.
pub const READ: &str = "identifiers/read";
/// The scope for changing.
pub const WRITE: &str = "identifiers/write";

/// Lets a request pass if its claims hold the scope that its method needs.
pub(crate) async fn require_scope(State(api): State<Api>, request: Request, next: Next) -> Result<Response, Problem> {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    check(api.auth(), request.extensions().get(), if reads { READ } else { WRITE })?;
    Ok(next.run(request).await)
}

fn check(mode: AuthMode, claims: Option<&Claims>, needed: &'static str) -> Result<(), Problem> {
    match (claims, mode) {
        (Some(claims), _) if claims.hold(needed) => Ok(()),
        (Some(_), _) => Err(Problem::missing_scope(needed)),
        (None, AuthMode::None) => Ok(()),
        (None, AuthMode::Jwt) => Err(Problem::no_claims(needed)),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::StatusCode;

    use super::*;

    #[test]
    fn claims_count_even_where_none_are_needed() {
        let reader = Claims::from_iter([("scope", READ)]);
        let status = |mode, claims, needed| check(mode, claims, needed).err().map(|problem| problem.status());
        for mode in [AuthMode::Jwt, AuthMode::None] {
            assert_eq!(status(mode, Some(&reader), READ), None);
            assert_eq!(status(mode, Some(&reader), WRITE), Some(StatusCode::FORBIDDEN));
        }
        assert_eq!(status(AuthMode::Jwt, None, READ), Some(StatusCode::UNAUTHORIZED));
        assert_eq!(status(AuthMode::None, None, WRITE), None);
    }
}
