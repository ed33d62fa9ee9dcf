//! What arrives: S3 events, alone or inside SQS messages, and S3's test event.

use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::Value;

/// An object that was put.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Put {
    pub(crate) bucket: String,
    /// Decoded: events carry keys as forms do (`+` for a space).
    pub(crate) key: String,
    pub(crate) version: Option<String>,
    pub(crate) etag: Option<String>,
    /// The same in duplicates of an event, new for each put of a key.
    pub(crate) sequencer: String,
}

/// One SQS message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) id: String,
    /// What names this receive of it.
    pub(crate) receipt: Option<String>,
    /// How often it has been received; 0 where the event does not say.
    pub(crate) receives: u32,
    /// What its body holds, or why it does not read.
    pub(crate) puts: Result<Vec<Put>, String>,
}

/// An event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    /// S3 called the function.
    Direct(Vec<Put>),
    /// SQS did.
    Queue(Vec<Message>),
}

/// Only what names the object is read, so that an event whose sender leaves the rest out does as well.
#[derive(Deserialize)]
struct S3Event {
    #[serde(rename = "Records")]
    records: Vec<S3Record>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct S3Record {
    event_name: Option<String>,
    event_time: Option<String>,
    s3: S3Entity,
}

#[derive(Deserialize)]
struct S3Entity {
    bucket: S3Bucket,
    object: S3Object,
}

#[derive(Deserialize)]
struct S3Bucket {
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct S3Object {
    key: String,
    version_id: Option<String>,
    e_tag: Option<String>,
    sequencer: Option<String>,
}

impl Event {
    /// Reads an event.
    ///
    /// # Errors
    /// It is none of those that are taken; the message says which are.
    pub(crate) fn read(event: Value) -> Result<Self, String> {
        if !is_queue(&event) {
            return puts(event).map(Self::Direct);
        }
        let event: aws_lambda_events::sqs::SqsEvent =
            serde_json::from_value(event).map_err(|error| format!("the SQS event does not read: {error}"))?;
        let messages = event.records.into_iter().map(|message| {
            let body = message.body.unwrap_or_default();
            let puts = serde_json::from_str(&body)
                .map_err(|error| format!("the message's body is no JSON: {error}"))
                .and_then(puts);
            let receives = message.attributes.get("ApproximateReceiveCount").and_then(|count| count.parse().ok());
            Message {
                id: message.message_id.unwrap_or_default(),
                receipt: message.receipt_handle.filter(|receipt| !receipt.is_empty()),
                receives: receives.unwrap_or(0),
                puts,
            }
        });
        Ok(Self::Queue(messages.collect()))
    }
}

fn is_queue(event: &Value) -> bool {
    let source = event.pointer("/Records/0/eventSource").and_then(Value::as_str);
    source == Some("aws:sqs")
}

/// The objects that an S3 event tells of. Test events and removals tell of none; keys that end in `/` are folders, and what
/// is under `reports/` is our own.
fn puts(event: Value) -> Result<Vec<Put>, String> {
    if event.get("Event").and_then(Value::as_str) == Some("s3:TestEvent") {
        tracing::info!("S3's test event arrived: the notification is set up");
        return Ok(Vec::new());
    }
    let event: S3Event = serde_json::from_value(event).map_err(|error| {
        format!("the event does not read ({error}); an S3 event, one in an SQS message, or s3:TestEvent is taken")
    })?;
    let mut puts = Vec::new();
    for record in event.records {
        if !record.event_name.as_deref().is_none_or(is_creation) {
            tracing::info!(event = record.event_name, "an event that tells of no new object was left out");
            continue;
        }
        let object = record.s3.object;
        let key = decoded(&object.key)?;
        if key.ends_with('/') || key.starts_with(crate::reports::PREFIX) {
            continue;
        }
        // S3 always gives a sequencer. Senders that do not have the time and the content to tell puts apart.
        let stand_in =
            || [object.e_tag.as_deref(), record.event_time.as_deref()].map(Option::unwrap_or_default).join(" ");
        puts.push(Put {
            bucket: record.s3.bucket.name,
            key,
            version: object.version_id.filter(|version| !version.is_empty() && version != "null"),
            sequencer: object.sequencer.unwrap_or_else(stand_in),
            etag: object.e_tag.filter(|etag| !etag.is_empty()),
        });
    }
    Ok(puts)
}

fn is_creation(name: &str) -> bool {
    name.trim_start_matches("s3:").starts_with("ObjectCreated")
}

fn decoded(key: &str) -> Result<String, String> {
    let spaced = key.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8();
    decoded.map(|key| key.into_owned()).map_err(|_| "an object's key is not UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sample(text: &str) -> Event {
        Event::read(serde_json::from_str(text).unwrap()).unwrap()
    }

    fn one(event: Event) -> Put {
        match event {
            Event::Direct(puts) => puts.into_iter().next().unwrap(),
            Event::Queue(messages) => messages.into_iter().next().unwrap().puts.unwrap().into_iter().next().unwrap(),
        }
    }

    #[test]
    fn the_samples() {
        let put = one(sample(include_str!("../../../events/csv-import.leave-admins.json")));
        assert_eq!((put.bucket.as_str(), put.key.as_str()), ("crosswalk", "imports/leave-admins/leave-admins.csv"));
        assert!(put.version.is_none() && !put.sequencer.is_empty());
        let put = one(sample(include_str!("../../../events/csv-import.mappings.json")));
        assert_eq!(put.key, "imports/mappings/nemo/mappings.csv");
        let put = one(sample(include_str!("../../../events/csv-import.versioned.json")));
        assert_eq!(put.version.as_deref(), Some("L4kqtJlcpXroDTDmpUMLUo"));
        let put = one(sample(include_str!("../../../events/csv-import.key-with-spaces.json")));
        assert_eq!(put.key, "imports/employers/the new employers + more (zo\u{eb}).csv");
        assert_eq!(sample(include_str!("../../../events/csv-import.test-event.json")), Event::Direct(vec![]));
        let Event::Queue(messages) = sample(include_str!("../../../events/csv-import.sqs.json")) else { panic!() };
        assert_eq!(messages[0].id, "059f36b4-87a3-44ab-83d2-661975830a7d");
        assert_eq!(messages[0].receipt.as_deref(), Some("AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a"));
        assert_eq!(messages[0].receives, 1);
        assert_eq!(messages[0].puts.as_ref().unwrap()[0].key, "imports/mappings/nemo/mappings.csv");
    }

    #[test]
    fn folders_reports_and_removals_are_left_out() {
        let record =
            |name: &str, key: &str| json!({"eventName": name, "s3": {"bucket": {"name": "b"}, "object": {"key": key}}});
        let event = json!({"Records": [
            record("ObjectCreated:Put", "imports/employers/"),
            record("ObjectCreated:Put", "reports/import-1/summary.json"),
            record("ObjectRemoved:Delete", "imports/employers/a.csv"),
            record("s3:ObjectCreated:Copy", "elsewhere/a.csv"),
        ]});
        assert_eq!(one(Event::read(event).unwrap()).key, "elsewhere/a.csv");
    }

    #[test]
    fn what_is_no_event_is_told() {
        assert!(Event::read(json!({"detail-type": "Object Created"})).unwrap_err().contains("is taken"));
        let event = json!({"Records": [{"eventSource": "aws:sqs", "messageId": "1", "body": "hello"}]});
        let Event::Queue(messages) = Event::read(event).unwrap() else { panic!() };
        assert!(messages[0].puts.is_err());
    }

    #[test]
    fn keys_are_decoded_as_forms_are() {
        assert_eq!(decoded("a+b%2Bc%25%C3%AB").unwrap(), "a b+c%\u{eb}");
        assert!(decoded("%ff").is_err());
    }
}
