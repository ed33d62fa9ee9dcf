//! Reports and states of runs: objects in the bucket or, without AWS, files in a folder.

use std::path::PathBuf;

use bytes::Bytes;

/// Where they are kept. A key such as `reports/<run>/summary.json` names an object, or a file below the folder.
#[derive(Debug, Clone)]
pub enum Files {
    /// In a bucket.
    Bucket {
        /// The client.
        client: aws_sdk_s3::Client,
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

impl Files {
    /// The whole of a file; none if there is none.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn get(&self, _key: &str) -> Result<Option<Bytes>, FilesError> {
        todo!()
    }

    /// Puts a file in the place of what was there: whoever reads sees the whole old or the whole new one.
    ///
    /// # Errors
    /// It cannot be written.
    pub async fn put(&self, _key: &str, _body: Bytes, _content_type: &str) -> Result<(), FilesError> {
        todo!()
    }
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
