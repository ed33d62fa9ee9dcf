//! An AWS of a test's own: the embedded one in memory, or, when `CROSSWALK_TEST_ENDPOINT` is set, the emulator that
//! listens there, with names that no other test uses.

use aws_config::SdkConfig;

use crate::LocalAws;
use crate::provision::Provisioned;

/// Keep it alive as long as the test talks to it.
#[derive(Debug)]
pub struct Testbed {
    /// For building SDK clients.
    pub config: SdkConfig,
    /// What was made.
    pub names: Provisioned,
    /// The embedded AWS, if it is that.
    pub embedded: Option<LocalAws>,
}

impl Testbed {
    /// Starts (or finds) the AWS and makes table, bucket, pool and queue.
    pub async fn start() -> Self {
        todo!()
    }

    /// The same with the table alone, for tests of what only needs DynamoDB: `CROSSWALK_TEST_DYNAMODB` then names the
    /// endpoint of a DynamoDB to use instead (Amazon's DynamoDB Local). Returns the table's name in `names.table`.
    pub async fn start_table_only() -> Self {
        todo!()
    }
}
