//! Runs against a DynamoDB table: the embedded one, or whichever `CROSSWALK_TEST_DYNAMODB` names.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod bed;
mod faults;
mod lease;
mod records;
#[path = "../scenarios/mod.rs"]
mod scenarios;
mod turns;
