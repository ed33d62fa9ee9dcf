//! When a message that was returned comes again.

use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message, MessageSystemAttributeName};
use crosswalk_csv_import::handler::handle;
use crosswalk_function_kit::{Clock, Deadline};
use serde_json::{Value, json};

use crate::bench::{Bench, EMPLOYERS};
use crate::deliveries::{claim, run_id};

/// A queue that holds one message. The bucket's own gets S3's events besides.
struct Queue<'a> {
    bench: &'a Bench,
    client: Client,
    url: String,
}

impl<'a> Queue<'a> {
    async fn with(bench: &'a Bench, body: &str) -> Self {
        let client = Client::new(&bench.testbed.config);
        let name = format!("{}-returned", bench.testbed.names.table);
        let url = client.create_queue().queue_name(name).send().await.unwrap().queue_url.unwrap();
        client.send_message().queue_url(&url).message_body(body).send().await.unwrap();
        Self { bench, client, url }
    }

    /// What can be received within so many seconds, and then stays hidden for so many.
    async fn receive(&self, within: i32, hidden: i32) -> Option<Message> {
        let receive = self.client.receive_message().queue_url(&self.url);
        let receive = receive.message_system_attribute_names(MessageSystemAttributeName::All);
        let answer = receive.wait_time_seconds(within).visibility_timeout(hidden).send().await.unwrap();
        answer.messages.unwrap_or_default().into_iter().next()
    }

    /// The function returns the message.
    async fn hand_over(&self, message: &Message) {
        let id = message.message_id.as_deref().unwrap();
        let environment = self.bench.environment().with("CROSSWALK_IMPORT_QUEUE_URL", &self.url);
        let importer = self.bench.importer_with(&environment, Clock::system());
        let answer = handle(&importer, event(message), Deadline::NONE).await.unwrap();
        assert_eq!(answer, json!({ "batchItemFailures": [{ "itemIdentifier": id }] }));
    }
}

fn event(message: &Message) -> Value {
    json!({ "Records": [{
        "messageId": message.message_id, "receiptHandle": message.receipt_handle, "body": message.body,
        "attributes": { "ApproximateReceiveCount": "1" }, "messageAttributes": {},
        "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:q", "awsRegion": "us-east-1",
    }] })
}

#[tokio::test]
async fn one_that_does_not_read_comes_at_once() {
    let bench = Bench::start().await;
    let queue = Queue::with(&bench, "no event").await;
    let message = queue.receive(5, 600).await.unwrap();
    queue.hand_over(&message).await;
    let again = queue.receive(5, 600).await.unwrap();
    assert_eq!(again.message_id, message.message_id);
}

#[tokio::test]
async fn one_whose_failure_may_pass_waits() {
    let bench = Bench::start().await;
    let event = bench.put("imports/employers/a.csv", EMPLOYERS).await;
    let queue = Queue::with(&bench, &event.to_string()).await;
    // It would be there again after a second.
    let message = queue.receive(5, 1).await.unwrap();
    claim(&bench, &run_id(&bench, &event), message.message_id.as_deref().unwrap()).await;
    queue.hand_over(&message).await;
    assert!(queue.receive(3, 600).await.is_none());
}

#[tokio::test]
async fn a_wait_that_cannot_be_set_changes_nothing_else() {
    let bench = Bench::start().await;
    let queue = Queue::with(&bench, "no event").await;
    let message = queue.receive(5, 600).await.unwrap();
    let gone = Message::builder().message_id("m1").receipt_handle("unknown").body("no event").build();
    queue.hand_over(&gone).await;
    queue.hand_over(&message).await;
}
