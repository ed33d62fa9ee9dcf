//! All of them, in pages: people, then teams.

use crosswalk_reconcile::Outcome;

use super::{Applied, Apply, Broke, Turn};
use crate::glean::{Change, SendError, Upload, UploadOptions};
use crate::mapping::Kind;
use crate::plan::Planned;
use crate::report::Row;
use crate::state::State;

impl Apply<'_> {
    /// Replaces everybody. An upload is noted as unfinished before its first page: if it does not end, however that comes,
    /// the next one must force a restart.
    pub(super) async fn bulk(&self, planned: &Planned, state: &mut State, applied: &mut Applied) -> Result<(), Broke> {
        self.people(planned, state, applied).await?;
        self.teams(planned, state, applied).await?;
        self.process_all(applied).await;
        Ok(())
    }

    async fn people(&self, planned: &Planned, state: &mut State, applied: &mut Applied) -> Result<(), Broke> {
        let people = &self.desired.people;
        if people.is_empty() {
            // An upload cannot be empty.
            return self.delete_all(Kind::Person, planned, state, applied).await;
        }
        let options = UploadOptions {
            restart: state.unfinished.people,
            force_stale_deletion: is_glean_reluctant(planned.deletions(Kind::Person), state.people.len()),
        };
        self.note(state, |state| state.unfinished.people = true).await?;
        let of = people.len() as u64;
        let watch = |sent| self.tell(Kind::Person, sent, of);
        let sent = self.glean.upload(Upload::People(people), options, &Turn(self.held), &watch).await;
        state.unfinished.people = may_be_unfinished(&sent);
        sent?;
        applied.conclude(self.desired, planned, state, Kind::Person);
        applied.deleted_people = planned.deletions(Kind::Person);
        state.people.clone_from(&planned.people);
        Ok(())
    }

    async fn teams(&self, planned: &Planned, state: &mut State, applied: &mut Applied) -> Result<(), Broke> {
        let teams = &self.desired.teams;
        if teams.is_empty() {
            return self.delete_all(Kind::Team, planned, state, applied).await;
        }
        // Teams have no flag that makes Glean delete: those that it would keep are deleted one by one.
        let reluctant = is_glean_reluctant(planned.deletions(Kind::Team), state.teams.len());
        let options = UploadOptions { restart: state.unfinished.teams, force_stale_deletion: false };
        self.note(state, |state| state.unfinished.teams = true).await?;
        let of = teams.len() as u64;
        let watch = |sent| self.tell(Kind::Team, sent, of);
        let sent = self.glean.upload(Upload::Teams(teams), options, &Turn(self.held), &watch).await;
        state.unfinished.teams = may_be_unfinished(&sent);
        sent?;
        applied.conclude(self.desired, planned, state, Kind::Team);
        if reluctant {
            self.delete_all(Kind::Team, planned, state, applied).await?;
        } else {
            applied.deleted_teams = planned.deletions(Kind::Team);
        }
        let kept: Vec<_> =
            applied.failures.iter().filter(|row| row.kind == Kind::Team).map(|row| row.name.clone()).collect();
        let mut teams = planned.teams.clone();
        for id in kept {
            // It stands in Glean yet: the next run tries again.
            if let Some(print) = state.teams.get(&id) {
                teams.insert(&id, print);
            }
        }
        state.teams = teams;
        Ok(())
    }

    /// Deletes, one by one, all of a kind that the plan deletes. One failure stops none of the others.
    async fn delete_all(
        &self,
        kind: Kind,
        planned: &Planned,
        state: &mut State,
        applied: &mut Applied,
    ) -> Result<(), Broke> {
        for key in planned.deleted(kind) {
            let change = match kind {
                Kind::Person => Change::DeletePerson(key),
                Kind::Team => Change::DeleteTeam(key),
            };
            match self.glean.change(change, &Turn(self.held)).await {
                Ok(()) => {
                    *applied.deleted(kind) += 1;
                    match kind {
                        Kind::Person => state.people.remove(key),
                        Kind::Team => state.teams.remove(key),
                    }
                }
                Err(error @ (SendError::Stopped(_) | SendError::Gone(_))) => return Err(error.into()),
                Err(error) => applied.failures.push(Row {
                    kind,
                    id: String::new(),
                    name: key.to_owned(),
                    outcome: Outcome::Failed,
                    reason: format!("not deleted: {error}"),
                }),
            }
        }
        Ok(())
    }

    /// Changes what is kept before something is sent.
    async fn note(&self, state: &mut State, change: impl FnOnce(&mut State)) -> Result<(), Broke> {
        change(state);
        state.save(self.files, self.key).await.map_err(|error| Broke::Failed(error.to_string()))
    }
}

/// An upload of an endpoint that is gone was never begun.
fn may_be_unfinished(sent: &Result<(), SendError>) -> bool {
    !matches!(sent, Ok(()) | Err(SendError::Gone(_)))
}

/// Whether Glean would keep what is stale: by default it deletes only if under 20 % go.
fn is_glean_reluctant(deletions: u64, known: usize) -> bool {
    deletions > 0 && deletions.saturating_mul(5) >= known as u64
}
