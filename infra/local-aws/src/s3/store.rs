//! S3's operations over the index and s3s-fs's blobs.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crosswalk_function_kit::Entropy;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};
use s3s_fs::FileSystem;

use super::index::{Entry, Index, NewObject, Upload, WriteConditions, matches};
use super::notifications::{self, Happened};
use super::{BLOBS, blob_files, listing};
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

#[async_trait::async_trait]
impl S3 for Store {
    async fn create_bucket(&self, req: S3Request<CreateBucketInput>) -> S3Result<S3Response<CreateBucketOutput>> {
        self.index.create_bucket(&req.input.bucket)?;
        let location = Some(format!("/{}", req.input.bucket));
        Ok(S3Response::new(CreateBucketOutput { location }))
    }

    async fn delete_bucket(&self, req: S3Request<DeleteBucketInput>) -> S3Result<S3Response<DeleteBucketOutput>> {
        self.index.delete_bucket(&req.input.bucket)?;
        Ok(S3Response::new(DeleteBucketOutput {}))
    }

    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.index.bucket(&req.input.bucket)?;
        let bucket_region = Some(crate::REGION.to_owned());
        Ok(S3Response::new(HeadBucketOutput { bucket_region, ..Default::default() }))
    }

    async fn list_buckets(&self, _: S3Request<ListBucketsInput>) -> S3Result<S3Response<ListBucketsOutput>> {
        let buckets = self.index.buckets().into_iter().map(|bucket| Bucket {
            name: Some(bucket.name),
            creation_date: last_modified(bucket.created),
            bucket_region: None,
        });
        Ok(S3Response::new(ListBucketsOutput { buckets: Some(buckets.collect()), ..Default::default() }))
    }

    async fn get_bucket_location(
        &self,
        req: S3Request<GetBucketLocationInput>,
    ) -> S3Result<S3Response<GetBucketLocationOutput>> {
        self.index.bucket(&req.input.bucket)?;
        // us-east-1 has none.
        Ok(S3Response::new(GetBucketLocationOutput::default()))
    }

    async fn get_bucket_versioning(
        &self,
        req: S3Request<GetBucketVersioningInput>,
    ) -> S3Result<S3Response<GetBucketVersioningOutput>> {
        self.index.bucket(&req.input.bucket)?;
        Ok(S3Response::new(GetBucketVersioningOutput::default()))
    }

    async fn put_bucket_notification_configuration(
        &self,
        req: S3Request<PutBucketNotificationConfigurationInput>,
    ) -> S3Result<S3Response<PutBucketNotificationConfigurationOutput>> {
        let PutBucketNotificationConfigurationInput { bucket, notification_configuration, .. } = req.input;
        let rules = notifications::rules(notification_configuration)?;
        self.index.bucket(&bucket)?;
        if !rules.iter().all(|rule| self.queues.exists(&rule.queue_arn)) {
            return Err(s3_error!(
                InvalidArgument,
                "Unable to validate the following destination configurations: the queue does not exist"
            ));
        }
        self.index.set_rules(&bucket, rules.clone())?;
        for rule in rules {
            let message = notifications::test_message(&bucket, &self.new_blob(), self.index.now());
            self.queues.send(&rule.queue_arn, &message.to_string());
        }
        Ok(S3Response::new(PutBucketNotificationConfigurationOutput {}))
    }

    async fn get_bucket_notification_configuration(
        &self,
        req: S3Request<GetBucketNotificationConfigurationInput>,
    ) -> S3Result<S3Response<GetBucketNotificationConfigurationOutput>> {
        let queues = notifications::configurations(self.index.bucket(&req.input.bucket)?.rules);
        Ok(S3Response::new(GetBucketNotificationConfigurationOutput {
            queue_configurations: Some(queues),
            ..Default::default()
        }))
    }

    async fn put_object(&self, mut req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let blob = self.new_blob();
        let bucket = std::mem::replace(&mut req.input.bucket, BLOBS.to_owned());
        let key = std::mem::replace(&mut req.input.key, blob.clone());
        let conditions =
            WriteConditions { if_match: req.input.if_match.take(), if_none_match: req.input.if_none_match.take() };
        self.index.check(&bucket, &key, &conditions)?;
        if req.input.body.is_none() {
            req.input.body =
                Some(StreamingBlob::wrap(futures::stream::empty::<Result<bytes::Bytes, std::io::Error>>()));
        }
        let mut answer = match self.inner.put_object(req).await {
            Ok(answer) => answer,
            Err(error) => {
                self.drop_blob(&blob);
                return Err(error);
            }
        };
        let e_tag = answer.output.e_tag.clone().map(ETag::into_value).unwrap_or_default();
        let size = self.blob_size(&blob)?;
        self.commit(NewObject { bucket, key, blob, size, e_tag }, &conditions, Happened::Put)?;
        answer.output.checksum_type = None;
        Ok(answer)
    }

    async fn get_object(&self, mut req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = &mut req.input;
        let entry = self.readable(ReadAsk {
            bucket: &input.bucket,
            key: &input.key,
            version_id: input.version_id.as_deref(),
            if_match: input.if_match.take(),
            if_none_match: input.if_none_match.take(),
            if_modified_since: input.if_modified_since.take(),
            if_unmodified_since: input.if_unmodified_since.take(),
        })?;
        BLOBS.clone_into(&mut input.bucket);
        input.key.clone_from(&entry.blob);
        let mut answer = self.inner.get_object(req).await?;
        let output = &mut answer.output;
        output.e_tag = Some(ETag::Strong(entry.e_tag.clone()));
        output.last_modified = last_modified(entry.last_modified);
        output.accept_ranges = Some("bytes".to_owned());
        output.content_type.get_or_insert_with(|| "binary/octet-stream".to_owned());
        Ok(answer)
    }

    async fn head_object(&self, mut req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = &mut req.input;
        let entry = self.readable(ReadAsk {
            bucket: &input.bucket,
            key: &input.key,
            version_id: input.version_id.as_deref(),
            if_match: input.if_match.take(),
            if_none_match: input.if_none_match.take(),
            if_modified_since: input.if_modified_since.take(),
            if_unmodified_since: input.if_unmodified_since.take(),
        })?;
        BLOBS.clone_into(&mut input.bucket);
        input.key.clone_from(&entry.blob);
        let mut answer = self.inner.head_object(req).await?;
        let output = &mut answer.output;
        output.e_tag = Some(ETag::Strong(entry.e_tag.clone()));
        output.last_modified = last_modified(entry.last_modified);
        output.accept_ranges = Some("bytes".to_owned());
        output.content_type.get_or_insert_with(|| "binary/octet-stream".to_owned());
        Ok(answer)
    }

    async fn delete_object(&self, req: S3Request<DeleteObjectInput>) -> S3Result<S3Response<DeleteObjectOutput>> {
        refuse_version(req.input.version_id.as_deref())?;
        self.delete(&req.input.bucket, &req.input.key)?;
        Ok(S3Response::new(DeleteObjectOutput::default()))
    }

    async fn delete_objects(&self, req: S3Request<DeleteObjectsInput>) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let DeleteObjectsInput { bucket, delete, .. } = req.input;
        let mut deleted = Vec::new();
        for object in delete.objects {
            self.delete(&bucket, &object.key)?;
            deleted.push(DeletedObject { key: Some(object.key), ..Default::default() });
        }
        let deleted = (!delete.quiet.unwrap_or(false)).then_some(deleted);
        Ok(S3Response::new(DeleteObjectsOutput { deleted, ..Default::default() }))
    }

    async fn copy_object(&self, mut req: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        let input = &mut req.input;
        let conditions = CopyConditions {
            if_match: input.copy_source_if_match.take(),
            if_none_match: input.copy_source_if_none_match.take(),
            if_modified_since: input.copy_source_if_modified_since.take(),
            if_unmodified_since: input.copy_source_if_unmodified_since.take(),
        };
        self.index.bucket(&input.bucket)?;
        let source = self.source(&input.copy_source, conditions)?;
        let replaces = input.metadata_directive.as_ref().is_some_and(|it| it.as_str() == MetadataDirective::REPLACE);
        if source.bucket == input.bucket && source.key == input.key && !replaces {
            return Err(s3_error!(
                InvalidRequest,
                "This copy request is illegal because it is trying to copy an object to itself without changing the \
                 object's metadata, storage class, website redirect location or encryption attributes."
            ));
        }
        let blob = self.new_blob();
        input.copy_source =
            CopySource::Bucket { bucket: BLOBS.into(), key: source.blob.as_str().into(), version_id: None };
        let bucket = std::mem::replace(&mut input.bucket, BLOBS.to_owned());
        let key = std::mem::replace(&mut input.key, blob.clone());
        let mut answer = match self.inner.copy_object(req).await {
            Ok(answer) => answer,
            Err(error) => {
                self.drop_blob(&blob);
                return Err(error);
            }
        };
        let new = NewObject { bucket, key, blob, size: source.size, e_tag: source.e_tag.clone() };
        let entry = self.commit(new, &WriteConditions::default(), Happened::Copy)?;
        if let Some(result) = &mut answer.output.copy_object_result {
            result.last_modified = last_modified(entry.last_modified);
        }
        Ok(answer)
    }

    async fn list_objects_v2(&self, req: S3Request<ListObjectsV2Input>) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = req.input;
        let encode = listing_encoder(input.encoding_type.as_ref());
        let prefix = input.prefix.unwrap_or_default();
        let delimiter = input.delimiter.unwrap_or_default();
        let start_after = input.start_after.unwrap_or_default();
        let after = match &input.continuation_token {
            Some(token) => hex::decode(token)
                .ok()
                .and_then(|key| String::from_utf8(key).ok())
                .ok_or_else(|| s3_error!(InvalidArgument, "The continuation token provided is incorrect"))?,
            None => start_after.clone(),
        };
        let limit = limit(input.max_keys)?;
        let ask = listing::Ask { prefix: &prefix, delimiter: &delimiter, after: &after, limit };
        let page = self.index.with_objects(&input.bucket, |objects| listing::page(objects, ask))?;
        let contents: Vec<_> = page.objects.iter().map(|entry| listed_object(entry, &encode)).collect();
        let common_prefixes: Vec<_> =
            page.common_prefixes.iter().map(|prefix| CommonPrefix { prefix: Some(encode(prefix)) }).collect();
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket),
            key_count: i32::try_from(contents.len() + common_prefixes.len()).ok(),
            max_keys: i32::try_from(limit).ok(),
            is_truncated: Some(page.next.is_some()),
            next_continuation_token: page.next.map(hex::encode),
            continuation_token: input.continuation_token,
            contents: Some(contents),
            common_prefixes: Some(common_prefixes),
            delimiter: (!delimiter.is_empty()).then(|| encode(&delimiter)),
            prefix: Some(encode(&prefix)),
            start_after: (!start_after.is_empty()).then(|| encode(&start_after)),
            encoding_type: input.encoding_type,
            ..Default::default()
        }))
    }

    async fn list_objects(&self, req: S3Request<ListObjectsInput>) -> S3Result<S3Response<ListObjectsOutput>> {
        let input = req.input;
        let encode = listing_encoder(input.encoding_type.as_ref());
        let prefix = input.prefix.unwrap_or_default();
        let delimiter = input.delimiter.unwrap_or_default();
        let marker = input.marker.unwrap_or_default();
        let limit = limit(input.max_keys)?;
        let ask = listing::Ask { prefix: &prefix, delimiter: &delimiter, after: &marker, limit };
        let page = self.index.with_objects(&input.bucket, |objects| listing::page(objects, ask))?;
        let common = page.common_prefixes.iter().map(|prefix| CommonPrefix { prefix: Some(encode(prefix)) });
        Ok(S3Response::new(ListObjectsOutput {
            name: Some(input.bucket),
            max_keys: i32::try_from(limit).ok(),
            is_truncated: Some(page.next.is_some()),
            // Without a delimiter the last key is the marker, and S3 does not repeat it.
            next_marker: page.next.filter(|_| !delimiter.is_empty()).map(|next| encode(&next)),
            contents: Some(page.objects.iter().map(|entry| listed_object(entry, &encode)).collect()),
            common_prefixes: Some(common.collect()),
            marker: Some(encode(&marker)),
            delimiter: (!delimiter.is_empty()).then(|| encode(&delimiter)),
            prefix: Some(encode(&prefix)),
            encoding_type: input.encoding_type,
            ..Default::default()
        }))
    }

    async fn create_multipart_upload(
        &self,
        mut req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let blob = self.new_blob();
        self.index.bucket(&req.input.bucket)?;
        let bucket = std::mem::replace(&mut req.input.bucket, BLOBS.to_owned());
        let key = std::mem::replace(&mut req.input.key, blob.clone());
        let mut answer = self.inner.create_multipart_upload(req).await?;
        let id = answer.output.upload_id.clone().unwrap_or_default();
        answer.output.bucket = Some(bucket.clone());
        answer.output.key = Some(key.clone());
        let initiated = self.index.now();
        self.index.add_upload(Upload { id, bucket, key, blob, initiated, parts: Default::default() });
        Ok(answer)
    }

    async fn upload_part(&self, mut req: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        let input = &mut req.input;
        let upload = self.index.upload(&input.upload_id, &input.bucket, &input.key)?;
        let number = part_number(input.part_number)?;
        BLOBS.clone_into(&mut input.bucket);
        input.key.clone_from(&upload.blob);
        let answer = self.inner.upload_part(req).await?;
        let e_tag = answer.output.e_tag.clone().map(ETag::into_value).unwrap_or_default();
        self.index.add_part(&upload.id, number, e_tag, self.part_size(&upload.id, number)?)?;
        Ok(answer)
    }

    async fn upload_part_copy(
        &self,
        mut req: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        let input = &mut req.input;
        let upload = self.index.upload(&input.upload_id, &input.bucket, &input.key)?;
        let number = part_number(input.part_number)?;
        let conditions = CopyConditions {
            if_match: input.copy_source_if_match.take(),
            if_none_match: input.copy_source_if_none_match.take(),
            if_modified_since: input.copy_source_if_modified_since.take(),
            if_unmodified_since: input.copy_source_if_unmodified_since.take(),
        };
        let source = self.source(&input.copy_source, conditions)?;
        input.copy_source =
            CopySource::Bucket { bucket: BLOBS.into(), key: source.blob.as_str().into(), version_id: None };
        BLOBS.clone_into(&mut input.bucket);
        input.key.clone_from(&upload.blob);
        let mut answer = self.inner.upload_part_copy(req).await?;
        if let Some(result) = &mut answer.output.copy_part_result {
            let e_tag = result.e_tag.clone().map(ETag::into_value).unwrap_or_default();
            let size = self.part_size(&upload.id, number)?;
            result.last_modified = last_modified(self.index.add_part(&upload.id, number, e_tag, size)?);
        }
        Ok(answer)
    }

    async fn list_parts(&self, req: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        let input = req.input;
        let upload = self.index.upload(&input.upload_id, &input.bucket, &input.key)?;
        let after = input.part_number_marker.unwrap_or(0);
        let limit = limit(input.max_parts)?;
        let mut rest = upload.parts.range(after.saturating_add(1)..);
        let parts: Vec<_> = rest
            .by_ref()
            .take(limit)
            .map(|(number, part)| Part {
                part_number: Some(*number),
                e_tag: Some(ETag::Strong(part.e_tag.clone())),
                size: length(part.size),
                last_modified: last_modified(part.last_modified),
                ..Default::default()
            })
            .collect();
        let is_truncated = rest.next().is_some();
        Ok(S3Response::new(ListPartsOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            next_part_number_marker: parts.last().and_then(|part| part.part_number).filter(|_| is_truncated),
            max_parts: i32::try_from(limit).ok(),
            is_truncated: Some(is_truncated),
            parts: Some(parts),
            ..Default::default()
        }))
    }

    async fn list_multipart_uploads(
        &self,
        req: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let input = req.input;
        let encode = listing_encoder(input.encoding_type.as_ref());
        let prefix = input.prefix.unwrap_or_default();
        let mut uploads = self.index.uploads(&input.bucket, &prefix)?;
        uploads.sort_by(|a, b| (&a.key, a.initiated).cmp(&(&b.key, b.initiated)));
        let uploads = uploads.into_iter().map(|upload| MultipartUpload {
            key: Some(encode(&upload.key)),
            initiated: last_modified(upload.initiated),
            upload_id: Some(upload.id),
            ..Default::default()
        });
        Ok(S3Response::new(ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            prefix: Some(encode(&prefix)),
            uploads: Some(uploads.collect()),
            is_truncated: Some(false),
            encoding_type: input.encoding_type,
            ..Default::default()
        }))
    }

    async fn complete_multipart_upload(
        &self,
        mut req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let input = &mut req.input;
        let upload = self.index.upload(&input.upload_id, &input.bucket, &input.key)?;
        let conditions = WriteConditions { if_match: input.if_match.take(), if_none_match: input.if_none_match.take() };
        self.index.check(&upload.bucket, &upload.key, &conditions)?;
        let mut parts = input.multipart_upload.take().and_then(|it| it.parts).unwrap_or_default();
        let size = checked_parts(&upload, &parts)?;
        // From here on the upload is this request's alone.
        self.index.take_upload(&upload.id, &upload.bucket, &upload.key)?;
        for (at, part) in (1..).zip(&mut parts) {
            self.renumber_part(&upload.id, part.part_number.unwrap_or(at), at)?;
            part.part_number = Some(at);
        }
        input.multipart_upload = Some(CompletedMultipartUpload { parts: Some(parts) });
        BLOBS.clone_into(&mut input.bucket);
        input.key.clone_from(&upload.blob);
        let answer = self.inner.complete_multipart_upload(req).await?;
        let mut output = match answer.output.future {
            Some(completion) => completion.await?,
            None => answer.output,
        };
        self.drop_parts(&upload);
        let e_tag = output.e_tag.clone().map(ETag::into_value).unwrap_or_default();
        output.bucket = Some(upload.bucket.clone());
        output.key = Some(upload.key.clone());
        output.location = Some(format!("/{}/{}", upload.bucket, upload.key));
        let new = NewObject { bucket: upload.bucket, key: upload.key, blob: upload.blob, size, e_tag };
        self.commit(new, &conditions, Happened::CompleteMultipartUpload)?;
        Ok(S3Response::new(output))
    }

    async fn abort_multipart_upload(
        &self,
        mut req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        let input = &mut req.input;
        let upload = self.index.take_upload(&input.upload_id, &input.bucket, &input.key)?;
        BLOBS.clone_into(&mut input.bucket);
        input.key.clone_from(&upload.blob);
        self.inner.abort_multipart_upload(req).await
    }
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
