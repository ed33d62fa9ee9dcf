//! The people of an LDAP directory or of a users' table stand as accounts in Cognito or Invenio, and lose them only when
//! they are proven gone.
//!
//! The data's way: [`source`] reads its [`Entry`]s to their proven end → [`people`] judges them one by one and makes
//! [`Person`]s → [`target`] tells which [`Account`]s stand → [`plan`] matches the two with what earlier runs recorded
//! ([`state`]) → the guard lets it pass → the target applies the [`Step`]s.
//!
//! Nothing is written before both sides are read and the guard has passed.

mod account;
mod apply;
mod entry;
pub mod event;
pub mod handler;
pub mod keeping;
mod mappings;
mod name_hash;
mod noting;
mod outcome;
pub mod people;
mod person;
pub mod plan;
mod settings;
mod sightings;
pub mod source;
pub mod state;
pub mod step;
mod sync;
pub mod target;

pub use account::{Account, Field, Fields};
pub use crosswalk_runs::{Ran, WayError};
pub use entry::Entry;
pub use person::Person;
pub use settings::{MappingSettings, SyncSettings, TargetSettings, settings};
pub use step::Step;
pub use sync::{DryRun, SyncRequest, Syncer, Watched};
