//! In a folder everything survives a restart, and the folder is one process's alone.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test as tests do")]

use std::time::Duration;

use aws_sdk_cognitoidentityprovider::types::{AuthFlowType, ExplicitAuthFlowsType, MessageActionType};
use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message};
use crosswalk_local_aws::provision::{Names, Provisioned, provision};
use crosswalk_local_aws::{LocalAws, Storage, mails, s3_client};

async fn start(folder: &std::path::Path) -> (LocalAws, Provisioned) {
    let aws = LocalAws::start(Storage::Folder(folder.to_owned()), 0).unwrap();
    let names = provision(&aws.sdk_config(), &Names::default()).await.unwrap();
    (aws, names)
}

#[tokio::test]
async fn everything_survives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new").join(".crosswalk");
    let text = |value: &str| AttributeValue::S(value.to_owned());

    let (aws, before) = start(&path).await;
    let config = aws.sdk_config();
    let dynamodb = aws_sdk_dynamodb::Client::new(&config);
    dynamodb.put_item().table_name("crosswalk").item("pk", text("a")).item("sk", text("b")).send().await.unwrap();
    let s3 = s3_client(&config);
    let put = s3.put_object().bucket("crosswalk").key("imports/zoë//x.csv").metadata("run", "7");
    let put = put.body(ByteStream::from_static(b"rows")).send().await.unwrap();
    let upload = s3.create_multipart_upload().bucket("crosswalk").key("big").send().await.unwrap().upload_id.unwrap();
    let part = s3.upload_part().bucket("crosswalk").key("big").upload_id(&upload).part_number(1);
    let part = part.body(ByteStream::from_static(b"part")).send().await.unwrap();
    let cognito = aws_sdk_cognitoidentityprovider::Client::new(&config);
    let create = cognito.admin_create_user().user_pool_id(&before.pool_id).username("Zoe@example.org");
    create.message_action(MessageActionType::Suppress).temporary_password("Temporary-1-pass").send().await.unwrap();
    let client = cognito.create_user_pool_client().user_pool_id(&before.pool_id).client_name("test");
    let client = client.explicit_auth_flows(ExplicitAuthFlowsType::AllowAdminUserPasswordAuth).send().await.unwrap();
    let client = client.user_pool_client.unwrap().client_id.unwrap();
    let secrets = aws_sdk_secretsmanager::Client::new(&config);
    secrets.create_secret().name("fineos").secret_string("secret").send().await.unwrap();
    let content = |text: &str| Content::builder().data(text).build().unwrap();
    let message = Message::builder().subject(content("s")).body(Body::builder().text(content("t")).build()).build();
    aws_sdk_sesv2::Client::new(&config)
        .send_email()
        .from_email_address("crosswalk@example.org")
        .destination(Destination::builder().to_addresses("zoe@example.org").build())
        .content(EmailContent::builder().simple(message).build())
        .send()
        .await
        .unwrap();
    let sqs = aws_sdk_sqs::Client::new(&config);
    let received = sqs.receive_message().queue_url(&before.queue_url).send().await.unwrap();
    let receipt = received.messages()[0].receipt_handle().unwrap().to_owned();
    drop(aws);

    let (aws, after) = start(&path).await;
    assert_eq!((&after.pool_id, &after.bucket), (&before.pool_id, &before.bucket));
    let config = aws.sdk_config();
    let dynamodb = aws_sdk_dynamodb::Client::new(&config);
    let item = dynamodb.get_item().table_name("crosswalk").key("pk", text("a")).key("sk", text("b"));
    assert!(item.send().await.unwrap().item.is_some());
    let s3 = s3_client(&config);
    let object = s3.get_object().bucket("crosswalk").key("imports/zoë//x.csv").send().await.unwrap();
    assert_eq!((object.e_tag(), object.metadata().unwrap()["run"].as_str()), (put.e_tag(), "7"));
    assert_eq!(object.body.collect().await.unwrap().into_bytes().as_ref(), b"rows");
    let part = CompletedPart::builder().part_number(1).set_e_tag(part.e_tag).build();
    let complete = s3.complete_multipart_upload().bucket("crosswalk").key("big").upload_id(&upload);
    let parts = CompletedMultipartUpload::builder().parts(part).build();
    complete.multipart_upload(parts).send().await.unwrap();
    let cognito = aws_sdk_cognitoidentityprovider::Client::new(&config);
    let sign_in = cognito.admin_initiate_auth().user_pool_id(&after.pool_id).client_id(client);
    let sign_in = sign_in.auth_flow(AuthFlowType::AdminUserPasswordAuth).auth_parameters("USERNAME", "zoe@example.org");
    let sign_in = sign_in.auth_parameters("PASSWORD", "Temporary-1-pass").send().await.unwrap();
    assert!(sign_in.challenge_name().is_some());
    let secrets = aws_sdk_secretsmanager::Client::new(&config);
    let secret = secrets.get_secret_value().secret_id("fineos").send().await.unwrap();
    assert_eq!(secret.secret_string(), Some("secret"));
    assert_eq!(mails(aws.endpoint()).await.unwrap().len(), 1);
    // One message was in flight and can still be given back; the other waits. The bucket still tells the queue.
    let sqs = aws_sdk_sqs::Client::new(&config);
    let back = sqs.change_message_visibility().queue_url(&after.queue_url).receipt_handle(receipt);
    back.visibility_timeout(0).send().await.unwrap();
    s3.put_object().bucket("crosswalk").key("imports/new").send().await.unwrap();
    let received = sqs.receive_message().queue_url(&after.queue_url).max_number_of_messages(10).send().await.unwrap();
    assert_eq!(received.messages().len(), 3);
    // Passwords do not stand in any file.
    assert_eq!(files_holding(&path, b"Temporary-1-pass"), Vec::<std::path::PathBuf>::new());
}

fn files_holding(folder: &std::path::Path, needle: &[u8]) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files_holding(&path, needle));
        } else if std::fs::read(&path).unwrap().windows(needle.len()).any(|it| it == needle) {
            found.push(path);
        }
    }
    found
}

#[tokio::test]
async fn a_folder_in_use_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let aws = LocalAws::start(Storage::Folder(folder.path().to_owned()), 0).unwrap();
    let error = LocalAws::start(Storage::Folder(folder.path().to_owned()), 0).unwrap_err().to_string();
    assert!(error.contains(&folder.path().display().to_string()), "{error}");
    drop(aws);
    LocalAws::start(Storage::Folder(folder.path().to_owned()), 0).unwrap();
}

#[tokio::test]
async fn it_starts_and_stops_promptly_even_with_a_client_connected() {
    let began = tokio::time::Instant::now();
    let aws = LocalAws::start(Storage::Memory, 0).unwrap();
    let started = began.elapsed();
    assert!(started < Duration::from_secs(2), "{started:?}");
    let endpoint = aws.endpoint().to_owned();
    let client = aws_sdk_dynamodb::Client::new(&aws.sdk_config());
    client.list_tables().send().await.unwrap();
    let began = tokio::time::Instant::now();
    drop(aws);
    let stopped = began.elapsed();
    assert!(stopped < Duration::from_secs(2), "{stopped:?}");
    assert!(mails(&endpoint).await.is_err(), "nothing answers there any more");
}

#[tokio::test]
async fn a_port_in_use_is_named() {
    let aws = LocalAws::start(Storage::Memory, 0).unwrap();
    let port: u16 = aws.endpoint().rsplit(':').next().unwrap().parse().unwrap();
    let error = LocalAws::start(Storage::Memory, port).unwrap_err().to_string();
    assert!(error.contains(&port.to_string()), "{error}");
}
