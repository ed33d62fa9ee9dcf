//! The HTTP API: who is NEMO user 12345?
//!
//! One axum router answers on Lambda (through [`handle`], behind an API Gateway HTTP API with payload v2) and on a local
//! port alike. A request takes the way handle → observe → auth → route → store; every refusal is an RFC 9457 problem.

mod api;
mod audit;
mod auth;
mod body;
mod employers;
mod health;
mod identifiers;
mod openapi;
mod people;
mod problem;
mod query;
mod runs;
mod segments;
mod settings;
mod systems;
pub mod wire;

pub use api::{Api, router};
pub use auth::{READ, WRITE};
pub use crosswalk_http_edge::{AuthMode, Claims, RequestId, handle};
pub use openapi::openapi;
pub use problem::Problem;
pub use settings::{ApiSettings, settings};
