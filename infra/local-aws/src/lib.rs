//! The embedded AWS: one endpoint on loopback, in memory or in a folder.

pub mod event_source;
pub mod provision;
pub mod testbed;

use std::path::PathBuf;

use aws_config::SdkConfig;
use serde::Serialize;

/// The region that the embedded AWS says it is.
pub const REGION: &str = "us-east-1";
/// The access key that it takes; a request must be signed with it for S3.
pub const ACCESS_KEY_ID: &str = "crosswalk";
/// The secret key that belongs to it.
pub const SECRET_ACCESS_KEY: &str = "crosswalk-local";
/// The account that it says it is.
pub const ACCOUNT_ID: &str = "000000000000";

/// Where the embedded AWS keeps what it is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// Nowhere: gone when it stops.
    Memory,
    /// In a folder, which is locked while it runs; everything survives a restart.
    Folder(PathBuf),
}

/// A running embedded AWS, on a thread and runtime of its own (a server that is started inside a test's runtime dies with
/// it). Dropping it stops it.
#[derive(Debug)]
pub struct LocalAws {}

/// A mail that the embedded SES took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mail {
    /// The sender.
    pub from: String,
    /// The recipients.
    pub to: Vec<String>,
    /// The subject.
    pub subject: String,
    /// The text part.
    pub text: Option<String>,
    /// The HTML part.
    pub html: Option<String>,
}

impl LocalAws {
    /// Starts it on 127.0.0.1, on `port` or on any free one (0), and returns when it serves.
    ///
    /// # Errors
    /// The port is taken, the folder is locked by another process (the message names it), or it does not read.
    pub fn start(_storage: Storage, _port: u16) -> anyhow::Result<Self> {
        todo!()
    }

    /// `http://127.0.0.1:<port>`, for every SDK and the AWS CLI (`AWS_ENDPOINT_URL`).
    pub fn endpoint(&self) -> &str {
        todo!()
    }

    /// An SDK configuration that talks to it.
    pub fn sdk_config(&self) -> SdkConfig {
        todo!()
    }

    /// Makes the next `times` calls of a Cognito operation answer TooManyRequestsException.
    pub fn throttle_cognito(&self, _operation: &str, _times: u32) {
        todo!()
    }
}

/// An SDK configuration for any AWS-like endpoint on loopback, with the embedded AWS's keys.
pub fn sdk_config_for(_endpoint: &str) -> SdkConfig {
    todo!()
}

/// The mails that the embedded SES at `endpoint` took, oldest first.
pub async fn mails(_endpoint: &str) -> anyhow::Result<Vec<Mail>> {
    todo!()
}
