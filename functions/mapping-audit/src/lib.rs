//! Who lacks a mapping, which mappings are stale, and what is broken; and a mail to those who can mend it.
//!
//! The data's way: `known` takes in people and mappings, page by page, then whom the syncs saw → `groups` makes one
//! person of all usernames that share an e-mail → who lacks which required system, and what nobody has verified for long,
//! are [`Findings`], with what the integrity checks report → [`reports`] → [`notify`].
//!
//! An audit reads; all that it writes are its reports, and a note of each mail. What of the memory it needs grows with the
//! people is some 60 bytes for each name; the rest grows with what it finds.

mod audit;
pub mod event;
mod findings;
mod groups;
pub mod handler;
mod known;
pub mod listed;
pub mod notify;
mod outcome;
pub mod reports;
mod settings;

pub use audit::{AuditRequest, Audited, Auditor, DryRun, Watched, Whom};
pub use crosswalk_runs::{Ran, WayError};
pub use findings::{Broken, Findings, Stale};
pub use settings::{AuditSettings, REQUIRED, settings};
