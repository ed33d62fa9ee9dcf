//! Stores what the plan says: mappings first, then who was seen.

use std::time::Duration;

use crosswalk_function_kit::{Clock, Deadline};
use crosswalk_identifier_store::{Change, IdentifierStore, Seen, Sighting, StoreError, Stored};
use crosswalk_identity::{ExternalId, System};
use crosswalk_reconcile::Outcome;
use crosswalk_runs::{Held, Progress};

use crate::harvest::{Watch, Watched};
use crate::naming::{Left, Wanted};
use crate::outcome::Tally;
use crate::plan::{Planned, Step, TOGETHER, What, conflict, request};
use crate::state::{self, State};

/// What is left of a function's time for its end: state, reports and record.
pub(crate) const LAST: Duration = Duration::from_secs(10);

/// Why a mapping was not stored, if the time was up.
const NOT_REACHED: &str = "not reached before the run's time was up; the next run goes on";

/// Where it is stored, and who is told.
pub(crate) struct Apply<'a> {
    /// It keeps ids: see [`IdentifierStore::keeping_ids`].
    pub(crate) store: &'a IdentifierStore,
    pub(crate) system: &'a System,
    /// NEMO's root, for the notes.
    pub(crate) source: &'a str,
    pub(crate) run: &'a str,
    pub(crate) held: &'a Held,
    pub(crate) clock: &'a Clock,
    pub(crate) deadline: Deadline,
    pub(crate) watch: Watch<'a>,
}

/// How far it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reached {
    /// All steps were taken, well or not, before the time was up.
    pub(crate) all: bool,
    /// All sightings are stored, as far as there is a mapping.
    pub(crate) all_seen: bool,
}

impl Apply<'_> {
    /// Takes all steps; `state` takes in what stands.
    pub(crate) async fn run(&self, planned: Planned, state: &mut State, tally: &mut Tally) -> Reached {
        let Planned { plan, due, unchanged, .. } = planned;
        let before = std::mem::replace(&mut state.users, unchanged);
        let of = plan.actions().len() as u64;
        let mut done = 0;
        let mut reached = Reached { all: true, all_seen: true };
        let (sightings, stores): (Vec<Step>, Vec<Step>) =
            plan.into_actions().into_iter().partition(|step| step.what == What::Seen);
        for steps in stores.chunks(TOGETHER) {
            let wanted: Vec<(&Step, &Wanted)> =
                steps.iter().filter_map(|step| Some((step, due.get(&step.id)?))).collect();
            if self.deadline.is_near(LAST) {
                reached = Reached { all: false, all_seen: false };
                wanted.iter().for_each(|(_, wanted)| tally.not_reached(wanted.left(Outcome::Skipped, NOT_REACHED)));
                continue;
            }
            for (wanted, stored) in self.store(&wanted).await {
                match stored {
                    Ok(outcome) => {
                        tally.mappings.add(outcome);
                        let seen = before.get(&wanted.id).and_then(|before| before.seen);
                        let stored = state::Stored { print: state::print(wanted), verified_at: self.clock.now(), seen };
                        state.users.insert(wanted.id, stored);
                    }
                    Err(left) => tally.left(left),
                }
            }
            done += steps.len() as u64;
            self.tell(done, of, tally);
        }
        for steps in sightings.chunks(TOGETHER) {
            if self.deadline.is_near(LAST) {
                reached = Reached { all: false, all_seen: false };
                tally.seen.get_or_insert_default().add_many(Outcome::Skipped, steps.len() as u64);
                continue;
            }
            reached.all_seen &= self.see(steps, state, tally).await;
            done += steps.len() as u64;
            self.tell(done, of, tally);
        }
        reached
    }

    fn tell(&self, done: u64, of: u64, tally: &Tally) {
        (self.watch)(Watched::Storing { done, of });
        #[expect(clippy::cast_precision_loss, reason = "a share for people to look at")]
        let percent = Some(100.0 * done as f64 / of as f64);
        self.held.tell(Progress { rows: done, bytes: 0, percent }, tally.counts());
    }

    async fn store<'a>(&self, wanted: &[(&Step, &'a Wanted)]) -> Vec<(&'a Wanted, Result<Outcome, Left>)> {
        let mut requests = Vec::with_capacity(wanted.len());
        let mut asked = Vec::with_capacity(wanted.len());
        for &(step, wanted) in wanted {
            // Notes of a mapping that stands are somebody's.
            let notes = match step.what {
                What::Create => Change::Set(format!("harvested from {}", self.source)),
                What::Update | What::Verify | What::Seen => Change::Keep,
            };
            // The plan refused what does not do.
            if let Ok(request) = request(wanted, self.system, notes, self.run) {
                requests.push(request);
                asked.push(wanted);
            }
        }
        let answers = Box::pin(self.store.store_many(requests)).await;
        let told = |wanted: &Wanted, answer: Result<Stored, StoreError>| match answer {
            Ok(Stored::Created(_)) => Ok(Outcome::Created),
            Ok(Stored::Updated { .. }) => Ok(Outcome::Updated),
            Ok(Stored::Verified(_)) => Ok(Outcome::Verified),
            // Somebody was faster than this run since it planned.
            Ok(Stored::Conflict { owner }) => Err(conflict(wanted, &owner, None)),
            Err(error) => Err(wanted.left(Outcome::Failed, error.to_string())),
        };
        asked.into_iter().zip(answers).map(|(wanted, answer)| (wanted, told(wanted, answer))).collect()
    }

    /// Stores when people were seen; whether none failed.
    async fn see(&self, steps: &[Step], state: &mut State, tally: &mut Tally) -> bool {
        let mut asked = Vec::with_capacity(steps.len());
        let mut sightings = Vec::with_capacity(steps.len());
        for step in steps {
            // Whose mapping could not be stored just now has none.
            let id = ExternalId::parse(&step.id.to_string()).ok().filter(|_| state.users.contains_key(&step.id));
            let Some((external_id, at)) = id.zip(step.at) else {
                tally.seen.get_or_insert_default().add(Outcome::Skipped);
                continue;
            };
            let (username, system) = (step.username.clone(), self.system.clone());
            sightings.push(Sighting { username, system, external_id, at });
            asked.push(step);
        }
        let mut all = true;
        for (step, answer) in asked.into_iter().zip(Box::pin(self.store.seen_many(&sightings)).await) {
            let outcome = match answer {
                Ok(Seen::Moved) => Outcome::Updated,
                Ok(Seen::Unchanged) => Outcome::Unchanged,
                Ok(Seen::NotFound) => {
                    // Somebody deleted it since it was stored: the next run looks at it anew.
                    state.users.remove(&step.id);
                    Outcome::Skipped
                }
                Err(error) => {
                    all = false;
                    tally.unseen(step.id, step.username.as_str(), error.to_string());
                    continue;
                }
            };
            if let Some(stored) = state.users.get_mut(&step.id) {
                stored.seen = stored.seen.max(step.at);
            }
            tally.seen.get_or_insert_default().add(outcome);
        }
        all
    }
}
