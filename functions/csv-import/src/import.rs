//! One file's import: claim, work, end.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_config::SdkConfig;
use crosswalk_accounts::Accounts;
use crosswalk_function_kit::secrets::Secrets;
use crosswalk_function_kit::traffic::OfTask;
use crosswalk_function_kit::{Clock, Deadline, Entropy};
use crosswalk_identifier_store::{IdentifierStore, Table};
use crosswalk_people::People;
use crosswalk_runs::files::s3_client;
use crosswalk_runs::{Claim, Counts, Lease, Progress, Reports, RunError, RunRecord, RunState, Runs};
use futures::FutureExt;
use tokio::sync::watch;

use crate::Kind;
use crate::csv_file::FileError;
use crate::feed::{Fed, feed};
use crate::fineos::Fineos;
use crate::leave_admins::LeaveAdmins;
use crate::pipeline::{self, Broke, Margins, Plan, Tally};
use crate::reports::{self, RowReports};
use crate::settings::ImportSettings;
use crate::source::{self, Opened, Source, SourceError};
use crate::traffic::RunTraffic;
use crate::work::{KindOfWork, Work, unit_of};

/// What to import.
#[derive(Debug, Clone)]
pub struct ImportRequest {
    /// The run's id: the same for a repeat of the same event.
    pub run_id: String,
    /// What the rows are.
    pub kind: Kind,
    /// Where they are.
    pub source: Source,
    /// Under which name the run is claimed: the SQS message's id, …
    pub delivery: String,
    /// Register at FINEOS again, even who is registered.
    pub force_registration: bool,
}

/// What came of an import.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    /// The run has ended, now or before.
    Ended(RunRecord),
    /// Another worker is at it.
    Alive(RunRecord),
}

/// The same, with the delivery of the other worker.
pub(crate) enum Claimed {
    Ended(RunRecord),
    Alive { delivery: String, record: RunRecord },
}

/// Why an import did not end. A repeat of the same request goes on from where it stopped.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The run's record, or the right to work on it.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The source did not read for the moment.
    #[error("the file cannot be read: {0}")]
    Source(String),
    /// A report could not be written.
    #[error("{0}")]
    Report(String),
}

/// Imports files. Cheap to make: clients and what they need are built on first use.
pub struct Importer {
    pub(crate) config: SdkConfig,
    pub(crate) settings: ImportSettings,
    pub(crate) clock: Clock,
    pub(crate) entropy: Entropy,
    s3: OnceLock<aws_sdk_s3::Client>,
    sqs: OnceLock<aws_sdk_sqs::Client>,
    table: OnceLock<Table>,
    /// One for the process: it holds the paces and the check of the pool.
    accounts: OnceLock<Accounts>,
    /// Holds its connections and its token.
    fineos: OnceLock<Option<Arc<Fineos>>>,
}

/// How often the progress is written to the run's item, and with it the lease renewed: a third of what the lease needs,
/// so that who watches a run through the API sees it move.
const TOLD_EVERY: Duration = Duration::from_secs(5);

/// Is told how far a run is.
type Tell = Box<dyn Fn(&Progress, &Counts) + Send + Sync>;

/// Why the work did not come to an end.
enum Broken {
    /// Another worker has taken the run over.
    Lost,
    Error(ImportError),
}

impl From<reports::ReportError> for Broken {
    fn from(error: reports::ReportError) -> Self {
        Self::Error(ImportError::Report(error.to_string()))
    }
}

impl Importer {
    /// With an AWS configuration and settings; nothing is called yet.
    pub fn new(config: &SdkConfig, settings: ImportSettings, clock: Clock, entropy: Entropy) -> Self {
        if !settings.unused.is_empty() {
            tracing::info!(settings = settings.unused.join(", "), "these settings are set and have no effect here");
        }
        Self {
            config: config.clone(),
            settings,
            clock,
            entropy,
            s3: OnceLock::new(),
            sqs: OnceLock::new(),
            table: OnceLock::new(),
            accounts: OnceLock::new(),
            fineos: OnceLock::new(),
        }
    }

    /// Imports a file, or finds that its run has ended or is being worked on. `watch` is told how far it is.
    ///
    /// # Errors
    /// What may pass (the store or S3 busy for too long, the run taken over): a repeat goes on. What will not pass is a run
    /// with state failed.
    pub async fn import(
        &self,
        request: ImportRequest,
        deadline: Deadline,
        watch: &(dyn Fn(&Progress, &Counts) + Send + Sync),
    ) -> Result<Ended, ImportError> {
        Ok(match self.claim_and_import(&request, None, deadline, watch).await? {
            Claimed::Ended(record) => Ended::Ended(record),
            Claimed::Alive { record, .. } => Ended::Alive(record),
        })
    }

    /// The same; `etag` pins the content that the event told of.
    pub(crate) async fn claim_and_import(
        &self,
        request: &ImportRequest,
        etag: Option<&str>,
        deadline: Deadline,
        watch: &(dyn Fn(&Progress, &Counts) + Send + Sync),
    ) -> Result<Claimed, ImportError> {
        let record = self.begin(request);
        // Boxed: a future of this depth is more than a caller's own future should hold.
        let work = |record: RunRecord, tell: Tell, traffic: RunTraffic| {
            async move {
                let tell = |progress: &Progress, counts: &Counts| {
                    watch(progress, counts);
                    tell(progress, counts);
                };
                self.work(request, etag, record, deadline, &tell, &traffic).await
            }
            .boxed()
        };
        self.claimed(record, &request.delivery, work).boxed().await
    }

    /// Notes a file that cannot be imported as a run that failed at once.
    pub(crate) async fn refuse(
        &self,
        run_id: &str,
        source: &Source,
        delivery: &str,
        reason: &str,
    ) -> Result<Claimed, ImportError> {
        let record = RunRecord::begin(run_id, "import", source.to_string(), self.clock.now());
        let refused = |record, _, _| async move { Ok(failed(record, reason)) };
        self.claimed(record, delivery, refused).boxed().await
    }

    fn begin(&self, request: &ImportRequest) -> RunRecord {
        RunRecord::begin(&request.run_id, request.kind.to_string(), request.source.to_string(), self.clock.now())
    }

    pub(crate) fn runs(&self) -> Runs {
        self.runs_over(self.table())
    }

    fn runs_over(&self, table: Table) -> Runs {
        Runs::new(table, self.clock.clone(), self.entropy.clone())
    }

    fn table(&self) -> Table {
        let build = || Table::new(aws_sdk_dynamodb::Client::new(&self.config), &self.settings.table);
        self.table.get_or_init(build).clone()
    }

    /// The table, by a client that counts for a run.
    fn counted_table(&self, traffic: &RunTraffic) -> Table {
        let table = self.table();
        let config = table.client.config().to_builder().interceptor(traffic.dynamodb.clone()).build();
        Table::new(aws_sdk_dynamodb::Client::from_conf(config), table.name)
    }

    /// A client for the queue that messages come from, and its URL, if the settings name it.
    pub(crate) fn queue(&self) -> Option<(&aws_sdk_sqs::Client, &str)> {
        let url = self.settings.queue_url.as_deref()?;
        Some((self.sqs.get_or_init(|| aws_sdk_sqs::Client::new(&self.config)), url))
    }

    fn s3(&self) -> &aws_sdk_s3::Client {
        self.s3.get_or_init(|| s3_client(&self.config))
    }

    /// S3, by a client that counts for a run.
    fn counted_s3(&self, traffic: &RunTraffic) -> aws_sdk_s3::Client {
        let config = self.s3().config().to_builder().interceptor(traffic.s3.clone()).build();
        aws_sdk_s3::Client::from_conf(config)
    }

    /// Does `work` under a lease, writes the summary and then the run's end.
    async fn claimed<F>(
        &self,
        record: RunRecord,
        delivery: &str,
        work: impl FnOnce(RunRecord, Tell, RunTraffic) -> F,
    ) -> Result<Claimed, ImportError>
    where
        F: Future<Output = Result<RunRecord, Broken>>,
    {
        let traffic = RunTraffic::default();
        let runs = self.runs_over(self.counted_table(&traffic));
        let (lease, takeover, record) = match runs.claim(&record, delivery).await? {
            Claim::Ended(record) => return Ok(Claimed::Ended(record)),
            Claim::Alive { delivery, record } => return Ok(Claimed::Alive { delivery, record }),
            Claim::Ours { lease, takeover, record } => (lease, takeover, record),
        };
        let run = record.id.clone();
        tracing::info!(run, kind = record.kind, takeover, "the import begins");
        let (latest, seen) = watch::channel((record.progress, record.counts));
        let keeper = runs.keep_every(TOLD_EVERY, lease.clone(), seen);
        let lost = keeper.lost();
        let tell: Tell = Box::new(move |progress, counts| {
            latest.send_replace((*progress, *counts));
        });
        let worked = tokio::select! {
            worked = work(record, tell, traffic.clone()) => worked,
            () = lost.cancelled() => Err(Broken::Lost),
        };
        let ended = match worked {
            Ok(record) => self.end(&runs, &lease, record, keeper, &traffic).await,
            Err(broken) => {
                keeper.stop().await;
                Err(broken)
            }
        };
        match ended {
            Ok(record) => {
                let counts = record.counts;
                tracing::info!(
                    run,
                    state = ?record.state,
                    read = counts.read,
                    unsuccessful = counts.unsuccessful(),
                    reasons = record.reasons_line(),
                    "the import has ended"
                );
                record.tell(&self.settings.metrics);
                Ok(Claimed::Ended(record))
            }
            Err(Broken::Lost) => Err(RunError::Lost { run }.into()),
            Err(Broken::Error(error)) => {
                tracing::warn!(run, %error, "the import stops; a repeat goes on");
                // If that fails too, the lease lapses by itself.
                if let Err(error) = runs.release(&lease).await {
                    tracing::warn!(run, %error, "the lease could not be given back");
                }
                Err(error)
            }
        }
    }

    async fn end(
        &self,
        runs: &Runs,
        lease: &Lease,
        mut record: RunRecord,
        keeper: crosswalk_runs::Keeper,
        traffic: &RunTraffic,
    ) -> Result<RunRecord, Broken> {
        record.ended_at = Some(self.clock.now());
        // All but what writes the record itself, here and below.
        record.traffic = traffic.by_target();
        record.reports.summary = Some(reports::key(&record.id, reports::SUMMARY));
        // A worker that another one took over from must not write over that one's summary.
        let written = if keeper.is_lost() {
            Err(Broken::Lost)
        } else {
            reports::put_summary(self.s3(), &self.settings.bucket, &record).await.map_err(Broken::from)
        };
        keeper.stop().await;
        written?;
        runs.end(lease, &record).await.map_err(|error| match error {
            RunError::Lost { .. } => Broken::Lost,
            error @ (RunError::Store(_) | RunError::Folder(_)) => Broken::Error(error.into()),
        })?;
        Ok(record)
    }

    async fn work(
        &self,
        request: &ImportRequest,
        etag: Option<&str>,
        mut record: RunRecord,
        deadline: Deadline,
        tell: &(dyn Fn(&Progress, &Counts) + Send + Sync),
        traffic: &RunTraffic,
    ) -> Result<RunRecord, Broken> {
        let margins = Margins::of(deadline);
        let s3 = self.counted_s3(traffic);
        let work = match self.kind_of_work(request, traffic) {
            Ok(kind) => Arc::new(Work { run: request.run_id.clone(), kind }),
            Err(missing) => return Ok(failed(record, &missing)),
        };
        let opened = source::open(&request.source, &s3, etag, self.settings.max_bytes).await;
        let Opened { reader, size } = match opened {
            Ok(opened) => opened,
            Err(SourceError::Permanent(reason)) => return Ok(failed(record, &reason)),
            Err(SourceError::Transient(reason)) => return Err(Broken::Error(ImportError::Source(reason))),
        };
        let unit = unit_of(&request.kind);
        let mut fed = feed(reader, request.kind.clone(), unit);
        let layout = match fed.recv().await {
            Some(Fed::Layout(layout)) => layout,
            Some(Fed::End(Err(error))) => return unreadable(record, error),
            _ => return unreadable(record, FileError::Empty),
        };
        let concurrency = (self.settings.concurrency / unit.min(8)).max(1);
        let plan = Plan { work, concurrency, margins, size, tell };
        let mut reports = RowReports::begin(&s3, &self.settings.bucket, &request.run_id, &layout)?;
        let tally = pipeline::run(plan, layout, fed, &mut reports).await?;
        if let Some(Broke::File(FileError::Read(error))) = &tally.broke
            && let Some(SourceError::Transient(reason)) = source::behind(error)
        {
            return Err(Broken::Error(ImportError::Source(reason.clone())));
        }
        if tally.counts.read > 0 {
            let (succeeded, failed) = reports.complete().await?;
            record.reports = Reports { succeeded: Some(succeeded), failed: Some(failed), summary: None };
        }
        Ok(with_tally(record, tally))
    }

    /// What the rows of a file are worked on with.
    ///
    /// # Errors
    /// The setting that is missing for this kind of file.
    fn kind_of_work(&self, request: &ImportRequest, traffic: &RunTraffic) -> Result<KindOfWork, String> {
        let (table, clock, entropy) = (self.counted_table(traffic), self.clock.clone(), self.entropy.clone());
        Ok(match &request.kind {
            Kind::Mappings(system) => KindOfWork::Mappings(IdentifierStore::new(table, clock, entropy), system.clone()),
            Kind::Employers => KindOfWork::Employers(People::new(table, clock, entropy)),
            Kind::LeaveAdmins => {
                KindOfWork::LeaveAdmins(Box::new(self.leave_admins(request.force_registration, traffic)?))
            }
        })
    }

    pub(crate) fn leave_admins(&self, force: bool, traffic: &RunTraffic) -> Result<LeaveAdmins, String> {
        let settings = self.settings.accounts.clone().ok_or(
            "COGNITO_IDENTITY_POOL_ID is not set: files of leave administrators need the Cognito user pool's id there",
        )?;
        let (clock, entropy) = (self.clock.clone(), self.entropy.clone());
        let accounts = self.accounts.get_or_init(|| {
            let config =
                aws_sdk_cognitoidentityprovider::config::Builder::from(&self.config).interceptor(OfTask).build();
            let client = aws_sdk_cognitoidentityprovider::Client::from_conf(config);
            Accounts::new(&client, settings, clock.clone(), entropy.clone())
        });
        let fineos = self.fineos.get_or_init(|| {
            let settings = self.settings.fineos.clone()?;
            Some(Arc::new(Fineos::new(settings, Secrets::new(&self.config))))
        });
        Ok(LeaveAdmins {
            people: self.people(traffic),
            accounts: accounts.clone(),
            fineos: fineos.clone(),
            traffic: traffic.clone(),
            clock,
            entropy,
            force,
        })
    }

    pub(crate) fn people(&self, traffic: &RunTraffic) -> People {
        People::new(self.counted_table(traffic), self.clock.clone(), self.entropy.clone())
    }

    pub(crate) fn planner(&self, traffic: &RunTraffic) -> crosswalk_identifier_store::Planner {
        IdentifierStore::new(self.counted_table(traffic), self.clock.clone(), self.entropy.clone()).planner()
    }

    pub(crate) async fn open(&self, source: &Source, traffic: &RunTraffic) -> Result<Opened, SourceError> {
        source::open(source, &self.counted_s3(traffic), None, self.settings.max_bytes).await
    }
}

fn unreadable(record: RunRecord, error: FileError) -> Result<RunRecord, Broken> {
    if let FileError::Read(error) = &error
        && let Some(SourceError::Transient(reason)) = source::behind(error)
    {
        return Err(Broken::Error(ImportError::Source(reason.clone())));
    }
    Ok(failed(record, &error.to_string()))
}

/// The record of a run in which nothing could be done.
pub(crate) fn failed(mut record: RunRecord, reason: &str) -> RunRecord {
    record.fail(reason);
    record
}

/// The record of a run whose rows were worked on.
pub(crate) fn with_tally(mut record: RunRecord, tally: Tally) -> RunRecord {
    record.progress = tally.progress;
    record.counts = tally.counts;
    record.reasons = tally.reasons.most_frequent();
    let broke = match tally.broke {
        Some(Broke::File(error)) => Some(error.to_string()),
        Some(Broke::Stopped(stop)) => Some(stop.to_string()),
        None if record.counts.read == 0 => Some(FileError::NoRows.to_string()),
        None => None,
    };
    match broke {
        Some(reason) => record.fail(reason),
        None if record.counts.unsuccessful() == 0 => record.state = RunState::Succeeded,
        None => record.state = RunState::Partly,
    }
    record
}
