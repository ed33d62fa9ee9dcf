//! Sends what was planned.

mod bulk;
mod individual;

use std::time::Duration;

use async_trait::async_trait;
use crosswalk_function_kit::Deadline;
use crosswalk_reconcile::Outcome;
use crosswalk_runs::files::Files;
use crosswalk_runs::{Counts, Held, Progress, RunError};

use crate::export::{ExportError, Watch, Watched};
use crate::glean::{Confirm, Glean, Mode, SendError};
use crate::mapping::{Desired, Kind};
use crate::plan::{Planned, Scope, plan};
use crate::report::Row;
use crate::state::State;

/// What an invocation keeps of its time, to write what was done.
const LAST: Duration = Duration::from_secs(15);

/// What sending needs.
pub(crate) struct Apply<'a> {
    pub(crate) glean: &'a Glean,
    pub(crate) held: &'a Held,
    pub(crate) files: &'a Files,
    /// Of the state.
    pub(crate) key: &'a str,
    pub(crate) desired: &'a Desired,
    pub(crate) scope: Scope,
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
    pub(crate) not_reached: String,
    /// Whether only some were to be sent.
    pub(crate) limited: bool,
    /// What should be known.
    pub(crate) warnings: Vec<String>,
}

/// Why sending stopped.
pub(crate) enum Broke {
    /// The bulk endpoint is gone: the individual way is left.
    Gone(&'static str),
    /// For all.
    Failed(String),
}

impl From<SendError> for Broke {
    fn from(error: SendError) -> Self {
        match error {
            SendError::Gone(endpoint) => Self::Gone(endpoint),
            error => Self::Failed(error.to_string()),
        }
    }
}

impl Applied {
    /// Nothing is concluded of anyone yet.
    fn begin(desired: &Desired, scope: Scope) -> Self {
        Self {
            people: vec![None; desired.people.len()],
            teams: vec![None; desired.teams.len()],
            not_reached: match scope.only {
                Some(_) => "beyond MAX_USERS, which leaves the other people and all teams alone".to_owned(),
                None => "not sent, as the run stopped before".to_owned(),
            },
            limited: scope.only.is_some(),
            ..Self::default()
        }
    }

    /// As if each request had succeeded.
    pub(crate) fn as_planned(desired: &Desired, planned: &Planned, state: &State, scope: Scope) -> Self {
        let mut applied = Self::begin(desired, scope);
        applied.conclude(desired, planned, state, Kind::Person);
        applied.conclude(desired, planned, state, Kind::Team);
        applied.deleted_people = planned.deletions(Kind::Person);
        applied.deleted_teams = planned.deletions(Kind::Team);
        applied
    }

    /// Everyone of a kind who has no outcome yet, and was in the plan's scope, ended as planned.
    fn conclude(&mut self, desired: &Desired, planned: &Planned, state: &State, kind: Kind) {
        let within = |outcome: Outcome| (outcome != Outcome::Skipped).then_some(outcome);
        match kind {
            Kind::Person => {
                for (outcome, person) in self.people.iter_mut().zip(&desired.people) {
                    *outcome = outcome.or_else(|| within(planned.outcome(state, kind, &person.email)));
                }
            }
            Kind::Team => {
                for (outcome, team) in self.teams.iter_mut().zip(&desired.teams) {
                    *outcome = outcome.or_else(|| within(planned.outcome(state, kind, &team.id)));
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
        let work = async {
            if self.scope.mode == Mode::Bulk {
                match self.bulk(&planned, state, &mut applied).await {
                    Ok(()) => return Ok(()),
                    Err(Broke::Gone(endpoint)) => {
                        tracing::warn!(endpoint, "Glean has removed the bulk endpoint: going on one by one");
                        let told = format!(
                            "Glean has removed {endpoint} (410): the run went on one by one. Set GLEAN_USE_BULK_INDEX=false"
                        );
                        applied.warnings.push(told);
                        planned = plan(self.desired, state, Scope { mode: Mode::Individual, ..self.scope });
                    }
                    Err(broke) => return Err(broke),
                }
            }
            self.individual(&planned, state, &mut applied).await
        };
        let worked = in_time(deadline, work).await;
        if self.held.lost().is_cancelled() {
            return Err(RunError::Lost { run: self.held.record().id.clone() }.into());
        }
        applied.broke = match worked {
            Some(Ok(())) => None,
            Some(Err(Broke::Failed(reason))) => Some(reason),
            Some(Err(Broke::Gone(endpoint))) => Some(format!("Glean has removed {endpoint} (410), which is needed")),
            None => Some("the invocation's time ended before all was sent; give it more, or more memory".to_owned()),
        };
        // What stands in Glean is known as such, also where the rest failed.
        if let Err(error) = state.save(self.files, self.key).await
            && applied.broke.is_none()
        {
            applied.broke = Some(error.to_string());
        }
        Ok(applied)
    }

    /// Has Glean process what was sent now. It does so by itself in some hours, so a failure is worth a warning.
    async fn process_all(&self, applied: &mut Applied) {
        if let Err(error) = self.glean.process_all().await {
            tracing::warn!(%error, "processallemployeesandteams failed");
            let told = format!("{error}. Everything was sent; Glean processes it by itself, usually within hours");
            applied.warnings.push(told);
        }
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

/// Works until little of the invocation's time is left; none if it was not enough.
pub(crate) async fn in_time<T>(deadline: Deadline, work: impl Future<Output = T>) -> Option<T> {
    match deadline.left() {
        Some(left) => tokio::time::timeout(left.saturating_sub(LAST), work).await.ok(),
        None => Some(work.await),
    }
}
