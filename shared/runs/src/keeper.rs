use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{Counts, Lease, Progress, RunError, Runs};

/// Renews a lease in the background with the latest progress, until it is stopped, dropped or the lease is lost.
///
/// Throttling and broken connections are tried again, and the work goes on meanwhile; but when no renewal has succeeded
/// for as long as a lease holds, another worker may have the run, and it counts as lost.
#[derive(Debug)]
pub struct Keeper {
    lost: CancellationToken,
    renewing: Renewing,
}

impl Runs {
    /// Renews `lease` every [`Self::RENEWAL`] with what `latest` holds at that moment.
    pub fn keep(&self, lease: Lease, latest: watch::Receiver<(Progress, Counts)>) -> Keeper {
        self.keep_every(Self::RENEWAL, lease, latest)
    }

    /// [`Self::keep`] with another interval, for tests and for who wants to see progress sooner.
    pub fn keep_every(&self, interval: Duration, lease: Lease, latest: watch::Receiver<(Progress, Counts)>) -> Keeper {
        let vigil = Arc::new(Vigil::since(Instant::now()));
        let (runs, run, watched) = (self.clone(), lease.run.clone(), vigil.clone());
        let renewal = move || {
            let (runs, lease, vigil) = (runs.clone(), lease.clone(), watched.clone());
            let (progress, counts) = *latest.borrow();
            async move { vigil.renew(&lease.run, runs.renew(&lease, &progress, &counts)).await }
        };
        Keeper { lost: vigil.lost(), renewing: Renewing::every(interval, run, vigil, renewal) }
    }
}

impl Keeper {
    /// Is cancelled when another worker has, or may have, taken the run over; the work must then stop without an end.
    pub fn lost(&self) -> CancellationToken {
        self.lost.clone()
    }

    /// Whether another worker has, or may have, taken the run over.
    pub fn is_lost(&self) -> bool {
        self.lost.is_cancelled()
    }

    /// Stops renewing; when it returns, no renewal is under way. Do it before the run's end or release.
    pub async fn stop(self) {
        self.renewing.stop().await;
    }
}

/// Knows when a lease was renewed last, and whether it is lost. One renewal at a time: two of one worker would only
/// conflict with each other.
#[derive(Debug)]
pub(crate) struct Vigil {
    renewed: Mutex<Instant>,
    lost: CancellationToken,
}

impl Vigil {
    /// How long a first renewal after the lease's time may take: a machine that slept may still have its lease.
    const GRACE: Duration = Duration::from_secs(5);

    /// Over a lease that was claimed then.
    pub(crate) fn since(claimed: Instant) -> Self {
        Self { renewed: Mutex::new(claimed), lost: CancellationToken::new() }
    }

    pub(crate) fn lost(&self) -> CancellationToken {
        self.lost.clone()
    }

    /// Carries a renewal out. [`RunError::Lost`] if it says so, if it was said before, or if the lease's time passes
    /// meanwhile: the service may be out of reach, and the renewal hang, for longer than a lease holds.
    pub(crate) async fn renew(
        &self,
        run: &str,
        renewal: impl Future<Output = Result<(), RunError>>,
    ) -> Result<(), RunError> {
        let mut renewed = self.renewed.lock().await;
        if self.lost.is_cancelled() {
            return Err(RunError::Lost { run: run.to_owned() });
        }
        // The lease holds from some moment after this one.
        let (began, lapses) = (Instant::now(), *renewed + Runs::LEASE);
        let until = if began < lapses { lapses } else { began + Self::GRACE };
        match tokio::time::timeout_at(until, renewal).await {
            Ok(Ok(())) => {
                *renewed = began;
                Ok(())
            }
            Ok(Err(RunError::Lost { run })) => {
                tracing::warn!(run, "another worker has taken over");
                self.lost.cancel();
                Err(RunError::Lost { run })
            }
            Ok(Err(error)) if Instant::now() < lapses => Err(error),
            Ok(Err(error)) => Err(self.lapse(run, &error)),
            Err(elapsed) => Err(self.lapse(run, &elapsed)),
        }
    }

    /// How long the lease holds unless it is renewed.
    async fn left(&self) -> Duration {
        (*self.renewed.lock().await + Runs::LEASE).saturating_duration_since(Instant::now())
    }

    fn lapse(&self, run: &str, error: &dyn std::fmt::Display) -> RunError {
        tracing::warn!(run, %error, "the lease has lapsed, as it could not be renewed: the work stops");
        self.lost.cancel();
        RunError::Lost { run: run.to_owned() }
    }
}

/// Renewals in the background.
#[derive(Debug)]
pub(crate) struct Renewing {
    task: JoinHandle<()>,
    stop: DropGuard,
}

impl Renewing {
    /// Calls `renewal`, which renews by the vigil, until it is stopped, dropped, or the lease is lost.
    pub(crate) fn every<Fut>(
        interval: Duration,
        run: String,
        vigil: Arc<Vigil>,
        renewal: impl Fn() -> Fut + Send + 'static,
    ) -> Self
    where
        Fut: Future<Output = Result<(), RunError>> + Send,
    {
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let work = async move {
            let (mut pause, mut failing) = (interval, false);
            loop {
                tokio::time::sleep(pause).await;
                let left = vigil.left().await;
                if failing && left.is_zero() {
                    vigil.lapse(&run, &RunError::Lost { run: run.clone() });
                    return;
                }
                match renewal().await {
                    Ok(()) => (pause, failing) = (interval, false),
                    Err(RunError::Lost { .. }) => return,
                    Err(error) => {
                        tracing::warn!(run, %error, "the lease could not be renewed yet; trying again");
                        (pause, failing) = (interval.min(vigil.left().await), true);
                    }
                }
            }
        };
        let task = tokio::spawn(async move {
            // A renewal that is cut off does no harm: the run's end and release make its condition fail.
            stopped.run_until_cancelled(work).await;
        });
        Self { task, stop: stop.drop_guard() }
    }

    /// Stops; when it returns, no renewal is under way.
    pub(crate) async fn stop(self) {
        drop(self.stop);
        // The task only ends early if it panicked, and it has nothing to hand over.
        let _ended = self.task.await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use crosswalk_identifier_store::StoreError;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn busy() -> Result<(), RunError> {
        Err(StoreError::Busy("throttled".into()).into())
    }

    /// How long a lease, renewed every so often, is kept while each renewal goes as `renewal` says, by its number.
    async fn kept<Fut>(interval: Duration, renewal: impl Fn(usize) -> Fut + Send + 'static) -> Duration
    where
        Fut: Future<Output = Result<(), RunError>> + Send + 'static,
    {
        let began = Instant::now();
        let (vigil, calls) = (Arc::new(Vigil::since(began)), AtomicUsize::new(0));
        let (lost, watched) = (vigil.lost(), vigil.clone());
        let _renewing = Renewing::every(interval, "run".into(), vigil, move || {
            let (vigil, renewal) = (watched.clone(), renewal(calls.fetch_add(1, Ordering::SeqCst)));
            async move { vigil.renew("run", renewal).await }
        });
        let day = tokio::time::timeout(24 * 60 * 60 * SECOND, lost.cancelled()).await;
        day.map_or(Duration::MAX, |()| began.elapsed())
    }

    fn about(seconds: u32, took: Duration) -> bool {
        (seconds * SECOND..seconds * SECOND + SECOND / 10).contains(&took)
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_is_renewed_is_kept() {
        assert_eq!(kept(5 * SECOND, async |_| Ok(())).await, Duration::MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_cannot_be_renewed_is_lost_when_its_time_has_passed() {
        for interval in [5, 7, 15, 59] {
            let took = kept(interval * SECOND, async |_| busy()).await;
            assert!(about(60, took), "every {interval} s: {took:?}");
        }
        // One success among the failures begins the time anew.
        let took = kept(5 * SECOND, async |call| if call == 7 { Ok(()) } else { busy() }).await;
        assert!(about(40 + 60, took), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_that_hangs_does_not_keep_the_lease() {
        let took = kept(5 * SECOND, async |_| std::future::pending().await).await;
        assert!(about(60, took), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_success_counts_from_when_it_was_sent() {
        let slow = async |call| match call {
            0 => {
                tokio::time::sleep(40 * SECOND).await;
                Ok(())
            }
            _ => busy(),
        };
        let took = kept(5 * SECOND, slow).await;
        assert!(about(5 + 60, took), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_machine_that_slept_asks_first() {
        let vigil = Vigil::since(Instant::now());
        tokio::time::advance(600 * SECOND).await;
        vigil.renew("run", async { Ok(()) }).await.unwrap();
        tokio::time::advance(600 * SECOND).await;
        assert!(matches!(vigil.renew("run", async { busy() }).await, Err(RunError::Lost { .. })));
        // Once lost, always lost.
        assert!(matches!(vigil.renew("run", async { Ok(()) }).await, Err(RunError::Lost { .. })));
    }
}
