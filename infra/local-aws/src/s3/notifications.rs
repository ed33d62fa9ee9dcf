//! Event notifications: which objects raise one, into which queue, and what it says.
//!
//! Source of the message's form: "Event message structure" in the Amazon S3 user guide (event version 2.1).

use jiff::Timestamp;
use s3s::dto::{
    Event, FilterRule, FilterRuleName, NotificationConfiguration, NotificationConfigurationFilter, QueueConfiguration,
    S3KeyFilter,
};
use s3s::{S3Result, s3_error};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::index::Entry;
use crate::{ACCOUNT_ID, REGION};

/// A queue configuration of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Rule {
    id: String,
    pub(super) queue_arn: String,
    /// Such as `s3:ObjectCreated:*`.
    events: Vec<String>,
    prefix: String,
    suffix: String,
}

/// What happened to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Happened {
    Put,
    Copy,
    CompleteMultipartUpload,
    Delete,
}

impl Happened {
    /// The event's name as the record has it, without `s3:`.
    fn event_name(self) -> &'static str {
        match self {
            Self::Put => "ObjectCreated:Put",
            Self::Copy => "ObjectCreated:Copy",
            Self::CompleteMultipartUpload => "ObjectCreated:CompleteMultipartUpload",
            Self::Delete => "ObjectRemoved:Delete",
        }
    }
}

impl Rule {
    /// Whether this rule speaks of that event of that key.
    pub(super) fn wants(&self, happened: Happened, key: &str) -> bool {
        let name = happened.event_name();
        let event = self.events.iter().filter_map(|event| event.strip_prefix("s3:")).any(|event| match event {
            _ if event == name => true,
            _ => event.strip_suffix('*').is_some_and(|family| name.starts_with(family)),
        });
        event && key.starts_with(&self.prefix) && key.ends_with(&self.suffix)
    }

    /// The message that S3 sends to the queue.
    pub(super) fn message(&self, happened: Happened, entry: &Entry, request_id: &str, now: Timestamp) -> Value {
        let created = happened != Happened::Delete;
        let mut object = json!({ "key": form_encoded(&entry.key), "sequencer": entry.sequencer });
        if created {
            object["size"] = json!(entry.size);
            object["eTag"] = json!(entry.e_tag);
        }
        json!({ "Records": [{
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "awsRegion": REGION,
            "eventTime": format!("{now:.3}"),
            "eventName": happened.event_name(),
            "userIdentity": { "principalId": format!("AWS:{ACCOUNT_ID}") },
            "requestParameters": { "sourceIPAddress": "127.0.0.1" },
            "responseElements": { "x-amz-request-id": request_id, "x-amz-id-2": request_id },
            "s3": {
                "s3SchemaVersion": "1.0",
                "configurationId": self.id,
                "bucket": {
                    "name": entry.bucket,
                    "ownerIdentity": { "principalId": ACCOUNT_ID },
                    "arn": format!("arn:aws:s3:::{}", entry.bucket),
                },
                "object": object,
            },
        }]})
    }
}

/// The message that S3 sends once when notifications are configured.
pub(super) fn test_message(bucket: &str, request_id: &str, now: Timestamp) -> Value {
    json!({
        "Service": "Amazon S3",
        "Event": "s3:TestEvent",
        "Time": format!("{now:.3}"),
        "Bucket": bucket,
        "RequestId": request_id,
        "HostId": request_id,
    })
}

/// Keys stand form-encoded in events: a space is `+`, a plus `%2B`; slashes stay.
fn form_encoded(key: &str) -> String {
    let encoded = key.split('/').map(|part| url::form_urlencoded::byte_serialize(part.as_bytes()).collect::<String>());
    encoded.collect::<Vec<_>>().join("/")
}

/// Reads a configuration. Only queues can be told.
pub(super) fn rules(configuration: NotificationConfiguration) -> S3Result<Vec<Rule>> {
    let NotificationConfiguration {
        event_bridge_configuration,
        lambda_function_configurations,
        queue_configurations,
        topic_configurations,
    } = configuration;
    if event_bridge_configuration.is_some()
        || lambda_function_configurations.is_some_and(|list| !list.is_empty())
        || topic_configurations.is_some_and(|list| !list.is_empty())
    {
        return Err(s3_error!(NotImplemented, "The embedded S3 notifies queues only"));
    }
    queue_configurations.unwrap_or_default().into_iter().enumerate().map(|(at, queue)| rule(at, queue)).collect()
}

fn rule(at: usize, configuration: QueueConfiguration) -> S3Result<Rule> {
    let QueueConfiguration { events, filter, id, queue_arn } = configuration;
    let mut rule = Rule {
        id: id.unwrap_or_else(|| format!("notification-{at}")),
        queue_arn,
        events: events.into_iter().map(String::from).collect(),
        prefix: String::new(),
        suffix: String::new(),
    };
    let filters = filter.and_then(|filter| filter.key).and_then(|key| key.filter_rules).unwrap_or_default();
    for FilterRule { name, value } in filters {
        let value = value.unwrap_or_default();
        // The API's names are lower case; the console and older tools write `Prefix`.
        match name.as_ref().map(|name| name.as_str().to_ascii_lowercase()).as_deref() {
            Some(FilterRuleName::PREFIX) => rule.prefix = value,
            Some(FilterRuleName::SUFFIX) => rule.suffix = value,
            _ => return Err(s3_error!(InvalidArgument, "filter rule name must be either prefix or suffix")),
        }
    }
    Ok(rule)
}

/// The configuration as it is given back.
pub(super) fn configurations(rules: Vec<Rule>) -> Vec<QueueConfiguration> {
    let configuration = |rule: Rule| {
        let filters = [(FilterRuleName::PREFIX, rule.prefix), (FilterRuleName::SUFFIX, rule.suffix)];
        let filters: Vec<_> = filters
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| FilterRule { name: Some(FilterRuleName::from_static(name)), value: Some(value) })
            .collect();
        let filter = (!filters.is_empty())
            .then_some(NotificationConfigurationFilter { key: Some(S3KeyFilter { filter_rules: Some(filters) }) });
        QueueConfiguration {
            events: rule.events.into_iter().map(Event::from).collect(),
            filter,
            id: Some(rule.id),
            queue_arn: rule.queue_arn,
        }
    };
    rules.into_iter().map(configuration).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_stand_form_encoded() {
        assert_eq!(form_encoded("imports/zoë x+y&z=1 (2).csv"), "imports/zo%C3%AB+x%2By%26z%3D1+%282%29.csv");
    }
}
