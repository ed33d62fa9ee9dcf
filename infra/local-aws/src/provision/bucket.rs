use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_s3::types::{
    Event, FilterRule, FilterRuleName, NotificationConfiguration, NotificationConfigurationFilter, QueueConfiguration,
    S3KeyFilter,
};

use crate::description::{IMPORT_EVENTS, IMPORT_PREFIX};
use crate::s3_client;

/// The bucket, whose import objects raise events into the queue.
///
/// # Errors
/// A call that failed, by name.
pub(super) async fn provision_bucket(config: &SdkConfig, name: &str, queue_arn: &str) -> anyhow::Result<()> {
    let client = s3_client(config);
    match client.head_bucket().bucket(name).send().await.map_err(|error| error.into_service_error()) {
        Ok(_) => {}
        Err(error) if error.is_not_found() => {
            let created = client.create_bucket().bucket(name).send().await;
            created.map_err(|error| error.into_service_error()).with_context(|| format!("CreateBucket {name}"))?;
        }
        Err(error) => return Err(error).with_context(|| format!("HeadBucket {name}")),
    }
    let present = client.get_bucket_notification_configuration().bucket(name).send().await;
    let present = present
        .map_err(|error| error.into_service_error())
        .with_context(|| format!("GetBucketNotificationConfiguration {name}"))?;
    // Configuring it again would send the queue another test event.
    if present.queue_configurations().iter().any(|configuration| configuration.queue_arn() == queue_arn) {
        return Ok(());
    }
    let rule = FilterRule::builder().name(FilterRuleName::Prefix).value(IMPORT_PREFIX).build();
    let filter =
        NotificationConfigurationFilter::builder().key(S3KeyFilter::builder().filter_rules(rule).build()).build();
    let configuration = QueueConfiguration::builder()
        .id("imports")
        .queue_arn(queue_arn)
        .events(Event::from(IMPORT_EVENTS))
        .filter(filter)
        .build()?;
    client
        .put_bucket_notification_configuration()
        .bucket(name)
        .notification_configuration(NotificationConfiguration::builder().queue_configurations(configuration).build())
        .send()
        .await
        .map_err(|error| error.into_service_error())
        .with_context(|| format!("PutBucketNotificationConfiguration {name}"))?;
    Ok(())
}
