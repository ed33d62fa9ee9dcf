//! Mappings in DynamoDB, with both uniqueness constraints held by every write.
//!
//! # The two constraints
//!
//! A *mapping* says that a person (username) is known to a system (`nemo`, `cdcs`, …) under an external id. Always:
//!
//! 1. a person has at most **one external id a system**;
//! 2. an external id of a system belongs to at most **one person**.
//!
//! DynamoDB keeps one item a key unique and nothing else, so each mapping is **two items**, one a constraint, which are
//! only ever written together, in one transaction:
//!
//! | item | `pk` | `sk` | holds |
//! |---|---|---|---|
//! | mapping | `PERSON#<username key>` | `MAPPING#<system>` | everything: `username`, `system`, `external_id`, `email`, `created_at`, `last_verified_at`, `last_seen`, `notes`, `stored_by`, `run_lines`, and for the index `listing` = `SYSTEM#<system>#<shard>`, `listed` = username key |
//! | owner | `EXTERNAL#<system>#<external id>` | `OWNER` | `username`, `username_key`, `stored_by` |
//!
//! To create a mapping puts both, each only if absent; to change an external id updates the first, puts a new owner item
//! and deletes the old one; to delete deletes both. There is no moment, crash or race in which one stands without the
//! other. What leaves the external id as it is (a verification, an e-mail, notes) touches the mapping item alone, and is one
//! plain conditional update.
//!
//! Every write is conditional on what was read: an existing mapping item must still bear the mark, external id and
//! verification time that it had. A condition that fails is answered with the item that stands (`ALL_OLD`), and either
//! that settles the row (someone else owns the external id: [`Stored::Conflict`]; the item bears this very row's mark:
//! its own earlier success) or the row is read and decided anew.
//!
//! # Reading
//!
//! Forward ([`IdentifierStore::get`]) is one strongly consistent read. Reverse
//! ([`IdentifierStore::get_by_external_id`]) is two: the owner item holds only the username, and the mapping that it
//! leads to must point back; if it does not, someone changed it in between, and both are read again. A system's listing
//! ([`IdentifierStore::list_system`]) reads the index `by_listing` and is eventually consistent; 16 shards (the first 4
//! bits of SHA-256 of the username's key form) spread one system over as many partitions of the index, so that an import
//! is not held to one partition's 1,000 writes a second. [`EveryMapping`] reads the whole table instead.
//!
//! # Once is twice
//!
//! Each written item bears the mark (run and line, or request) that wrote it last, and a small map of what the lines of the
//! last run did to it ([`RunLines`]). A run that is delivered again gets each row's first outcome again, also where two of
//! its lines name the same person. (A row that wrote nothing, a conflict, left no mark: it is decided anew.)
//!
//! # A dry run
//!
//! [`IdentifierStore::planner`] gives a [`Planner`], whose [`Planner::plan_many`] answers what
//! [`IdentifierStore::store_many`] would, batch after batch: keep one planner for a whole file, and later rows see what
//! earlier ones would have done. [`IdentifierStore::plan_many`] is the same for a single batch.
//!
//! # For other crates
//!
//! `shared/people` keeps its items in the same table, with [`Calls`] (retries, one token a transaction) and [`RunLines`], and
//! reads them together with the mappings ([`read_mapping`]).

mod calls;
mod decide;
mod every;
mod integrity;
mod items;
mod keeping_ids;
mod last_seen;
mod listing;
mod planner;
mod restore_many;
mod run_lines;
mod store_many;
mod table;
mod transfer;
mod view;

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use crosswalk_function_kit::retry::Retries;
use crosswalk_function_kit::{Clock, Entropy};
use crosswalk_identity::{Email, ExternalId, Mapping, Mark, System, Username};

use crate::items::{MappingItem, OwnerItem, mapping_key, owner_key, person_pk};

pub use calls::{Action, Calls, MAX_IN_ONE_CALL, Transacted, Written};
pub use every::EveryMapping;
pub use integrity::{BrokenItem, Checked, Fault};
pub use items::{MAPPING, read_mapping};
pub use last_seen::{Seen, Sighting};
pub use listing::MAX_PAGE;
pub use planner::Planner;
pub use restore_many::{RestorePlanner, Standing};
pub use run_lines::RunLines;
pub use table::{ItemKey, Table, TableDescription};

/// One DynamoDB item.
pub type Item = HashMap<String, AttributeValue>;

/// The most bytes of a mapping's notes. They are a remark, not a document; a transaction holds the notes of up to 50
/// mappings in its 4 MB, and every lookup reads them.
pub const MAX_NOTES_BYTES: usize = 4096;

/// How often a reverse lookup reads again when the mapping no longer points back.
const LOOKUPS: usize = 10;

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
    /// The notes, at most [`MAX_NOTES_BYTES`].
    pub notes: Change<String>,
    /// Who writes it. Each request needs one of its own: a second one under the same run and line counts as a repeat.
    pub mark: Mark,
}

impl StoreRequest {
    /// What the newtypes cannot refuse: too long notes. Every store checks it; an edge may do so before.
    ///
    /// # Errors
    /// [`StoreError::Notes`].
    pub fn check(&self) -> Result<(), StoreError> {
        match &self.notes {
            Change::Set(notes) => transfer::check_notes(Some(notes)),
            Change::Keep | Change::Clear => Ok(()),
        }
    }
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
    /// The person has this external id already; its times, e-mail and notes were left as they are.
    Unchanged,
    /// The person has another external id there, or the external id another owner.
    Conflict {
        /// Who stands in the way.
        owner: Username,
    },
}

/// Why the store could not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Conflicts between transactions, throttling or broken connections outlasted the retries.
    #[error("DynamoDB was busy for too long ({0}); try again")]
    Busy(String),
    /// DynamoDB refused.
    #[error("DynamoDB refused: {0}")]
    Refused(String),
    /// The notes are too long; nothing was written.
    #[error("the notes have {bytes} bytes; at most {MAX_NOTES_BYTES} are allowed")]
    Notes {
        /// Their length in bytes of UTF-8.
        bytes: usize,
    },
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

impl StoreError {
    /// What is to be written cannot be built, because a required field was not set, say: a mistake of the program, which no
    /// input can cause.
    pub fn unbuilt(error: impl std::fmt::Display) -> Self {
        Self::Refused(error.to_string())
    }
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
pub struct IdentifierStore {
    pub(crate) calls: Calls,
    pub(crate) clock: Clock,
    /// See [`Self::keeping_ids`].
    keeps_ids: bool,
}

impl IdentifierStore {
    /// Over a table.
    pub fn new(table: Table, clock: Clock, entropy: Entropy) -> Self {
        Self { calls: Calls::new(table, entropy), clock, keeps_ids: false }
    }

    /// The same with other retries than [`Calls::RETRIES`].
    pub fn with_retries(mut self, retries: Retries) -> Self {
        self.calls = self.calls.with_retries(retries);
        self
    }

    /// Makes the mapping so. E-mail and notes change only when given; `created_at` is kept, and so is the username as
    /// first given.
    ///
    /// # Errors
    /// [`StoreError`]. After `Busy` it may have been written: store it again, under the same mark.
    pub async fn store(&self, request: StoreRequest) -> Result<Stored, StoreError> {
        let unanswered = || Err(StoreError::Refused("the row was not reached".into()));
        self.store_many(vec![request]).await.pop().unwrap_or_else(unanswered)
    }

    /// For a dry run over many batches.
    pub fn planner(&self) -> Planner {
        Planner::new(self.clone())
    }

    /// What `store_many` would answer, from strongly consistent reads alone: nothing is written. Rows see the effects of
    /// the rows before them in this call; [`Self::planner`] carries them from call to call.
    pub async fn plan_many(&self, requests: Vec<StoreRequest>) -> Vec<Result<Stored, StoreError>> {
        self.planner().plan_many(requests).await
    }

    /// The mapping of a person in a system: one strongly consistent read.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn get(&self, username: &Username, system: &System) -> Result<Option<Mapping>, StoreError> {
        let item = self.calls.get(&mapping_key(username, system)).await?;
        Ok(item.map(MappingItem::read).transpose()?.map(|item| item.mapping))
    }

    /// The mapping that holds an external id: two strongly consistent reads, repeated when the mapping no longer points
    /// back.
    ///
    /// # Errors
    /// [`StoreError::Broken`] if it never does; else as any read.
    pub async fn get_by_external_id(&self, system: &System, id: &ExternalId) -> Result<Option<Mapping>, StoreError> {
        let key = owner_key(system, id);
        for _ in 0..LOOKUPS {
            let Some(owner) = self.calls.get(&key).await? else { return Ok(None) };
            let owner = OwnerItem::read(&owner)?;
            if let Some(mapping) = self.get(&owner.username, system).await?
                && mapping.external_id == *id
            {
                return Ok(Some(mapping));
            }
        }
        // Only a reading at one moment tells a broken pair from a busy one.
        let Some(owner) = self.calls.get(&key).await? else { return Ok(None) };
        let owner = OwnerItem::read(&owner)?;
        let keys = [key, mapping_key(&owner.username, system)];
        let mut items = self.calls.get_together(&keys).await?.into_iter();
        let owner_now = items.next().flatten().as_ref().map(OwnerItem::read).transpose()?;
        let mapping = items.next().flatten().map(MappingItem::read).transpose()?.map(|item| item.mapping);
        match mapping.filter(|mapping| mapping.external_id == *id) {
            Some(mapping) => Ok(Some(mapping)),
            None if owner_now.is_some_and(|now| now.username == owner.username) => Err(transfer::torn(&keys[0])),
            None => Err(transfer::outrun()),
        }
    }

    /// All mappings of a person, by system; strongly consistent.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn list(&self, username: &Username) -> Result<Vec<Mapping>, StoreError> {
        let items = self.calls.partition(&person_pk(username), MAPPING).await?;
        items.into_iter().map(|item| Ok(MappingItem::read(item)?.mapping)).collect()
    }
}
