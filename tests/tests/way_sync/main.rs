//! The sync of a users' table (SQLite) to a Cognito user pool: who is in the table has an account, and loses it only when
//! they are proven gone.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod absence;
mod accounts;
mod bed;
mod dry_run;
mod legs;
mod mappings;
mod runs;
mod sightings;
