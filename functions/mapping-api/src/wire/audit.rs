//! What the last audit found.

use std::collections::BTreeMap;

use crosswalk_identity::{System, times};
use crosswalk_runs as runs;
use crosswalk_runs::audit_index::AuditIndex;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The answer of an audit: who lacks a mapping in a system, or the numbers of all systems.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Audited {
    /// The page.
    Missing(MissingPage),
    /// The numbers.
    Numbers(AuditNumbers),
}

/// One page of the people whom the last audit found without a mapping in a system, by username.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MissingPage {
    /// The audit's run; `GET /runs/{id}` tells more.
    pub run: String,
    /// The day of its reports (UTC).
    #[schema(value_type = String, format = Date, example = "2026-11-22")]
    pub date: String,
    /// When it began.
    #[serde(with = "times")]
    #[schema(value_type = String, format = DateTime, example = "2026-11-22T10:00:00.000Z")]
    pub at: jiff::Timestamp,
    /// The system.
    #[schema(example = "nemo")]
    pub system: String,
    /// How many people lack a mapping in it, on all pages together.
    pub total: u64,
    /// Those of this page.
    pub items: Vec<Lacking>,
    /// Send it as `cursor` to get the next page; null after the last one.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

/// Somebody who lacks a mapping. People who share an e-mail are one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Lacking {
    /// The person.
    #[schema(example = "alice@example.org")]
    pub username: String,
    /// The address; null if none is known.
    #[schema(required)]
    pub email: Option<String>,
    /// The person's other usernames: those with the same e-mail.
    pub also: Vec<String>,
}

/// What the last audit found, in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditNumbers {
    /// The audit's run; `GET /runs/{id}` tells more.
    pub run: String,
    /// The day of its reports (UTC).
    #[schema(value_type = String, format = Date, example = "2026-11-22")]
    pub date: String,
    /// When it began.
    #[serde(with = "times")]
    #[schema(value_type = String, format = DateTime, example = "2026-11-22T10:00:00.000Z")]
    pub at: jiff::Timestamp,
    /// Each system that it asks for.
    pub systems: BTreeMap<String, SystemNumbers>,
    /// Mappings that nobody has verified for long.
    pub stale: u64,
    /// Items of the table that break its constraints.
    pub broken: u64,
}

/// What the audit found of a system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SystemNumbers {
    /// How many people lack a mapping in it.
    pub missing: u64,
}

/// What one audit found, in numbers. All the people that it looked at are `unchanged` in the run's counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditCounts {
    /// People who lack nothing.
    pub complete: u64,
    /// How many people lack a mapping in each system.
    pub missing: BTreeMap<String, u64>,
    /// Mappings that nobody has verified for long.
    pub stale: u64,
    /// Items of the table that break its constraints.
    pub broken: u64,
    /// Mails by what came of them (`sent`, `skipped`, `refused`, `failed`, …); absent where none were to be sent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub mails: BTreeMap<String, u64>,
    /// The folder of its reports in the bucket; absent in a dry run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reports: Option<String>,
}

impl From<runs::AuditCounts> for AuditCounts {
    fn from(counts: runs::AuditCounts) -> Self {
        let runs::AuditCounts { complete, missing, stale, broken, mails, reports } = counts;
        Self { complete, missing, stale, broken, mails, reports }
    }
}

impl From<AuditIndex> for AuditNumbers {
    fn from(index: AuditIndex) -> Self {
        let AuditIndex { run, date, at, required: _, missing_key: _, etag: _, systems, stale, broken } = index;
        let systems =
            systems.into_iter().map(|(system, at)| (System::into(system), SystemNumbers { missing: at.rows }));
        Self { run, date: date.to_string(), at, systems: systems.collect(), stale, broken }
    }
}
