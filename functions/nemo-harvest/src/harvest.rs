//! One run: take the turn, read NEMO, name its users, plan, store, end.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use aws_config::SdkConfig;
use crosswalk_function_kit::secrets::Secrets;
use crosswalk_function_kit::{Clock, Deadline, Entropy};
use crosswalk_identifier_store::{IdentifierStore, Table};
use crosswalk_people::People;
use crosswalk_reconcile::{Outcome, Plan};
use crosswalk_runs::report::Row;
use crosswalk_runs::{Held, Place, Ran, RunRecord, Traffic, WayError, Worked};
use futures::FutureExt;
use jiff::{SignedDuration, Timestamp};

use crate::apply::{Apply, LAST, Reached};
use crate::event::WAY;
use crate::naming::{self, Named};
use crate::nemo::{Listing, Nemo, Reading, UsageEvent};
use crate::outcome::Tally;
use crate::plan::{Ground, Planned, Step, What, plan};
use crate::settings::HarvestSettings;
use crate::state::{State, StateFile};

/// Usage events are read from so long before the last run began: NEMO's clock is not ours, and an event may be written a
/// while after its start.
const OVERLAP: SignedDuration = SignedDuration::from_hours(1);

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HarvestRequest {
    /// The run's id: the same for a repeat of the same event.
    pub run_id: String,
    /// What started it: `schedule`, `invocation`, `crosswalk harvest`.
    pub delivery: String,
}

/// What a run would do.
#[derive(Debug)]
pub struct DryRun {
    /// The record as the run's would be, if each step succeeded.
    pub record: RunRecord,
    /// The steps.
    pub plan: Plan<Step>,
    /// Whose mapping would not be stored, and why.
    pub rows: Vec<Row>,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watched {
    /// It reads NEMO.
    Reading {
        /// Users.
        users: u64,
        /// Usage events.
        events: u64,
    },
    /// It stores.
    Storing {
        /// So many steps are taken.
        done: u64,
        /// Of so many.
        of: u64,
    },
}

/// Is told how far a run is.
pub(crate) type Watch<'a> = &'a (dyn Fn(Watched) + Send + Sync);

/// Harvests a NEMO.
pub struct Harvester {
    settings: HarvestSettings,
    place: Place,
    nemo: Nemo,
    store: IdentifierStore,
    people: People,
    clock: Clock,
}

/// All that a plan is made of.
struct Loaded {
    named: Named,
    /// When each user was seen last, by NEMO's id; none if events are not read.
    latest: Option<BTreeMap<u64, Timestamp>>,
    warnings: Vec<String>,
    state: State,
}

impl Harvester {
    /// Nothing is called yet. `config` reaches the mappings' table.
    ///
    /// # Errors
    /// The TLS configuration cannot be built.
    pub fn new(
        settings: HarvestSettings,
        place: Place,
        config: &SdkConfig,
        secrets: Secrets,
        clock: Clock,
        entropy: Entropy,
    ) -> anyhow::Result<Self> {
        let table = Table::new(aws_sdk_dynamodb::Client::new(config), &settings.table);
        let store = IdentifierStore::new(table.clone(), clock.clone(), entropy.clone()).keeping_ids();
        let people = People::new(table, clock.clone(), entropy);
        let nemo = Nemo::new(settings.nemo.clone(), secrets)?;
        Ok(Self { settings, place, nemo, store, people, clock })
    }

    /// The settings.
    pub fn settings(&self) -> &HarvestSettings {
        &self.settings
    }

    /// Harvests once. `watch` is told how far it is.
    ///
    /// # Errors
    /// What may pass: a repeat goes on. What will not is [`Ran::Ended`] with state failed.
    pub async fn harvest(
        &self,
        request: &HarvestRequest,
        deadline: Deadline,
        watch: Watch<'_>,
    ) -> Result<Ran, WayError> {
        let record = self.begin(request);
        // A turn a system: several NEMOs are harvested side by side.
        let turn = format!("{WAY}#{}", self.settings.system);
        let held = match self.place.take(&record, &turn, &request.delivery).await? {
            Ok(held) => held,
            Err(ran) => return Ok(ran),
        };
        tracing::info!(run = held.record().id, system = %self.settings.system, "the harvest begins");
        // Boxed: a future of this depth is more than a caller's own future should hold.
        let worked = held.unless_lost(self.work(deadline, &held, watch).boxed()).await;
        Ok(Ran::Ended(self.place.close(held, worked, &self.settings.metrics).await?))
    }

    /// Reads everything and plans; writes nothing anywhere, and takes no turn.
    ///
    /// # Errors
    /// NEMO or the state cannot be read.
    pub async fn dry_run(
        &self,
        request: &HarvestRequest,
        deadline: Deadline,
        watch: Watch<'_>,
    ) -> Result<DryRun, WayError> {
        let mut record = self.begin(request);
        record.dry_run = true;
        let reading_watch = reading_watch(watch);
        let reading = self.nemo.reading(deadline.earlier(LAST), &reading_watch);
        let loaded = self.load(&reading, record.started_at, deadline).boxed().await.map_err(WayError::Cannot)?;
        let (planned, mut tally) = self.plan(loaded, "dry-run").boxed().await;
        for step in planned.0.plan.actions() {
            match step.what {
                What::Create => tally.mappings.add(Outcome::Created),
                What::Update => tally.mappings.add(Outcome::Updated),
                What::Verify => tally.mappings.add(Outcome::Verified),
                What::Seen => tally.seen.get_or_insert_default().add(Outcome::Updated),
            }
        }
        record.plan = Some(planned.0.plan.hash().to_owned());
        record.traffic = [("nemo".to_owned(), reading.traffic())].into();
        record.ended_at = Some(self.clock.now());
        let rows = tally.fill(&mut record);
        Ok(DryRun { record, plan: planned.0.plan, rows })
    }

    fn begin(&self, request: &HarvestRequest) -> RunRecord {
        RunRecord::begin(&request.run_id, WAY, self.settings.nemo.root(), self.clock.now())
    }

    /// Reads NEMO and the state.
    async fn load(&self, reading: &Reading<'_>, began: Timestamp, deadline: Deadline) -> Result<Loaded, String> {
        let file = StateFile::new(&self.place.files, &self.settings.system);
        let state = file.load(self.settings.nemo.root()).await.map_err(|error| error.to_string())?;
        let read = deadline.in_time(LAST, self.read(reading, &state, began)).await;
        let (users, latest, warnings) =
            read.ok_or("the time was up before NEMO was read; give the function more, or set NEMO_PAGE_SIZE higher")??;
        let named = naming::name(users, self.settings.usernames, self.settings.inactive, &self.people).boxed().await;
        Ok(Loaded { named, latest, warnings, state })
    }

    async fn read(
        &self,
        reading: &Reading<'_>,
        state: &State,
        began: Timestamp,
    ) -> Result<(Vec<crate::nemo::User>, Option<BTreeMap<u64, Timestamp>>, Vec<String>), String> {
        let users = reading.users().boxed().await.map_err(|error| error.to_string())?.into_items();
        if !self.settings.last_seen {
            return Ok((users, None, Vec::new()));
        }
        let since = state.read_until.map_or(began - self.settings.look_back, |until| until - OVERLAP);
        let events = reading.usage_events(since).boxed().await.map_err(|error| error.to_string())?.into_items();
        let (latest, unfiltered) = latest(&events, since, self.clock.now());
        let warning = "NEMO ignores `start__gte` and gives all usage events: switch its filters on (in NEMO's settings, \
                       NEMOFilterBackend); the later ones were picked out here";
        Ok((users, Some(latest), unfiltered.then(|| warning.to_owned()).into_iter().collect()))
    }

    /// The plan, and the counts of what needs no step.
    async fn plan(&self, loaded: Loaded, run: &str) -> ((Planned, State), Tally) {
        let Loaded { named, latest, warnings, state } = loaded;
        let ground = Ground {
            store: &self.store,
            system: &self.settings.system,
            state: &state,
            verify_after: self.settings.verify_after,
            run,
            now: self.clock.now(),
        };
        let mut planned = plan(named, latest.as_ref().unwrap_or(&BTreeMap::new()), &ground).await;
        let mut tally = Tally::default();
        warnings.iter().for_each(|warning| tally.warnings.add(warning));
        std::mem::take(&mut planned.left).into_iter().for_each(|left| tally.left(left));
        tally.mappings.add_many(Outcome::Unchanged, planned.unchanged.len() as u64);
        if latest.is_some() {
            let seen = tally.seen.get_or_insert_default();
            seen.add_many(Outcome::Unchanged, planned.seen_before);
            seen.add_many(Outcome::Skipped, planned.seen_unknown);
        }
        ((planned, state), tally)
    }

    /// Reads, plans and stores. An error is the turn's loss, or a state that cannot be kept; what else goes wrong is in the
    /// record.
    async fn work(&self, deadline: Deadline, held: &Held, watch: Watch<'_>) -> Result<Worked, WayError> {
        let taken = held.record();
        let mut record = RunRecord::begin(&taken.id, &taken.kind, &taken.source, taken.started_at);
        let reading_watch = reading_watch(watch);
        let reading = self.nemo.reading(deadline.earlier(LAST), &reading_watch);
        let loaded = match self.load(&reading, taken.started_at, deadline).boxed().await {
            Ok(loaded) => loaded,
            Err(reason) => {
                record.fail(reason);
                return Ok(self.ended(record, reading.traffic(), Vec::new()));
            }
        };
        let reads_events = loaded.latest.is_some();
        let ((planned, mut state), mut tally) = self.plan(loaded, &taken.id).boxed().await;
        record.plan = Some(planned.plan.hash().to_owned());
        let apply = Apply {
            store: &self.store,
            system: &self.settings.system,
            source: self.settings.nemo.root(),
            run: &taken.id,
            held,
            clock: &self.clock,
            deadline,
            watch,
        };
        let Reached { all, all_seen } = apply.run(planned, &mut state, &mut tally).boxed().await;
        if reads_events && all_seen {
            state.read_until = Some(taken.started_at);
        }
        held.confirm().await?;
        StateFile::new(&self.place.files, &self.settings.system).save(&state).await?;
        record.continues = !all;
        if taken.continues {
            tally.go_on_from(taken);
        }
        let rows = tally.fill(&mut record);
        Ok(self.ended(record, reading.traffic(), rows))
    }

    fn ended(&self, mut record: RunRecord, traffic: Traffic, rows: Vec<Row>) -> Worked {
        record.traffic = [("nemo".to_owned(), traffic)].into();
        record.ended_at = Some(self.clock.now());
        Worked { record, rows }
    }
}

/// Tells of users and events together.
fn reading_watch(watch: Watch<'_>) -> impl Fn(Listing, u64) + Send + Sync {
    let (users, events) = (AtomicU64::new(0), AtomicU64::new(0));
    move |listing, count| {
        let counter = match listing {
            Listing::Users => &users,
            Listing::UsageEvents => &events,
        };
        counter.store(count, Relaxed);
        watch(Watched::Reading { users: users.load(Relaxed), events: events.load(Relaxed) });
    }
}

/// When each user began their latest use since then; who worked a tool for another was seen too. And whether there were
/// earlier events, which were not asked for. A start in the future, which only a wrong clock makes, counts as now.
fn latest(events: &[UsageEvent], since: Timestamp, now: Timestamp) -> (BTreeMap<u64, Timestamp>, bool) {
    let mut latest = BTreeMap::<u64, Timestamp>::new();
    let mut earlier = false;
    for event in events {
        // NEMO was asked in whole seconds.
        if event.start.as_second() < since.as_second() {
            earlier = true;
            continue;
        }
        for id in [event.user, event.operator].into_iter().flatten() {
            let seen = latest.entry(id).or_insert(event.start.min(now));
            *seen = (*seen).max(event.start.min(now));
        }
    }
    (latest, earlier)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_latest_use_counts_and_who_worked_it_was_there() {
        let since = at("2026-11-20T00:00:00.5Z");
        let now = at("2026-11-22T00:00:00Z");
        let events = [
            UsageEvent::new(1, at("2026-11-20T08:00:00Z"), 7, 7),
            UsageEvent::new(2, at("2026-11-21T08:00:00Z"), 7, 9),
            UsageEvent::new(3, at("2026-11-20T09:00:00Z"), 9, 9),
            UsageEvent::new(4, at("2026-11-20T00:00:00Z"), 8, 8),
            UsageEvent::new(5, at("2036-01-01T00:00:00Z"), 5, 5),
        ];
        let (seen, earlier) = latest(&events, since, now);
        let expected = [(5, now), (7, at("2026-11-21T08:00:00Z")), (8, at("2026-11-20T00:00:00Z"))];
        assert_eq!(seen, expected.into_iter().chain([(9, at("2026-11-21T08:00:00Z"))]).collect());
        assert!(!earlier);
        let (seen, earlier) = latest(&[UsageEvent::new(1, at("2026-11-19T23:59:59Z"), 7, 7)], since, now);
        assert!(seen.is_empty() && earlier);
    }
}
