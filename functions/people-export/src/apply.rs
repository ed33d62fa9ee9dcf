//! Sends what was planned.

mod bulk;
mod changes;
mod individual;

use std::time::Duration;

use async_trait::async_trait;
use crosswalk_function_kit::Deadline;
use crosswalk_reconcile::Outcome;
use crosswalk_runs::files::Files;
use crosswalk_runs::report::Row;
use crosswalk_runs::{Counts, Held, Progress, RunError};
use futures::FutureExt;

use crate::export::{ExportError, Watch, Watched};
use crate::glean::{Confirm, Glean, Mode};
use crate::mapping::{Desired, Kind};
use crate::plan::{Planned, Scope, plan};
use crate::state::State;
use changes::Changes;

/// What an invocation keeps of its time, to write what was done and have Glean process it.
pub(crate) const LAST: Duration = Duration::from_secs(20);
/// What it keeps of that for the run's record and reports.
const RECORD: Duration = Duration::from_secs(8);

/// What sending needs.
pub(crate) struct Apply<'a> {
    pub(crate) glean: &'a Glean,
    pub(crate) held: &'a Held,
    pub(crate) files: &'a Files,
    /// Of the state.
    pub(crate) key: &'a str,
    pub(crate) desired: &'a Desired,
    pub(crate) scope: Scope,
    /// Whether this very run may delete more than the guard lets through.
    pub(crate) allow_removals: bool,
    pub(crate) connections: usize,
    pub(crate) watch: Watch<'a>,
}

/// What was observed.
#[derive(Debug, Default)]
pub(crate) struct Applied {
    /// Of each person of [`Desired::people`]; none for whom nothing was concluded.
    pub(crate) people: Vec<Option<Outcome>>,
    /// Of each team of [`Desired::teams`].
    pub(crate) teams: Vec<Option<Outcome>>,
    /// People who are deleted.
    pub(crate) deleted_people: u64,
    /// Teams that are deleted.
    pub(crate) deleted_teams: u64,
    /// Who could not be sent or deleted, one by one.
    pub(crate) failures: Vec<Row>,
    /// Why the run as a whole failed.
    pub(crate) broke: Option<String>,
    /// Why some have no outcome.
    pub(crate) not_reached: &'static str,
    /// Whether only some were to be sent.
    pub(crate) limited: bool,
    /// What should be known.
    pub(crate) warnings: Vec<String>,
    /// Whether Glean has something to process.
    sent: bool,
}

/// Why sending stopped.
pub(crate) enum Broke {
    /// The bulk endpoint is gone: the individual way is left.
    Gone(&'static str),
    /// For all.
    Failed(String),
}

impl Applied {
    /// Nothing is concluded of anyone yet.
    fn begin(desired: &Desired, scope: Scope) -> Self {
        Self {
            people: vec![None; desired.people.len()],
            teams: vec![None; desired.teams.len()],
            not_reached: match scope.only {
                Some(_) => "beyond MAX_USERS, which leaves the other people and all teams alone",
                None => "not sent, as the run stopped before",
            },
            limited: scope.only.is_some(),
            ..Self::default()
        }
    }

    /// A run that stopped before its first request.
    pub(crate) fn stopped(desired: &Desired, scope: Scope, reason: String) -> Self {
        Self { broke: Some(reason), ..Self::begin(desired, scope) }
    }

    /// As if each request had succeeded.
    pub(crate) fn as_planned(desired: &Desired, planned: &Planned, state: &State, scope: Scope) -> Self {
        let mut applied = Self::begin(desired, scope);
        for kind in [Kind::Person, Kind::Team] {
            applied.conclude(desired, planned, state, kind, |outcome| outcome != Outcome::Skipped);
            *applied.deleted(kind) = planned.deletions(kind);
        }
        applied
    }

    /// Those of a kind who have no outcome yet ended as planned, where `which` takes that outcome.
    fn conclude(
        &mut self,
        desired: &Desired,
        planned: &Planned,
        state: &State,
        kind: Kind,
        which: impl Fn(Outcome) -> bool,
    ) {
        let planned = |key: &str| Some(planned.outcome(state, kind, key)).filter(|outcome| which(*outcome));
        match kind {
            Kind::Person => {
                for (outcome, person) in self.people.iter_mut().zip(&desired.people) {
                    *outcome = outcome.or_else(|| planned(&person.email));
                }
            }
            Kind::Team => {
                for (outcome, team) in self.teams.iter_mut().zip(&desired.teams) {
                    *outcome = outcome.or_else(|| planned(&team.id));
                }
            }
        }
    }

    fn deleted(&mut self, kind: Kind) -> &mut u64 {
        match kind {
            Kind::Person => &mut self.deleted_people,
            Kind::Team => &mut self.deleted_teams,
        }
    }
}

impl Apply<'_> {
    /// Sends the plan; what goes wrong is in what comes back.
    ///
    /// # Errors
    /// The turn was lost: nothing may be written any more.
    pub(crate) async fn run(
        &self,
        mut planned: Planned,
        state: &mut State,
        deadline: Deadline,
    ) -> Result<Applied, ExportError> {
        let mut applied = Applied::begin(self.desired, self.scope);
        let mut changes = Changes::default();
        let worked = deadline.in_time(LAST, self.send(&mut planned, state, &mut applied, &mut changes).boxed()).await;
        if self.held.lost().is_cancelled() {
            return Err(RunError::Lost { run: self.held.record().id.clone() }.into());
        }
        changes.give_up(&planned, state);
        applied.broke = match worked {
            Some(Ok(())) => None,
            Some(Err(Broke::Failed(reason))) => Some(reason),
            Some(Err(Broke::Gone(endpoint))) => Some(format!("Glean has removed {endpoint} (410), which is needed")),
            None => Some("the invocation's time ended before all was sent; give it more, or more memory".to_owned()),
        };
        // What stands in Glean is known as such, also where the rest failed.
        if let Err(error) = self.save(state).await {
            tracing::warn!(%error, "what the run left in Glean could not be noted");
            applied.broke.get_or_insert(error);
        }
        if applied.sent && applied.broke.is_none() {
            self.process_all(deadline, &mut applied).await;
        }
        Ok(applied)
    }

    async fn send(
        &self,
        planned: &mut Planned,
        state: &mut State,
        applied: &mut Applied,
        changes: &mut Changes,
    ) -> Result<(), Broke> {
        if self.scope.mode == Mode::Bulk {
            match self.bulk(planned, state, applied, changes).await {
                Err(Broke::Gone(endpoint)) => {
                    tracing::warn!(endpoint, "Glean has removed the bulk endpoint: going on one by one");
                    let told = format!(
                        "Glean has removed {endpoint} (410): the run went on one by one. Set GLEAN_USE_BULK_INDEX=false"
                    );
                    applied.warnings.push(told);
                    *planned = plan(self.desired, state, Scope { mode: Mode::Individual, ..self.scope });
                }
                ended => return ended,
            }
        }
        self.individual(planned, state, applied, changes).await
    }

    /// Has Glean process what was sent now. It does so by itself in some hours, so a failure is worth a warning.
    async fn process_all(&self, deadline: Deadline, applied: &mut Applied) {
        let error = match deadline.in_time(RECORD, self.glean.process_all()).await {
            Some(Ok(())) => return,
            Some(Err(error)) => error.to_string(),
            None => "Glean did not answer to processallemployeesandteams before the invocation's time ended".to_owned(),
        };
        tracing::warn!(error, "processallemployeesandteams failed");
        let told = format!("{error}. Everything was sent; Glean processes it by itself, usually within hours");
        applied.warnings.push(told);
    }

    /// Keeps the state, if the turn is still ours: another run's must not be written over.
    async fn save(&self, state: &State) -> Result<(), String> {
        self.held.confirm().await.map_err(|error| error.to_string())?;
        state.save(self.files, self.key).await.map_err(|error| error.to_string())
    }

    fn tell(&self, kind: Kind, sent: u64, of: u64) {
        #[expect(clippy::cast_precision_loss, reason = "a percentage")]
        let percent = (of > 0).then(|| 100.0 * sent as f64 / of as f64);
        self.held.tell(Progress { rows: sent, bytes: 0, percent }, Counts::default());
        (self.watch)(Watched::Sending { kind, sent, of });
    }
}

/// Asks the run's turn.
struct Turn<'a>(&'a Held);

#[async_trait]
impl Confirm for Turn<'_> {
    async fn confirm(&self) -> Result<(), String> {
        self.0.confirm().await.map_err(|error| error.to_string())
    }
}
