//! S3: the bytes lie with s3s-fs, one blob a put; which blob is which object stands in an index of our own. That makes
//! conditional writes serial, any key storable, a refused put leave the old object, and listings carry ETags.

mod index;
mod listing;
mod notifications;
mod store;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crosswalk_function_kit::{Clock, Entropy};
use http::{Request, Response};
use hyper::body::Incoming;
use s3s::auth::{S3Auth, SecretKey};
use s3s::service::{S3Service, S3ServiceBuilder};
use s3s::{Body, S3Result, s3_error};
use tempfile::TempDir;

use crate::sqs::Queues;
use crate::{ACCESS_KEY_ID, SECRET_ACCESS_KEY};
use index::Index;
use store::Store;

/// The one bucket that s3s-fs sees.
const BLOBS: &str = "blobs";

/// The service.
pub(crate) struct S3 {
    service: S3Service,
    /// Memory mode's blobs: gone with it.
    _temporary: Option<TempDir>,
}

impl std::fmt::Debug for S3 {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("S3")
    }
}

impl S3 {
    /// In a folder, or with a temporary one. Blobs that no object uses (a put that a kill cut short) are cleared away.
    pub(crate) fn open(
        folder: Option<&Path>,
        clock: Clock,
        entropy: Entropy,
        queues: Arc<Queues>,
    ) -> anyhow::Result<Self> {
        let index = Index::open(folder, clock)?;
        let (root, temporary) = match folder {
            Some(folder) => (folder.join("blobs"), None),
            None => {
                let folder = tempfile::tempdir().context("cannot make a temporary folder for S3")?;
                (folder.path().join("blobs"), Some(folder))
            }
        };
        let blobs = root.join(BLOBS);
        std::fs::create_dir_all(&blobs).with_context(|| format!("cannot make the folder {}", blobs.display()))?;
        let used = index.blobs();
        for file in std::fs::read_dir(&blobs).with_context(|| format!("cannot read {}", blobs.display()))? {
            let file = file?;
            let blob = file.file_name().to_string_lossy().into_owned();
            if !used.contains(&blob) {
                for path in blob_files(&root, &blob) {
                    let _ = std::fs::remove_file(path);
                }
            }
        }
        let inner = s3s_fs::FileSystem::new(&root).map_err(|error| anyhow::anyhow!("S3 does not open: {error:?}"))?;
        let mut builder = S3ServiceBuilder::new(Store::new(index, inner, root, entropy, queues));
        builder.set_auth(OneKey);
        Ok(Self { service: builder.build(), _temporary: temporary })
    }

    /// Answers a request.
    pub(crate) async fn answer(&self, request: Request<Incoming>) -> Response<Body> {
        match self.service.call(request.map(Body::from)).await {
            Ok(response) => response,
            Err(error) => {
                tracing::warn!(?error, "S3 could not answer");
                let mut response = Response::new(Body::empty());
                *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
                response
            }
        }
    }
}

/// A blob's own file and the two that s3s-fs keeps beside it.
fn blob_files(root: &Path, blob: &str) -> [PathBuf; 3] {
    let stem = format!(".bucket-{}.object-{}", URL_SAFE_NO_PAD.encode(BLOBS), URL_SAFE_NO_PAD.encode(blob));
    [
        root.join(BLOBS).join(blob),
        root.join(format!("{stem}.metadata.json")),
        root.join(format!("{stem}.internal.json")),
    ]
}

/// Takes the one key pair.
struct OneKey;

#[async_trait::async_trait]
impl S3Auth for OneKey {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key == ACCESS_KEY_ID {
            return Ok(SecretKey::from(SECRET_ACCESS_KEY));
        }
        Err(s3_error!(
            InvalidAccessKeyId,
            "The access key is not the embedded AWS's: `crosswalk env` prints the right one"
        ))
    }
}
