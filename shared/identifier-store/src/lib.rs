//! Mappings in DynamoDB, with both uniqueness constraints held by every write.
//!
//! (to be written: how the items look, why two of them, what a transaction guards)

mod table;

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use crosswalk_function_kit::{Clock, Entropy};
use crosswalk_identity::{Email, ExternalId, Mapping, Mark, System, Username};

pub use table::{Table, TableDescription};

/// One DynamoDB item.
pub type Item = HashMap<String, AttributeValue>;

/// A change to an optional attribute.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Change<T> {
    /// Leave it as it is.
    #[default]
    Keep,
    /// Remove it.
    Clear,
    /// Set it.
    Set(T),
}

/// What to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreRequest {
    /// The person.
    pub username: Username,
    /// The system.
    pub system: System,
    /// The system's id of the person.
    pub external_id: ExternalId,
    /// The e-mail.
    pub email: Change<Email>,
    /// The notes.
    pub notes: Change<String>,
    /// Who writes it.
    pub mark: Mark,
}

/// What a store did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// There was no mapping for this person and system.
    Created(Mapping),
    /// The external id, e-mail or notes differed.
    Updated {
        /// The mapping as it stands now.
        mapping: Mapping,
        /// The external id that it had before (the same one when only e-mail or notes changed).
        previous: ExternalId,
    },
    /// Nothing differed; `last_verified_at` was refreshed.
    Verified(Mapping),
    /// The external id belongs to someone else; nothing was written.
    Conflict {
        /// Who holds it.
        owner: Username,
    },
}

/// What `move_to` or `swap` did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moved {
    /// The mappings as they stand now.
    Done(Vec<Mapping>),
    /// Nobody holds the external id (move), or one of the two has no mapping (swap).
    NotFound,
    /// Someone else holds the external id (`from` does not), or `to` already has another one.
    Conflict {
        /// The username in the way: the present holder of the id, or `to`.
        owner: Username,
    },
}

/// What `restore` did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Restored {
    /// It was absent and now stands, with the given times.
    Created,
    /// It stands already, equal.
    Unchanged,
    /// The person has another external id there, or the external id another owner.
    Conflict {
        /// Who stands in the way.
        owner: Username,
    },
}

/// Why the store could not answer.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Conflicts between transactions, throttling or broken connections outlasted the retries.
    #[error("DynamoDB was busy for too long ({0}); try again")]
    Busy(String),
    /// DynamoDB refused.
    #[error("DynamoDB refused: {0}")]
    Refused(String),
    /// An item does not read as what it should be.
    #[error("the item {key} cannot be read: {reason}; `crosswalk ids check` names all such items")]
    Broken {
        /// The item's key, masked.
        key: String,
        /// What is wrong.
        reason: String,
    },
    /// The cursor is not one that this store gave out.
    #[error("the cursor is not one that this listing gave")]
    Cursor,
}

/// One page of `list_system`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Sorted by shard, then by username's key form.
    pub items: Vec<Mapping>,
    /// Opaque; none after the last page.
    pub next_cursor: Option<String>,
}

/// The store. Clones share one client.
#[derive(Clone, Debug)]
pub struct IdentifierStore {}

impl IdentifierStore {
    /// Over a table.
    pub fn new(_table: Table, _clock: Clock, _entropy: Entropy) -> Self {
        todo!()
    }

    /// Makes the mapping so.
    pub async fn store(&self, _request: StoreRequest) -> Result<Stored, StoreError> {
        todo!()
    }

    /// As many `store`s, in file order where two touch one username or external id; the answers stand in the order of
    /// the requests, each row settled by itself.
    pub async fn store_many(&self, _requests: Vec<StoreRequest>) -> Vec<Result<Stored, StoreError>> {
        todo!()
    }

    /// What `store_many` would do, from strongly consistent reads alone (dry run): nothing is written. Rows of one call
    /// see each other's effects in order; `effects` carries them from call to call.
    pub async fn plan_many(&self, _requests: Vec<StoreRequest>) -> Vec<Result<Stored, StoreError>> {
        todo!()
    }

    /// Stores with the given times, only if absent.
    pub async fn restore(&self, _mapping: Mapping, _mark: Mark) -> Result<Restored, StoreError> {
        todo!()
    }

    /// The mapping of a person in a system.
    pub async fn get(&self, _username: &Username, _system: &System) -> Result<Option<Mapping>, StoreError> {
        todo!()
    }

    /// The mapping that holds an external id: two strongly consistent reads.
    pub async fn get_by_external_id(&self, _system: &System, _id: &ExternalId) -> Result<Option<Mapping>, StoreError> {
        todo!()
    }

    /// All mappings of a person, by system.
    pub async fn list(&self, _username: &Username) -> Result<Vec<Mapping>, StoreError> {
        todo!()
    }

    /// The mappings of a system, a page at a time; eventually consistent. `limit` is 1 to 1,000.
    pub async fn list_system(&self, _system: &System, _cursor: Option<&str>, _limit: usize) -> Result<Page, StoreError> {
        todo!()
    }

    /// Deletes a mapping and its owner item; says what was deleted.
    pub async fn delete(&self, _username: &Username, _system: &System) -> Result<Option<Mapping>, StoreError> {
        todo!()
    }

    /// Passes an external id from one person to another.
    pub async fn move_to(
        &self,
        _system: &System,
        _external_id: &ExternalId,
        _from: &Username,
        _to: &Username,
        _mark: Mark,
    ) -> Result<Moved, StoreError> {
        todo!()
    }

    /// Exchanges the external ids of two people.
    pub async fn swap(&self, _system: &System, _a: &Username, _b: &Username, _mark: Mark) -> Result<Moved, StoreError> {
        todo!()
    }
}
