//! What Lambda's event source mapping does, for a local queue: takes messages, calls a handler with the SQS event (JSON,
//! batch of 1), deletes what was not returned in `batchItemFailures`.

use aws_config::SdkConfig;
use serde_json::Value;
use tokio::sync::watch;

/// Polls until `stop` turns true. A handler that fails, or returns its message, lets the message come again after the
/// queue's visibility timeout.
pub async fn poll<H, F>(
    _config: &SdkConfig,
    _queue_url: &str,
    _concurrency: usize,
    _handler: H,
    _stop: watch::Receiver<bool>,
) where
    H: Fn(Value) -> F + Send + Sync + 'static,
    F: Future<Output = anyhow::Result<Value>> + Send + 'static,
{
    todo!()
}
