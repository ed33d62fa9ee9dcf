//! The harvest of a NEMO (a stand-in): its users stand as mappings, none of which it ever changes or takes away, and its usage
//! events tell who was last seen when.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bed;
mod conflicts;
mod dry_run;
mod mappings;
mod reads;
mod runs;
mod seen;
