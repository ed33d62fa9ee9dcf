//! Where a way keeps its runs, state and reports: a table and a bucket, or a folder.

use std::path::PathBuf;

use aws_config::SdkConfig;
use crosswalk_function_kit::metrics::Metrics;
use crosswalk_function_kit::settings::{Environment, Reader, Setting};
use crosswalk_function_kit::{Clock, Entropy};
use crosswalk_identifier_store::Table;
use jiff::Timestamp;

use crate::files::{Files, FilesError, s3_client};
use crate::report::{self, Row};
use crate::{Begin, Held, Ledger, RunError, RunRecord, Runs};

const TABLE: Setting = Setting::optional(
    "CROSSWALK_TABLE",
    "the DynamoDB table that all functions share; needed unless CROSSWALK_STATE_DIR is set",
);
const BUCKET: Setting = Setting::optional(
    "CROSSWALK_BUCKET",
    "the bucket that takes the state, under state/, and the reports, under reports/; needed unless CROSSWALK_STATE_DIR is set",
);
const STATE_DIR: Setting = Setting::optional(
    "CROSSWALK_STATE_DIR",
    "a folder that takes runs, state and reports in the place of table and bucket; not on Lambda, whose disk is not kept",
);

/// What [`Kept::read`] reads.
pub const SETTINGS: &[Setting] = &[TABLE, BUCKET, STATE_DIR];

/// Where runs, state and reports are kept, as the settings say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kept {
    /// In AWS.
    Aws {
        /// The DynamoDB table: runs.
        table: String,
        /// The bucket: state and reports.
        bucket: String,
    },
    /// In a folder.
    Folder(PathBuf),
}

impl Kept {
    /// `CROSSWALK_STATE_DIR`, or `CROSSWALK_TABLE` and `CROSSWALK_BUCKET`.
    pub fn read(reader: &mut Reader<'_>, environment: &Environment) -> Option<Self> {
        match (reader.text(&STATE_DIR), reader.text(&TABLE), reader.text(&BUCKET)) {
            (Some(_), _, _) if environment.is_lambda() => {
                reader.problem(format!(
                    "{} is set, but what a function writes to its disk is not kept; set {} and {}",
                    STATE_DIR.name, TABLE.name, BUCKET.name
                ));
                None
            }
            (Some(folder), _, _) => Some(Self::Folder(folder.into())),
            (None, Some(table), Some(bucket)) => Some(Self::Aws { table, bucket }),
            (None, table, bucket) => {
                let missing = [(table, TABLE), (bucket, BUCKET)].into_iter().filter(|(value, _)| value.is_none());
                let names: Vec<_> = missing.map(|(_, setting)| setting.name).collect();
                reader.problem(format!(
                    "{} {} not set: set {} and {}, or {} to a folder",
                    names.join(" and "),
                    if names.len() == 1 { "is" } else { "are" },
                    TABLE.name,
                    BUCKET.name,
                    STATE_DIR.name
                ));
                None
            }
        }
    }
}

/// Where runs, state and reports are kept.
#[derive(Debug, Clone)]
pub struct Place {
    /// The runs.
    pub ledger: Ledger,
    /// State and reports.
    pub files: Files,
}

/// What came of a run that takes turns.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "there is one a run")]
pub enum Ran {
    /// The run, or this leg of it, has ended, with or without success; or it had ended before.
    Ended(RunRecord),
    /// Another run has the turn.
    Busy {
        /// The run.
        run: String,
        /// When its lease lapses unless it is renewed; none where a process holds a lock.
        until: Option<Timestamp>,
    },
}

/// Why a run of a way did not come to an end. What will not pass by itself is a run with state failed.
#[derive(Debug, thiserror::Error)]
pub enum WayError {
    /// A side cannot be read, or does not do; a dry run's only.
    #[error("{0}")]
    Cannot(String),
    /// The run's record, or the right to work on it.
    #[error(transparent)]
    Run(#[from] RunError),
    /// The state or a report.
    #[error(transparent)]
    Files(#[from] FilesError),
}

/// A run whose work is done, or could not be: its record, but for the reports, and who did not end as they should.
#[derive(Debug)]
pub struct Worked {
    /// The record.
    pub record: RunRecord,
    /// For `failed.csv`.
    pub rows: Vec<Row>,
}

impl Place {
    /// As the settings say; nothing is called or made yet.
    pub fn new(kept: &Kept, config: &SdkConfig, clock: &Clock, entropy: &Entropy) -> Self {
        match kept {
            Kept::Aws { table, bucket } => {
                let table = Table::new(aws_sdk_dynamodb::Client::new(config), table);
                Self {
                    ledger: Ledger::Table(Runs::new(table, clock.clone(), entropy.clone())),
                    files: Files::Bucket { client: s3_client(config), bucket: bucket.clone() },
                }
            }
            Kept::Folder(folder) => Self {
                ledger: Ledger::Folder { folder: folder.clone(), clock: clock.clone() },
                files: Files::Folder(folder.clone()),
            },
        }
    }

    /// Takes the turn for the run; or says why there is nothing to do.
    ///
    /// # Errors
    /// As [`Ledger::begin`].
    pub async fn take(&self, record: &RunRecord, turn: &str, delivery: &str) -> Result<Result<Held, Ran>, RunError> {
        Ok(match self.ledger.begin(record, turn, delivery).await? {
            Begin::Ours(held) => Ok(held),
            Begin::Ended(record) => Err(Ran::Ended(record)),
            Begin::Busy { run, until } => Err(Ran::Busy { run, until }),
        })
    }

    /// Writes the reports and then the run's end, and tells log and metrics of it. After an error, of the work or of this,
    /// the turn is given back, so that a repeat need not wait for the lease; one that was lost is not ours to give.
    ///
    /// # Errors
    /// The work's own; the reports or the run's end cannot be written (what was done stands, and a repeat finds it so).
    pub async fn close<E>(&self, held: Held, worked: Result<Worked, E>, metrics: &Metrics) -> Result<RunRecord, E>
    where
        E: From<RunError> + From<FilesError> + std::fmt::Display,
    {
        let run = held.record().id.clone();
        let closed = match worked {
            Ok(worked) => self.end(held, worked).await,
            Err(error) => {
                if !held.lost().is_cancelled() {
                    give_back(held).await;
                }
                Err(error)
            }
        };
        match &closed {
            Ok(record) => {
                record.log_end();
                record.tell(metrics);
            }
            Err(error) => tracing::warn!(run, %error, "the run stops"),
        }
        closed
    }

    async fn end<E: From<RunError> + From<FilesError>>(&self, held: Held, worked: Worked) -> Result<RunRecord, E> {
        let Worked { mut record, rows } = worked;
        let written = async {
            record.reports.failed = report::put_failed(&self.files, &record.id, &rows).await?;
            record.reports.summary = Some(report::key(&record.id, report::SUMMARY));
            report::put_summary(&self.files, &record).await
        };
        if let Err(error) = written.await {
            give_back(held).await;
            return Err(error.into());
        }
        held.end(&record).await?;
        Ok(record)
    }
}

/// Lets a repeat begin at once.
async fn give_back(held: Held) {
    let run = held.record().id.clone();
    if let Err(error) = held.release().await {
        tracing::warn!(run, %error, "the turn could not be given back; it lapses by itself");
    }
}

impl Held {
    /// Works unless, and until, the turn is lost to another.
    ///
    /// # Errors
    /// The work's own, or [`RunError::Lost`].
    pub async fn unless_lost<T, E: From<RunError>>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let lost = self.lost();
        tokio::select! {
            worked = work => worked,
            () = lost.cancelled() => Err(RunError::Lost { run: self.record().id.clone() }.into()),
        }
    }
}

impl RunRecord {
    fn log_end(&self) {
        let counts = self.counts;
        tracing::info!(
            run = self.id,
            state = self.state.as_str(),
            continues = self.continues,
            read = counts.read,
            created = counts.created,
            updated = counts.updated,
            unchanged = counts.unchanged,
            verified = counts.verified,
            rejected = counts.rejected,
            conflict = counts.conflict,
            failed = counts.failed,
            skipped = counts.skipped,
            deactivated = counts.deactivated.unwrap_or(0),
            reactivated = counts.reactivated.unwrap_or(0),
            deleted = counts.deleted.unwrap_or(0),
            plan = self.plan.as_deref().unwrap_or(""),
            reasons = self.reasons_line(),
            "the run has ended"
        );
    }
}
