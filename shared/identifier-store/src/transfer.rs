//! Changes of one or two mappings that are not a store: restore, delete, move, swap. Each is one transaction.

use aws_sdk_dynamodb::types::TransactWriteItem;
use crosswalk_identity::{ExternalId, Mapping, Mark, System, Username};

use crate::calls::Transacted;
use crate::decide::{CREATED, first_outcome};
use crate::items::{Actions, MappingItem, OwnerItem, mapping_key, owner_key};
use crate::{IdentifierStore, Item, ItemKey, Moved, Restored, RunLines, StoreError};

/// How often a change is decided anew because another writer was faster.
const MAX_ROUNDS: usize = 50;

impl IdentifierStore {
    /// Stores with the given times, only if absent (for migrations).
    ///
    /// # Errors
    /// [`StoreError`]; nothing was written then, or (`Busy`) it may have been.
    pub async fn restore(&self, mapping: Mapping, mark: Mark) -> Result<Restored, StoreError> {
        check_notes(mapping.notes.as_deref())?;
        let mapping = Mapping { stored_by: Some(mark.clone()), ..mapping };
        let run_lines = RunLines::after(None, &mark, CREATED);
        let item = MappingItem { mapping, run_lines };
        let actions = self.actions();
        let transaction = [actions.add_mapping(&item)?, actions.add_owner(&item.mapping)?];
        for _ in 0..MAX_ROUNDS {
            if self.calls.transact(&transaction).await? == Transacted::Done {
                return Ok(Restored::Created);
            }
            let [standing, owner] = self.together([item.key(), item.owner_key()]).await?;
            let standing = standing.map(MappingItem::read).transpose()?;
            let owner = owner.as_ref().map(OwnerItem::read).transpose()?;
            // An answer that was lost, or this line's repeat after a crash.
            if standing
                .as_ref()
                .is_some_and(|standing| standing.mapping == item.mapping || first_outcome(standing, &mark).is_some())
            {
                return Ok(Restored::Created);
            }
            match (standing, owner) {
                (_, Some(owner)) if owner.username != item.mapping.username => {
                    return Ok(Restored::Conflict { owner: owner.username });
                }
                (Some(standing), _) if standing.mapping.external_id != item.mapping.external_id => {
                    return Ok(Restored::Conflict { owner: standing.mapping.username });
                }
                (Some(_), Some(_)) => return Ok(Restored::Unchanged),
                // Gone again meanwhile: once more.
                (None, None) => {}
                (Some(_), None) | (None, Some(_)) => return Err(torn(&item.key())),
            }
        }
        Err(outrun())
    }

    /// Deletes a mapping and its owner item; says what was deleted.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn delete(&self, username: &Username, system: &System) -> Result<Option<Mapping>, StoreError> {
        let key = mapping_key(username, system);
        for _ in 0..MAX_ROUNDS {
            let Some(item) = self.calls.get(&key).await? else { return Ok(None) };
            let item = MappingItem::read(item)?;
            let actions = self.actions();
            let transaction = [actions.remove_mapping(&item)?, actions.remove_owner(&item.mapping)?];
            if self.calls.transact(&transaction).await? == Transacted::Done {
                return Ok(Some(item.mapping));
            }
            self.check_together(&item).await?;
        }
        Err(outrun())
    }

    /// Passes an external id, and the mapping with its times, e-mail and notes, from one person to another who has none
    /// in that system. A repeat by the same mark gets the first answer again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn move_to(
        &self,
        system: &System,
        external_id: &ExternalId,
        from: &Username,
        to: &Username,
        mark: Mark,
    ) -> Result<Moved, StoreError> {
        let owner_key = owner_key(system, external_id);
        let keys = [owner_key, mapping_key(from, system), mapping_key(to, system)];
        for _ in 0..MAX_ROUNDS {
            // DynamoDB takes an item once in a transaction.
            let distinct = if from == to { &keys[..2] } else { &keys[..] };
            let mut items = self.calls.get_together(distinct).await?.into_iter();
            let owner = items.next().flatten().as_ref().map(OwnerItem::read).transpose()?;
            let standing = items.next().flatten().map(MappingItem::read).transpose()?;
            let target = items.next().flatten().map(MappingItem::read).transpose()?;
            let Some(owner) = owner else { return Ok(Moved::NotFound) };
            if let Some(target) = &target
                && target.mapping.stored_by.as_ref() == Some(&mark)
                && target.mapping.external_id == *external_id
            {
                return Ok(Moved::Done(vec![target.mapping.clone()]));
            }
            if owner.username != *from {
                return Ok(Moved::Conflict { owner: owner.username });
            }
            let Some(standing) = standing.filter(|item| item.mapping.external_id == *external_id) else {
                return Err(torn(&keys[0]));
            };
            if from == to {
                return Ok(Moved::Done(vec![standing.mapping]));
            }
            if target.is_some() {
                return Ok(Moved::Conflict { owner: to.clone() });
            }
            let mapping = Mapping { username: to.clone(), stored_by: Some(mark.clone()), ..standing.mapping.clone() };
            // The run's lines on the old item were about the other person.
            let moved = MappingItem { mapping, run_lines: None };
            let actions = self.actions();
            let transaction = [
                actions.remove_mapping(&standing)?,
                actions.add_mapping(&moved)?,
                actions.pass_owner(from, &moved.mapping)?,
            ];
            if self.calls.transact(&transaction).await? == Transacted::Done {
                return Ok(Moved::Done(vec![moved.mapping]));
            }
        }
        Err(outrun())
    }

    /// Exchanges the external ids of two people; times, e-mails and notes stay where they are. Answers with `a`'s
    /// mapping, then `b`'s. A repeat by the same mark gets the first answer again.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn swap(&self, system: &System, a: &Username, b: &Username, mark: Mark) -> Result<Moved, StoreError> {
        if a == b {
            let mapping = self.get(a, system).await?;
            return Ok(mapping.map_or(Moved::NotFound, |mapping| Moved::Done(vec![mapping])));
        }
        for _ in 0..MAX_ROUNDS {
            let [of_a, of_b] = self.together([mapping_key(a, system), mapping_key(b, system)]).await?;
            let (Some(of_a), Some(of_b)) = (of_a, of_b) else { return Ok(Moved::NotFound) };
            let (of_a, of_b) = (MappingItem::read(of_a)?, MappingItem::read(of_b)?);
            let bears_mark = |item: &MappingItem| item.mapping.stored_by.as_ref() == Some(&mark);
            if bears_mark(&of_a) && bears_mark(&of_b) {
                return Ok(Moved::Done(vec![of_a.mapping, of_b.mapping]));
            }
            let with_id_of = |item: &MappingItem, other: &MappingItem| MappingItem {
                mapping: Mapping {
                    external_id: other.mapping.external_id.clone(),
                    stored_by: Some(mark.clone()),
                    ..item.mapping.clone()
                },
                run_lines: item.run_lines.clone(),
            };
            let (new_a, new_b) = (with_id_of(&of_a, &of_b), with_id_of(&of_b, &of_a));
            let actions = self.actions();
            let update = |seen: &MappingItem, after: &MappingItem| {
                Ok::<_, StoreError>(TransactWriteItem::builder().update(actions.change_mapping(seen, after)?).build())
            };
            let transaction = [
                update(&of_a, &new_a)?,
                update(&of_b, &new_b)?,
                actions.pass_owner(&of_b.mapping.username, &new_a.mapping)?,
                actions.pass_owner(&of_a.mapping.username, &new_b.mapping)?,
            ];
            if self.calls.transact(&transaction).await? == Transacted::Done {
                return Ok(Moved::Done(vec![new_a.mapping, new_b.mapping]));
            }
            self.check_together(&of_a).await?;
            self.check_together(&of_b).await?;
        }
        Err(outrun())
    }

    fn actions(&self) -> Actions<'_> {
        Actions { table: self.calls.table_name() }
    }

    async fn together(&self, keys: [ItemKey; 2]) -> Result<[Option<Item>; 2], StoreError> {
        let items = self.calls.get_together(&keys).await?;
        items.try_into().map_err(|_| StoreError::Refused("TransactGetItems left items out".into()))
    }

    /// After a failed condition: whether the mapping that was read, if it still stands so, lacks its owner item. Then
    /// the table is broken, and trying again would not end.
    pub(crate) async fn check_together(&self, seen: &MappingItem) -> Result<(), StoreError> {
        let [standing, owner] = self.together([seen.key(), seen.owner_key()]).await?;
        let Some(standing) = standing.map(MappingItem::read).transpose()? else { return Ok(()) };
        let owner = owner.as_ref().map(OwnerItem::read).transpose()?;
        let same = standing.mapping.external_id == seen.mapping.external_id;
        if same && owner.map(|owner| owner.username).as_ref() != Some(&standing.mapping.username) {
            return Err(torn(&seen.key()));
        }
        Ok(())
    }
}

pub(crate) fn check_notes(notes: Option<&str>) -> Result<(), StoreError> {
    match notes {
        Some(notes) if notes.len() > crate::MAX_NOTES_BYTES => Err(StoreError::Notes { bytes: notes.len() }),
        _ => Ok(()),
    }
}

/// The error for two items that were read at one moment and do not belong together.
pub(crate) fn torn(key: &ItemKey) -> StoreError {
    StoreError::Broken {
        key: key.masked(),
        reason: "the mapping's two items (the person's, the owner's) do not belong together".into(),
    }
}

pub(crate) fn outrun() -> StoreError {
    StoreError::Busy("others kept changing the mapping".into())
}
