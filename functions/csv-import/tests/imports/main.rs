//! Imports against the embedded AWS (or the emulator that `CROSSWALK_TEST_ENDPOINT` names), through events.

#![expect(clippy::unwrap_used, reason = "helpers of tests, where a panic is the finding")]

mod bench;
mod deliveries;
mod dry_run;
mod employers;
mod files;
mod fineos;
mod leave_admins;
mod mappings;
mod redelivery;
mod reports;
mod traffic;
