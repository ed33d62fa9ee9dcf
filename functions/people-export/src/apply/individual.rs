//! Only what changed, one by one: people, then teams, then who left.

use std::sync::atomic::{AtomicUsize, Ordering};

use crosswalk_reconcile::{Action, Outcome};
use futures::{StreamExt, stream};

use super::{Applied, Apply, Broke, Turn};
use crate::glean::{self, SendError};
use crate::mapping::Kind;
use crate::plan::{Change, Planned, Step};
use crate::report::Row;
use crate::state::State;

/// So many failures in a row, with no success among them, are not the people's: the rest is not tried.
const HOPELESS: usize = 50;

impl Apply<'_> {
    /// Makes each change of the plan. One failure stops none of the others.
    pub(super) async fn individual(
        &self,
        planned: &Planned,
        state: &mut State,
        applied: &mut Applied,
    ) -> Result<(), Broke> {
        self.leave_unchanged(planned, state, applied);
        let steps = planned.plan.actions();
        let mut sent = 0;
        let phases: [(Kind, bool); 4] =
            [(Kind::Person, false), (Kind::Team, false), (Kind::Team, true), (Kind::Person, true)];
        for (kind, removes) in phases {
            let phase: Vec<&Step> =
                steps.iter().filter(|step| step.kind == kind && step.removes() == removes).collect();
            sent += self.phase(kind, &phase, planned, state, applied).await?;
        }
        if sent > 0 {
            self.process_all(applied).await;
        }
        Ok(())
    }

    /// Who is as they should be has an outcome without a request.
    fn leave_unchanged(&self, planned: &Planned, state: &State, applied: &mut Applied) {
        let unchanged =
            |kind, key: &str| Some(planned.outcome(state, kind, key)).filter(|outcome| *outcome == Outcome::Unchanged);
        for (outcome, person) in applied.people.iter_mut().zip(&self.desired.people) {
            *outcome = outcome.or_else(|| unchanged(Kind::Person, &person.email));
        }
        for (outcome, team) in applied.teams.iter_mut().zip(&self.desired.teams) {
            *outcome = outcome.or_else(|| unchanged(Kind::Team, &team.id));
        }
    }

    /// Makes the changes of a phase, some at once; says how many succeeded.
    async fn phase(
        &self,
        kind: Kind,
        steps: &[&Step],
        planned: &Planned,
        state: &mut State,
        applied: &mut Applied,
    ) -> Result<u64, Broke> {
        let in_a_row = &AtomicUsize::new(0);
        let of = steps.len() as u64;
        let turn = &Turn(self.held);
        let hopeful = steps.iter().take_while(|_| in_a_row.load(Ordering::Relaxed) < HOPELESS);
        let mut changes = stream::iter(hopeful)
            .map(|step| async move { (*step, self.make(step, turn).await) })
            .buffer_unordered(self.connections.max(1));
        let (mut done, mut succeeded, mut last) = (0, 0, String::new());
        while let Some((step, result)) = changes.next().await {
            done += 1;
            match result {
                Ok(()) => {
                    in_a_row.store(0, Ordering::Relaxed);
                    succeeded += 1;
                    self.note_success(step, planned, state, applied);
                }
                Err(error @ (SendError::Stopped(_) | SendError::Gone(_))) => return Err(error.into()),
                Err(error) => {
                    in_a_row.fetch_add(1, Ordering::Relaxed);
                    last = error.to_string();
                    self.note_failure(step, &last, applied);
                }
            }
            self.tell(kind, done, of);
        }
        drop(changes);
        if done < of {
            return Err(Broke::Failed(format!(
                "{HOPELESS} requests in a row failed, and the rest was not tried: {last}"
            )));
        }
        Ok(succeeded)
    }

    async fn make(&self, step: &Step, turn: &Turn<'_>) -> Result<(), SendError> {
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
        self.glean.change(change, turn).await
    }

    fn note_success(&self, step: &Step, planned: &Planned, state: &mut State, applied: &mut Applied) {
        let outcome = planned.outcome(state, step.kind, &step.key);
        let prints = match step.kind {
            Kind::Person => &mut state.people,
            Kind::Team => &mut state.teams,
        };
        match step.change {
            Change::Delete => {
                prints.remove(&step.key);
                *applied.deleted(step.kind) += 1;
            }
            Change::Create(print) | Change::Update(print) => {
                prints.insert(&step.key, print);
                self.set(step, outcome, applied);
            }
        }
    }

    fn note_failure(&self, step: &Step, error: &str, applied: &mut Applied) {
        let reason = if step.removes() { format!("not deleted: {error}") } else { format!("not sent: {error}") };
        self.set(step, Outcome::Failed, applied);
        applied.failures.push(Row {
            kind: step.kind,
            id: String::new(),
            name: step.key.clone(),
            outcome: Outcome::Failed,
            reason,
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
