//! An axum router behind an API Gateway HTTP API with payload v2: what every function there needs.
//!
//! A request takes the way [`handle`] → [`observe`] → the function's own routes. On a local port the same router is served as
//! it is, without [`handle`]: then nobody has checked a token, and a request has no [`Claims`].

mod adapter;
mod claims;
mod handler;
mod observe;

pub use adapter::SEGMENT;
pub use claims::{AUTH, AuthMode, Claims};
pub use handler::handle;
pub use observe::{Failure, Observer, RequestId, observe};
