//! What was read of the two kinds of items, by key.

use std::collections::HashMap;

use crate::calls::Calls;
use crate::decide::{Decision, Write, decide, keys_of};
use crate::items::{MappingItem, OWNER, OwnerItem};
use crate::transfer::torn;
use crate::{Item, ItemKey, StoreError, StoreRequest};
use jiff::Timestamp;

/// One key's state; none is known to be absent. What could not be read stays an error of those rows that need it.
#[derive(Debug, Clone)]
pub(crate) enum Known {
    Mapping(Result<Option<Box<MappingItem>>, StoreError>),
    Owner(Result<Option<OwnerItem>, StoreError>),
}

/// Items as read, and as changed since by what was written (or planned).
#[derive(Debug, Default)]
pub(crate) struct View(HashMap<ItemKey, Known>);

impl Known {
    pub(crate) fn read(key: &ItemKey, item: Option<Item>) -> Self {
        if key.sk == OWNER {
            Self::Owner(item.as_ref().map(OwnerItem::read).transpose())
        } else {
            Self::Mapping(item.map(|item| MappingItem::read(item).map(Box::new)).transpose())
        }
    }
}

impl View {
    /// Reads those keys that are not known yet: one batch read.
    pub(crate) async fn fill(
        &mut self,
        calls: &Calls,
        keys: impl IntoIterator<Item = ItemKey>,
    ) -> Result<(), StoreError> {
        let unknown: Vec<ItemKey> = keys.into_iter().filter(|key| !self.0.contains_key(key)).collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let mut found = calls.get_many(unknown.iter().cloned()).await?;
        for key in unknown {
            let item = found.remove(&key);
            self.0.entry(key).or_insert_with_key(|key| Known::read(key, item));
        }
        Ok(())
    }

    /// Reads these keys as they stand together at one moment.
    pub(crate) async fn read_together(&mut self, calls: &Calls, keys: &[ItemKey]) -> Result<(), StoreError> {
        let items = calls.get_together(keys).await?;
        for (key, item) in keys.iter().zip(items) {
            self.0.insert(key.clone(), Known::read(key, item));
        }
        Ok(())
    }

    /// The person's item, as far as it is known.
    pub(crate) fn mapping(&self, key: &ItemKey) -> Result<Option<&MappingItem>, StoreError> {
        match self.0.get(key) {
            Some(Known::Mapping(Ok(item))) => Ok(item.as_deref()),
            Some(Known::Mapping(Err(error))) => Err(error.clone()),
            _ => Ok(None),
        }
    }

    /// The owner item, as far as it is known.
    pub(crate) fn owner(&self, key: &ItemKey) -> Result<Option<&OwnerItem>, StoreError> {
        match self.0.get(key) {
            Some(Known::Owner(Ok(item))) => Ok(item.as_ref()),
            Some(Known::Owner(Err(error))) => Err(error.clone()),
            _ => Ok(None),
        }
    }

    /// [`decide`] by this view; its keys must have been read.
    pub(crate) fn decide(&self, request: &StoreRequest, now: Timestamp) -> Result<Decision, StoreError> {
        let [mapping, owner] = keys_of(request);
        Ok(decide(request, now, self.mapping(&mapping)?, self.owner(&owner)?))
    }

    /// Decides, and where the two items do not belong together, reads both at one moment: then they do, or the table
    /// is broken.
    pub(crate) async fn decide_surely(
        &mut self,
        calls: &Calls,
        request: &StoreRequest,
        now: Timestamp,
    ) -> Result<Decision, StoreError> {
        match self.decide(request, now)? {
            Decision::Torn => {}
            decision => return Ok(decision),
        }
        let keys = keys_of(request);
        self.read_together(calls, &keys).await?;
        match self.decide(request, now)? {
            Decision::Torn => Err(torn(&keys[0])),
            decision => Ok(decision),
        }
    }

    /// Takes in what a write has done.
    pub(crate) fn apply(&mut self, write: &Write) {
        for (key, known) in effects(write) {
            self.0.insert(key, known);
        }
    }

    /// Takes in one key's state.
    pub(crate) fn set(&mut self, key: ItemKey, known: Known) {
        self.0.insert(key, known);
    }

    /// Forgets these keys: they will be read again.
    pub(crate) fn forget(&mut self, keys: impl IntoIterator<Item = ItemKey>) {
        for key in keys {
            self.0.remove(&key);
        }
    }
}

/// The states that a write leaves behind.
pub(crate) fn effects(write: &Write) -> Vec<(ItemKey, Known)> {
    let mut effects = vec![(write.after.key(), Known::Mapping(Ok(Some(Box::new(write.after.clone())))))];
    if write.alone().is_none() {
        effects.extend(write.before.as_ref().map(|before| (before.owner_key(), Known::Owner(Ok(None)))));
        let owner = OwnerItem { username: write.after.mapping.username.clone() };
        effects.push((write.after.owner_key(), Known::Owner(Ok(Some(owner)))));
    }
    effects
}
