//! The steps of a plan are taken, and what came of them is noted as it comes.

use std::collections::HashMap;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use crosswalk_function_kit::Deadline;
use crosswalk_reconcile::{Counts, Fingerprint, Plan};
use crosswalk_runs::{Held, Progress, WayError};
use futures::FutureExt;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::Step;
use crate::keeping::StateFile;
use crate::outcome::{Tally, Waiting};
use crate::state::State;
use crate::sync::{Watch, Watched};
use crate::target::bundle::bundles;
use crate::target::{Done, Target};

/// What a run needs to note what it did, of its invocation's time.
pub(crate) const LAST: Duration = Duration::from_secs(20);

/// When what is under way is dropped: a call that is repeated again and again may outlast [`LAST`].
const DROPPED: Duration = Duration::from_secs(12);

/// How often the state is kept while steps are taken: what a worker that dies did since is found again by the next run,
/// which needs a step more for it.
const KEEP_EVERY: Duration = Duration::from_secs(60);

const NOT_IN_TIME: &str = "not reached in the invocation's time; the next leg, or the next run, goes on";
const BROKE_OFF: &str = "not reached before the run broke off; the next run goes on";

/// What is needed to apply a plan.
pub(crate) struct Apply<'a> {
    pub(crate) target: &'a Target,
    pub(crate) held: &'a Held,
    pub(crate) file: &'a mut StateFile,
    pub(crate) watch: Watch<'a>,
}

/// How far it came.
#[derive(Debug)]
pub(crate) struct Reached {
    /// Why it could not go on, if it could not.
    pub(crate) broke: Option<String>,
    /// Whether all steps were reached.
    pub(crate) all: bool,
}

impl Apply<'_> {
    /// Takes the steps; `prints` tell what the accounts of their people are made of.
    ///
    /// # Errors
    /// The turn was lost, or the state cannot be kept: nothing may be done any more.
    pub(crate) async fn run(
        mut self,
        plan: Plan<Step>,
        mut prints: HashMap<Box<str>, Fingerprint>,
        state: &mut State,
        tally: &mut Tally,
        deadline: Deadline,
    ) -> Result<Reached, WayError> {
        if plan.is_empty() {
            return Ok(Reached { broke: None, all: true });
        }
        state.intend(plan.actions());
        self.keep(state).await?;
        let of = plan.actions().len() as u64;
        let absent = plan.actions().iter().map(Waiting::of).filter(Waiting::is_absent);
        let mut absent: HashMap<_, _> = absent.map(|waiting| (waiting.key().to_owned(), waiting)).collect();
        let target = self.target;
        let bundles = bundles(plan.into_actions());
        let (told, mut results) = mpsc::unbounded_channel::<Done>();
        // The sender goes with the work, so that the last result is known to be the last.
        let work = async move { target.apply(bundles, deadline.earlier(LAST), &told).await };
        let mut work = Some(work.boxed());
        let mut ended = None;
        let mut keeping = interval_at(Instant::now() + KEEP_EVERY, KEEP_EVERY);
        keeping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut over = std::pin::pin!(over(deadline));
        let (mut done, mut late) = (0, false);
        loop {
            let working = poll_fn(|context| work.as_mut().map_or(Poll::Pending, |work| work.poll_unpin(context)));
            tokio::select! {
                result = working => {
                    ended = Some(result);
                    work = None;
                }
                result = results.recv() => {
                    let Some(result) = result else { break };
                    let print = prints.remove(&result.step.key).unwrap_or(Fingerprint::UNKNOWN);
                    absent.remove(&*result.step.key);
                    state.note(&result, print);
                    tally.done(&result);
                    done += 1;
                    self.tell(done, of, tally.people);
                }
                _ = keeping.tick() => self.keep(state).await?,
                // What is under way takes too long: it is dropped, which the target allows, so that the rest is noted.
                () = &mut over, if !late => late = true,
            }
            if late {
                work = None;
            }
        }
        if matches!(ended, Some(Ok(()))) {
            // All that was begun was told of: of the others nothing was done.
            prints.keys().map(|key| &**key).chain(absent.keys().map(|key| &**key)).for_each(|key| state.not_begun(key));
        }
        let broke = match ended {
            Some(Err(error)) => Some(error.to_string()),
            Some(Ok(())) | None if done == 0 => Some(
                "no step could be taken in the invocation's time: give the function more time, or more memory"
                    .to_owned(),
            ),
            Some(Ok(())) | None => None,
        };
        let why = if broke.is_some() { BROKE_OFF } else { NOT_IN_TIME };
        let people = prints.into_keys().map(Waiting::person);
        people.chain(absent.into_values()).for_each(|waiting| tally.not_reached(&waiting, why));
        Ok(Reached { broke, all: done == of })
    }

    /// Keeps the state, if the turn is still ours.
    async fn keep(&mut self, state: &State) -> Result<(), WayError> {
        self.held.confirm().await?;
        self.file.save(state).await?;
        Ok(())
    }

    fn tell(&self, done: u64, of: u64, counts: Counts) {
        #[expect(clippy::cast_precision_loss, reason = "a percentage")]
        let percent = (of > 0).then(|| 100.0 * done as f64 / of as f64);
        self.held.tell(Progress { rows: done, bytes: 0, percent }, counts);
        (self.watch)(Watched::Applying { done, of });
    }
}

/// Ends when no more than [`DROPPED`] is left.
async fn over(deadline: Deadline) {
    match deadline.left() {
        Some(left) => tokio::time::sleep(left.saturating_sub(DROPPED)).await,
        None => std::future::pending().await,
    }
}
