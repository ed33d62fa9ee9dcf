//! Changes that are made one by one, several at once.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crosswalk_reconcile::{Fingerprint, Outcome};
use crosswalk_runs::report::Row;
use futures::{FutureExt, StreamExt, stream};

use super::{Applied, Apply, Broke, Turn};
use crate::glean::{self, SendError};
use crate::mapping::Kind;
use crate::plan::{Change, Planned, Step};
use crate::state::State;

/// So many requests in a row without an answer are not the people's fault: the rest is not tried.
const HOPELESS: usize = 50;

/// What is known of a plan's changes while they are made.
#[derive(Debug, Default)]
pub(super) struct Changes {
    marks: Vec<Mark>,
    succeeded: usize,
    /// Those that were never answered.
    unanswered: usize,
    /// What the last of them was told.
    last: String,
}

/// One step's.
#[derive(Debug)]
struct Mark {
    /// Whether the state notes the person or team as uncertain.
    is_uncertain: bool,
    /// What the state had before.
    before: Option<Fingerprint>,
    /// Whether Glean may have heard of it.
    begun: AtomicBool,
}

impl Changes {
    /// All changes of the plan are to be made: notes everybody who will be sent as uncertain. Who will be deleted stays as
    /// they are until they are.
    pub(super) fn begin(&mut self, planned: &Planned, state: &mut State) {
        let mark = |step: &Step| {
            let is_uncertain = step.change != Change::Delete;
            let prints = state.of_mut(step.kind);
            let before = prints.get(&step.key);
            if is_uncertain {
                prints.insert(&step.key, Fingerprint::UNKNOWN);
            }
            Mark { is_uncertain, before, begun: AtomicBool::new(false) }
        };
        self.marks = planned.plan.actions().iter().map(mark).collect();
    }

    /// Deletions alone are to be made.
    pub(super) fn begin_deletions(&mut self, planned: &Planned) {
        let mark = |_| Mark { is_uncertain: false, before: None, begun: AtomicBool::new(false) };
        self.marks = planned.plan.actions().iter().map(mark).collect();
    }

    /// Takes back the uncertainty about those of whom Glean never heard.
    pub(super) fn give_up(&self, planned: &Planned, state: &mut State) {
        for (step, mark) in planned.plan.actions().iter().zip(&self.marks) {
            if !mark.begun.load(Ordering::Relaxed) {
                mark.restore(step, state);
            }
        }
    }

    /// # Errors
    /// Something was tried, and nothing was answered: Glean cannot be reached, and a repeat may find it well.
    pub(super) fn unless_all_failed(&self) -> Result<(), Broke> {
        if self.succeeded == 0 && self.unanswered > 0 { Err(Broke::Failed(self.last.clone())) } else { Ok(()) }
    }
}

impl Mark {
    fn restore(&self, step: &Step, state: &mut State) {
        if !self.is_uncertain {
            return;
        }
        match self.before {
            Some(print) => {
                state.of_mut(step.kind).insert(&step.key, print);
            }
            None => state.of_mut(step.kind).remove(&step.key),
        }
    }
}

impl Apply<'_> {
    /// Makes the changes at these places of the plan. One failure stops none of the others, unless none is answered.
    pub(super) async fn make(
        &self,
        kind: Kind,
        places: &[usize],
        planned: &Planned,
        state: &mut State,
        applied: &mut Applied,
        changes: &mut Changes,
    ) -> Result<(), Broke> {
        let Changes { marks, succeeded, unanswered, last } = changes;
        let steps = planned.plan.actions();
        let (marks, turn, in_a_row) = (&*marks, &Turn(self.held), &AtomicUsize::new(0));
        let hopeful = places.iter().copied().take_while(|_| in_a_row.load(Ordering::Relaxed) < HOPELESS);
        let mut made = stream::iter(hopeful)
            .map(|at| async move {
                marks[at].begun.store(true, Ordering::Relaxed);
                (at, self.make_one(&steps[at], turn).await)
            })
            .buffer_unordered(self.connections.max(1));
        let mut done = 0;
        while let Some((at, result)) = made.next().await {
            let step = &steps[at];
            done += 1;
            if let Err(SendError::Unreachable(_)) = result {
                in_a_row.fetch_add(1, Ordering::Relaxed);
                *unanswered += 1;
            } else {
                in_a_row.store(0, Ordering::Relaxed);
            }
            match result {
                Ok(()) => {
                    *succeeded += 1;
                    self.note_success(step, state, applied);
                }
                Err(error) => {
                    *last = error.to_string();
                    if let SendError::Refused(_) | SendError::Denied(_) = error {
                        marks[at].restore(step, state);
                    }
                    self.note_failure(step, last, applied);
                    if let SendError::Stopped(_) | SendError::Denied(_) | SendError::Gone(_) = error {
                        return Err(Broke::Failed(last.clone()));
                    }
                }
            }
            self.tell(kind, done, places.len() as u64);
        }
        drop(made);
        if done < places.len() as u64 {
            return Err(Broke::Failed(format!(
                "{HOPELESS} requests in a row were not answered, and the rest was not tried: {last}"
            )));
        }
        Ok(())
    }

    async fn make_one(&self, step: &Step, turn: &Turn<'_>) -> Result<(), SendError> {
        let change = match (step.kind, step.change) {
            (Kind::Person, Change::Delete) => glean::Change::DeletePerson(&step.key),
            (Kind::Team, Change::Delete) => glean::Change::DeleteTeam(&step.key),
            (Kind::Person, _) => match self.person_at(&step.key) {
                Some(at) => glean::Change::IndexPerson(&self.desired.people[at]),
                None => return Ok(()),
            },
            (Kind::Team, _) => match self.team_at(&step.key) {
                Some(at) => glean::Change::IndexTeam(&self.desired.teams[at]),
                None => return Ok(()),
            },
        };
        self.glean.change(change, turn).boxed().await
    }

    fn note_success(&self, step: &Step, state: &mut State, applied: &mut Applied) {
        applied.sent = true;
        let (outcome, print) = match step.change {
            Change::Delete => {
                state.of_mut(step.kind).remove(&step.key);
                *applied.deleted(step.kind) += 1;
                return;
            }
            Change::Create(print) => (Outcome::Created, print),
            Change::Update(print) => (Outcome::Updated, print),
        };
        state.of_mut(step.kind).insert(&step.key, print);
        self.set(step, outcome, applied);
    }

    fn note_failure(&self, step: &Step, error: &str, applied: &mut Applied) {
        let what = if step.change == Change::Delete { "not deleted" } else { "not sent" };
        self.set(step, Outcome::Failed, applied);
        applied.failures.push(Row {
            kind: step.kind.as_str(),
            id: "".into(),
            name: step.key.clone(),
            outcome: Outcome::Failed,
            reason: format!("{what}: {error}").into(),
        });
    }

    fn set(&self, step: &Step, outcome: Outcome, applied: &mut Applied) {
        let slot = match step.kind {
            Kind::Person => self.person_at(&step.key).map(|at| &mut applied.people[at]),
            Kind::Team => self.team_at(&step.key).map(|at| &mut applied.teams[at]),
        };
        if let Some(slot) = slot {
            *slot = Some(outcome);
        }
    }

    /// People are sorted by e-mail.
    fn person_at(&self, email: &str) -> Option<usize> {
        self.desired.people.binary_search_by(|person| person.email.as_str().cmp(email)).ok()
    }

    /// Teams are sorted by id.
    fn team_at(&self, id: &str) -> Option<usize> {
        self.desired.teams.binary_search_by(|team| team.id.as_str().cmp(id)).ok()
    }
}
