//! Runs and their files in a folder, without any AWS.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod files;
mod processes;
#[path = "../scenarios/mod.rs"]
mod scenarios;
mod turns;
