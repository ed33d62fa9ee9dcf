//! Looks over the whole table for mappings whose two items do not belong together.

use std::fmt;

use crosswalk_identity::{Mapping, mask};

use crate::items::{self, MAPPING, MappingItem, OWNER, OwnerItem, mapping_key};
use crate::{IdentifierStore, Item, ItemKey, StoreError, Table};

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Checked {
    /// Mapping items that were scanned.
    pub mappings: u64,
    /// Owner items that were scanned.
    pub owners: u64,
    /// Items that were reported.
    pub broken: u64,
}

/// An item that is broken, as [`IdentifierStore::check_integrity`] reports it. `Display` names its key in full, for the
/// operator who has to mend it; `Debug` is masked.
#[derive(Clone, PartialEq, Eq)]
pub struct BrokenItem {
    /// Its key.
    pub key: ItemKey,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with an item.
#[derive(Clone, PartialEq, Eq)]
pub enum Fault {
    /// It does not read.
    Unreadable(String),
    /// A mapping whose external id has no owner item.
    NoOwner,
    /// A mapping whose external id belongs to someone else.
    OtherOwner {
        /// Whom the owner item names (key form).
        owner: String,
    },
    /// An owner item whose person has no mapping in that system.
    NoMapping,
    /// An owner item whose person has another external id in that system.
    OtherMapping {
        /// The external id of the person's mapping.
        external_id: String,
    },
    /// A mapping that its system's listing does not find: its index attributes are missing or wrong.
    NotListed,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) => write!(f, "does not read: {why}"),
            Self::NoOwner => f.write_str("its external id has no owner item"),
            Self::OtherOwner { owner } => write!(f, "the owner item of its external id names {owner}"),
            Self::NoMapping => f.write_str("the person whom it names has no mapping in this system"),
            Self::OtherMapping { external_id } => {
                write!(f, "the person whom it names has the external id {external_id} in this system")
            }
            Self::NotListed => {
                f.write_str("its index attributes are missing or wrong, so that its system does not list it")
            }
        }
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(why) => f.debug_tuple("Unreadable").field(why).finish(),
            Self::NoOwner => f.write_str("NoOwner"),
            Self::OtherOwner { owner } => write!(f, "OtherOwner({})", mask(owner)),
            Self::NoMapping => f.write_str("NoMapping"),
            Self::OtherMapping { external_id } => write!(f, "OtherMapping({})", mask(external_id)),
            Self::NotListed => f.write_str("NotListed"),
        }
    }
}

impl fmt::Display for BrokenItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} / {}: {}", self.key.pk, self.key.sk, self.fault)
    }
}

impl fmt::Debug for BrokenItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BrokenItem").field("key", &self.key).field("fault", &self.fault).finish()
    }
}

impl IdentifierStore {
    /// Scans the table, a page (1 MB) at a time, and holds each mapping item against its owner item and the reverse. A
    /// suspect may only be a change that happened between two reads: both of its items are read again at one moment
    /// before it is reported, through `report`, as it is found. Nothing is changed.
    ///
    /// # Errors
    /// [`StoreError`]; what was reported until then stands.
    pub async fn check_integrity(&self, mut report: impl FnMut(BrokenItem) + Send) -> Result<Checked, StoreError> {
        let mut checked = Checked::default();
        let mut start = None;
        loop {
            let (page, next) = self.calls.scan(OWNER, MAPPING, start).await?;
            let page: Vec<Scanned> = page.into_iter().filter_map(Scanned::of).collect();
            let counterparts = page.iter().filter_map(|scanned| scanned.counterpart.clone());
            let found = self.calls.get_many(counterparts).await?;
            for scanned in page {
                if scanned.key.sk == OWNER {
                    checked.owners += 1;
                } else {
                    checked.mappings += 1;
                }
                let other = scanned.counterpart.as_ref().and_then(|key| found.get(key));
                if fault(&scanned.item, other).is_none() {
                    continue;
                }
                if let Some(fault) = self.confirm(&scanned.key).await? {
                    checked.broken += 1;
                    report(BrokenItem { key: scanned.key, fault });
                }
            }
            start = next;
            if start.is_none() {
                return Ok(checked);
            }
        }
    }

    /// The fault of an item, by a reading of it and its counterpart at one moment.
    async fn confirm(&self, key: &ItemKey) -> Result<Option<Fault>, StoreError> {
        // Which item is the counterpart may have changed since the scan.
        let Some(item) = self.calls.get(key).await? else { return Ok(None) };
        let mut counterpart = counterpart(&item);
        loop {
            let keys: Vec<ItemKey> = [key.clone()].into_iter().chain(counterpart.clone()).collect();
            let mut items = self.calls.get_together(&keys).await?.into_iter();
            let Some(item) = items.next().flatten() else { return Ok(None) };
            let now = self::counterpart(&item);
            if now == counterpart {
                return Ok(fault(&item, items.next().flatten().as_ref()));
            }
            counterpart = now;
        }
    }
}

struct Scanned {
    key: ItemKey,
    item: Item,
    counterpart: Option<ItemKey>,
}

impl Scanned {
    fn of(item: Item) -> Option<Self> {
        Some(Self { key: ItemKey::of(&item)?, counterpart: counterpart(&item), item })
    }
}

/// The key of the other item; none if this one does not read.
fn counterpart(item: &Item) -> Option<ItemKey> {
    let key = ItemKey::of(item)?;
    if key.sk == OWNER {
        let (system, _) = items::of_owner_key(&key)?;
        Some(mapping_key(&OwnerItem::read(item).ok()?.username, &system))
    } else {
        Some(MappingItem::read(item.clone()).ok()?.owner_key())
    }
}

/// What is wrong with an item, given its counterpart.
fn fault(item: &Item, other: Option<&Item>) -> Option<Fault> {
    let key = ItemKey::of(item)?;
    if key.sk == OWNER { fault_of_owner(&key, item, other) } else { fault_of_mapping(item, other) }
}

fn fault_of_mapping(item: &Item, owner: Option<&Item>) -> Option<Fault> {
    let read = match MappingItem::read(item.clone()) {
        Ok(read) => read,
        Err(error) => return Some(Fault::Unreadable(reason(error))),
    };
    let written = read.item();
    let index = [Table::DESCRIPTION.index_partition_key, Table::DESCRIPTION.index_sort_key];
    // An owner item that does not read is reported by itself.
    match owner.map(OwnerItem::read) {
        None => Some(Fault::NoOwner),
        Some(Ok(owner)) if owner.username != read.mapping.username => {
            Some(Fault::OtherOwner { owner: owner.username.key().to_owned() })
        }
        _ if index.iter().any(|name| item.get(*name) != written.get(*name)) => Some(Fault::NotListed),
        _ => None,
    }
}

fn fault_of_owner(key: &ItemKey, item: &Item, mapping: Option<&Item>) -> Option<Fault> {
    let Some((_, id)) = items::of_owner_key(key) else {
        return Some(Fault::Unreadable("its key names no system and external id".into()));
    };
    if let Err(error) = OwnerItem::read(item) {
        return Some(Fault::Unreadable(reason(error)));
    }
    match mapping.map(|mapping| MappingItem::read(mapping.clone())) {
        None => Some(Fault::NoMapping),
        Some(Ok(MappingItem { mapping: Mapping { external_id, .. }, .. })) if external_id != id => {
            Some(Fault::OtherMapping { external_id: external_id.to_string() })
        }
        _ => None,
    }
}

fn reason(error: StoreError) -> String {
    match error {
        StoreError::Broken { reason, .. } => reason,
        other => other.to_string(),
    }
}
