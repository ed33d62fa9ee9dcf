//! Pacing of calls to a target's quota (governor).

use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use governor::clock::Clock;
use governor::middleware::NoOpMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep};

/// Tokio's clock for governor, so that a test which pauses time paces too.
#[derive(Clone)]
struct TokioClock {
    began: Instant,
}

impl Clock for TokioClock {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.began.elapsed()
    }
}

type Limiter = RateLimiter<NotKeyed, InMemoryState, TokioClock, NoOpMiddleware<<TokioClock as Clock>::Instant>>;

/// A pace of so many calls a second; clones share it.
#[derive(Clone)]
pub struct Pace {
    limiter: Arc<Limiter>,
    clock: TokioClock,
    /// Callers queue here, first come first served: only the one in front sleeps, so a free place wakes one caller and
    /// not all of them.
    turn: Arc<Mutex<()>>,
    calls: f64,
}

impl Pace {
    /// So many calls a second, spread evenly: at most a tenth of a second's calls (at least 1) go out at once. Anything
    /// under a call in a thousand seconds, and what is not a number, is that pace.
    pub fn per_second(calls: f64) -> Self {
        let calls = if calls.is_nan() { SLOWEST } else { calls.clamp(SLOWEST, FASTEST) };
        let clock = TokioClock { began: Instant::now() };
        let quota = Quota::with_period(Duration::from_secs_f64(1.0 / calls))
            .unwrap_or(Quota::per_second(NonZeroU32::MIN))
            .allow_burst(burst(calls));
        Self {
            limiter: Arc::new(RateLimiter::direct_with_clock(quota, clock.clone())),
            clock,
            turn: Arc::default(),
            calls,
        }
    }

    /// Waits for the next free place. Callers are served in the order in which they came.
    pub async fn wait(&self) {
        let _turn = self.turn.lock().await;
        while let Err(not_until) = self.limiter.check() {
            sleep(not_until.wait_time_from(self.clock.now())).await;
        }
    }
}

const SLOWEST: f64 = 0.001;
const FASTEST: f64 = 1e9;

/// A tenth of a second's calls, at least 1.
fn burst(calls: f64) -> NonZeroU32 {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0.0001 ..= 1e8 before")]
    let tenth = (calls / 10.0) as u32;
    NonZeroU32::new(tenth).unwrap_or(NonZeroU32::MIN)
}

impl fmt::Debug for Pace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Pace({}/s)", self.calls)
    }
}

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::*;

    async fn time_for(pace: &Pace, calls: usize) -> Duration {
        let began = Instant::now();
        join_all((0..calls).map(|_| pace.wait())).await;
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn many_callers_keep_the_pace_together() {
        let pace = Pace::per_second(50.0);
        // 5 go at once; the other 500 take 10 seconds.
        let took = time_for(&pace, 505).await;
        assert!(took >= Duration::from_secs(10) && took < Duration::from_millis(10_050), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn clones_share_the_pace() {
        let pace = Pace::per_second(10.0);
        let other = pace.clone();
        let began = Instant::now();
        futures::future::join(time_for(&pace, 10), time_for(&other, 11)).await;
        assert!(began.elapsed() >= Duration::from_secs(2), "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_pace_begins_at_once_and_then_waits() {
        let pace = Pace::per_second(0.5);
        assert_eq!(time_for(&pace, 1).await, Duration::ZERO);
        let took = time_for(&pace, 1).await;
        assert!(took >= Duration::from_secs(2) && took < Duration::from_millis(2_010), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_saves_up_no_more_than_a_tenth_of_a_second() {
        let pace = Pace::per_second(100.0);
        tokio::time::advance(Duration::from_secs(60)).await;
        assert_eq!(time_for(&pace, 10).await, Duration::ZERO);
        assert!(time_for(&pace, 10).await >= Duration::from_millis(100));
    }

    #[tokio::test(start_paused = true)]
    async fn nonsense_is_the_slowest_pace() {
        for calls in [0.0, -1.0, f64::NAN] {
            assert_eq!(format!("{:?}", Pace::per_second(calls)), "Pace(0.001/s)");
        }
        assert_eq!(time_for(&Pace::per_second(f64::INFINITY), 1_000).await, Duration::ZERO);
    }
}
