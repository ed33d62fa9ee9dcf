//! Where a file is read from: a path, or an object in S3, as blocking readers.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::operation::head_object::HeadObjectOutput;
use crosswalk_function_kit::aws;
use crosswalk_function_kit::retry::{Retries, retry};
use tokio::runtime::Handle;

/// A file to import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// On this machine.
    File(PathBuf),
    /// In S3.
    Object {
        /// Its bucket.
        bucket: String,
        /// Its key, decoded.
        key: String,
        /// Its version, if the bucket keeps versions.
        version: Option<String>,
    },
}

/// As a run record names it.
impl std::fmt::Display for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Object { bucket, key, .. } => write!(f, "s3://{bucket}/{key}"),
        }
    }
}

/// Why a source does not read. The messages name neither key nor path: they are logged.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum SourceError {
    /// It will not read later either: the run ends with this.
    #[error("{0}")]
    Permanent(String),
    /// It may read a moment later: the delivery is repeated.
    #[error("{0}; try again")]
    Transient(String),
}

/// A source that was found.
pub(crate) struct Opened {
    pub(crate) reader: Box<dyn Read + Send>,
    pub(crate) size: u64,
}

/// Bytes that are asked of S3 at once. A reader is held back by its rows' work, for minutes at times, and S3 closes
/// connections that stand still: so each request is short.
const CHUNK: u64 = 4 * 1024 * 1024;

/// On top of the SDK's own retries, for answers that break off in the body.
const RETRIES: Retries = Retries { first: Duration::from_millis(200), longest: Duration::from_secs(5), times: 4 };

/// Finds a source of at most `limit` bytes. `etag` pins the content that an event told of.
pub(crate) async fn open(
    source: &Source,
    client: &Client,
    etag: Option<&str>,
    limit: u64,
) -> Result<Opened, SourceError> {
    match source {
        Source::File(path) => {
            let permanent = |error: io::Error| SourceError::Permanent(format!("the file cannot be opened: {error}"));
            let file = File::open(path).map_err(permanent)?;
            let size = file.metadata().map_err(permanent)?.len();
            check_size(size, limit)?;
            Ok(Opened { reader: Box::new(file), size })
        }
        Source::Object { bucket, key, version } => {
            let object =
                Object { client: client.clone(), bucket: bucket.clone(), key: key.clone(), version: version.clone() };
            let head = object.head().await?;
            let size = u64::try_from(head.content_length.unwrap_or(0)).unwrap_or(0);
            check_size(size, limit)?;
            let found = head.e_tag.unwrap_or_default();
            if etag.is_some_and(|told| plain(told) != plain(&found)) {
                return Err(SourceError::Permanent(
                    "the object was replaced after this event; the event of its new content imports it".to_owned(),
                ));
            }
            let reader = ObjectReader {
                object,
                etag: found,
                size,
                asked: 0,
                chunk: bytes::Bytes::new(),
                runtime: Handle::current(),
            };
            Ok(Opened { reader: Box::new(reader), size })
        }
    }
}

fn check_size(size: u64, limit: u64) -> Result<(), SourceError> {
    const MIB: u64 = 1024 * 1024;
    if size > limit {
        return Err(SourceError::Permanent(format!(
            "the file has {} MiB; at most {} are taken (CROSSWALK_MAX_FILE_MIB): split it, or raise the setting",
            size.div_ceil(MIB),
            limit / MIB
        )));
    }
    Ok(())
}

fn plain(etag: &str) -> &str {
    etag.trim_matches('"')
}

/// What an error that came through [`Read`] was.
pub(crate) fn behind(error: &io::Error) -> Option<&SourceError> {
    error.get_ref()?.downcast_ref()
}

struct Object {
    client: Client,
    bucket: String,
    key: String,
    version: Option<String>,
}

impl Object {
    async fn head(&self) -> Result<HeadObjectOutput, SourceError> {
        let head = self.client.head_object().bucket(&self.bucket).key(&self.key).set_version_id(self.version.clone());
        let answer = head.send().await;
        answer.map_err(|error| {
            let status = error.raw_response().map(|answer| answer.status().as_u16());
            match status {
                Some(404) => SourceError::Permanent("the object is gone: nothing was imported".to_owned()),
                // Without s3:ListBucket, S3 answers so for what is gone, too.
                Some(403) => SourceError::Permanent(
                    "S3 denies reading the object: it is gone, or this role lacks s3:GetObject on it".to_owned(),
                ),
                _ if aws::is_transient(&error) => {
                    SourceError::Transient(format!("S3 was busy for too long ({})", aws::explain(&error)))
                }
                _ => SourceError::Permanent(format!("S3 does not give the object: {}", aws::explain(&error))),
            }
        })
    }

    /// The bytes from `start` to before `end`, of the content that has this ETag.
    async fn range(&self, start: u64, end: u64, etag: &str) -> Result<bytes::Bytes, SourceError> {
        let changed = || {
            SourceError::Permanent(
                "the object was replaced while it was read: the rows above were imported, the event of its new content \
                 imports the rest"
                    .to_owned(),
            )
        };
        let get = self
            .client
            .get_object()
            .bucket(&self.bucket)
            .key(&self.key)
            .set_version_id(self.version.clone())
            .range(format!("bytes={start}-{}", end - 1))
            .if_match(etag);
        let answer =
            get.send().await.map_err(|error| match error.raw_response().map(|answer| answer.status().as_u16()) {
                Some(412) => changed(),
                Some(404 | 416) => SourceError::Permanent(
                    "the object was removed while it was read; the rows above were imported".to_owned(),
                ),
                _ if aws::is_transient(&error) => {
                    SourceError::Transient(format!("S3 was busy for too long ({})", aws::explain(&error)))
                }
                _ => SourceError::Permanent(format!("S3 does not give the object: {}", aws::explain(&error))),
            })?;
        // Not every S3 heeds If-Match on a read.
        if answer.e_tag.as_deref().is_some_and(|found| plain(found) != plain(etag)) {
            return Err(changed());
        }
        let body = answer.body.collect().await;
        let bytes =
            body.map_err(|error| SourceError::Transient(format!("S3's answer broke off ({error})")))?.into_bytes();
        if bytes.len() as u64 != end - start {
            return Err(SourceError::Transient("S3's answer was cut short".to_owned()));
        }
        Ok(bytes)
    }
}

/// Reads an object chunk by chunk, on a thread that may block.
struct ObjectReader {
    object: Object,
    etag: String,
    size: u64,
    asked: u64,
    chunk: bytes::Bytes,
    runtime: Handle,
}

impl Read for ObjectReader {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.chunk.is_empty() && self.asked < self.size {
            let end = (self.asked + CHUNK).min(self.size);
            let is_transient = |error: &SourceError| matches!(error, SourceError::Transient(_));
            let attempt = async || self.object.range(self.asked, end, &self.etag).await;
            self.chunk = self.runtime.block_on(retry(RETRIES, is_transient, attempt)).map_err(io::Error::other)?;
            self.asked = end;
        }
        let count = into.len().min(self.chunk.len());
        into[..count].copy_from_slice(&self.chunk.split_to(count));
        Ok(count)
    }
}
