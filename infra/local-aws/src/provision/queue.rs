use std::collections::HashMap;

use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::ProvideErrorMetadata as _;
use aws_sdk_sqs::types::QueueAttributeName;

use crate::description::QUEUE;

/// A queue that stands.
pub(super) struct Queue {
    pub(super) url: String,
    pub(super) arn: String,
}

/// The import queue and its dead-letter queue.
///
/// # Errors
/// A call that failed, by name.
pub(super) async fn provision_queues(config: &SdkConfig, name: &str) -> anyhow::Result<(Queue, Queue)> {
    let client = Client::new(config);
    let retention = (QueueAttributeName::MessageRetentionPeriod, QUEUE.dead_letter_retention.to_string());
    let dead = provision_queue(&client, &format!("{name}-dead"), HashMap::from([retention])).await?;
    let redrive =
        serde_json::json!({ "deadLetterTargetArn": dead.arn, "maxReceiveCount": QUEUE.max_receive_count }).to_string();
    let attributes = HashMap::from([
        (QueueAttributeName::VisibilityTimeout, QUEUE.visibility_timeout.to_string()),
        (QueueAttributeName::RedrivePolicy, redrive),
    ]);
    let queue = provision_queue(&client, name, attributes).await?;
    Ok((queue, dead))
}

async fn provision_queue(
    client: &Client,
    name: &str,
    attributes: HashMap<QueueAttributeName, String>,
) -> anyhow::Result<Queue> {
    let url = match client.get_queue_url().queue_name(name).send().await.map_err(|error| error.into_service_error()) {
        Ok(found) => found.queue_url,
        // Emulators give the one or the other protocol's name for it.
        Err(error) if error.code().is_some_and(|it| it.ends_with("NonExistentQueue") || it == "QueueDoesNotExist") => {
            let created = client.create_queue().queue_name(name).set_attributes(Some(attributes)).send().await;
            let created =
                created.map_err(|error| error.into_service_error()).with_context(|| format!("CreateQueue {name}"))?;
            created.queue_url
        }
        Err(error) => return Err(error).with_context(|| format!("GetQueueUrl {name}")),
    };
    let url = url.with_context(|| format!("the queue {name} has no URL"))?;
    let answer = client
        .get_queue_attributes()
        .queue_url(&url)
        .attribute_names(QueueAttributeName::QueueArn)
        .send()
        .await
        .map_err(|error| error.into_service_error())
        .with_context(|| format!("GetQueueAttributes {name}"))?;
    let arn = answer.attributes.and_then(|mut attributes| attributes.remove(&QueueAttributeName::QueueArn));
    Ok(Queue { url, arn: arn.with_context(|| format!("the queue {name} has no ARN"))? })
}
