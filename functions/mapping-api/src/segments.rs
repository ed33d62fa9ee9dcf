//! What the path names, with refusals as problems.

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use crosswalk_identity::{System, Systems, Username};
use serde::de::DeserializeOwned;

use crate::problem::Problem;

/// The path's segments, percent-decoded.
pub(crate) struct Segments<T>(pub(crate) T);

impl<S, T> FromRequestParts<S> for Segments<T>
where
    S: Send + Sync,
    T: DeserializeOwned + Send,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, state).await {
            Ok(Path(segments)) => Ok(Self(segments)),
            Err(_) => Err(Problem::invalid("the path is not percent-encoded UTF-8")),
        }
    }
}

/// The username of a path.
pub(crate) fn username(given: &str) -> Result<Username, Problem> {
    Ok(Username::parse(given)?)
}

/// The system of a path. One that is not known is a resource that is not there: 404.
pub(crate) fn system(systems: &Systems, given: &str) -> Result<System, Problem> {
    systems.get(given).map_err(|error| Problem::not_found(error.to_string()))
}
