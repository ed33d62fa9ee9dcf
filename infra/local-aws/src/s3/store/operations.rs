//! The operations, as S3 documents them.

use s3s::dto::*;
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};

use super::{
    CopyConditions, ReadAsk, Store, checked_parts, last_modified, length, limit, listed_object, listing_encoder,
    part_number, refuse_version,
};
use crate::s3::index::{NewObject, Upload, WriteConditions};
use crate::s3::notifications::{self, Happened};
use crate::s3::{BLOBS, listing};

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
