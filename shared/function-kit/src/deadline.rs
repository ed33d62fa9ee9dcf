use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// When the invocation ends, if that is known. Local commands have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// No end is known.
    pub const NONE: Self = Self(None);

    /// So long from now.
    pub fn within(left: Duration) -> Self {
        Self(Some(Instant::now() + left))
    }

    /// From Lambda's context: milliseconds since the Unix epoch. One in the past is taken as unknown, as `cargo lambda
    /// watch` gives the constant 600,000.
    pub fn from_lambda(deadline_ms: u64, now: Timestamp) -> Self {
        let now_ms = u64::try_from(now.as_millisecond()).unwrap_or(0);
        match deadline_ms.checked_sub(now_ms) {
            Some(left) if left > 0 => Self::within(Duration::from_millis(left)),
            _ => Self::NONE,
        }
    }

    /// The same end, so much earlier.
    #[must_use]
    pub fn earlier(self, by: Duration) -> Self {
        Self(self.0.map(|end| end.checked_sub(by).unwrap_or_else(Instant::now)))
    }

    /// Whether less than `margin` is left.
    pub fn is_near(&self, margin: Duration) -> bool {
        self.0.is_some_and(|end| end.saturating_duration_since(Instant::now()) < margin)
    }

    /// Works until `margin` is left; none if that was not enough.
    pub async fn in_time<T>(self, margin: Duration, work: impl Future<Output = T>) -> Option<T> {
        match self.left() {
            Some(left) => tokio::time::timeout(left.saturating_sub(margin), work).await.ok(),
            None => Some(work.await),
        }
    }

    /// What is left, if an end is known.
    pub fn left(&self) -> Option<Duration> {
        self.0.map(|end| end.saturating_duration_since(Instant::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn comes_nearer() {
        let now: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        let epoch_ms = u64::try_from(now.as_millisecond()).unwrap();
        let deadline = Deadline::from_lambda(epoch_ms + 30_000, now);
        assert!(!deadline.is_near(Duration::from_secs(20)));
        assert!(deadline.earlier(Duration::from_secs(11)).is_near(Duration::from_secs(20)));
        assert_eq!(Deadline::NONE.earlier(Duration::from_secs(11)), Deadline::NONE);
        tokio::time::advance(Duration::from_secs(15)).await;
        assert!(deadline.is_near(Duration::from_secs(20)));
    }

    #[tokio::test(start_paused = true)]
    async fn work_is_broken_off_in_time() {
        let work = async |seconds| tokio::time::sleep(Duration::from_secs(seconds)).await;
        let (margin, began) = (Duration::from_secs(4), Instant::now());
        let deadline = Deadline::within(Duration::from_secs(10));
        assert_eq!(deadline.in_time(margin, work(5)).await, Some(()));
        assert_eq!(deadline.in_time(margin, work(5)).await, None);
        assert_eq!(began.elapsed().as_secs(), 6);
        assert_eq!(Deadline::NONE.in_time(margin, work(3600)).await, Some(()));
    }

    #[test]
    fn one_in_the_past_is_unknown() {
        let now: Timestamp = "2026-11-22T10:00:00Z".parse().unwrap();
        assert_eq!(Deadline::from_lambda(600_000, now), Deadline::NONE);
        assert!(!Deadline::NONE.is_near(Duration::from_secs(3600)));
    }
}
