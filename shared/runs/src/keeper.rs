use std::time::Duration;

use tokio::sync::watch;
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
    task: JoinHandle<()>,
    lost: CancellationToken,
    stop: DropGuard,
}

impl Runs {
    /// Renews `lease` every [`Self::RENEWAL`] with what `latest` holds at that moment.
    pub fn keep(&self, lease: Lease, latest: watch::Receiver<(Progress, Counts)>) -> Keeper {
        self.keep_every(Self::RENEWAL, lease, latest)
    }

    /// [`Self::keep`] with another interval, for tests and for who wants to see progress sooner.
    pub fn keep_every(&self, interval: Duration, lease: Lease, latest: watch::Receiver<(Progress, Counts)>) -> Keeper {
        let (lost, stop) = (CancellationToken::new(), CancellationToken::new());
        let work = renew(self.clone(), interval, lease, latest, lost.clone());
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            // A renewal that is cut off does no harm: the run's end and release make its condition fail.
            stopped.run_until_cancelled(work).await;
        });
        Keeper { task, lost, stop: stop.drop_guard() }
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
        drop(self.stop);
        // The task only ends early if it panicked, and it has nothing to hand over.
        let _ended = self.task.await;
    }
}

async fn renew(
    runs: Runs,
    interval: Duration,
    lease: Lease,
    latest: watch::Receiver<(Progress, Counts)>,
    lost: CancellationToken,
) {
    let mut renewed = Instant::now();
    loop {
        tokio::time::sleep(interval).await;
        let (progress, counts) = *latest.borrow();
        match runs.renew(&lease, &progress, &counts).await {
            Ok(()) => renewed = Instant::now(),
            Err(RunError::Lost { run }) => {
                tracing::warn!(run, "another worker has taken the run over");
                lost.cancel();
                return;
            }
            Err(RunError::Store(error)) if renewed.elapsed() >= Runs::LEASE => {
                tracing::warn!(run = lease.run, %error, "the lease has lapsed, as it could not be renewed: the work stops");
                lost.cancel();
                return;
            }
            Err(RunError::Store(error)) => {
                tracing::warn!(run = lease.run, %error, "the lease could not be renewed yet; trying again");
            }
        }
    }
}
