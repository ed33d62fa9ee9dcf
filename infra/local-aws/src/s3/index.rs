//! Which objects there are. The bytes of each put lie in a blob of their own; the index says which blob is an object's,
//! so that a put takes effect at one moment, conditions are checked at that moment, and any key can be stored.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crosswalk_function_kit::Clock;
use jiff::Timestamp;
use s3s::dto::{ETag, ETagCondition};
use s3s::{S3Result, s3_error};
use serde::{Deserialize, Serialize};

use super::notifications::Rule;
use crate::drawer::Drawer;

/// An object as it stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) blob: String,
    pub(super) size: u64,
    pub(super) e_tag: String,
    pub(super) last_modified: Timestamp,
    pub(super) sequencer: String,
}

/// A bucket without its objects.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Bucket {
    pub(super) name: String,
    pub(super) created: Timestamp,
    pub(super) rules: Vec<Rule>,
}

/// A multipart upload that was neither completed nor aborted.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Upload {
    pub(super) id: String,
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) blob: String,
    pub(super) initiated: Timestamp,
    pub(super) parts: BTreeMap<i32, UploadedPart>,
}

/// One part of an upload.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct UploadedPart {
    pub(super) e_tag: String,
    pub(super) size: u64,
    pub(super) last_modified: Timestamp,
}

/// What a put or completion makes.
#[derive(Debug)]
pub(super) struct NewObject {
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) blob: String,
    pub(super) size: u64,
    pub(super) e_tag: String,
}

/// `If-Match` and `If-None-Match` of a write.
#[derive(Debug, Default)]
pub(super) struct WriteConditions {
    pub(super) if_match: Option<ETagCondition>,
    pub(super) if_none_match: Option<ETagCondition>,
}

impl WriteConditions {
    fn check(&self, present: Option<&Entry>) -> S3Result<()> {
        if self.if_none_match.is_some() && present.is_some() {
            return Err(s3_error!(PreconditionFailed, "At least one of the pre-conditions you specified did not hold"));
        }
        match (&self.if_match, present) {
            (None, _) => Ok(()),
            (Some(_), None) => Err(s3_error!(NoSuchKey)),
            (Some(condition), Some(entry)) if matches(condition, &entry.e_tag) => Ok(()),
            (Some(_), Some(_)) => {
                Err(s3_error!(PreconditionFailed, "At least one of the pre-conditions you specified did not hold"))
            }
        }
    }
}

/// Whether a condition names this ETag.
pub(super) fn matches(condition: &ETagCondition, e_tag: &str) -> bool {
    condition.is_any() || condition.as_etag().is_some_and(|etag: &ETag| etag.value() == e_tag)
}

#[derive(Debug)]
struct State {
    buckets: BTreeMap<String, Bucket>,
    objects: BTreeMap<String, BTreeMap<String, Arc<Entry>>>,
    uploads: BTreeMap<String, Upload>,
    last_sequencer: u64,
}

/// Buckets, objects and uploads.
#[derive(Debug)]
pub(super) struct Index {
    clock: Clock,
    state: Mutex<State>,
    bucket_files: Drawer,
    object_files: Drawer,
    upload_files: Drawer,
}

impl Index {
    /// Reads what the folder holds, if there is one.
    pub(super) fn open(folder: Option<&Path>, clock: Clock) -> anyhow::Result<Self> {
        let bucket_files = Drawer::below(folder, "buckets")?;
        let object_files = Drawer::below(folder, "objects")?;
        let upload_files = Drawer::below(folder, "uploads")?;
        let mut state =
            State { buckets: BTreeMap::new(), objects: BTreeMap::new(), uploads: BTreeMap::new(), last_sequencer: 0 };
        for bucket in bucket_files.load::<Bucket>()? {
            state.objects.insert(bucket.name.clone(), BTreeMap::new());
            state.buckets.insert(bucket.name.clone(), bucket);
        }
        for entry in object_files.load::<Entry>()? {
            let sequencer = u64::from_str_radix(&entry.sequencer, 16).unwrap_or(0);
            state.last_sequencer = state.last_sequencer.max(sequencer);
            if let Some(objects) = state.objects.get_mut(&entry.bucket) {
                objects.insert(entry.key.clone(), Arc::new(entry));
            }
        }
        for upload in upload_files.load::<Upload>()? {
            state.uploads.insert(upload.id.clone(), upload);
        }
        Ok(Self { clock, state: Mutex::new(state), bucket_files, object_files, upload_files })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The blobs that belong to an object or an upload.
    pub(super) fn blobs(&self) -> HashSet<String> {
        let state = self.state();
        let objects = state.objects.values().flat_map(BTreeMap::values).map(|entry| entry.blob.clone());
        objects.chain(state.uploads.values().map(|upload| upload.blob.clone())).collect()
    }

    pub(super) fn create_bucket(&self, name: &str) -> S3Result<()> {
        let mut state = self.state();
        if state.buckets.contains_key(name) {
            return Err(s3_error!(BucketAlreadyOwnedByYou, "You already own this bucket"));
        }
        let bucket = Bucket { name: name.to_owned(), created: self.clock.now(), rules: Vec::new() };
        self.bucket_files.put(name, &bucket);
        state.buckets.insert(name.to_owned(), bucket);
        state.objects.insert(name.to_owned(), BTreeMap::new());
        Ok(())
    }

    pub(super) fn delete_bucket(&self, name: &str) -> S3Result<()> {
        let mut state = self.state();
        let objects = state.objects.get(name).ok_or_else(|| s3_error!(NoSuchBucket))?;
        if !objects.is_empty() {
            return Err(s3_error!(BucketNotEmpty, "The bucket you tried to delete is not empty"));
        }
        state.buckets.remove(name);
        state.objects.remove(name);
        self.bucket_files.remove(name);
        Ok(())
    }

    pub(super) fn buckets(&self) -> Vec<Bucket> {
        self.state().buckets.values().cloned().collect()
    }

    pub(super) fn bucket(&self, name: &str) -> S3Result<Bucket> {
        self.state().buckets.get(name).cloned().ok_or_else(|| s3_error!(NoSuchBucket))
    }

    pub(super) fn set_rules(&self, bucket: &str, rules: Vec<Rule>) -> S3Result<()> {
        let mut state = self.state();
        let bucket = state.buckets.get_mut(bucket).ok_or_else(|| s3_error!(NoSuchBucket))?;
        bucket.rules = rules;
        self.bucket_files.put(&bucket.name, bucket);
        Ok(())
    }

    /// The object, or NoSuchBucket, or NoSuchKey.
    pub(super) fn object(&self, bucket: &str, key: &str) -> S3Result<Arc<Entry>> {
        let state = self.state();
        let objects = state.objects.get(bucket).ok_or_else(|| s3_error!(NoSuchBucket))?;
        objects.get(key).cloned().ok_or_else(|| s3_error!(NoSuchKey, "The specified key does not exist."))
    }

    /// Refuses early what `commit` would refuse now, before the bytes are taken.
    pub(super) fn check(&self, bucket: &str, key: &str, conditions: &WriteConditions) -> S3Result<()> {
        let state = self.state();
        let objects = state.objects.get(bucket).ok_or_else(|| s3_error!(NoSuchBucket))?;
        conditions.check(objects.get(key).map(Arc::as_ref))
    }

    /// Makes an object out of a blob, if the conditions hold now; gives back what it replaced.
    pub(super) fn commit(
        &self,
        new: NewObject,
        conditions: &WriteConditions,
    ) -> S3Result<(Arc<Entry>, Option<Arc<Entry>>)> {
        let mut state = self.state();
        let sequencer = self.next_sequencer(&mut state);
        let objects = state.objects.get_mut(&new.bucket).ok_or_else(|| s3_error!(NoSuchBucket))?;
        conditions.check(objects.get(&new.key).map(Arc::as_ref))?;
        let entry = Arc::new(Entry {
            bucket: new.bucket,
            key: new.key,
            blob: new.blob,
            size: new.size,
            e_tag: new.e_tag,
            last_modified: self.clock.now(),
            sequencer,
        });
        self.object_files.put(&file_key(&entry.bucket, &entry.key), &*entry);
        let replaced = objects.insert(entry.key.clone(), Arc::clone(&entry));
        Ok((entry, replaced))
    }

    /// Takes an object away; gives back what it was, and the sequencer of the removal.
    pub(super) fn delete(&self, bucket: &str, key: &str) -> S3Result<Option<(Arc<Entry>, String)>> {
        let mut state = self.state();
        let sequencer = self.next_sequencer(&mut state);
        let objects = state.objects.get_mut(bucket).ok_or_else(|| s3_error!(NoSuchBucket))?;
        let removed = objects.remove(key);
        self.object_files.remove(&file_key(bucket, key));
        Ok(removed.map(|entry| (entry, sequencer)))
    }

    /// Greater than all before, also over a restart.
    fn next_sequencer(&self, state: &mut State) -> String {
        let now = u64::try_from(self.clock.now().as_microsecond()).unwrap_or(0);
        state.last_sequencer = now.max(state.last_sequencer + 1);
        format!("{:018X}", state.last_sequencer)
    }

    /// Lends a bucket's objects, sorted by key.
    pub(super) fn with_objects<T>(
        &self,
        bucket: &str,
        read: impl FnOnce(&BTreeMap<String, Arc<Entry>>) -> T,
    ) -> S3Result<T> {
        self.state().objects.get(bucket).map(read).ok_or_else(|| s3_error!(NoSuchBucket))
    }

    pub(super) fn add_upload(&self, upload: Upload) {
        self.upload_files.put(&upload.id, &upload);
        self.state().uploads.insert(upload.id.clone(), upload);
    }

    /// The upload, or NoSuchUpload.
    pub(super) fn upload(&self, id: &str, bucket: &str, key: &str) -> S3Result<Upload> {
        let state = self.state();
        let upload = state.uploads.get(id).filter(|upload| upload.bucket == bucket && upload.key == key);
        upload.cloned().ok_or_else(no_such_upload)
    }

    pub(super) fn add_part(&self, id: &str, number: i32, e_tag: String, size: u64) -> S3Result<Timestamp> {
        let last_modified = self.clock.now();
        let mut state = self.state();
        let upload = state.uploads.get_mut(id).ok_or_else(no_such_upload)?;
        upload.parts.insert(number, UploadedPart { e_tag, size, last_modified });
        self.upload_files.put(id, upload);
        Ok(last_modified)
    }

    /// Takes an upload away to complete or abort it; only one caller gets it.
    pub(super) fn take_upload(&self, id: &str, bucket: &str, key: &str) -> S3Result<Upload> {
        let mut state = self.state();
        let fits = state.uploads.get(id).is_some_and(|upload| upload.bucket == bucket && upload.key == key);
        if !fits {
            return Err(no_such_upload());
        }
        self.upload_files.remove(id);
        state.uploads.remove(id).ok_or_else(no_such_upload)
    }

    pub(super) fn uploads(&self, bucket: &str, prefix: &str) -> S3Result<Vec<Upload>> {
        let state = self.state();
        if !state.buckets.contains_key(bucket) {
            return Err(s3_error!(NoSuchBucket));
        }
        let uploads = state.uploads.values().filter(|it| it.bucket == bucket && it.key.starts_with(prefix));
        Ok(uploads.cloned().collect())
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

fn file_key(bucket: &str, key: &str) -> String {
    format!("{bucket}/{key}")
}

fn no_such_upload() -> s3s::S3Error {
    s3_error!(
        NoSuchUpload,
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or \
         completed."
    )
}
