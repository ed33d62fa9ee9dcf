//! Who may ask: scopes from the claims that API Gateway's JWT authorizer has checked.

use std::str::FromStr;

use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;

use crate::api::Api;
use crate::problem::Problem;

/// The scope for reading.
pub const READ: &str = "identifiers/read";
/// The scope for changing.
pub const WRITE: &str = "identifiers/write";

/// What to do with a request that no authorizer has checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthMode {
    /// Refuse it.
    Jwt,
    /// Let it in: local use, where nothing stands in front of the API. Claims, where there are some, still count.
    None,
}

impl FromStr for AuthMode {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "jwt" => Ok(Self::Jwt),
            "none" => Ok(Self::None),
            _ => Err("it must be `jwt` or `none`"),
        }
    }
}

/// What the JWT authorizer found in the token. Only the Lambda adapter puts it on a request: no header can forge it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Claims {
    /// The `scope` claim: names with spaces between.
    pub scope: String,
}

impl Claims {
    /// Whether the claims hold a scope.
    pub fn hold(&self, scope: &str) -> bool {
        self.scope.split_ascii_whitespace().any(|held| held == scope)
    }
}

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
    fn a_scope_is_one_whole_word() {
        let claims = Claims { scope: "openid  identifiers/read".into() };
        assert!(claims.hold(READ));
        assert!(!claims.hold(WRITE));
        assert!(!Claims { scope: "identifiers/readonly".into() }.hold(READ));
        assert!(!Claims::default().hold(""));
    }

    #[test]
    fn claims_count_even_where_none_are_needed() {
        let reader = Claims { scope: READ.into() };
        let status = |mode, claims, needed| check(mode, claims, needed).err().map(|problem| problem.status());
        for mode in [AuthMode::Jwt, AuthMode::None] {
            assert_eq!(status(mode, Some(&reader), READ), None);
            assert_eq!(status(mode, Some(&reader), WRITE), Some(StatusCode::FORBIDDEN));
        }
        assert_eq!(status(AuthMode::Jwt, None, READ), Some(StatusCode::UNAUTHORIZED));
        assert_eq!(status(AuthMode::None, None, WRITE), None);
    }
}
