//! When a message that was returned to its queue comes again. Left alone, that is after the queue's visibility timeout,
//! which has to outlast the longest import: an hour and a half for what may be over in ten seconds.

use std::time::Duration;

use aws_sdk_sqs::Client;
use crosswalk_function_kit::aws;

/// After the first failure.
const FIRST: Duration = Duration::from_secs(10);
/// How much longer each further one waits.
const FACTOR: u32 = 3;
/// The longest wait.
const LONGEST: Duration = Duration::from_secs(15 * 60);
/// How long the call may take: the message comes again without it too.
const PATIENCE: Duration = Duration::from_secs(5);

/// A message to be returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Returned<'a> {
    pub(crate) receipt: &'a str,
    /// How often it has been received, this time included.
    pub(crate) receives: u32,
    /// Whether trying again may help.
    pub(crate) may_pass: bool,
}

impl Returned<'_> {
    /// How long it stays hidden: at first seconds, then minutes; not at all where it is on its way to the dead-letter
    /// queue.
    fn wait(self) -> Duration {
        if !self.may_pass {
            return Duration::ZERO;
        }
        let failures = self.receives.max(1) - 1;
        FACTOR
            .checked_pow(failures)
            .and_then(|times| FIRST.checked_mul(times))
            .map_or(LONGEST, |wait| wait.min(LONGEST))
    }
}

/// Has the queue hand the message out again after its wait. What fails is logged: then the queue's own time counts.
pub(crate) async fn hide(client: &Client, queue_url: &str, message: Returned<'_>) {
    let seconds = i32::try_from(message.wait().as_secs()).unwrap_or(i32::MAX);
    let call = client.change_message_visibility().queue_url(queue_url).receipt_handle(message.receipt);
    let problem = match tokio::time::timeout(PATIENCE, call.visibility_timeout(seconds).send()).await {
        Ok(Ok(_)) => return tracing::info!(seconds, "the message comes again after its wait"),
        Ok(Err(error)) => aws::explain(&error),
        Err(_) => format!("SQS did not answer within {} s", PATIENCE.as_secs()),
    };
    tracing::warn!(problem, "the message's wait could not be set: it comes again after the queue's visibility timeout");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(may_pass: bool) -> Vec<u64> {
        let wait = |receives| Returned { receipt: "r", receives, may_pass }.wait().as_secs();
        [0, 1, 2, 3, 4, 5, 6, 1_000, u32::MAX].into_iter().map(wait).collect()
    }

    #[test]
    fn waits_grow_from_seconds_to_a_quarter_of_an_hour() {
        assert_eq!(waits(true), [10, 10, 30, 90, 270, 810, 900, 900, 900]);
    }

    #[test]
    fn what_no_repeat_helps_does_not_wait() {
        assert!(waits(false).iter().all(|seconds| *seconds == 0));
    }
}
