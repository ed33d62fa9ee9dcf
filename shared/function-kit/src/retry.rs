//! Retries with backoff and full jitter (backon), for what is transient only.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder, Retryable};

/// How long and how often to try again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// The first pause; each next one is at most twice as long, and full jitter is drawn over each.
    pub first: Duration,
    /// The longest pause.
    pub longest: Duration,
    /// How often to try again after the first attempt.
    pub times: usize,
}

/// For one call to a service: 8 more attempts, over half a minute at the very most and half of that usually.
impl Default for Retries {
    fn default() -> Self {
        Self { first: Duration::from_millis(100), longest: Duration::from_secs(8), times: 8 }
    }
}

impl Retries {
    /// The pauses, one an attempt. Backon's own jitter lies on top of each whole pause, so callers that were throttled
    /// together would stay together for the whole of it; what is left without the pause itself is full jitter.
    fn pauses(self) -> impl Iterator<Item = Duration> + Send + Sync + Unpin {
        let plain = ExponentialBuilder::new()
            .with_min_delay(self.first.min(self.longest))
            .with_max_delay(self.longest)
            .with_max_times(self.times);
        plain.with_jitter().build().zip(plain.build()).map(|(jittered, pause)| jittered.saturating_sub(pause))
    }
}

/// Gives backon the pauses above each time that it starts over.
struct FullJitter(Retries);

impl BackoffBuilder for FullJitter {
    type Backoff = Box<dyn Iterator<Item = Duration> + Send + Sync + Unpin>;

    fn build(self) -> Self::Backoff {
        Box::new(self.0.pauses())
    }
}

/// Calls `attempt` until it succeeds, fails for good (`transient` says no), or the retries are used up.
///
/// # Errors
/// The last attempt's error.
pub async fn retry<T, E, Fut>(
    retries: Retries,
    transient: impl Fn(&E) -> bool,
    attempt: impl FnMut() -> Fut,
) -> Result<T, E>
where
    Fut: Future<Output = Result<T, E>>,
{
    attempt.retry(FullJitter(retries)).sleep(tokio::time::sleep).when(|error| transient(error)).await
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::time::Instant;

    use super::*;

    const RETRIES: Retries = Retries { first: Duration::from_secs(1), longest: Duration::from_secs(4), times: 4 };

    /// Fails `failures` times with `error`, and tells how often it was called and how long that took.
    async fn attempts(failures: usize, error: &'static str) -> (Result<usize, &'static str>, usize, Duration) {
        let calls = AtomicUsize::new(0);
        let began = Instant::now();
        let result = retry(
            RETRIES,
            |error| *error == "transient",
            async || {
                let call = calls.fetch_add(1, Ordering::Relaxed);
                if call < failures { Err(error) } else { Ok(call) }
            },
        )
        .await;
        (result, calls.into_inner(), began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_transient_is_tried_again() {
        let (result, calls, took) = attempts(3, "transient").await;
        assert_eq!((result, calls), (Ok(3), 4));
        assert!(took <= Duration::from_millis(7_003), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_permanent_is_not() {
        assert_eq!(attempts(1, "permanent").await, (Err("permanent"), 1, Duration::ZERO));
    }

    #[tokio::test(start_paused = true)]
    async fn it_gives_up() {
        let (result, calls, _) = attempts(usize::MAX, "transient").await;
        assert_eq!((result, calls), (Err("transient"), 5));
    }

    #[test]
    fn jitter_is_drawn_over_each_whole_pause() {
        let mut most = [Duration::ZERO; 4];
        let mut least = [Duration::MAX; 4];
        for _ in 0..500 {
            let drawn: Vec<_> = RETRIES.pauses().collect();
            assert_eq!(drawn.len(), 4);
            for (at, pause) in drawn.into_iter().enumerate() {
                most[at] = most[at].max(pause);
                least[at] = least[at].min(pause);
            }
        }
        for (at, whole) in [1, 2, 4, 4].map(Duration::from_secs).into_iter().enumerate() {
            assert!(most[at] <= whole && most[at] > whole.mul_f32(0.9), "{at}: {:?} of {whole:?}", most[at]);
            assert!(least[at] < whole.mul_f32(0.1), "{at}: {:?} of {whole:?}", least[at]);
        }
    }
}
