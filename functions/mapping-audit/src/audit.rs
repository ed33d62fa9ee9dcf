//! One run: take the turn, look, write the reports, tell people, end.

use std::time::Duration;

use aws_config::SdkConfig;
use crosswalk_function_kit::{Clock, Deadline, Entropy};
use crosswalk_identifier_store::{IdentifierStore, Table};
use crosswalk_identity::System;
use crosswalk_people::People;
use crosswalk_runs::report::Row;
use crosswalk_runs::{Held, Place, Progress, Ran, RunRecord, WayError, Worked};
use futures::FutureExt;

use crate::event::WAY;
use crate::findings::{Broken, Findings};
use crate::known::{Bounds, Gathered, Gathering};
use crate::listed::{Listed, Rejected};
use crate::notify::{Notified, Notifier};
use crate::settings::AuditSettings;
use crate::{outcome, reports};

/// What is left of a function's time for its end: reports and record.
const LAST: Duration = Duration::from_secs(10);

/// Why a run failed, if its time was up before it had looked at everybody.
const TOO_LATE: &str =
    "the time was up before everybody was looked at, and nothing was concluded; give the function more";

/// Whom to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whom {
    /// All who are known.
    Everybody,
    /// All who are known, by other systems than the settings name.
    EverybodyFor(Vec<System>),
    /// The people of a list, and who is one with them.
    Listed {
        /// The list.
        people: Vec<Listed>,
        /// The lines of it that do not read.
        rejected: Vec<Rejected>,
        /// Other systems than the settings name.
        systems: Option<Vec<System>>,
    },
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRequest {
    /// The run's id: the same for a repeat of the same event.
    pub run_id: String,
    /// What started it: `schedule`, `invocation`, `crosswalk audit`.
    pub delivery: String,
    /// Whom to look at. What is not an audit of everybody by the settings takes the place of no other's report.
    pub whom: Whom,
}

impl AuditRequest {
    fn is_whole(&self) -> bool {
        self.whom == Whom::Everybody
    }

    /// The lines of the list that do not read.
    fn rejected(&self) -> &[Rejected] {
        match &self.whom {
            Whom::Listed { rejected, .. } => rejected,
            Whom::Everybody | Whom::EverybodyFor(_) => &[],
        }
    }
}

/// What an audit found, and what came of its mails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audited {
    /// The findings.
    pub findings: Findings,
    /// The mails; nobody's where none are to be sent.
    pub mails: Notified,
}

/// What a run would do.
#[derive(Debug)]
pub struct DryRun {
    /// The record as the run's would be.
    pub record: RunRecord,
    /// What was found, and who would get a mail.
    pub audited: Audited,
    /// Whose mail would not be sent, and why.
    pub rows: Vec<Row>,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watched {
    /// It reads people and mappings.
    Reading {
        /// So many items were read.
        items: u64,
    },
    /// It checks that items belong together.
    Checking,
    /// It sends mails.
    Mailing {
        /// So many people lack something.
        people: u64,
    },
}

/// Is told how far a run is.
pub(crate) type Watch<'a> = &'a (dyn Fn(Watched) + Send + Sync);

/// Audits mappings.
pub struct Auditor {
    settings: AuditSettings,
    place: Place,
    store: IdentifierStore,
    people: People,
    notifier: Notifier,
    clock: Clock,
}

impl Auditor {
    /// Nothing is called yet. `config` reaches the mappings' table, and what mails need.
    pub fn new(settings: AuditSettings, place: Place, config: &SdkConfig, clock: Clock, entropy: Entropy) -> Self {
        let table = Table::new(aws_sdk_dynamodb::Client::new(config), &settings.table);
        let store = IdentifierStore::new(table.clone(), clock.clone(), entropy.clone());
        let people = People::new(table, clock.clone(), entropy.clone());
        let notifier = Notifier::new(settings.notify.clone(), config, &settings.table, clock.clone(), entropy);
        Self { settings, place, store, people, notifier, clock }
    }

    /// The settings.
    pub fn settings(&self) -> &AuditSettings {
        &self.settings
    }

    /// Audits once. `watch` is told how far it is. Beside the run, what was found, if it was this call that looked.
    ///
    /// Each run has a turn of its own: an audit changes nothing that another one reads, and that nobody gets two mails is
    /// seen to by whoever sends them.
    ///
    /// # Errors
    /// What may pass: a repeat looks again. What will not is [`Ran::Ended`] with state failed.
    pub async fn audit(
        &self,
        request: &AuditRequest,
        deadline: Deadline,
        watch: Watch<'_>,
    ) -> Result<(Ran, Option<Audited>), WayError> {
        let record = self.begin(request);
        let turn = format!("{WAY}#{}", record.id);
        let held = match self.place.take(&record, &turn, &request.delivery).await? {
            Ok(held) => held,
            Err(ran) => return Ok((ran, None)),
        };
        tracing::info!(run = held.record().id, whole = request.is_whole(), "the audit begins");
        // Boxed: a future of this depth is more than a caller's own future should hold.
        let worked = held.unless_lost(self.work(request, deadline, &held, watch).boxed()).await;
        let (worked, audited) = match worked {
            Ok((worked, audited)) => (Ok(worked), audited),
            Err(error) => (Err(error), None),
        };
        let record = self.place.close(held, worked, &self.settings.metrics).await?;
        if request.is_whole() {
            outcome::tell(&self.settings.metrics, &record);
        }
        Ok((Ran::Ended(record), audited))
    }

    /// Looks, and says who would get which mail; writes nothing anywhere, and takes no turn.
    ///
    /// # Errors
    /// Something cannot be read.
    pub async fn dry_run(
        &self,
        request: &AuditRequest,
        deadline: Deadline,
        watch: Watch<'_>,
    ) -> Result<DryRun, WayError> {
        let mut record = self.begin(request);
        record.dry_run = true;
        let findings = self.look(request, &record, deadline, watch, &|_| {}).boxed().await;
        let findings = findings.map_err(WayError::Cannot)?;
        let mails = self.mail(&findings, &record, deadline, watch).await;
        let rows = self.fill(request, &mut record, &findings, &mails);
        record.ended_at = Some(self.clock.now());
        Ok(DryRun { record, audited: Audited { findings, mails }, rows })
    }

    fn fill(&self, request: &AuditRequest, record: &mut RunRecord, findings: &Findings, mails: &Notified) -> Vec<Row> {
        let notify = &self.settings.notify;
        let registers = notify.labarchives.as_ref().is_some_and(|system| findings.required.contains(system));
        let without_links = notify.notify && registers && notify.invitations.pages.is_none();
        outcome::fill(record, findings, mails, request.rejected(), without_links)
    }

    fn begin(&self, request: &AuditRequest) -> RunRecord {
        let table = &self.settings.table;
        let source = match &request.whom {
            Whom::Everybody | Whom::EverybodyFor(_) => format!("dynamodb:{table}"),
            Whom::Listed { people, .. } => format!("a list of {} people, dynamodb:{table}", people.len()),
        };
        RunRecord::begin(&request.run_id, WAY, source, self.clock.now())
    }

    /// Looks, reports, tells people. An error is the turn's loss, or a report that cannot be written; what else goes wrong
    /// is in the record.
    async fn work(
        &self,
        request: &AuditRequest,
        deadline: Deadline,
        held: &Held,
        watch: Watch<'_>,
    ) -> Result<(Worked, Option<Audited>), WayError> {
        let taken = held.record();
        let mut record = RunRecord::begin(&taken.id, &taken.kind, &taken.source, taken.started_at);
        let tell = |rows| held.tell(Progress { rows, bytes: 0, percent: None }, taken.counts);
        let findings = match self.look(request, &record, deadline, watch, &tell).boxed().await {
            Ok(findings) => findings,
            Err(reason) => {
                record.fail(reason);
                record.ended_at = Some(self.clock.now());
                return Ok((Worked { record, rows: Vec::new() }, None));
            }
        };
        let files = &self.place.files;
        held.confirm().await?;
        // Before the mails: whoever asks why they got one finds the report.
        reports::write(files, &record, &findings, request.is_whole()).boxed().await?;
        let mails = self.mail(&findings, &record, deadline, watch).await;
        let rows = self.fill(request, &mut record, &findings, &mails);
        let folder = reports::folder(&record, request.is_whole());
        if let Some(audit) = &mut record.audit {
            audit.reports = Some(folder);
        }
        record.ended_at = Some(self.clock.now());
        if request.is_whole() {
            reports::write_summary(files, &record).await?;
        }
        Ok((Worked { record, rows }, Some(Audited { findings, mails })))
    }

    /// Reads all of it.
    async fn look(
        &self,
        request: &AuditRequest,
        record: &RunRecord,
        deadline: Deadline,
        watch: Watch<'_>,
        tell: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<Findings, String> {
        let looked = deadline.in_time(LAST, self.look_at(request, record, watch, tell).boxed()).await;
        looked.ok_or_else(|| TOO_LATE.to_owned())?
    }

    async fn look_at(
        &self,
        request: &AuditRequest,
        record: &RunRecord,
        watch: Watch<'_>,
        tell: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<Findings, String> {
        let required = match &request.whom {
            Whom::Everybody | Whom::Listed { systems: None, .. } => &self.settings.required,
            Whom::EverybodyFor(systems) | Whom::Listed { systems: Some(systems), .. } => systems,
        };
        let mut gathering = Gathering::new(Bounds {
            required,
            seen_since: record.started_at - self.settings.seen_within,
            stale_before: record.started_at - self.settings.stale_after,
            everybody: !matches!(request.whom, Whom::Listed { .. }),
        });
        let (mut every, mut items) = (self.people.every_known(), 0);
        while let Some(page) = every.next_page().await.map_err(|error| error.to_string())? {
            items += page.len() as u64;
            page.into_iter().for_each(|known| gathering.item(known));
            tell(items);
            watch(Watched::Reading { items });
        }
        gathering.table_ends();
        if let Whom::Listed { people, .. } = &request.whom {
            people.iter().for_each(|listed| gathering.listed(listed));
        }
        let read = crosswalk_sightings::read(&self.place.files, |sighting| gathering.sighting(sighting)).boxed().await;
        read.map_err(|error| error.to_string())?;
        let Gathered { people, complete, missing, stale } = gathering.end();
        watch(Watched::Checking);
        let broken = self.broken().boxed().await?;
        Ok(Findings { required: required.clone(), people, complete, missing, stale, broken })
    }

    /// The items that break the constraints: of the whole table, since a broken item often does not tell whose it is.
    async fn broken(&self) -> Result<Vec<Broken>, String> {
        let mut broken = Vec::new();
        let mappings = self.store.check_integrity(|item| {
            let fault = item.fault.to_string();
            broken.push(Broken { key: item.key.pk, sort_key: item.key.sk, fault });
        });
        mappings.boxed().await.map_err(|error| error.to_string())?;
        let people = self.people.check_integrity(|item| {
            let fault = item.fault.to_string();
            broken.push(Broken { key: item.key.pk, sort_key: item.key.sk, fault });
        });
        people.boxed().await.map_err(|error| error.to_string())?;
        broken.sort();
        Ok(broken)
    }

    async fn mail(&self, findings: &Findings, record: &RunRecord, deadline: Deadline, watch: Watch<'_>) -> Notified {
        if !self.settings.notify.notify {
            return Notified { people: Vec::new(), ended: None };
        }
        watch(Watched::Mailing { people: findings.missing.len() as u64 });
        let people = findings.missing.clone();
        self.notifier.notify(people, &record.id, record.dry_run, deadline.earlier(LAST)).boxed().await
    }
}
