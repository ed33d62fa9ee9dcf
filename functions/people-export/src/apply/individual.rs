//! Only what changed, one by one: people, then teams, then who left.

use crosswalk_reconcile::{Action, Outcome};
use futures::FutureExt;

use super::changes::Changes;
use super::{Applied, Apply, Broke};
use crate::mapping::Kind;
use crate::plan::Planned;
use crate::state::State;

impl Apply<'_> {
    /// Makes each change of the plan. One failure stops none of the others.
    ///
    /// Before the first request each person and team that will be sent is noted as uncertain: if the run ends in the middle,
    /// or an answer is lost, the next one knows that Glean may hold them in any version, sends them again, and deletes
    /// them if they have left meanwhile.
    pub(super) async fn individual(
        &self,
        planned: &Planned,
        state: &mut State,
        applied: &mut Applied,
        changes: &mut Changes,
    ) -> Result<(), Broke> {
        for kind in [Kind::Person, Kind::Team] {
            applied.conclude(self.desired, planned, state, kind, |outcome| outcome == Outcome::Unchanged);
        }
        if planned.plan.is_empty() {
            return Ok(());
        }
        changes.begin(planned, state);
        self.save(state).await.map_err(Broke::Failed)?;
        let steps = planned.plan.actions();
        let phases: [(Kind, bool); 4] =
            [(Kind::Person, false), (Kind::Team, false), (Kind::Team, true), (Kind::Person, true)];
        for (kind, removes) in phases {
            let phase: Vec<usize> =
                (0..steps.len()).filter(|at| steps[*at].kind == kind && steps[*at].removes() == removes).collect();
            self.make(kind, &phase, planned, state, applied, changes).boxed().await?;
        }
        changes.unless_all_failed()
    }
}
