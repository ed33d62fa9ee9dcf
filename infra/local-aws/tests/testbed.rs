//! What a test gets stands, on whichever AWS it is: `CROSSWALK_TEST_ENDPOINT` names another emulator.

use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use crosswalk_local_aws::provision::{Names, provision};
use crosswalk_local_aws::s3_client;
use crosswalk_local_aws::testbed::Testbed;

#[tokio::test]
async fn everything_stands_and_provisioning_again_leaves_it() {
    let testbed = Testbed::start().await;
    let names = &testbed.names;
    let again = Names {
        table: names.table.clone(),
        bucket: names.bucket.clone(),
        pool: names.table.clone(),
        queue: format!("{}-imports", names.table),
    };
    assert_eq!(provision(&testbed.config, &again).await.unwrap(), *names);
    let pool = aws_sdk_cognitoidentityprovider::Client::new(&testbed.config)
        .describe_user_pool()
        .user_pool_id(&names.pool_id)
        .send()
        .await
        .unwrap();
    assert_eq!(pool.user_pool.unwrap().username_attributes()[0].as_str(), "email");

    let s3 = s3_client(&testbed.config);
    s3.put_object()
        .bucket(&names.bucket)
        .key("imports/x y.csv")
        .body(ByteStream::from_static(b"x"))
        .send()
        .await
        .unwrap();
    let sqs = aws_sdk_sqs::Client::new(&testbed.config);
    let told = async {
        loop {
            let answer = sqs.receive_message().queue_url(&names.queue_url).wait_time_seconds(1).send().await.unwrap();
            for message in answer.messages.unwrap_or_default() {
                let body: serde_json::Value = serde_json::from_str(message.body().unwrap()).unwrap();
                if let Some(key) = body["Records"][0]["s3"]["object"]["key"].as_str() {
                    return key.to_owned();
                }
            }
        }
    };
    assert_eq!(tokio::time::timeout(Duration::from_secs(10), told).await.unwrap(), "imports/x+y.csv");
}
