//! The HTTP API: who is NEMO user 12345?
//!
//! One axum router answers on Lambda (through [`handler`], behind an API Gateway HTTP API with payload v2) and on a local
//! port alike. A request takes the way adapter → observe → auth → route → store; every refusal is an RFC 9457 problem.

mod adapter;
mod api;
mod auth;
mod body;
mod employers;
pub mod handler;
mod health;
mod identifiers;
mod observe;
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
pub use auth::{AuthMode, Claims, READ, WRITE};
pub use observe::RequestId;
pub use openapi::openapi;
pub use problem::Problem;
pub use settings::{ApiSettings, settings};
