//! The store against a DynamoDB: the embedded one, or the one that `CROSSWALK_TEST_DYNAMODB` names.
//!
//! One binary for all of it: each one more would link every SDK again.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test's helpers fail the test")]

mod faults;
mod integrity;
mod last_seen;
mod model;
mod paging;
mod races;
mod replay;
mod restores;
mod rules;
mod support;
mod wire;
