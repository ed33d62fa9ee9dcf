use std::collections::BTreeMap;

use crosswalk_function_kit::traffic::Counter;
use crosswalk_identity::times;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crosswalk_reconcile::{Counts, ReasonCount, Reasons};

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// It works, or waits for the delivery that takes it over.
    Running,
    /// Every row is as the source wants it.
    Succeeded,
    /// Some rows are not.
    Partly,
    /// Nothing could be done, or the run broke off.
    Failed,
}

impl RunState {
    /// The word, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Partly => "partly",
            Self::Failed => "failed",
        }
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Progress {
    /// Rows settled so far.
    pub rows: u64,
    /// Bytes read so far.
    pub bytes: u64,
    /// Of the source's bytes, 0 to 100; null while the size is unknown.
    pub percent: Option<f64>,
}

/// The keys of a run's reports in the bucket.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Reports {
    /// Rows that are as the file wants them.
    pub succeeded: Option<String>,
    /// Rows that are not, with the reason.
    pub failed: Option<String>,
    /// This record.
    pub summary: Option<String>,
}

/// A run, the same for every way. Its JSON is the API's and `summary.json`'s; clients ignore fields that they don't know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// The run's id.
    pub id: String,
    /// `leave-admins`, `mappings`, `employers`, …; `import` for a file whose kind is not known.
    pub kind: String,
    /// Where it stands.
    pub state: RunState,
    /// Whether it only planned.
    pub dry_run: bool,
    /// What it read: `s3://bucket/key`, a file's name, …
    pub source: String,
    /// When it began: its first worker, if it was taken over.
    #[serde(with = "times")]
    pub started_at: Timestamp,
    /// When it ended.
    #[serde(with = "times::optional")]
    pub ended_at: Option<Timestamp>,
    /// How far it is.
    pub progress: Progress,
    /// Rows by outcome.
    pub counts: Counts,
    /// Where its reports are.
    pub reports: Reports,
    /// The most frequent reasons of unsuccessful rows (or of the failed run), most frequent first, at most
    /// [`Reasons::MOST`].
    pub reasons: Vec<ReasonCount>,
    /// What is done and should be known, most frequent first: names that the target filters, a deprecation, … Absent
    /// where there is none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<ReasonCount>,
    /// The counts of each kind of thing (`people`, `teams`), whose sum `counts` is; absent in the ways that have but one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parts: BTreeMap<String, Counts>,
    /// The calls to each outside system (`keycloak`, `glean`); absent in the ways that do not count them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub traffic: BTreeMap<String, Traffic>,
    /// It ended `partly` because its time was up, and its next leg goes on under the same id. Absent where it does not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub continues: bool,
    /// The hash of the plan; absent in the ways that have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// What an audit found; absent in the other ways.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<AuditCounts>,
}

/// What an audit found, in numbers. All the people that it looked at are `unchanged` in the record's counts, since an audit
/// changes nobody.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct AuditCounts {
    /// People who lack nothing.
    pub complete: u64,
    /// How many people each of the required systems does not know.
    pub missing: BTreeMap<String, u64>,
    /// Mappings that nobody has verified for long.
    pub stale: u64,
    /// Items that break the constraints.
    pub broken: u64,
    /// Mails by what came of them (`sent`, `skipped`, `refused`, `failed`, …); absent where none were to be sent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub mails: BTreeMap<String, u64>,
    /// The folder of its reports in the bucket; absent in a dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reports: Option<String>,
}

/// The calls to an outside system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Traffic {
    /// Requests that were sent, repeated ones included.
    pub requests: u64,
    /// Of these, how many repeated an earlier one.
    pub retries: u64,
    /// Bytes of the requests' bodies.
    pub bytes_sent: u64,
    /// Bytes of the answers' bodies; absent where the client library does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_received: Option<u64>,
}

/// What was counted; of the answers an SDK tells no sizes.
impl From<&Counter> for Traffic {
    fn from(counter: &Counter) -> Self {
        Self {
            requests: counter.requests(),
            retries: counter.retries(),
            bytes_sent: counter.bytes_sent(),
            bytes_received: None,
        }
    }
}

impl RunRecord {
    /// The record of a run that begins now.
    pub fn begin(id: impl Into<String>, kind: impl Into<String>, source: impl Into<String>, now: Timestamp) -> Self {
        Self {
            id: id.into(),
            kind: kind.into(),
            state: RunState::Running,
            dry_run: false,
            source: source.into(),
            started_at: now,
            ended_at: None,
            progress: Progress::default(),
            counts: Counts::default(),
            reports: Reports::default(),
            reasons: Vec::new(),
            warnings: Vec::new(),
            parts: BTreeMap::new(),
            traffic: BTreeMap::new(),
            continues: false,
            plan: None,
            audit: None,
        }
    }

    /// The run failed as a whole: why stands before the reasons of single rows, which stay as far as there is room.
    pub fn fail(&mut self, reason: impl Into<String>) {
        let reason = reason.into();
        self.state = RunState::Failed;
        self.reasons.retain(|other| other.reason != reason);
        self.reasons.insert(0, ReasonCount { reason, count: 1 });
        self.reasons.truncate(Reasons::MOST);
    }

    /// The reasons on one line, for the log.
    pub fn reasons_line(&self) -> String {
        let reasons = self.reasons.iter().map(|reason| format!("{} ({})", reason.reason, reason.count));
        reasons.collect::<Vec<_>>().join("; ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_a_run_failed_stands_first_and_once() {
        let mut record = RunRecord::begin("r", "employers", "s", Timestamp::UNIX_EPOCH);
        let reason = |n: usize| ReasonCount { reason: format!("reason {n}"), count: 2 };
        record.reasons = (0..Reasons::MOST).map(reason).collect();
        record.fail("the file broke off");
        record.fail("reason 3");
        assert_eq!(record.state, RunState::Failed);
        assert_eq!(record.reasons.len(), Reasons::MOST);
        assert!(record.reasons_line().starts_with("reason 3 (1); the file broke off (1); reason 0 (2); "));
        assert_eq!(record.reasons_line().matches("reason 3 ").count(), 1);
    }
}
