//! Retries with backoff and full jitter (backon), for what is transient only.

use std::time::Duration;

/// How long and how often to try again.
#[derive(Debug, Clone, Copy)]
pub struct Retries {
    /// The first pause; each next one is at most twice as long, and full jitter is drawn over each.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
    /// How often to try again after the first attempt.
    pub times: usize,
}

/// Calls `attempt` until it succeeds, fails for good (`transient` says no), or the retries are used up.
///
/// # Errors
/// The last attempt's error.
pub async fn retry<T, E, Fut>(
    _retries: Retries,
    _transient: impl Fn(&E) -> bool,
    _attempt: impl FnMut() -> Fut,
) -> Result<T, E>
where
    Fut: Future<Output = Result<T, E>>,
{
    todo!()
}
