//! SQS through the real client, S3's events in it, and the poller that stands for Lambda's event source mapping.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test as tests do")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{MessageSystemAttributeName, QueueAttributeName};
use crosswalk_local_aws::provision::{Names, provision};
use crosswalk_local_aws::testbed::Testbed;
use crosswalk_local_aws::{LocalAws, Storage, event_source, s3_client};
use serde_json::{Value, json};
use tokio::sync::watch;

async fn receive(client: &Client, queue: &str, wait: i32) -> Vec<aws_sdk_sqs::types::Message> {
    let ask = client.receive_message().queue_url(queue).wait_time_seconds(wait).max_number_of_messages(10);
    let ask = ask.message_system_attribute_names(MessageSystemAttributeName::All);
    ask.send().await.unwrap().messages.unwrap_or_default()
}

/// Takes and deletes all messages that come within a second or so.
async fn drain(client: &Client, queue: &str) -> Vec<Value> {
    let mut bodies = Vec::new();
    loop {
        let messages = receive(client, queue, 1).await;
        if messages.is_empty() {
            return bodies;
        }
        for message in messages {
            bodies.push(serde_json::from_str(message.body().unwrap()).unwrap());
            let receipt = message.receipt_handle().unwrap();
            client.delete_message().queue_url(queue).receipt_handle(receipt).send().await.unwrap();
        }
    }
}

async fn queue(client: &Client, name: &str, attributes: &[(QueueAttributeName, &str)]) -> String {
    let attributes: HashMap<_, _> =
        attributes.iter().map(|(name, value)| (name.clone(), (*value).to_owned())).collect();
    client.create_queue().queue_name(name).set_attributes(Some(attributes)).send().await.unwrap().queue_url.unwrap()
}

async fn arn(client: &Client, url: &str) -> String {
    let ask = client.get_queue_attributes().queue_url(url).attribute_names(QueueAttributeName::QueueArn);
    ask.send().await.unwrap().attributes.unwrap().remove(&QueueAttributeName::QueueArn).unwrap()
}

#[tokio::test]
async fn messages_hide_come_again_and_end_in_the_dead_letter_queue() {
    let aws = LocalAws::start(Storage::Memory, 0).unwrap();
    let client = Client::new(&aws.sdk_config());
    let dead = queue(&client, "dead", &[]).await;
    let policy = json!({ "deadLetterTargetArn": arn(&client, &dead).await, "maxReceiveCount": 2 }).to_string();
    let attributes = [(QueueAttributeName::VisibilityTimeout, "60"), (QueueAttributeName::RedrivePolicy, &policy)];
    let url = queue(&client, "work", &attributes).await;
    assert!(url.starts_with(aws.endpoint()), "{url}");
    client.send_message().queue_url(&url).message_body("hello").send().await.unwrap();

    let first = receive(&client, &url, 0).await;
    assert_eq!(first[0].attributes().unwrap()[&MessageSystemAttributeName::ApproximateReceiveCount], "1");
    assert!(receive(&client, &url, 0).await.is_empty(), "a received message is hidden");
    // Given back at once.
    let back = client.change_message_visibility().queue_url(&url).receipt_handle(first[0].receipt_handle().unwrap());
    back.visibility_timeout(0).send().await.unwrap();
    let second = receive(&client, &url, 0).await;
    assert_eq!(second[0].message_id(), first[0].message_id());
    // Held for longer than its timeout.
    let held = second[0].receipt_handle().unwrap();
    let hold = |seconds| {
        let change = client.change_message_visibility().queue_url(&url).receipt_handle(held);
        change.visibility_timeout(seconds).send()
    };
    hold(60).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1200)).await;
    assert!(receive(&client, &url, 0).await.is_empty(), "a message that is held stays hidden");
    hold(1).await.unwrap();
    // The third receive finds it used up.
    assert!(receive(&client, &url, 3).await.is_empty());
    let dead = receive(&client, &dead, 0).await;
    assert_eq!(dead[0].body(), Some("hello"));
}

#[tokio::test]
async fn an_unknown_queue_is_said_so() {
    let aws = LocalAws::start(Storage::Memory, 0).unwrap();
    let client = Client::new(&aws.sdk_config());
    let error = client.get_queue_url().queue_name("nothere").send().await.unwrap_err().into_service_error();
    assert!(error.is_queue_does_not_exist(), "{error:?}");
}

#[tokio::test]
async fn objects_under_the_prefix_raise_events_as_s3_writes_them() {
    let testbed = Testbed::start().await;
    let names = &testbed.names;
    let sqs = Client::new(&testbed.config);
    let s3 = s3_client(&testbed.config);
    drain(&sqs, &names.queue_url).await;
    let key = "imports/mappings/nemo/zoë x+y (1).csv";
    for text in ["1", "22"] {
        let body = ByteStream::from_static(text.as_bytes());
        s3.put_object().bucket(&names.bucket).key(key).body(body).send().await.unwrap();
    }
    s3.put_object().bucket(&names.bucket).key("reports/x.csv").send().await.unwrap();
    let events = drain(&sqs, &names.queue_url).await;
    assert_eq!(events.len(), 2, "{events:?}");
    let mut records: Vec<_> = events.iter().map(|event| &event["Records"][0]).collect();
    records.sort_by_key(|record| record["s3"]["object"]["sequencer"].as_str().unwrap().to_owned());
    let object = &records[1]["s3"]["object"];
    assert_eq!(object["size"], 2, "a later put has the greater sequencer");
    assert_eq!(object["key"], "imports/mappings/nemo/zo%C3%AB+x%2By+%281%29.csv");
    assert_eq!(object["eTag"], "b6d767d2f8ed5d21a44b0e5886680cb9");
    assert!(object.get("versionId").is_none());
    assert_eq!(records[0]["eventName"], "ObjectCreated:Put");
    assert_eq!(records[0]["eventSource"], "aws:s3");
    assert_eq!(records[0]["awsRegion"], "us-east-1");
    assert_eq!(records[0]["s3"]["bucket"]["name"], names.bucket.as_str());
}

#[tokio::test]
async fn copies_and_completed_uploads_raise_events_and_configuring_raises_a_test() {
    let aws = LocalAws::start(Storage::Memory, 0).unwrap();
    let config = aws.sdk_config();
    let (sqs, s3) = (Client::new(&config), s3_client(&config));
    let names = provision(&config, &Names::default()).await.unwrap();
    let test = drain(&sqs, &names.queue_url).await;
    assert_eq!(test.len(), 1);
    assert_eq!((&test[0]["Event"], &test[0]["Bucket"]), (&json!("s3:TestEvent"), &json!("crosswalk")));
    // Provisioning again leaves it at that.
    assert_eq!(provision(&config, &Names::default()).await.unwrap(), names);
    assert!(drain(&sqs, &names.queue_url).await.is_empty());

    s3.put_object().bucket("crosswalk").key("elsewhere").body(ByteStream::from_static(b"abc")).send().await.unwrap();
    s3.copy_object().bucket("crosswalk").key("imports/copy").copy_source("crosswalk/elsewhere").send().await.unwrap();
    let begun = s3.create_multipart_upload().bucket("crosswalk").key("imports/big").send().await.unwrap();
    let id = begun.upload_id.unwrap();
    let part = s3.upload_part().bucket("crosswalk").key("imports/big").upload_id(&id).part_number(1);
    let part = part.body(ByteStream::from_static(b"part")).send().await.unwrap();
    let part = CompletedPart::builder().part_number(1).set_e_tag(part.e_tag).build();
    let parts = CompletedMultipartUpload::builder().parts(part).build();
    let complete = s3.complete_multipart_upload().bucket("crosswalk").key("imports/big").upload_id(&id);
    complete.multipart_upload(parts).send().await.unwrap();

    let events = drain(&sqs, &names.queue_url).await;
    let told: Vec<_> = events
        .iter()
        .map(|event| (&event["Records"][0]["eventName"], &event["Records"][0]["s3"]["object"]["size"]))
        .collect();
    let (copy, complete) = (json!("ObjectCreated:Copy"), json!("ObjectCreated:CompleteMultipartUpload"));
    assert_eq!(told, [(&copy, &json!(3)), (&complete, &json!(4))]);
}

#[tokio::test]
async fn the_poller_deletes_what_was_handled_and_gives_back_what_was_not() {
    let aws = LocalAws::start(Storage::Memory, 0).unwrap();
    let config = aws.sdk_config();
    let client = Client::new(&config);
    let url = queue(&client, "work", &[(QueueAttributeName::VisibilityTimeout, "3")]).await;
    for body in ["fine", "returned once", "failed once", "panics once", "slow"] {
        client.send_message().queue_url(&url).message_body(body).send().await.unwrap();
    }
    let calls = Arc::new(Mutex::new(HashMap::<String, usize>::new()));
    let running = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let (stop, stopped) = watch::channel(false);
    let handler = {
        let (calls, running, most) = (Arc::clone(&calls), Arc::clone(&running), Arc::clone(&most));
        move |event: Value| {
            let (calls, running, most) = (Arc::clone(&calls), Arc::clone(&running), Arc::clone(&most));
            async move {
                let records = event["Records"].as_array().unwrap();
                assert_eq!(records.len(), 1);
                let record = records[0].clone();
                assert!(record["eventSourceARN"].as_str().unwrap().ends_with(":work"));
                assert!(record["attributes"]["ApproximateReceiveCount"].is_string());
                let body = record["body"].as_str().unwrap().to_owned();
                let times = {
                    let mut calls = calls.lock().unwrap();
                    let times = calls.entry(body.clone()).or_default();
                    *times += 1;
                    *times
                };
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                // Longer than the visibility timeout: the poller must hold the message.
                let pause = if body == "slow" { 4000 } else { 100 };
                tokio::time::sleep(Duration::from_millis(pause)).await;
                running.fetch_sub(1, Ordering::SeqCst);
                match (body.as_str(), times) {
                    ("returned once", 1) => {
                        Ok(json!({ "batchItemFailures": [{ "itemIdentifier": record["messageId"] }] }))
                    }
                    ("failed once", 1) => anyhow::bail!("not today"),
                    ("panics once", 1) => panic!("a handler that panics must not end the poller"),
                    _ => Ok(json!({ "batchItemFailures": [] })),
                }
            }
        }
    };
    let poller = tokio::spawn({
        let (config, url) = (config.clone(), url.clone());
        async move { event_source::poll(&config, &url, 3, handler, stopped).await }
    });
    let expected: HashMap<String, usize> =
        [("fine", 1), ("returned once", 2), ("failed once", 2), ("panics once", 2), ("slow", 1)]
            .map(|(body, times)| (body.to_owned(), times))
            .into();
    for _ in 0..300 {
        if *calls.lock().unwrap() == expected && running.load(Ordering::SeqCst) == 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    tokio::time::sleep(Duration::from_millis(3500)).await;
    stop.send(true).unwrap();
    tokio::time::timeout(Duration::from_secs(5), poller).await.unwrap().unwrap();
    assert_eq!(*calls.lock().unwrap(), expected);
    assert!((2..=3).contains(&most.load(Ordering::SeqCst)), "three workers run at once");
    assert!(receive(&client, &url, 1).await.is_empty(), "the queue is empty");
}

#[tokio::test]
async fn a_poller_that_is_dropped_takes_its_handlers_along() {
    let aws = LocalAws::start(Storage::Memory, 0).unwrap();
    let config = aws.sdk_config();
    let client = Client::new(&config);
    let url = queue(&client, "work", &[(QueueAttributeName::VisibilityTimeout, "1")]).await;
    client.send_message().queue_url(&url).message_body("long").send().await.unwrap();
    let (begun, mut begins) = watch::channel(0);
    let (ended, ends) = watch::channel(0);
    let handler = move |_| {
        let (begun, ended) = (begun.clone(), ended.clone());
        async move {
            begun.send_modify(|times| *times += 1);
            tokio::time::sleep(Duration::from_secs(1)).await;
            ended.send_modify(|times| *times += 1);
            Ok(Value::Null)
        }
    };
    let (_stop, stopped) = watch::channel(false);
    let poller = {
        let (config, url) = (config.clone(), url.clone());
        tokio::spawn(async move { event_source::poll(&config, &url, 1, handler, stopped).await })
    };
    begins.wait_for(|times| *times == 1).await.unwrap();
    poller.abort();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(*ends.borrow(), 0, "the handler was cut off");
    assert_eq!(receive(&client, &url, 5).await.len(), 1, "and its message comes again");
}
