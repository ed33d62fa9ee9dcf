//! The audit of mappings: who lacks one, which are stale, what is broken; by everybody whom table and syncs know.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bed;
mod findings;
mod many;
mod runs;
