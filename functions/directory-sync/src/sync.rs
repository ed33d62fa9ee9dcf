//! One run: take the turn, read both sides, plan, pass the guard, apply, store mappings, end.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;

use aws_config::SdkConfig;
use crosswalk_function_kit::metrics::Unit;
use crosswalk_function_kit::secrets::Secrets;
use crosswalk_function_kit::{Clock, Deadline, Entropy};
use crosswalk_reconcile::{Action, Plan, guard};
use crosswalk_runs::report::Row;
use crosswalk_runs::{Held, Place, Ran, RunRecord, Traffic, WayError, Worked};
use futures::{FutureExt, TryFutureExt};

use crate::apply::{Apply, LAST, Reached};
use crate::event::{MOST_LEGS, WAY};
use crate::keeping::StateFile;
use crate::mappings::Mappings;
use crate::outcome::{Tally, Waiting};
use crate::people::{self, People, Rules, UsernameRule};
use crate::plan::{Moment, Others, Planned, Shape, plan};
use crate::settings::{SyncSettings, TargetSettings};
use crate::sightings;
use crate::source::{ReadError, Source};
use crate::state::State;
use crate::target::cognito::{self, CognitoTarget, KeepIntent, SwapIntent};
use crate::target::invenio::InvenioTarget;
use crate::target::{Target, TargetError};
use crate::{Account, Step};

/// Why a step was not taken, if the guard or another plan's hash forbids it.
const STOPPED: &str = "the run was stopped before it";

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyncRequest {
    /// The run's id: the same for a repeat of the same event, and for the legs of a run.
    pub run_id: String,
    /// What started it: `schedule`, `invocation`, `leg 2`, `crosswalk sync`.
    pub delivery: String,
    /// Which leg of the run this is, from 1.
    pub leg: u32,
    /// Let a plan through that removes more than the guard allows.
    pub allow_removals: bool,
    /// Apply no other plan than the one with this hash.
    pub plan_hash: Option<String>,
}

/// What a run would do.
#[derive(Debug)]
pub struct DryRun {
    /// The record as the run's would be, if each step succeeded.
    pub record: RunRecord,
    /// The steps.
    pub plan: Plan<Step>,
    /// Who is not as the source wants them, and why.
    pub rows: Vec<Row>,
    /// The e-mails of the accounts that the plan takes from their people, by the account's id: the plan itself does not tell
    /// whose they are.
    pub removed: HashMap<Box<str>, Box<str>>,
    /// How many managed people are absent from the source.
    pub absent: u64,
    /// What would stop the run: the guard, or another plan's hash.
    pub stopped: Option<String>,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watched {
    /// It reads both sides.
    Reading {
        /// Entries of the source.
        people: u64,
        /// Accounts of the target.
        accounts: u64,
    },
    /// It takes the steps.
    Applying {
        /// So many have been taken.
        done: u64,
        /// Of so many.
        of: u64,
    },
    /// It stores mappings.
    Mapping {
        /// So many were stored.
        done: u64,
        /// Of so many.
        of: u64,
    },
}

/// Is told how far a run is.
pub(crate) type Watch<'a> = &'a (dyn Fn(Watched) + Send + Sync);

/// Syncs. Cheap to make: connections are made by each run for itself.
pub struct Syncer {
    settings: SyncSettings,
    place: Place,
    config: SdkConfig,
    secrets: Secrets,
    clock: Clock,
    entropy: Entropy,
}

/// Both sides, read.
struct Loaded {
    people: People,
    accounts: Vec<Account>,
    state: State,
    others: Others,
    warnings: Vec<String>,
    source_requests: u64,
}

/// Why the plan may not be applied.
struct Obstacle {
    reason: String,
    is_guard: bool,
}

impl Syncer {
    /// Nothing is called yet. `config` reaches Cognito and the mappings' table, where they are wanted.
    pub fn new(
        settings: SyncSettings,
        place: Place,
        config: SdkConfig,
        secrets: Secrets,
        clock: Clock,
        entropy: Entropy,
    ) -> Self {
        Self { settings, place, config, secrets, clock, entropy }
    }

    /// The settings.
    pub fn settings(&self) -> &SyncSettings {
        &self.settings
    }

    /// Syncs once. `watch` is told how far it is.
    ///
    /// # Errors
    /// What may pass: a repeat goes on. What will not is [`Ran::Ended`] with state failed.
    pub async fn sync(&self, request: &SyncRequest, deadline: Deadline, watch: Watch<'_>) -> Result<Ran, WayError> {
        let record = self.begin(request);
        let turn = format!("{WAY}#{}", self.settings.name);
        let held = match self.place.take(&record, &turn, &request.delivery).await? {
            Ok(held) => held,
            Err(ran) => return Ok(ran),
        };
        tracing::info!(run = held.record().id, leg = request.leg, "the sync begins");
        // Boxed: a future of this depth is more than a caller's own future should hold.
        let work = self.work(request, deadline, &held, watch).boxed();
        let worked = held.unless_lost(work).await.map(|(worked, guard_stopped)| {
            let stops = u64::from(guard_stopped);
            self.settings.metrics.tell(self.clock.now(), None, &[("GuardStops", Unit::Count, stops)]);
            worked
        });
        Ok(Ran::Ended(self.place.close(held, worked, &self.settings.metrics).await?))
    }

    /// Reads everything and plans; writes nothing anywhere, not even a count of absence, and takes no turn.
    ///
    /// # Errors
    /// A side cannot be read, or does not do.
    pub async fn dry_run(
        &self,
        request: &SyncRequest,
        deadline: Deadline,
        watch: Watch<'_>,
    ) -> Result<DryRun, WayError> {
        let mut record = self.begin(request);
        record.dry_run = true;
        let mut file = StateFile::new(&self.place.files, &self.settings.name);
        let target = self.target(&file).await.map_err(WayError::Cannot)?;
        let loaded = self.load(&target, &mut file, false, deadline, watch).boxed().await.map_err(WayError::Cannot)?;
        let planned = self.plan(&target, &loaded, &request.run_id);
        let mut tally = tally(&loaded, &planned);
        if file.swap::<SwapIntent>().await?.is_some() {
            tally.warnings.add("a swap of two e-mails was left half done; a run completes it before it plans");
        }
        planned.plan.actions().iter().for_each(|step| tally.applied(step));
        if let Some(mappings) = self.mappings() {
            mappings.plan(&loaded.people.people, &planned.next, planned.plan.actions(), &mut tally).await;
        }
        let stopped = self.obstacle(&planned, &loaded, request).map(|obstacle| obstacle.reason);
        record.plan = Some(planned.plan.hash().to_owned());
        self.tell_traffic(&mut record, &target, loaded.source_requests);
        record.ended_at = Some(self.clock.now());
        let rows = tally.fill(&mut record, stopped.clone());
        let removed = removed(&planned.plan, &loaded.accounts);
        Ok(DryRun { record, plan: planned.plan, rows, removed, absent: planned.absent, stopped })
    }

    fn begin(&self, request: &SyncRequest) -> RunRecord {
        RunRecord::begin(&request.run_id, WAY, self.settings.source.place(), self.clock.now())
    }

    async fn target(&self, file: &StateFile) -> Result<Target, String> {
        match &self.settings.target {
            TargetSettings::Cognito { accounts, settings } => {
                let client = aws_sdk_cognitoidentityprovider::Client::new(&self.config);
                let accounts = crosswalk_accounts::Accounts::new(
                    &client,
                    accounts.clone(),
                    self.clock.clone(),
                    self.entropy.clone(),
                );
                let file = file.clone();
                let keep: KeepIntent = Arc::new(move |intent| {
                    let file = file.clone();
                    let kept = async move { file.keep_swap(intent.as_ref()).await };
                    kept.map_err(|error| TargetError(error.to_string())).boxed()
                });
                Ok(Target::Cognito(CognitoTarget::new(accounts, settings.clone()).keeping(keep)))
            }
            TargetSettings::Invenio(settings) => {
                let target = InvenioTarget::connect(settings, &self.secrets).await;
                Ok(Target::Invenio(target.map_err(|error| error.to_string())?))
            }
        }
    }

    fn mappings(&self) -> Option<Mappings> {
        let settings = self.settings.mappings.as_ref()?;
        Some(Mappings::new(settings, &self.config, &self.clock, &self.entropy))
    }

    /// Reads what earlier runs recorded, completes what one of them left half done if that is wanted, and reads both sides
    /// side by side.
    async fn load(
        &self,
        target: &Target,
        file: &mut StateFile,
        completes: bool,
        deadline: Deadline,
        watch: Watch<'_>,
    ) -> Result<Loaded, String> {
        let state = file.load().await.map_err(|error| error.to_string())?;
        let state = state.unwrap_or_else(|| State { target: target.id(), ..State::default() });
        if state.target != target.id() {
            return Err(format!(
                "the sync {} has so far managed accounts of {}, and the settings now name {}; give the new target a sync of \
                 its own (SYNC_NAME)",
                self.settings.name,
                state.target,
                target.id()
            ));
        }
        if completes {
            complete(target, file).await?;
        }
        let others = file.managed_by_others(&state.target).await.map_err(|error| error.to_string())?;
        let (people, accounts) = (AtomicU64::new(0), AtomicU64::new(0));
        let told = |counter: &AtomicU64, count| {
            counter.store(count, Relaxed);
            watch(Watched::Reading { people: people.load(Relaxed), accounts: accounts.load(Relaxed) });
        };
        let (tell_people, tell_accounts) = (|count| told(&people, count), |count| told(&accounts, count));
        let source = async {
            let read = self.settings.source.read(&self.secrets, deadline.earlier(LAST), &tell_people).await;
            read.map_err(|error| match error {
                ReadError::Incomplete(missing) => format!(
                    "{}: {missing}. {} accounts are managed, of which nothing was changed",
                    self.settings.source.place(),
                    state.people.len()
                ),
                told => told.to_string(),
            })
        };
        let standing = async {
            let late = || "the time was up before the target's accounts were read; give the function more".to_owned();
            let managed = || state.people.values().filter_map(|person| person.account.as_deref());
            let read = deadline.in_time(LAST, target.accounts(managed, &tell_accounts)).await.ok_or_else(late)?;
            read.map_err(|error| error.to_string())
        };
        let (read, accounts) = futures::future::try_join(source.boxed(), standing.boxed()).await?;
        let people = people::judge(read.snapshot, &self.rules()).map_err(|error| error.to_string())?;
        Ok(Loaded { people, accounts, state, others, warnings: read.warnings, source_requests: read.requests })
    }

    fn plan(&self, target: &Target, loaded: &Loaded, run: &str) -> Planned {
        let Loaded { people, accounts, state, others, .. } = loaded;
        let shape = Shape {
            fields: &|person, email| target.fields(person, email),
            unique_usernames: matches!(target, Target::Invenio(_)),
            turns_circles: target.turns_circles(),
        };
        plan(people, accounts, state, others, &self.settings.policy, &shape, Moment { run, now: self.clock.now() })
    }

    /// Why the plan may not be applied, if it may not.
    fn obstacle(&self, planned: &Planned, loaded: &Loaded, request: &SyncRequest) -> Option<Obstacle> {
        if let Some(wanted) = &request.plan_hash
            && wanted != planned.plan.hash()
        {
            let reason = format!(
                "the plan is no longer {wanted} but {}: look at it again with a dry run. Nothing was changed",
                planned.plan.hash()
            );
            return Some(Obstacle { reason, is_guard: false });
        }
        if request.allow_removals {
            return None;
        }
        // A first run, and the one after a first that broke off, knows of no earlier one: the accounts that it takes over stand for it.
        let known = if loaded.state.known == 0 { planned.active } else { loaded.state.known };
        let reactivated = planned.plan.actions().iter().filter(|step| step.active == Some(true)).count() as u64;
        if reactivated > self.settings.max_removals.of(known) {
            let reason = format!(
                "the plan lets {reactivated} deactivated accounts log in again, more than SYNC_MAX_REMOVALS ({}) of the {known} \
                 active ones; nothing was changed. Is it told in the source who is disabled, and may it be read? If they are to \
                 return, let one run through: `crosswalk sync --allow-removals`, or {{\"allow_removals\": true}}",
                self.settings.max_removals
            );
            return Some(Obstacle { reason, is_guard: true });
        }
        let tripped = guard("active accounts", planned.plan.removals(), known, self.settings.max_removals).err()?;
        let reason = format!(
            "{tripped}; nothing was changed. A dry run names them. If they are to go, let one run through: `crosswalk sync \
             --allow-removals`, or invoke the function once with {{\"allow_removals\": true}}. SYNC_MAX_REMOVALS is the limit"
        );
        Some(Obstacle { reason, is_guard: true })
    }

    /// Reads, plans and applies; and whether the guard stopped it. An error is the turn's loss, or a state that cannot be
    /// kept; what else goes wrong is in the record.
    async fn work(
        &self,
        request: &SyncRequest,
        deadline: Deadline,
        held: &Held,
        watch: Watch<'_>,
    ) -> Result<(Worked, bool), WayError> {
        let taken = held.record();
        // What the legs before this one did; nothing in a run that begins.
        let mut record = RunRecord {
            parts: taken.parts.clone(),
            ..RunRecord::begin(&taken.id, &taken.kind, &taken.source, taken.started_at)
        };
        let mut file = StateFile::new(&self.place.files, &self.settings.name);
        let target = match self.target(&file).boxed().await {
            Ok(target) => target,
            Err(reason) => return Ok((self.failed(record, reason), false)),
        };
        let loaded = match self.load(&target, &mut file, true, deadline, watch).boxed().await {
            Ok(loaded) => loaded,
            Err(reason) => return Ok((self.failed(record, reason), false)),
        };
        sightings::note(&self.place.files, &self.settings.name, &loaded.people, taken.started_at).boxed().await?;
        let planned = self.plan(&target, &loaded, &request.run_id);
        record.plan = Some(planned.plan.hash().to_owned());
        let mut tally = tally(&loaded, &planned);
        if let Some(Obstacle { reason, is_guard }) = self.obstacle(&planned, &loaded, request) {
            planned.plan.actions().iter().for_each(|step| tally.not_reached(&Waiting::of(step), STOPPED));
            tally.go_on_from(&record);
            return Ok((self.ended(record, tally, Some(reason), &target, loaded.source_requests), is_guard));
        }
        // What the steps do not need is given back before they are taken: of many people it is most of what is held.
        let Loaded { people, accounts, state, others, source_requests, .. } = loaded;
        drop((accounts, state, others));
        let mapped = self.mappings().map(|mappings| (mappings, people.people));
        let Planned { plan, next: mut state, prints, .. } = planned;
        let apply = Apply { target: &target, held, file: &mut file, watch };
        let Reached { broke, mut all } = apply.run(plan, prints, &mut state, &mut tally, deadline).boxed().await?;
        if broke.is_none()
            && all
            && let Some((mappings, people)) = mapped
        {
            let storing = mappings.store(&people, &mut state, &request.run_id, &mut tally, deadline, watch);
            all = storing.boxed().await;
        }
        state.known = state.active();
        held.confirm().await?;
        file.save(&state).await?;
        record.continues = !all && broke.is_none() && deadline.left().is_some() && request.leg < MOST_LEGS;
        tally.go_on_from(&record);
        Ok((self.ended(record, tally, broke, &target, source_requests), false))
    }

    fn rules(&self) -> Rules<'_> {
        let username_problem: UsernameRule<'_> = match &self.settings.target {
            TargetSettings::Invenio(settings) => Box::new(|username| settings.username_problem(username)),
            TargetSettings::Cognito { .. } => Box::new(cognito::username_problem),
        };
        let systems = self
            .settings
            .mappings
            .as_ref()
            .map(|mappings| mappings.systems.iter().map(|system| system.as_str()).collect::<Vec<_>>().join(","));
        Rules { username_problem, making: self.settings.target.word(), mappings: systems }
    }

    fn failed(&self, mut record: RunRecord, reason: String) -> Worked {
        record.fail(reason);
        record.ended_at = Some(self.clock.now());
        Worked { record, rows: Vec::new() }
    }

    fn ended(
        &self,
        mut record: RunRecord,
        tally: Tally,
        broke: Option<String>,
        target: &Target,
        source_requests: u64,
    ) -> Worked {
        self.tell_traffic(&mut record, target, source_requests);
        record.ended_at = Some(self.clock.now());
        let rows = tally.fill(&mut record, broke);
        Worked { record, rows }
    }

    fn tell_traffic(&self, record: &mut RunRecord, target: &Target, source_requests: u64) {
        let source = match self.settings.source {
            Source::Ldap(_) => "ldap",
            Source::Sql(_) => "sql",
        };
        let read = Traffic { requests: source_requests, ..Traffic::default() };
        record.traffic = [(source.to_owned(), read), (self.settings.target.word().to_owned(), target.traffic())].into();
    }
}

/// The e-mails of the accounts that are deactivated or deleted.
fn removed(plan: &Plan<Step>, accounts: &[Account]) -> HashMap<Box<str>, Box<str>> {
    let removing = plan.actions().iter().filter(|step| step.removes());
    let ids: HashSet<&str> = removing.filter_map(|step| step.account.as_deref()).collect();
    let of = accounts.iter().filter(|account| ids.contains(&*account.id));
    of.filter_map(|account| Some((account.id.clone(), account.fields.email.clone()?))).collect()
}

/// Completes the swap that an earlier run left half done, if one did.
async fn complete(target: &Target, file: &StateFile) -> Result<(), String> {
    if let Target::Cognito(cognito) = target
        && let Some(intent) = file.swap::<SwapIntent>().await.map_err(|error| error.to_string())?
    {
        cognito.complete(&intent).await.map_err(|error| error.to_string())?;
        file.keep_swap(None::<&SwapIntent>).await.map_err(|error| error.to_string())?;
        tracing::info!("a swap of two e-mails that was left half done is complete");
    }
    Ok(())
}

/// Who is left out, of how many nothing differs, and what is to be known.
fn tally(loaded: &Loaded, planned: &Planned) -> Tally {
    let mut tally = Tally::begin(&[&loaded.people.left_out, &planned.left_out], planned.unchanged);
    tally.warnings = planned.warnings.clone();
    loaded.warnings.iter().for_each(|warning| tally.warnings.add(warning));
    tally
}
