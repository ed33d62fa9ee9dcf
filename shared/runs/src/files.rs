//! Reports and states of runs: objects in the bucket or, without AWS, files in a folder.

use std::io::{ErrorKind, Read as _, Seek as _, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use crosswalk_function_kit::aws;
use crosswalk_function_kit::retry::{Retries, retry};

use crate::on_disk;

/// A client for the bucket. An endpoint of one's own, an emulator's, has no host name a bucket.
pub fn s3_client(config: &SdkConfig) -> Client {
    let path_style = config.endpoint_url().is_some();
    Client::from_conf(aws_sdk_s3::config::Builder::from(config).force_path_style(path_style).build())
}

/// Where they are kept. A key such as `reports/<run>/summary.json` names an object, or a file below the folder.
///
/// A key is parts with `/` between them. Parts that are empty, `.` or `..`, or hold a backslash, a colon or a control
/// character, are refused in a bucket too, so that what works in one place works in the other.
#[derive(Debug, Clone)]
pub enum Files {
    /// In a bucket.
    Bucket {
        /// The client. Its own retries are those of each call.
        client: Client,
        /// The bucket's name.
        bucket: String,
    },
    /// Below a folder, which is made when something is put.
    Folder(PathBuf),
}

/// A file could not be read or written. The message says which and why, and what to do where permissions are missing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FilesError(pub String);

/// What came of asking for a part of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// These bytes: fewer than asked for only where the file ends before.
    Bytes(Bytes),
    /// The file is another one by now, or gone, or ends before the part begins.
    Changed,
}

/// For an object whose first bytes came and whose rest did not: the SDK repeats a call only until its answer begins.
const BODIES: Retries = Retries { first: Duration::from_millis(100), longest: Duration::from_secs(2), times: 4 };

/// What listing takes.
const LISTING: &str = "s3:ListBucket on the bucket";

/// What reading takes.
const READING: &str = "s3:GetObject, and s3:ListBucket on the bucket, without which an object that does not exist is forbidden \
                       too";

/// Why an attempt to read an object failed.
enum Failure {
    /// In the middle of its content.
    Body(FilesError),
    Final(FilesError),
}

impl Files {
    /// The whole of a file; none if there is none.
    ///
    /// # Errors
    /// It cannot be read, or the key is not one.
    pub async fn get(&self, key: &str) -> Result<Option<Bytes>, FilesError> {
        self.check(key)?;
        match self {
            Self::Bucket { client, bucket } => {
                let attempt = || self.object(client, bucket, key);
                // Boxed, as the put below: callers nest these futures deeply in theirs.
                let got = Box::pin(retry(BODIES, |failure| matches!(failure, Failure::Body(_)), attempt)).await;
                got.map_err(|failure| match failure {
                    Failure::Body(error) | Failure::Final(error) => error,
                })
            }
            Self::Folder(folder) => {
                let path = folder.join(key);
                blocking(move || read(&path)).await
            }
        }
    }

    /// Puts a file in the place of what was there: whoever reads sees the whole old or the whole new one.
    ///
    /// # Errors
    /// It cannot be written, or the key is not one.
    pub async fn put(&self, key: &str, body: Bytes, content_type: &str) -> Result<(), FilesError> {
        self.put_tagged(key, body, content_type).await?;
        Ok(())
    }

    /// [`Self::put`], with the tag by which [`Self::get_part`] knows this very content; a folder has none.
    ///
    /// # Errors
    /// As a put.
    pub async fn put_tagged(&self, key: &str, body: Bytes, content_type: &str) -> Result<Option<String>, FilesError> {
        self.check(key)?;
        match self {
            Self::Bucket { client, bucket } => {
                let put = client.put_object().bucket(bucket).key(key).content_type(content_type);
                let put = Box::pin(put.body(ByteStream::from(body)).send()).await;
                let put = put.map_err(|error| self.cannot("write", key, &with_permissions(&error, "s3:PutObject")))?;
                Ok(put.e_tag)
            }
            Self::Folder(folder) => {
                let path = folder.join(key);
                blocking(move || on_disk::replace(&path, &body).map_err(FilesError)).await?;
                Ok(None)
            }
        }
    }

    /// A part of a file that is, if a tag is given, still the one that was put under it. The part must not be empty.
    ///
    /// # Errors
    /// It cannot be read, or the key is not one.
    pub async fn get_part(&self, key: &str, part: Range<u64>, etag: Option<&str>) -> Result<Part, FilesError> {
        self.check(key)?;
        match self {
            Self::Bucket { client, bucket } => {
                let attempt = || self.part_of_object(client, bucket, key, &part, etag);
                let got = Box::pin(retry(BODIES, |failure| matches!(failure, Failure::Body(_)), attempt)).await;
                got.map_err(|failure| match failure {
                    Failure::Body(error) | Failure::Final(error) => error,
                })
            }
            Self::Folder(folder) => {
                let path = folder.join(key);
                blocking(move || read_part(&path, part)).await
            }
        }
    }

    /// The keys right below a prefix, which ends with `/`, in alphabetical order.
    ///
    /// # Errors
    /// They cannot be listed, or the prefix is none.
    pub async fn keys(&self, prefix: &str) -> Result<Vec<String>, FilesError> {
        let folder = prefix.strip_suffix('/').unwrap_or_default();
        self.check(folder)?;
        match self {
            Self::Bucket { client, bucket } => {
                let pages =
                    client.list_objects_v2().bucket(bucket).prefix(prefix).delimiter("/").into_paginator().send();
                let pages = Box::pin(pages.try_collect()).await;
                let pages = pages.map_err(|error| self.cannot("list", prefix, &with_permissions(&error, LISTING)))?;
                let objects = pages.iter().flat_map(|page| page.contents());
                Ok(objects.filter_map(|object| object.key().map(str::to_owned)).collect())
            }
            Self::Folder(root) => {
                let path = root.join(folder);
                let prefix = prefix.to_owned();
                blocking(move || list(&path, &prefix)).await
            }
        }
    }

    async fn object(&self, client: &aws_sdk_s3::Client, bucket: &str, key: &str) -> Result<Option<Bytes>, Failure> {
        match client.get_object().bucket(bucket).key(key).send().await {
            Ok(answer) => match answer.body.collect().await {
                Ok(body) => Ok(Some(body.into_bytes())),
                Err(error) => Err(Failure::Body(self.cannot("read", key, &format!("the answer broke off: {error}")))),
            },
            Err(error) if error.as_service_error().is_some_and(|error| error.is_no_such_key()) => Ok(None),
            Err(error) => Err(Failure::Final(self.cannot("read", key, &with_permissions(&error, READING)))),
        }
    }

    async fn part_of_object(
        &self,
        client: &aws_sdk_s3::Client,
        bucket: &str,
        key: &str,
        part: &Range<u64>,
        etag: Option<&str>,
    ) -> Result<Part, Failure> {
        // Both ends are counted in: RFC 9110, 14.1.2.
        let range = format!("bytes={}-{}", part.start, part.end.saturating_sub(1));
        let get = client.get_object().bucket(bucket).key(key).range(range).set_if_match(etag.map(str::to_owned));
        match get.send().await {
            Ok(answer) => match answer.body.collect().await {
                Ok(body) => Ok(Part::Bytes(body.into_bytes())),
                Err(error) => Err(Failure::Body(self.cannot("read", key, &format!("the answer broke off: {error}")))),
            },
            // No such key, another tag, a range after its end.
            Err(error) if matches!(status(&error), Some(404 | 412 | 416)) => Ok(Part::Changed),
            Err(error) => Err(Failure::Final(self.cannot("read", key, &with_permissions(&error, READING)))),
        }
    }

    fn check(&self, key: &str) -> Result<(), FilesError> {
        let bad = |part: &str| {
            matches!(part, "" | "." | "..") || part.contains(|c: char| matches!(c, '\\' | ':') || c.is_control())
        };
        if key.split('/').any(bad) {
            return Err(FilesError(format!(
                "{key:?} is no key: it takes parts with `/` between them, none of them empty, `.` or `..`, and without \
                 backslashes, colons and control characters"
            )));
        }
        Ok(())
    }

    fn cannot(&self, what: &str, key: &str, why: &str) -> FilesError {
        FilesError(format!("cannot {what} {self}/{key}: {why}"))
    }
}

/// What a failed call answered, and, if it was forbidden, which permissions it takes.
fn with_permissions<E>(error: &SdkError<E, aws_sdk_s3::config::http::HttpResponse>, permissions: &str) -> String
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let why = aws::explain(error);
    match status(error) {
        Some(403) => format!("{why}; this takes the permission {permissions}"),
        _ => why,
    }
}

fn status<E>(error: &SdkError<E, aws_sdk_s3::config::http::HttpResponse>) -> Option<u16> {
    error.raw_response().map(|answer| answer.status().as_u16())
}

fn list(folder: &Path, prefix: &str) -> Result<Vec<String>, FilesError> {
    let cannot = |error: &std::io::Error| FilesError(on_disk::cannot("list", folder, error));
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(cannot(&error)),
    };
    let mut keys = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| cannot(&error))?;
        if entry.path().is_file()
            && let Some(name) = entry.file_name().to_str()
        {
            keys.push(format!("{prefix}{name}"));
        }
    }
    keys.sort();
    Ok(keys)
}

fn read(path: &Path) -> Result<Option<Bytes>, FilesError> {
    match std::fs::read(path) {
        Ok(body) => Ok(Some(body.into())),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(FilesError(on_disk::cannot("read", path, &error))),
    }
}

fn read_part(path: &Path, part: Range<u64>) -> Result<Part, FilesError> {
    let read = (|| {
        let mut file = std::fs::File::open(path)?;
        if file.metadata()?.len() <= part.start {
            return Ok(Part::Changed);
        }
        file.seek(SeekFrom::Start(part.start))?;
        let mut bytes = Vec::new();
        file.take(part.end.saturating_sub(part.start)).read_to_end(&mut bytes)?;
        Ok(Part::Bytes(bytes.into()))
    })();
    match read {
        Err(error) if std::io::Error::kind(&error) == ErrorKind::NotFound => Ok(Part::Changed),
        read => read.map_err(|error| FilesError(on_disk::cannot("read", path, &error))),
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FilesError> + Send + 'static,
) -> Result<T, FilesError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(FilesError(format!("the work on a file broke off: {error}"))))
}

/// Where the place is: `s3://bucket` or the folder's path.
impl std::fmt::Display for Files {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bucket { bucket, .. } => write!(f, "s3://{bucket}"),
            Self::Folder(folder) => write!(f, "{}", folder.display()),
        }
    }
}
