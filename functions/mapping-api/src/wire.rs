//! The JSON forms of the API; the command line's `--json` prints them too.
//!
//! Absent values are null, times RFC 3339 in UTC. Fields may be added later; clients ignore what they don't know. What
//! comes in is read strictly: an unknown field is refused, as it may be a misspelt known one.

mod audit;

use std::collections::BTreeMap;

use crosswalk_identifier_store::{self as store, Change};
use crosswalk_identity::{self as identity, Email, ExternalId, Username, times};
use crosswalk_people as people;
use crosswalk_runs as runs;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

pub use audit::{AuditCounts, AuditNumbers, Audited, Lacking, MissingPage, SystemNumbers};

/// That a person is known to a system under an external id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Mapping {
    /// The person, as first given.
    #[schema(example = "alice@example.org")]
    pub username: String,
    /// The outside system.
    #[schema(example = "nemo")]
    pub system: String,
    /// Its id of the person; exact, case matters.
    #[schema(example = "12345")]
    pub external_id: String,
    /// The address under which the system knows the person.
    #[schema(required)]
    pub email: Option<String>,
    /// When it was first stored.
    #[serde(with = "times")]
    #[schema(value_type = String, format = DateTime, example = "2026-11-22T10:00:00.000Z")]
    pub created_at: jiff::Timestamp,
    /// When it was last stored again.
    #[serde(with = "times::optional")]
    #[schema(value_type = Option<String>, format = DateTime, required)]
    pub last_verified_at: Option<jiff::Timestamp>,
    /// When the system last saw the person at work.
    #[serde(with = "times::optional")]
    #[schema(value_type = Option<String>, format = DateTime, required)]
    pub last_seen: Option<jiff::Timestamp>,
    /// Free text.
    #[schema(required)]
    pub notes: Option<String>,
    /// What wrote it last: `<run id>#<line>`, or the id of a request (its `X-Request-Id`).
    #[schema(required)]
    pub stored_by: Option<String>,
}

impl From<identity::Mapping> for Mapping {
    fn from(mapping: identity::Mapping) -> Self {
        Self {
            username: mapping.username.into(),
            system: mapping.system.into(),
            external_id: mapping.external_id.into(),
            email: mapping.email.map(Into::into),
            created_at: mapping.created_at,
            last_verified_at: mapping.last_verified_at,
            last_seen: mapping.last_seen,
            notes: mapping.notes,
            stored_by: mapping.stored_by.map(Into::into),
        }
    }
}

/// Some mappings, all that there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Mappings {
    /// The mappings.
    pub items: Vec<Mapping>,
}

impl From<Vec<identity::Mapping>> for Mappings {
    fn from(mappings: Vec<identity::Mapping>) -> Self {
        Self { items: mappings.into_iter().map(Into::into).collect() }
    }
}

/// One page of a system's mappings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct MappingPage {
    /// The mappings; there may be fewer than `limit`, even none, before the last page.
    pub items: Vec<Mapping>,
    /// Send it as `cursor` to get the next page; null after the last one.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

impl From<store::Page> for MappingPage {
    fn from(page: store::Page) -> Self {
        Self { items: page.items.into_iter().map(Into::into).collect(), next_cursor: page.next_cursor }
    }
}

/// The answer of a system's identifiers: the one mapping that holds an external id, or a page of all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Found {
    /// The mapping.
    One(Mapping),
    /// The page.
    Page(MappingPage),
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Person {
    /// The canonical name.
    #[schema(example = "alice@example.org")]
    pub username: String,
    /// The address; null if it is not known.
    #[schema(required)]
    pub email: Option<String>,
    /// What the person may be, such as `EMPLOYER` for a leave administrator.
    pub roles: Vec<String>,
}

impl From<people::Person> for Person {
    fn from(person: people::Person) -> Self {
        Self { username: person.username.into(), email: person.email.map(Into::into), roles: person.roles }
    }
}

/// Some people, all that there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct People {
    /// The people, by username.
    pub items: Vec<Person>,
}

/// All that is known of a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PersonDetails {
    /// The canonical name.
    #[schema(example = "alice@example.org")]
    pub username: String,
    /// The address; null if it is not known.
    #[schema(required)]
    pub email: Option<String>,
    /// What the person may be.
    pub roles: Vec<String>,
    /// The employers that the person acts for, by FEIN.
    pub links: Vec<Link>,
    /// The person's mappings, by system.
    pub identifiers: Vec<Mapping>,
}

/// That a person acts for an employer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Link {
    /// The employer's number, 9 digits.
    #[schema(example = "042127847")]
    pub fein: String,
    /// The employer's name; null if its record is gone.
    #[schema(required)]
    pub employer: Option<String>,
    /// The person's web id at FINEOS; null while the registration is not done.
    #[schema(required)]
    pub fineos_web_id: Option<String>,
}

/// An employer with the people who administer leave for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Employer {
    /// Its number, 9 digits.
    #[schema(example = "042127847")]
    pub fein: String,
    /// Its name.
    pub name: String,
    /// Its id at FINEOS; null if it has none.
    #[schema(required)]
    pub fineos_employer_id: Option<String>,
    /// Its leave administrators, by username.
    pub administrators: Vec<Administrator>,
}

/// A leave administrator of an employer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Administrator {
    /// The person.
    pub username: String,
    /// The person's address; null if it is not known.
    #[schema(required)]
    pub email: Option<String>,
    /// The person's web id at FINEOS; null while the registration is not done.
    #[schema(required)]
    pub fineos_web_id: Option<String>,
}

/// What to store. A field that is absent is kept, one that is null is cleared.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PutMapping {
    /// The system's id of the person; exact, case matters, at most 1,024 bytes.
    #[schema(value_type = String, example = "12345")]
    pub external_id: ExternalId,
    /// The address under which the system knows the person.
    #[serde(default, deserialize_with = "change")]
    #[schema(value_type = Option<String>)]
    pub email: Change<Email>,
    /// Free text, at most 4,096 bytes; not empty: null clears it.
    #[serde(default, deserialize_with = "change")]
    #[schema(value_type = Option<String>)]
    pub notes: Change<String>,
}

/// Called only for a field that is there: an absent one is `Change::default()`, which keeps.
fn change<'de, D, T>(deserializer: D) -> Result<Change<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.map_or(Change::Clear, Change::Set))
}

/// Passes an external id from one person to another.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Move {
    /// The id.
    #[schema(value_type = String, example = "12345")]
    pub external_id: ExternalId,
    /// The username that holds it.
    #[schema(value_type = String, example = "alice@example.org")]
    pub from: Username,
    /// The username that gets it.
    #[schema(value_type = String, example = "bob@example.org")]
    pub to: Username,
}

/// Exchanges the external ids of two people.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Swap {
    /// One username.
    #[schema(value_type = String, example = "alice@example.org")]
    pub a: Username,
    /// The other username.
    #[schema(value_type = String, example = "bob@example.org")]
    pub b: Username,
}

/// Some runs, newest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Runs {
    /// The runs.
    pub items: Vec<Run>,
}

/// A run: one execution of an import, an export or another way, the same as in its `summary.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Run {
    /// The run's id.
    pub id: String,
    /// `leave-admins`, `mappings`, `employers`, or `import` for a file whose kind is not known; `people-export`,
    /// `directory-sync`, `nemo-harvest`, `mapping-audit`, `migration`.
    pub kind: String,
    /// Where it stands.
    pub state: RunState,
    /// Whether it only planned.
    pub dry_run: bool,
    /// What it read: `s3://bucket/key`, a file's name, or `keycloak:<realm>`.
    pub source: String,
    /// When it began.
    #[serde(with = "times")]
    #[schema(value_type = String, format = DateTime, example = "2026-11-22T10:00:00.000Z")]
    pub started_at: jiff::Timestamp,
    /// When it ended; null while it runs.
    #[serde(with = "times::optional")]
    #[schema(value_type = Option<String>, format = DateTime, required)]
    pub ended_at: Option<jiff::Timestamp>,
    /// How far it is.
    pub progress: Progress,
    /// Rows by outcome; `read` is the sum of the others.
    pub counts: Counts,
    /// The keys of its reports in the bucket.
    pub reports: Reports,
    /// Why rows did not succeed, most frequent first.
    pub reasons: Vec<Reason>,
    /// What was done and should be known, most frequent first; absent where there is nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<Reason>,
    /// The counts of each kind of thing (`people`, `teams`), whose sum `counts` is; absent in the ways that have but one.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parts: BTreeMap<String, Counts>,
    /// The calls to each target (`dynamodb`, `cognito`, `keycloak`, …) until the record's end was written; absent in the
    /// ways that do not count them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub traffic: BTreeMap<String, Traffic>,
    /// It ended `partly` because its time was up, and its next leg goes on under the same id; absent where it does not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub continues: bool,
    /// The hash of the plan that was applied; absent in the ways that have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub plan: Option<String>,
    /// What an audit found; absent in the other ways.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub audit: Option<AuditCounts>,
}

/// Where a run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RunState {
    /// It works.
    Running,
    /// Every row is as the source wants it.
    Succeeded,
    /// Some rows are not.
    Partly,
    /// Nothing could be done.
    Failed,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Progress {
    /// Rows settled so far.
    pub rows: u64,
    /// Bytes read so far.
    pub bytes: u64,
    /// Of the source's bytes, 0 to 100; null while the size is not known.
    #[schema(required)]
    pub percent: Option<f64>,
}

/// Rows by outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Counts {
    /// All rows: the sum of the others up to `skipped`.
    pub read: u64,
    /// It was absent and now stands.
    pub created: u64,
    /// Something differed and was changed.
    pub updated: u64,
    /// Nothing differed.
    pub unchanged: u64,
    /// Nothing differed, and that was noted.
    pub verified: u64,
    /// Bad input.
    pub rejected: u64,
    /// Taken by another.
    pub conflict: u64,
    /// An error on the way.
    pub failed: u64,
    /// Left out by policy, or not reached.
    pub skipped: u64,
    /// Accounts that were deactivated; absent in the ways that never do. Beside the sum, as the next two are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub deactivated: Option<u64>,
    /// Accounts that were reactivated; absent in the ways that never do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub reactivated: Option<u64>,
    /// What was deleted; absent in the ways that never do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub deleted: Option<u64>,
}

/// The calls to an outside system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Traffic {
    /// Requests that were sent, repeated ones included.
    pub requests: u64,
    /// Of these, how many repeated an earlier one.
    pub retries: u64,
    /// Bytes of the requests' bodies.
    pub bytes_sent: u64,
    /// Bytes of the answers' bodies; absent where they are not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub bytes_received: Option<u64>,
}

/// The keys of a run's reports in the bucket; null for one that was not written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reports {
    /// Rows that are as the file wants them.
    #[schema(required)]
    pub succeeded: Option<String>,
    /// Rows that are not, with the reason.
    #[schema(required)]
    pub failed: Option<String>,
    /// The run itself.
    #[schema(required)]
    pub summary: Option<String>,
}

/// A reason and how many rows had it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Reason {
    /// In words, without personal data.
    pub reason: String,
    /// Rows.
    pub count: u64,
}

// Each field by name, so that a new one of the record's breaks the build here.
impl From<runs::RunRecord> for Run {
    fn from(record: runs::RunRecord) -> Self {
        let runs::RunRecord {
            id,
            kind,
            state,
            dry_run,
            source,
            started_at,
            ended_at,
            progress: runs::Progress { rows, bytes, percent },
            counts,
            reports: runs::Reports { succeeded, failed, summary },
            reasons,
            warnings,
            parts,
            traffic,
            continues,
            plan,
            audit,
        } = record;
        let state = match state {
            runs::RunState::Running => RunState::Running,
            runs::RunState::Succeeded => RunState::Succeeded,
            runs::RunState::Partly => RunState::Partly,
            runs::RunState::Failed => RunState::Failed,
        };
        Self {
            id,
            kind,
            state,
            dry_run,
            source,
            started_at,
            ended_at,
            progress: Progress { rows, bytes, percent },
            counts: counts.into(),
            reports: Reports { succeeded, failed, summary },
            reasons: reasons.into_iter().map(Into::into).collect(),
            warnings: warnings.into_iter().map(Into::into).collect(),
            parts: parts.into_iter().map(|(part, counts)| (part, counts.into())).collect(),
            traffic: traffic.into_iter().map(|(system, traffic)| (system, traffic.into())).collect(),
            continues,
            plan,
            audit: audit.map(Into::into),
        }
    }
}

impl From<runs::Counts> for Counts {
    fn from(counts: runs::Counts) -> Self {
        Self {
            read: counts.read,
            created: counts.created,
            updated: counts.updated,
            unchanged: counts.unchanged,
            verified: counts.verified,
            rejected: counts.rejected,
            conflict: counts.conflict,
            failed: counts.failed,
            skipped: counts.skipped,
            deactivated: counts.deactivated,
            reactivated: counts.reactivated,
            deleted: counts.deleted,
        }
    }
}

impl From<runs::ReasonCount> for Reason {
    fn from(reason: runs::ReasonCount) -> Self {
        Self { reason: reason.reason, count: reason.count }
    }
}

impl From<runs::Traffic> for Traffic {
    fn from(traffic: runs::Traffic) -> Self {
        Self {
            requests: traffic.requests,
            retries: traffic.retries,
            bytes_sent: traffic.bytes_sent,
            bytes_received: traffic.bytes_received,
        }
    }
}

/// That the function answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Health {
    /// Always `ok`.
    #[schema(example = "ok")]
    pub status: String,
    /// The version that answers.
    pub version: String,
}

#[cfg(test)]
mod tests {
    use crosswalk_identity::{Mark, System};
    use serde_json::json;

    use super::*;

    #[test]
    fn a_mapping_s_json_reads_as_the_word_that_it_is_made_from() {
        let mapping = identity::Mapping {
            username: Username::parse("Zo\u{eb}@example.org").unwrap(),
            system: System::parse("nemo").unwrap(),
            external_id: ExternalId::parse("Ab 1/2").unwrap(),
            email: None,
            created_at: "2026-11-22T10:00:00Z".parse().unwrap(),
            last_verified_at: Some("2026-11-22T11:00:00.12Z".parse().unwrap()),
            last_seen: None,
            notes: Some("x".into()),
            stored_by: Some(Mark::line("run", 7)),
        };
        let shown = Mapping::from(mapping.clone());
        let json = serde_json::to_value(&shown).unwrap();
        assert_eq!(
            json,
            json!({
                "username": "Zo\u{eb}@example.org", "system": "nemo", "external_id": "Ab 1/2", "email": null,
                "created_at": "2026-11-22T10:00:00.000Z", "last_verified_at": "2026-11-22T11:00:00.120Z",
                "last_seen": null, "notes": "x", "stored_by": "run#7",
            })
        );
        assert_eq!(serde_json::from_value::<identity::Mapping>(json.clone()).unwrap(), mapping);
        assert_eq!(serde_json::from_value::<Mapping>(json).unwrap(), shown);
    }

    #[test]
    fn a_run_has_the_same_json_as_its_record() {
        for state in ["running", "succeeded", "partly", "failed"] {
            let json = json!({
                "id": "r1", "kind": "mappings", "state": state, "dry_run": false, "source": "s3://b/k",
                "started_at": "2026-11-22T10:00:00Z", "ended_at": null,
                "progress": {"rows": 1, "bytes": 2, "percent": 3.5},
                "counts": {"read": 36, "created": 1, "updated": 2, "unchanged": 3, "verified": 4, "rejected": 5,
                    "conflict": 6, "failed": 7, "skipped": 8, "deactivated": 9, "reactivated": 10, "deleted": 11},
                "reports": {"succeeded": "s", "failed": null, "summary": "m"},
                "reasons": [{"reason": "the FEIN is not known", "count": 2}],
            });
            let record: runs::RunRecord = serde_json::from_value(json).unwrap();
            let json = serde_json::to_value(&record).unwrap();
            assert_eq!(serde_json::to_value(Run::from(record)).unwrap(), json);
        }
    }

    #[test]
    fn what_only_some_ways_have_is_absent_in_the_others() {
        let mut json = json!({
            "id": "r1", "kind": "people-export", "state": "partly", "dry_run": false, "source": "keycloak:staff",
            "started_at": "2026-11-22T10:00:00.000Z", "ended_at": "2026-11-22T10:00:09.000Z",
            "progress": {"rows": 3, "bytes": 0, "percent": null},
            "counts": {"read": 3, "created": 2, "updated": 0, "unchanged": 0, "verified": 0, "rejected": 1,
                "conflict": 0, "failed": 0, "skipped": 0},
            "reports": {"succeeded": null, "failed": null, "summary": null},
            "reasons": [],
        });
        let plain: runs::RunRecord = serde_json::from_value(json.clone()).unwrap();
        assert_eq!(serde_json::to_value(Run::from(plain)).unwrap(), json);

        json["warnings"] = json!([{"reason": "Glean does not show this name", "count": 1}]);
        json["parts"] = json!({"people": json["counts"], "teams": {"read": 0, "created": 0, "updated": 0,
            "unchanged": 0, "verified": 0, "rejected": 0, "conflict": 0, "failed": 0, "skipped": 0, "deleted": 4}});
        json["traffic"] = json!({"glean": {"requests": 5, "retries": 1, "bytes_sent": 900, "bytes_received": 7},
            "keycloak": {"requests": 9, "retries": 0, "bytes_sent": 60}});
        json["plan"] = json!("00112233445566ff");
        json["audit"] = json!({"complete": 1, "missing": {"nemo": 2}, "stale": 3, "broken": 4, "mails": {"sent": 5},
            "reports": "reports/audit/2026-11-22/"});
        let full: runs::RunRecord = serde_json::from_value(json.clone()).unwrap();
        let shown = Run::from(full);
        assert_eq!(serde_json::to_value(&shown).unwrap(), json);
        assert_eq!(serde_json::from_value::<Run>(json).unwrap(), shown);
    }

    #[test]
    fn absent_keeps_and_null_clears() {
        let read = |json| serde_json::from_value::<PutMapping>(json).unwrap();
        let put = read(json!({"external_id": "1"}));
        assert_eq!((put.email, put.notes), (Change::Keep, Change::Keep));
        let put = read(json!({"external_id": "1", "email": null, "notes": null}));
        assert_eq!((put.email, put.notes), (Change::Clear, Change::Clear));
        let put = read(json!({"external_id": "1", "email": "a@example.org", "notes": "x"}));
        assert_eq!(put.email, Change::Set(Email::parse("a@example.org").unwrap()));
        assert_eq!(put.notes, Change::Set("x".into()));
    }
}
