use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{Email, ExternalId, Mark, System, Username};

/// That a person is known to a system under an external id. Its JSON is the API's: absent values are null, times RFC 3339
/// in UTC.
///
/// Two constraints hold always: one external id a (person, system), and one person an (system, external id).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mapping {
    /// The person, shown as first given.
    pub username: Username,
    /// The outside system.
    pub system: System,
    /// Its id of the person.
    pub external_id: ExternalId,
    /// The address under which the system knows the person, if it was told.
    pub email: Option<Email>,
    /// When it was first stored.
    pub created_at: Timestamp,
    /// When it was last stored again; null until then.
    pub last_verified_at: Option<Timestamp>,
    /// When the system last saw the person at work, if a harvest tells.
    pub last_seen: Option<Timestamp>,
    /// Free text.
    pub notes: Option<String>,
    /// The run and line, or the request, that wrote it last.
    pub stored_by: Option<Mark>,
}
