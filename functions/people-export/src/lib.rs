//! The users and groups of a Keycloak realm stand in Glean as people and teams.
//!
//! The data's way: [`handler`] takes an event ([`event`]) → [`Exporter`] takes its turn ([`export`]) → [`keycloak`] reads
//! the whole [`realm`] → [`mapping`] makes of it what Glean is to hold → [`plan`] compares that with what the last good
//! run left ([`state`]) → the guard lets it pass → `apply` sends it by [`glean`] → the run's record (`outcome`).
//!
//! Nothing is sent before the realm is read to its proven end and the guard has passed.

mod apply;
pub mod event;
pub mod export;
pub mod glean;
pub mod handler;
pub mod keycloak;
pub mod mapping;
mod outcome;
pub mod plan;
pub mod realm;
mod settings;
pub mod state;

pub use crosswalk_runs::Ran;
pub use export::{DryRun, ExportError, ExportRequest, Exporter, Watched};
pub use settings::{ExportSettings, settings};
