//! Restoring many mappings, for migrations: one batch read, then transactions of up to 50 mappings.

use std::collections::{HashMap, HashSet};

use crosswalk_identity::{ExternalId, Mapping, Mark, System, Username};
use futures::{StreamExt, stream};

use crate::calls::{Action, MAX_IN_ONE_CALL, Transacted};
use crate::decide::CREATED;
use crate::items::{Actions, MappingItem, OwnerItem, mapping_key, owner_key};
use crate::transfer::check_notes;
use crate::{IdentifierStore, Restored, RunLines, StoreError};

/// Mappings of one transaction: each takes two of its 100 actions. Notes and ids at their limits make some 10 KB of a
/// mapping, a fraction of the 4 MB that a transaction may have.
const TOGETHER: usize = MAX_IN_ONE_CALL / 2;

/// How many transactions of one call run side by side.
const WRITES_AT_ONCE: usize = 8;

/// How many mappings of a transaction that was given up go alone side by side.
const ALONE_AT_ONCE: usize = 4;

/// How often a transaction of several mappings is tried again before each of them goes alone.
const TRIES_TOGETHER: usize = 3;

/// What stands where a mapping is to go, or was put.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// The person's mapping in that system, with whichever external id.
    pub mapping: Option<Mapping>,
    /// Who holds the external id in that system.
    pub owner: Option<Username>,
}

impl Standing {
    /// What restoring this mapping comes to; none if it is to be written, or if the two do not belong together, which
    /// only a reading of both at one moment explains.
    fn settles(&self, wanted: &Mapping) -> Option<Restored> {
        match (&self.mapping, &self.owner) {
            (_, Some(owner)) if *owner != wanted.username => Some(Restored::Conflict { owner: owner.clone() }),
            (Some(standing), _) if standing.external_id != wanted.external_id => {
                Some(Restored::Conflict { owner: standing.username.clone() })
            }
            (Some(_), Some(_)) => Some(Restored::Unchanged),
            (None, _) | (_, None) => None,
        }
    }
}

impl IdentifierStore {
    /// What stands where each of these mappings is to go, or was put, in their order: one batch read, strongly
    /// consistent. The two sides of one answer may be of different moments.
    ///
    /// # Errors
    /// As any read. What does not read is an error of its row alone.
    pub async fn standing_many(&self, wanted: &[Mapping]) -> Result<Vec<Result<Standing, StoreError>>, StoreError> {
        let keys = wanted.iter().flat_map(keys_of);
        let found = self.calls.get_many(keys).await?;
        let standing = |wanted: &Mapping| {
            let [mapping, owner] = keys_of(wanted);
            let mapping = found.get(&mapping).cloned().map(MappingItem::read).transpose()?;
            let owner = found.get(&owner).map(OwnerItem::read).transpose()?;
            Ok(Standing { mapping: mapping.map(|item| item.mapping), owner: owner.map(|owner| owner.username) })
        };
        Ok(wanted.iter().map(standing).collect())
    }

    /// As many [`Self::restore`]s, each under its mark, in their order where two touch one person and system or one
    /// external id; the answers stand in the order of the mappings. Give it some hundreds: it holds them all.
    pub async fn restore_many(&self, wanted: Vec<(Mapping, Mark)>) -> Vec<Result<Restored, StoreError>> {
        let mut answers: Vec<Option<Result<Restored, StoreError>>> =
            wanted.iter().map(|(mapping, _)| check_notes(mapping.notes.as_deref()).err().map(Err)).collect();
        let mut waiting: Vec<usize> = (0..wanted.len()).filter(|row| answers[*row].is_none()).collect();
        while !waiting.is_empty() {
            let mut taken = HashSet::new();
            // What shares an item with an earlier one waits for it; what it touches must wait too.
            let (wave, later): (Vec<usize>, Vec<usize>) = waiting.iter().partition(|row| {
                let keys = keys_of(&wanted[**row].0);
                let free = keys.iter().all(|key| !taken.contains(key));
                taken.extend(keys);
                free
            });
            let mappings: Vec<Mapping> = wave.iter().map(|row| wanted[*row].0.clone()).collect();
            let standing = match Box::pin(self.standing_many(&mappings)).await {
                Ok(standing) => standing,
                Err(error) => {
                    for row in waiting {
                        answers[row] = Some(Err(error.clone()));
                    }
                    break;
                }
            };
            let mut writes = Vec::new();
            for (row, standing) in wave.into_iter().zip(standing) {
                match standing.map(|standing| standing.settles(&wanted[row].0)) {
                    Ok(Some(settled)) => answers[row] = Some(Ok(settled)),
                    Ok(None) => writes.push(row),
                    Err(error) => answers[row] = Some(Err(error)),
                }
            }
            let packs: Vec<Vec<usize>> = writes.chunks(TOGETHER).map(<[usize]>::to_vec).collect();
            let packs = packs.into_iter().map(|pack| Box::pin(self.restore_pack(pack, &wanted)));
            let written: Vec<Vec<_>> = stream::iter(packs).buffer_unordered(WRITES_AT_ONCE).collect().await;
            for (row, answer) in written.into_iter().flatten() {
                answers[row] = Some(answer);
            }
            waiting = later;
        }
        let unanswered = || Err(StoreError::Refused("the row was not reached".into()));
        answers.into_iter().map(|answer| answer.unwrap_or_else(unanswered)).collect()
    }

    /// Writes mappings that touch distinct items, in one transaction if that can be; whichever it refuses goes alone, by
    /// [`Self::restore`], which tells why.
    async fn restore_pack(
        &self,
        mut rows: Vec<usize>,
        wanted: &[(Mapping, Mark)],
    ) -> Vec<(usize, Result<Restored, StoreError>)> {
        let actions = Actions { table: self.calls.table_name() };
        let (mut ended, mut alone) = (Vec::with_capacity(rows.len()), Vec::new());
        while rows.len() > 1 {
            let transaction = rows.iter().map(|row| {
                let (mapping, mark) = &wanted[*row];
                let item = MappingItem {
                    mapping: Mapping { stored_by: Some(mark.clone()), ..mapping.clone() },
                    run_lines: RunLines::after(None, mark, CREATED),
                };
                Ok([actions.add_mapping(&item)?, actions.add_owner(&item.mapping)?])
            });
            let answer = match transaction.collect::<Result<Vec<_>, StoreError>>() {
                Ok(transaction) => self.calls.transact_briefly(&transaction.concat(), TRIES_TOGETHER).await,
                Err(error) => Err(error),
            };
            match answer {
                Ok(Transacted::Done) => ended.extend(rows.drain(..).map(|row| (row, Ok(Restored::Created)))),
                Ok(Transacted::Cancelled(reasons)) => {
                    let fine = |of_row: &[Action]| of_row.iter().all(|action| *action == Action::Fine);
                    let (again, refused): (Vec<_>, Vec<_>) =
                        rows.drain(..).zip(reasons.chunks(2)).partition(|(_, of_row)| fine(of_row));
                    alone.extend(refused.into_iter().map(|(row, _)| row));
                    rows = again.into_iter().map(|(row, _)| row).collect();
                }
                // Too busy together, or refused because of one of them: each by itself.
                Err(_) => break,
            }
        }
        let alone = rows.into_iter().chain(alone).map(|row| {
            let (mapping, mark) = wanted[row].clone();
            async move { (row, Box::pin(self.restore(mapping, mark)).await) }
        });
        ended.extend(stream::iter(alone).buffer_unordered(ALONE_AT_ONCE).collect::<Vec<_>>().await);
        ended
    }

    /// For a migration's dry run over many batches.
    pub fn restore_planner(&self) -> RestorePlanner {
        RestorePlanner { store: self.clone(), mappings: HashMap::new(), owners: HashMap::new() }
    }
}

/// Tells what [`IdentifierStore::restore_many`] would answer, batch after batch, from strongly consistent reads alone.
/// Nothing is written; later rows see what earlier ones would have done, for which it remembers those.
#[derive(Debug)]
pub struct RestorePlanner {
    store: IdentifierStore,
    mappings: HashMap<(Username, System), Mapping>,
    owners: HashMap<(System, ExternalId), Username>,
}

impl RestorePlanner {
    /// The answers, in the order of the mappings, each with what would stand before it.
    ///
    /// # Errors
    /// As any read. What does not read is an error of its row alone.
    pub async fn plan_many(
        &mut self,
        wanted: &[Mapping],
    ) -> Result<Vec<Result<(Restored, Standing), StoreError>>, StoreError> {
        let found = Box::pin(self.store.standing_many(wanted)).await?;
        Ok(wanted.iter().zip(found).map(|(wanted, found)| self.plan(wanted, found)).collect())
    }

    fn plan(
        &mut self,
        wanted: &Mapping,
        found: Result<Standing, StoreError>,
    ) -> Result<(Restored, Standing), StoreError> {
        check_notes(wanted.notes.as_deref())?;
        let mut standing = found?;
        let places =
            ((wanted.username.clone(), wanted.system.clone()), (wanted.system.clone(), wanted.external_id.clone()));
        standing.mapping = standing.mapping.or_else(|| self.mappings.get(&places.0).cloned());
        standing.owner = standing.owner.or_else(|| self.owners.get(&places.1).cloned());
        if let Some(settled) = standing.settles(wanted) {
            return Ok((settled, standing));
        }
        if standing != Standing::default() {
            return Err(crate::transfer::torn(&mapping_key(&wanted.username, &wanted.system)));
        }
        self.mappings.insert(places.0, wanted.clone());
        self.owners.insert(places.1, wanted.username.clone());
        Ok((Restored::Created, standing))
    }
}

fn keys_of(wanted: &Mapping) -> [crate::ItemKey; 2] {
    [mapping_key(&wanted.username, &wanted.system), owner_key(&wanted.system, &wanted.external_id)]
}
