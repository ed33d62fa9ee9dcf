//! What Lambda's event source mapping does, for a local queue: takes messages, calls a handler with the SQS event (JSON,
//! batch of 1), deletes what was not returned in `batchItemFailures`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{Message, MessageAttributeValue, MessageSystemAttributeName, QueueAttributeName};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;

use crate::REGION;

/// How long one receive waits for a message, in seconds.
const WAIT: i32 = 2;
/// How long a message stays hidden at most when whoever handles it is gone: it is renewed while a handler runs, so a
/// process that was killed does not keep its message from the next one for the queue's whole visibility timeout.
const LONGEST_HOLD: i32 = 60;

/// Polls until `stop` turns true (or its sender is gone), with so many workers. A handler that fails, or returns its
/// message, lets the message come again after the queue's visibility timeout, or after a minute if that is shorter. A
/// handler that runs when `stop` turns true is waited for.
pub async fn poll<H, F>(
    config: &SdkConfig,
    queue_url: &str,
    concurrency: usize,
    handler: H,
    stop: watch::Receiver<bool>,
) where
    H: Fn(Value) -> F + Send + Sync + 'static,
    F: Future<Output = anyhow::Result<Value>> + Send + 'static,
{
    let poller = Arc::new(Poller { client: Client::new(config), queue_url: queue_url.to_owned(), handler });
    // Both the workers and what they handle end with this future, should it be dropped: as if the process were killed.
    let mut workers = JoinSet::new();
    for _ in 0..concurrency.max(1) {
        let poller = Arc::clone(&poller);
        let stop = stop.clone();
        workers.spawn(async move { poller.work(stop).await });
    }
    while let Some(ended) = workers.join_next().await {
        if let Err(error) = ended {
            tracing::error!(%error, "a worker of the queue ended early");
        }
    }
}

struct Poller<H> {
    client: Client,
    queue_url: String,
    handler: H,
}

/// What a queue says of itself.
struct Queue {
    arn: String,
    hold: i32,
}

impl<H, F> Poller<H>
where
    H: Fn(Value) -> F + Send + Sync + 'static,
    F: Future<Output = anyhow::Result<Value>> + Send + 'static,
{
    async fn work(&self, mut stop: watch::Receiver<bool>) {
        loop {
            let received = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                received = self.receive() => received,
            };
            match received {
                Ok((queue, messages)) => {
                    for message in messages {
                        self.handle(&queue, message).await;
                    }
                }
                Err(error) => {
                    tracing::warn!("the queue cannot be read: {error:#}");
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
            }
        }
    }

    async fn receive(&self) -> anyhow::Result<(Queue, Vec<Message>)> {
        let queue = self.queue().await?;
        let answer = self
            .client
            .receive_message()
            .queue_url(&self.queue_url)
            .max_number_of_messages(1)
            .wait_time_seconds(WAIT)
            .visibility_timeout(queue.hold)
            .message_system_attribute_names(MessageSystemAttributeName::All)
            .message_attribute_names("All")
            .send()
            .await
            .map_err(|error| error.into_service_error())
            .context("ReceiveMessage")?;
        Ok((queue, answer.messages.unwrap_or_default()))
    }

    async fn queue(&self) -> anyhow::Result<Queue> {
        let answer = self
            .client
            .get_queue_attributes()
            .queue_url(&self.queue_url)
            .attribute_names(QueueAttributeName::QueueArn)
            .attribute_names(QueueAttributeName::VisibilityTimeout)
            .send()
            .await
            .map_err(|error| error.into_service_error())
            .context("GetQueueAttributes")?;
        let attribute = |name: &QueueAttributeName| answer.attributes()?.get(name).cloned();
        let timeout = attribute(&QueueAttributeName::VisibilityTimeout).and_then(|it| it.parse().ok());
        Ok(Queue {
            arn: attribute(&QueueAttributeName::QueueArn).unwrap_or_default(),
            hold: timeout.unwrap_or(LONGEST_HOLD).clamp(1, LONGEST_HOLD),
        })
    }

    async fn handle(&self, queue: &Queue, message: Message) {
        let Some(receipt) = message.receipt_handle.clone() else { return };
        let message_id = message.message_id.clone().unwrap_or_default();
        // A task of its own, so that a handler that panics is like one that fails.
        let mut handling = AbortOnDropHandle::new(tokio::spawn((self.handler)(event(&queue.arn, message))));
        let renewal = Duration::from_millis(u64::try_from(queue.hold).unwrap_or(1) * 1000 / 3);
        let answer = loop {
            tokio::select! {
                answer = &mut handling => break answer,
                () = tokio::time::sleep(renewal) => self.hold(&receipt, queue.hold).await,
            }
        };
        let done = match answer.map_err(anyhow::Error::from).and_then(|answer| answer) {
            Ok(answer) => !is_returned(&answer, &message_id),
            Err(error) => {
                tracing::error!(message_id, "the function failed: {error:#}");
                false
            }
        };
        if done {
            let deleted = self.client.delete_message().queue_url(&self.queue_url).receipt_handle(receipt).send().await;
            if let Err(error) = deleted.map_err(|error| error.into_service_error()) {
                tracing::warn!(message_id, %error, "a message that was handled could not be deleted: it comes again");
            }
        }
    }

    async fn hold(&self, receipt: &str, seconds: i32) {
        let held = self.client.change_message_visibility().queue_url(&self.queue_url).receipt_handle(receipt);
        if let Err(error) = held.visibility_timeout(seconds).send().await.map_err(|error| error.into_service_error()) {
            tracing::warn!(%error, "a message that is being handled could not be held");
        }
    }
}

/// As Lambda reads a partial batch response: nothing returned is success, and an unreadable list is the whole batch.
fn is_returned(answer: &Value, message_id: &str) -> bool {
    match &answer["batchItemFailures"] {
        Value::Null => false,
        Value::Array(failures) => failures.iter().any(|failure| {
            let id = failure["itemIdentifier"].as_str().unwrap_or_default();
            id.is_empty() || id == message_id
        }),
        _ => true,
    }
}

/// The event that Lambda gives to a function.
fn event(queue_arn: &str, message: Message) -> Value {
    let body = message.body.unwrap_or_default();
    let attributes: HashMap<String, String> = message
        .attributes
        .unwrap_or_default()
        .into_iter()
        .map(|(name, value)| (name.as_str().to_owned(), value))
        .collect();
    let message_attributes: HashMap<String, Value> = message
        .message_attributes
        .unwrap_or_default()
        .into_iter()
        .map(|(name, value)| (name, message_attribute(&value)))
        .collect();
    json!({ "Records": [{
        "messageId": message.message_id,
        "receiptHandle": message.receipt_handle,
        "body": body,
        "attributes": attributes,
        "messageAttributes": message_attributes,
        "md5OfBody": message.md5_of_body,
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": queue_arn.split(':').nth(3).unwrap_or(REGION),
    }]})
}

fn message_attribute(value: &MessageAttributeValue) -> Value {
    let mut attribute = json!({ "dataType": value.data_type, "stringListValues": [], "binaryListValues": [] });
    if let Some(text) = &value.string_value {
        attribute["stringValue"] = json!(text);
    }
    if let Some(bytes) = &value.binary_value {
        attribute["binaryValue"] = json!(STANDARD.encode(bytes));
    }
    attribute
}
