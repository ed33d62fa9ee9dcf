//! All of them, in pages: people, then teams.

use crosswalk_reconcile::{Action, Outcome};
use futures::FutureExt;

use super::changes::Changes;
use super::{Applied, Apply, Broke, Turn};
use crate::glean::{SendError, Upload, UploadOptions};
use crate::mapping::Kind;
use crate::plan::Planned;
use crate::state::State;

impl Apply<'_> {
    /// Replaces everybody. An upload is noted as unfinished before its first page: if it does not end, however that comes,
    /// the next one must force a restart.
    pub(super) async fn bulk(
        &self,
        planned: &mut Planned,
        state: &mut State,
        applied: &mut Applied,
        changes: &mut Changes,
    ) -> Result<(), Broke> {
        self.replace(Kind::Person, planned, state, applied, changes).boxed().await?;
        self.replace(Kind::Team, planned, state, applied, changes).boxed().await
    }

    /// Glean deletes whoever is not in an upload, if they are under 20 % of all that it holds; how many that are, only Glean
    /// knows. So whom the plan deletes is deleted by name as well, and nobody else with them. Only a run that was allowed
    /// all removals, and reaches the 20 %, has Glean force it instead, and that for people alone, as teams have no such flag.
    async fn replace(
        &self,
        kind: Kind,
        planned: &mut Planned,
        state: &mut State,
        applied: &mut Applied,
        changes: &mut Changes,
    ) -> Result<(), Broke> {
        let deletions = planned.deletions(kind);
        let is_fifth = deletions > 0 && deletions.saturating_mul(5) >= state.of(kind).len() as u64;
        let forces = kind == Kind::Person && is_fifth && self.allow_removals;
        let upload = match kind {
            Kind::Person => Upload::People(&self.desired.people),
            Kind::Team => Upload::Teams(&self.desired.teams),
        };
        let of = upload.len() as u64;
        if upload.is_empty() {
            // An upload cannot be empty.
            return self.delete(kind, planned, state, applied, changes).await;
        }
        let options = UploadOptions { restart: *state.unfinished.of_mut(kind), force_stale_deletion: forces };
        *state.unfinished.of_mut(kind) = true;
        self.save(state).await.map_err(Broke::Failed)?;
        let watch = |sent| self.tell(kind, sent, of);
        let sent = self.glean.upload(upload, options, &Turn(self.held), &watch).boxed().await;
        // An upload of an endpoint that is gone was never begun.
        *state.unfinished.of_mut(kind) = !matches!(sent, Ok(()) | Err(SendError::Gone(_)));
        sent.map_err(|error| match error {
            SendError::Gone(endpoint) => Broke::Gone(endpoint),
            error => Broke::Failed(error.to_string()),
        })?;
        applied.sent = true;
        applied.conclude(self.desired, planned, state, kind, |outcome| outcome != Outcome::Skipped);
        let mut held = std::mem::take(planned.of_mut(kind));
        if forces {
            *state.of_mut(kind) = held;
            *applied.deleted(kind) += deletions;
            return Ok(());
        }
        // They stand in Glean until they are deleted.
        for key in planned.deleted(kind) {
            if let Some(print) = state.of(kind).get(key) {
                held.insert(key, print);
            }
        }
        *state.of_mut(kind) = held;
        self.delete(kind, planned, state, applied, changes).await
    }

    /// Deletes by name all of a kind that the plan deletes.
    async fn delete(
        &self,
        kind: Kind,
        planned: &Planned,
        state: &mut State,
        applied: &mut Applied,
        changes: &mut Changes,
    ) -> Result<(), Broke> {
        changes.begin_deletions(planned);
        let removes = |at: &usize| {
            let step = &planned.plan.actions()[*at];
            step.kind == kind && step.removes()
        };
        let steps: Vec<usize> = (0..planned.plan.actions().len()).filter(removes).collect();
        self.make(kind, &steps, planned, state, applied, changes).boxed().await
    }
}
