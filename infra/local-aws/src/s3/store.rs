//! Buckets and objects: the index, and s3s-fs's blobs.

mod operations;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crosswalk_function_kit::Entropy;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::*;
use s3s::{S3Result, s3_error};
use s3s_fs::FileSystem;

use super::index::{Entry, Index, NewObject, Upload, WriteConditions, matches};
use super::notifications::Happened;
use super::{BLOBS, blob_files};
use crate::sqs::Queues;

/// The most that one listing page holds.
const MAX_KEYS: i32 = 1000;
/// All parts of an upload but the last are at least this long.
const MIN_PART: u64 = 5 * 1024 * 1024;
/// What `encoding-type=url` leaves as it is.
const LISTED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Buckets and objects.
pub(super) struct Store {
    index: Index,
    inner: FileSystem,
    root: PathBuf,
    entropy: Entropy,
    queues: Arc<Queues>,
}

impl Store {
    pub(super) fn new(index: Index, inner: FileSystem, root: PathBuf, entropy: Entropy, queues: Arc<Queues>) -> Self {
        Self { index, inner, root, entropy, queues }
    }

    fn new_blob(&self) -> String {
        self.entropy.uuid().simple().to_string()
    }

    fn blob_size(&self, blob: &str) -> S3Result<u64> {
        let path = self.root.join(BLOBS).join(blob);
        std::fs::metadata(path).map(|it| it.len()).map_err(|error| s3_error!(error, InternalError))
    }

    /// Removes a blob, after a while: whoever began to read the object before it was replaced still opens it.
    fn drop_blob_later(&self, blob: &str) {
        let files = blob_files(&self.root, blob);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(5)).await;
            for file in files {
                let _ = tokio::fs::remove_file(file).await;
            }
        });
    }

    fn drop_blob(&self, blob: &str) {
        for file in blob_files(&self.root, blob) {
            let _ = std::fs::remove_file(file);
        }
    }

    /// Makes the object and tells of it.
    fn commit(&self, new: NewObject, conditions: &WriteConditions, happened: Happened) -> S3Result<Arc<Entry>> {
        let blob = new.blob.clone();
        match self.index.commit(new, conditions) {
            Ok((entry, replaced)) => {
                if let Some(replaced) = replaced {
                    self.drop_blob_later(&replaced.blob);
                }
                self.tell(happened, &entry);
                Ok(entry)
            }
            Err(error) => {
                self.drop_blob(&blob);
                Err(error)
            }
        }
    }

    /// Sends the event to each queue that wants it.
    fn tell(&self, happened: Happened, entry: &Entry) {
        let Ok(bucket) = self.index.bucket(&entry.bucket) else { return };
        for rule in bucket.rules.iter().filter(|rule| rule.wants(happened, &entry.key)) {
            let message = rule.message(happened, entry, &self.new_blob(), self.index.now());
            self.queues.send(&rule.queue_arn, &message.to_string());
        }
    }

    /// The source of a copy, if the copy's conditions hold.
    fn source(&self, source: &CopySource, conditions: CopyConditions) -> S3Result<Arc<Entry>> {
        let CopySource::Bucket { bucket, key, version_id } = source else {
            return Err(s3_error!(NotImplemented, "The embedded S3 copies from buckets only"));
        };
        refuse_version(version_id.as_deref())?;
        let entry = self.index.object(bucket, key)?;
        let CopyConditions { if_match, if_none_match, if_modified_since, if_unmodified_since } = conditions;
        match check(&entry, if_match, if_none_match, if_modified_since, if_unmodified_since) {
            Ok(()) => Ok(entry),
            Err(_) => Err(s3_error!(PreconditionFailed)),
        }
    }

    /// The object, if the reader's conditions hold.
    fn readable(&self, ask: ReadAsk<'_>) -> S3Result<Arc<Entry>> {
        refuse_version(ask.version_id)?;
        let entry = self.index.object(ask.bucket, ask.key)?;
        check(&entry, ask.if_match, ask.if_none_match, ask.if_modified_since, ask.if_unmodified_since)?;
        Ok(entry)
    }
}

struct CopyConditions {
    if_match: Option<ETagCondition>,
    if_none_match: Option<ETagCondition>,
    if_modified_since: Option<Timestamp>,
    if_unmodified_since: Option<Timestamp>,
}

struct ReadAsk<'a> {
    bucket: &'a str,
    key: &'a str,
    version_id: Option<&'a str>,
    if_match: Option<ETagCondition>,
    if_none_match: Option<ETagCondition>,
    if_modified_since: Option<Timestamp>,
    if_unmodified_since: Option<Timestamp>,
}

/// Buckets are not versioned here.
fn refuse_version(version_id: Option<&str>) -> S3Result<()> {
    match version_id {
        None | Some("null") => Ok(()),
        Some(_) => Err(s3_error!(NoSuchVersion, "The specified version does not exist.")),
    }
}

/// `If-Match` wins over `If-Unmodified-Since`, and `If-None-Match` over `If-Modified-Since` (RFC 9110, 13.2.2).
fn check(
    entry: &Entry,
    if_match: Option<ETagCondition>,
    if_none_match: Option<ETagCondition>,
    if_modified_since: Option<Timestamp>,
    if_unmodified_since: Option<Timestamp>,
) -> S3Result<()> {
    // HTTP dates have whole seconds.
    let seconds = jiff::Timestamp::from_second(entry.last_modified.as_second()).unwrap_or(entry.last_modified);
    let modified = Timestamp::from(SystemTime::from(seconds));
    let fails = match (if_match, if_unmodified_since) {
        (Some(condition), _) => !matches(&condition, &entry.e_tag),
        (None, Some(since)) => modified > since,
        (None, None) => false,
    };
    if fails {
        return Err(s3_error!(PreconditionFailed, "At least one of the pre-conditions you specified did not hold"));
    }
    let unchanged = match (if_none_match, if_modified_since) {
        (Some(condition), _) => matches(&condition, &entry.e_tag),
        (None, Some(since)) => modified <= since,
        (None, None) => false,
    };
    if unchanged {
        return Err(s3_error!(NotModified));
    }
    Ok(())
}

fn last_modified(at: jiff::Timestamp) -> Option<Timestamp> {
    Some(Timestamp::from(SystemTime::from(at)))
}

fn length(size: u64) -> Option<i64> {
    i64::try_from(size).ok()
}

fn listed_object(entry: &Entry, encode: impl Fn(&str) -> String) -> Object {
    Object {
        key: Some(encode(&entry.key)),
        e_tag: Some(ETag::Strong(entry.e_tag.clone())),
        size: length(entry.size),
        last_modified: last_modified(entry.last_modified),
        storage_class: Some(ObjectStorageClass::from_static(ObjectStorageClass::STANDARD)),
        ..Default::default()
    }
}

/// How names stand in a listing.
fn listing_encoder(encoding: Option<&EncodingType>) -> impl Fn(&str) -> String + use<> {
    let url = encoding.is_some_and(|encoding| encoding.as_str() == EncodingType::URL);
    move |name| if url { utf8_percent_encode(name, LISTED).to_string() } else { name.to_owned() }
}

/// As many as were asked for, at most 1,000.
fn limit(max_keys: Option<i32>) -> S3Result<usize> {
    usize::try_from(max_keys.unwrap_or(MAX_KEYS).min(MAX_KEYS))
        .map_err(|_| s3_error!(InvalidArgument, "Argument max-keys must be an integer between 0 and 2147483647"))
}

impl Store {
    fn delete(&self, bucket: &str, key: &str) -> S3Result<()> {
        if let Some((entry, sequencer)) = self.index.delete(bucket, key)? {
            self.drop_blob_later(&entry.blob);
            self.tell(Happened::Delete, &Entry { sequencer, ..(*entry).clone() });
        }
        Ok(())
    }

    /// Where s3s-fs keeps a part until the upload is completed.
    fn part_file(&self, upload: &str, number: i32) -> PathBuf {
        self.root.join(format!(".upload_id-{upload}.part-{number}"))
    }

    fn part_size(&self, upload: &str, number: i32) -> S3Result<u64> {
        let path = self.part_file(upload, number);
        std::fs::metadata(path).map(|it| it.len()).map_err(|error| s3_error!(error, InternalError))
    }

    /// S3 lets part numbers have gaps; s3s-fs wants 1, 2, 3 ….
    fn renumber_part(&self, upload: &str, from: i32, to: i32) -> S3Result<()> {
        if from == to {
            return Ok(());
        }
        std::fs::rename(self.part_file(upload, from), self.part_file(upload, to))
            .map_err(|error| s3_error!(error, InternalError))
    }

    /// Parts that were uploaded and then not named in the completion.
    fn drop_parts(&self, upload: &Upload) {
        for number in upload.parts.keys() {
            let _ = std::fs::remove_file(self.part_file(&upload.id, *number));
        }
    }
}

fn part_number(number: i32) -> S3Result<i32> {
    if (1..=10_000).contains(&number) {
        return Ok(number);
    }
    Err(s3_error!(InvalidArgument, "Part number must be an integer between 1 and 10000, inclusive"))
}

/// The size of the whole, if each named part was uploaded, with that ETag, in ascending order, and is long enough.
fn checked_parts(upload: &Upload, parts: &[CompletedPart]) -> S3Result<u64> {
    if parts.is_empty() {
        return Err(s3_error!(MalformedXML, "You must specify at least one part"));
    }
    let numbers = || parts.iter().map(|part| part.part_number.unwrap_or(0));
    if numbers().zip(numbers().skip(1)).any(|(before, after)| before >= after) {
        return Err(s3_error!(InvalidPartOrder, "The list of parts was not in ascending order."));
    }
    let mut size = 0;
    for (at, part) in parts.iter().enumerate() {
        let uploaded = upload.parts.get(&part.part_number.unwrap_or(0));
        let e_tag = part.e_tag.as_ref().map(ETag::value);
        let uploaded =
            uploaded.filter(|uploaded| e_tag.is_none_or(|e_tag| e_tag == uploaded.e_tag)).ok_or_else(|| {
                s3_error!(
                    InvalidPart,
                    "One or more of the specified parts could not be found, or has another entity tag."
                )
            })?;
        if uploaded.size < MIN_PART && at + 1 < parts.len() {
            return Err(s3_error!(
                EntityTooSmall,
                "Your proposed upload is smaller than the minimum allowed object size."
            ));
        }
        size += uploaded.size;
    }
    Ok(size)
}
