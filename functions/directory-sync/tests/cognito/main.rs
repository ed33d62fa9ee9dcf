//! The Cognito target against the embedded AWS (or the emulator that `CROSSWALK_TEST_ENDPOINT` names).

#![expect(clippy::unwrap_used, reason = "helpers of tests, where a panic is the finding")]

mod steps;
mod swaps;
mod world;
