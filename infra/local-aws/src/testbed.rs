//! An AWS of a test's own: the embedded one in memory, or, when `CROSSWALK_TEST_ENDPOINT` is set, the emulator that
//! listens there, with names that no other test uses.

use aws_config::SdkConfig;
use crosswalk_function_kit::Entropy;
use crosswalk_function_kit::settings::Environment;

use crate::provision::{Names, Provisioned, provision, provision_table};
use crate::{LocalAws, Storage, sdk_config_for};

/// The emulator to test against instead of the embedded AWS.
pub const TEST_ENDPOINT: &str = "CROSSWALK_TEST_ENDPOINT";
/// The DynamoDB to test against instead of the embedded one, for tests that need nothing else.
pub const TEST_DYNAMODB: &str = "CROSSWALK_TEST_DYNAMODB";

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
    ///
    /// # Panics
    /// If that fails: there is nothing to test then.
    pub async fn start() -> Self {
        let (config, embedded) = aws(&[TEST_ENDPOINT]);
        let names = provision(&config, &unique_names()).await;
        let names = names.unwrap_or_else(|error| panic!("the test's AWS cannot be provisioned: {error:#}"));
        Self { config, names, embedded }
    }

    /// The same with the table alone, for tests of what only needs DynamoDB: `CROSSWALK_TEST_DYNAMODB` then names the
    /// endpoint of a DynamoDB to use instead (Amazon's DynamoDB Local). The table's name is in `names.table`; the other
    /// names are empty.
    ///
    /// # Panics
    /// If that fails: there is nothing to test then.
    pub async fn start_table_only() -> Self {
        let (config, embedded) = aws(&[TEST_DYNAMODB, TEST_ENDPOINT]);
        let table = unique_names().table;
        if let Err(error) = provision_table(&config, &table).await {
            panic!("the test's table cannot be made: {error:#}");
        }
        let names = Provisioned {
            table,
            bucket: String::new(),
            pool_id: String::new(),
            queue_url: String::new(),
            dead_letter_queue_url: String::new(),
        };
        Self { config, names, embedded }
    }
}

/// The emulator that the first of these variables names, or the embedded AWS.
fn aws(variables: &[&str]) -> (SdkConfig, Option<LocalAws>) {
    let environment = Environment::of_process();
    if let Some(endpoint) = variables.iter().find_map(|name| environment.get(name)) {
        return (sdk_config_for(endpoint), None);
    }
    match LocalAws::start(Storage::Memory, 0) {
        Ok(aws) => (aws.sdk_config(), Some(aws)),
        Err(error) => panic!("the embedded AWS does not start: {error:#}"),
    }
}

/// Another emulator is shared by all tests of a run.
fn unique_names() -> Names {
    let id = Entropy::system().uuid().simple().to_string();
    let name = format!("test-{}", &id[..12]);
    Names { table: name.clone(), bucket: name.clone(), pool: name.clone(), queue: format!("{name}-imports") }
}
