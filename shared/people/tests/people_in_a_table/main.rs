//! People, employers and links against a DynamoDB table: the embedded one, or whichever `CROSSWALK_TEST_DYNAMODB` names.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

mod bed;
mod employers;
mod every;
mod integrity;
mod links;
mod overview;
mod persons;
