//! NEMO's users stand as mappings username → NEMO id, and its usage events tell who was last seen when.
//!
//! The data's way: [`nemo`] reads users and usage events, each to a proven end → [`naming`] gives each user a username, or
//! says why not → [`plan`] compares that with the mappings that stand, and with what earlier runs have stored ([`state`]) →
//! `apply` stores.
//!
//! Nothing is written before all is read. **Nothing that stands is ever changed or taken away**: a NEMO id that belongs to
//! another username, a username that has another NEMO id, and usernames that are one to us and two to NEMO are conflicts in
//! the report, which a person resolves. All that a harvest changes on a mapping that stands is its e-mail, when it was last
//! verified, and when its person was last seen.

mod apply;
pub mod event;
pub mod handler;
mod harvest;
pub mod naming;
pub mod nemo;
mod outcome;
pub mod plan;
mod settings;
pub mod state;

pub use crosswalk_runs::{Ran, WayError};
pub use harvest::{DryRun, HarvestRequest, Harvester, Watched};
pub use plan::Step;
pub use settings::{HarvestSettings, settings};
