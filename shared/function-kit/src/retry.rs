//! Retries with backoff and full jitter (backon), for what is transient only.

use std::time::Duration;

use backon::{BackoffBuilder, ExponentialBuilder, Retryable};
use tokio::task::futures::TaskLocalFuture;

use crate::Deadline;

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

tokio::task_local! {
    /// Which attempt of the innermost [`retry`] is under way, from 1.
    static ATTEMPT: usize;
}

/// Whether what is done now is done again, for [`crate::traffic`].
pub(crate) fn is_repeat() -> bool {
    ATTEMPT.try_with(|attempt| *attempt > 1).unwrap_or(false)
}

/// Numbers the attempts.
fn numbered<Fut: Future>(mut attempt: impl FnMut() -> Fut) -> impl FnMut() -> TaskLocalFuture<usize, Fut> {
    let mut number = 0;
    move || {
        number += 1;
        ATTEMPT.scope(number, attempt())
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
    numbered(attempt).retry(FullJitter(retries)).sleep(tokio::time::sleep).when(|error| transient(error)).await
}

/// The longest wait that the other side is granted, whatever it asks for.
pub const LONGEST_TOLD: Duration = Duration::from_secs(5 * 60);

/// As [`retry`], where the other side may say in an error how long to stay away (`told`: Retry-After). It is then left
/// alone at least that long, [`LONGEST_TOLD`] at most, and the pause that would have been taken anyway lies on top, so that
/// callers who were told the same do not come back together. A pause that would not end before `deadline` is not begun:
/// the error comes at once, while there is time to deal with it.
///
/// # Errors
/// The last attempt's error.
pub async fn retry_as_told<T, E, Fut>(
    retries: Retries,
    deadline: Deadline,
    transient: impl Fn(&E) -> bool,
    told: impl Fn(&E) -> Option<Duration>,
    attempt: impl FnMut() -> Fut,
) -> Result<T, E>
where
    Fut: Future<Output = Result<T, E>>,
{
    let pause = |error: &E, pause: Option<Duration>| {
        let pause = pause? + told(error).unwrap_or_default().min(LONGEST_TOLD);
        deadline.left().is_none_or(|left| pause < left).then_some(pause)
    };
    let attempts = numbered(attempt).retry(FullJitter(retries)).sleep(tokio::time::sleep);
    attempts.when(|error| transient(error)).adjust(pause).await
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

    /// Fails `failures` times, asking to be left alone for `told`; the deadline is `left` away.
    async fn told_attempts(
        failures: usize,
        told: Option<Duration>,
        left: Option<Duration>,
    ) -> (Result<usize, &'static str>, usize, Duration) {
        let calls = AtomicUsize::new(0);
        let began = Instant::now();
        let deadline = left.map_or(Deadline::NONE, Deadline::within);
        let result = retry_as_told(
            RETRIES,
            deadline,
            |error| *error == "transient",
            |_| told,
            async || {
                let call = calls.fetch_add(1, Ordering::Relaxed);
                if call < failures { Err("transient") } else { Ok(call) }
            },
        )
        .await;
        (result, calls.into_inner(), began.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_to_be_left_alone_is() {
        for _ in 0..20 {
            let (result, _, took) = told_attempts(2, Some(Duration::from_secs(30)), None).await;
            assert_eq!(result, Ok(2));
            // Two waits, and two pauses of at most 1 and 2 seconds; tokio's timer rounds each up to a millisecond.
            assert!(took >= Duration::from_secs(60) && took <= Duration::from_millis(63_002), "{took:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn but_for_five_minutes_at_most() {
        let (result, _, took) = told_attempts(1, Some(Duration::MAX), None).await;
        assert_eq!(result, Ok(1));
        assert!(took >= LONGEST_TOLD && took <= LONGEST_TOLD + Duration::from_millis(1_001), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_for_nothing_gets_the_usual_pauses() {
        let (result, calls, took) = told_attempts(usize::MAX, None, None).await;
        assert_eq!((result, calls), (Err("transient"), 5));
        assert!(took <= Duration::from_millis(11_004), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_wait_past_the_deadline_is_not_begun() {
        let wait = Some(Duration::from_secs(30));
        assert_eq!(told_attempts(2, wait, wait).await, (Err("transient"), 1, Duration::ZERO));
        let (result, calls, took) = told_attempts(3, wait, Some(Duration::from_secs(60))).await;
        assert_eq!((result, calls), (Err("transient"), 2));
        assert!(took < Duration::from_secs(32), "{took:?}");
        assert_eq!(told_attempts(2, wait, Some(Duration::from_secs(90))).await.0, Ok(2));
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
