//! One run: take the turn, read, plan, pass the guard, send, end.

use crosswalk_function_kit::metrics::Unit;
use crosswalk_function_kit::secrets::Secrets;
use crosswalk_function_kit::{Clock, Deadline, Entropy};
use crosswalk_reconcile::{Plan, Tripped, guard};
use crosswalk_runs::files::FilesError;
use crosswalk_runs::report::Row;
use crosswalk_runs::{Counts, Held, Place, Progress, Ran, ReasonCount, RunError, RunRecord, RunState, Worked};
use futures::FutureExt;

use crate::ExportSettings;
use crate::apply::{Applied, Apply, LAST};
use crate::event::WAY;
use crate::glean::{Glean, Mode};
use crate::keycloak::{Keycloak, Reading};
use crate::mapping::{Desired, Kind, Mapping};
use crate::outcome::{Settled, settle};
use crate::plan::{Planned, Scope, Step, plan};
use crate::state::{self, State};

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportRequest {
    /// The run's id: the same for a repeat of the same event.
    pub run_id: String,
    /// What started it: `schedule`, `invocation`, `crosswalk export`.
    pub delivery: String,
    /// Another way of sending than the settings say.
    pub mode: Option<Mode>,
    /// Only so many people, another number than the settings say.
    pub max_users: Option<usize>,
    /// Let a plan through that deletes more than the guard allows.
    pub allow_removals: bool,
}

/// What a run would do.
#[derive(Debug)]
pub struct DryRun {
    /// The record as the run's would be, if each request succeeded.
    pub record: RunRecord,
    /// The steps.
    pub plan: Plan<Step>,
    /// People and teams as they would be sent, and who is left out.
    pub desired: Desired,
    /// Who is not exported, and why.
    pub rows: Vec<Row>,
    /// What the guard says, if it would stop the run.
    pub stopped: Option<String>,
}

/// Why a run did not come to an end. What will not pass by itself is a run with state failed.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// What was asked for cannot be had; nothing was begun.
    #[error("{0}")]
    Refused(String),
    /// The realm cannot be read; a dry run's only.
    #[error(transparent)]
    Read(#[from] crate::keycloak::ReadError),
    /// The run's record, or the right to work on it.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The state or a report.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// An HTTP client cannot be built.
    #[error("{0}")]
    Client(String),
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watched {
    /// It reads the realm.
    Reading(Reading),
    /// It sends to Glean.
    Sending {
        /// People or teams.
        kind: Kind,
        /// So many have been sent.
        sent: u64,
        /// Of so many.
        of: u64,
    },
}

/// Is told how far a run is.
pub(crate) type Watch<'a> = &'a (dyn Fn(Watched) + Send + Sync);

/// Exports. Cheap to make: connections are made by each run for itself.
pub struct Exporter {
    settings: ExportSettings,
    place: Place,
    secrets: Secrets,
    mapping: Mapping,
    clock: Clock,
    entropy: Entropy,
}

/// The clients of one run, so that what they count is this run's.
struct Clients {
    keycloak: Keycloak,
    glean: Glean,
}

impl Exporter {
    /// Nothing is called yet.
    pub fn new(settings: ExportSettings, place: Place, secrets: Secrets, clock: Clock, entropy: Entropy) -> Self {
        let mapping = Mapping::new(settings.mapping.clone());
        Self { settings, place, secrets, mapping, clock, entropy }
    }

    /// The settings.
    pub fn settings(&self) -> &ExportSettings {
        &self.settings
    }

    /// Exports once. `watch` is told how far it is.
    ///
    /// # Errors
    /// What may pass: a repeat goes on. What will not is [`Ran::Ended`] with state failed, but for what was refused
    /// before the run began.
    pub async fn export(
        &self,
        request: &ExportRequest,
        deadline: Deadline,
        watch: Watch<'_>,
    ) -> Result<Ran, ExportError> {
        let scope = self.scope(request)?;
        if scope.mode == Mode::Bulk && scope.only.is_some() {
            return Err(ExportError::Refused(
                "MAX_USERS with a bulk upload would delete everybody else from Glean; use a dry run, or \
                 GLEAN_USE_BULK_INDEX=false"
                    .to_owned(),
            ));
        }
        let clients = self.clients(deadline)?;
        let record = self.begin(request, &clients);
        let turn = format!("{WAY}#{}", state::target_id(&self.settings.glean.api_url));
        let held = match self.place.take(&record, &turn, &request.delivery).await? {
            Ok(held) => held,
            Err(ran) => return Ok(ran),
        };
        tracing::info!(run = held.record().id, mode = %scope.mode, "the export begins");
        // Boxed: a future of this depth is more than a caller's own future should hold.
        let work = self.work(request, scope, deadline, &clients, &held, watch).boxed();
        let worked = held.unless_lost(work).await.map(|(worked, guard_stopped)| {
            let stops = u64::from(guard_stopped);
            self.settings.metrics.tell(self.clock.now(), None, &[("GuardStops", Unit::Count, stops)]);
            worked
        });
        Ok(Ran::Ended(self.place.close(held, worked, &self.settings.metrics).await?))
    }

    /// Reads everything and plans; writes nothing anywhere, and takes no turn.
    ///
    /// # Errors
    /// The realm or the state cannot be read.
    pub async fn dry_run(&self, request: &ExportRequest, watch: Watch<'_>) -> Result<DryRun, ExportError> {
        let scope = self.scope(request)?;
        let clients = self.clients(Deadline::NONE)?;
        let mut record = self.begin(request, &clients);
        record.dry_run = true;
        let realm =
            clients.keycloak.read(&self.mapping.wanted(), &|reading| watch(Watched::Reading(reading))).boxed().await?;
        let desired = self.mapping.desired(realm);
        let state = State::load(&self.place.files, &self.state_key()).await?;
        let planned = plan(&desired, &state, scope);
        let stopped = self.obstacle(&desired, &planned, &state, request).map(|obstacle| obstacle.reason);
        let applied = Applied::as_planned(&desired, &planned, &state, scope);
        let mut settled = settle(&desired, &applied);
        let rows = std::mem::take(&mut settled.rows);
        record.plan = Some(planned.plan.hash().to_owned());
        self.finish(&mut record, settled, &clients);
        if let Some(reason) = &stopped {
            record.fail(reason);
        }
        Ok(DryRun { record, plan: planned.plan, desired, rows, stopped })
    }

    fn begin(&self, request: &ExportRequest, clients: &Clients) -> RunRecord {
        RunRecord::begin(&request.run_id, WAY, clients.keycloak.source(), self.clock.now())
    }

    fn clients(&self, deadline: Deadline) -> Result<Clients, ExportError> {
        let refused = |error: anyhow::Error| ExportError::Client(format!("{error:#}"));
        Ok(Clients {
            keycloak: Keycloak::new(self.settings.keycloak.clone(), self.secrets.clone()).map_err(refused)?,
            glean: Glean::new(self.settings.glean.clone(), self.secrets.clone(), self.entropy.clone())
                .map_err(refused)?
                .for_run(deadline.earlier(LAST)),
        })
    }

    fn scope(&self, request: &ExportRequest) -> Result<Scope, ExportError> {
        let mode = request.mode.unwrap_or(self.settings.glean.mode);
        let delete = self.settings.glean.delete_stale;
        if mode == Mode::Bulk && !delete {
            return Err(ExportError::Refused(
                "GLEAN_DISABLE_STALE_DATA_DELETION=true cannot be kept by a bulk upload, which replaces everybody; use the \
                 individual way (GLEAN_USE_BULK_INDEX=false), where it deletes nobody"
                    .to_owned(),
            ));
        }
        Ok(Scope { mode, delete, only: request.max_users.or(self.settings.max_users) })
    }

    fn state_key(&self) -> String {
        state::key(&self.settings.glean.api_url)
    }

    /// Why the plan may not be applied, if it may not.
    fn obstacle(
        &self,
        desired: &Desired,
        planned: &Planned,
        state: &State,
        request: &ExportRequest,
    ) -> Option<Obstacle> {
        if desired.people.is_empty() {
            let reason = "none of the realm's users can be exported; nothing was sent".to_owned();
            return Some(Obstacle { reason, is_guard: false });
        }
        let tripped = self.guarded(planned, state, request).err()?;
        Some(Obstacle { reason: stopped(&tripped), is_guard: true })
    }

    /// Whether the guard lets the plan through.
    fn guarded(&self, planned: &Planned, state: &State, request: &ExportRequest) -> Result<(), Tripped> {
        if request.allow_removals {
            return Ok(());
        }
        let limit = self.settings.max_removals;
        guard("people", planned.deletions(Kind::Person), state.people.len() as u64, limit)?;
        guard("teams", planned.deletions(Kind::Team), state.teams.len() as u64, limit)
    }

    /// Reads, plans and sends; and whether the guard stopped it. An error is the turn's loss; what else goes wrong is in the
    /// record.
    async fn work(
        &self,
        request: &ExportRequest,
        scope: Scope,
        deadline: Deadline,
        clients: &Clients,
        held: &Held,
        watch: Watch<'_>,
    ) -> Result<(Worked, bool), ExportError> {
        // What an earlier worker of this run had counted is void: it all begins anew.
        let taken = held.record();
        let mut record = RunRecord::begin(&taken.id, &taken.kind, &taken.source, taken.started_at);
        let reading = |reading: Reading| {
            held.tell(Progress { rows: reading.users, ..Progress::default() }, Counts::default());
            watch(Watched::Reading(reading));
        };
        let read = deadline.in_time(LAST, clients.keycloak.read(&self.mapping.wanted(), &reading).boxed()).await;
        let realm = match read {
            Some(Ok(realm)) => realm,
            Some(Err(error)) => return Ok((self.failed(record, &error.to_string(), clients), false)),
            None => {
                let late = "the invocation's time ended while Keycloak was read; nothing was sent. Give it more time";
                return Ok((self.failed(record, late, clients), false));
            }
        };
        let desired = self.mapping.desired(realm);
        let key = self.state_key();
        let mut state = match State::load(&self.place.files, &key).await {
            Ok(state) => state,
            Err(error) => return Ok((self.failed(record, &error.to_string(), clients), false)),
        };
        let planned = plan(&desired, &state, scope);
        record.plan = Some(planned.plan.hash().to_owned());
        if let Some(Obstacle { reason, is_guard }) = self.obstacle(&desired, &planned, &state, request) {
            // Who is not exported, and why, is told all the same: that may be what trips the guard.
            let settled = settle(&desired, &Applied::stopped(&desired, scope, reason));
            return Ok((self.worked(record, settled, clients), is_guard));
        }
        let apply = Apply {
            glean: &clients.glean,
            held,
            files: &self.place.files,
            key: &key,
            desired: &desired,
            scope,
            allow_removals: request.allow_removals,
            connections: self.settings.glean.connections,
            watch,
        };
        let applied = apply.run(planned, &mut state, deadline).boxed().await?;
        Ok((self.worked(record, settle(&desired, &applied), clients), false))
    }

    fn worked(&self, mut record: RunRecord, mut settled: Settled, clients: &Clients) -> Worked {
        let rows = std::mem::take(&mut settled.rows);
        self.finish(&mut record, settled, clients);
        Worked { record, rows }
    }

    fn failed(&self, mut record: RunRecord, reason: &str, clients: &Clients) -> Worked {
        record.fail(reason);
        self.worked(record, Settled::default(), clients)
    }

    /// Fills in the record from what came of everyone.
    fn finish(&self, record: &mut RunRecord, settled: Settled, clients: &Clients) {
        record.ended_at = Some(self.clock.now());
        record.traffic =
            [("keycloak".to_owned(), clients.keycloak.traffic()), ("glean".to_owned(), clients.glean.traffic())].into();
        if record.state == RunState::Running {
            settled.fill(record);
        }
        let told = clients.glean.warnings().into_iter().map(|reason| ReasonCount { reason, count: 1 });
        record.warnings.extend(told);
    }
}

/// Why a plan is not applied.
struct Obstacle {
    reason: String,
    is_guard: bool,
}

fn stopped(tripped: &Tripped) -> String {
    format!(
        "{tripped}; nothing was sent. A dry run names them. If they are to go, let one run through: \
         `crosswalk export --allow-removals`, or invoke \
         the function once with {{\"allow_removals\": true}}. EXPORT_MAX_REMOVALS is the limit"
    )
}
