//! Storing many mappings: one batch read, then waves of writes that touch distinct items.

use std::collections::HashSet;

use futures::{StreamExt, stream};

use crate::calls::{Action, MAX_IN_ONE_CALL, Transacted, Written};
use crate::decide::{Decision, Write, first_outcome, keys_of};
use crate::items::{Actions, MappingItem, OwnerItem};
use crate::transfer::outrun;
use crate::view::View;
use crate::{IdentifierStore, ItemKey, StoreError, StoreRequest, Stored};

/// How many writes of one call (plain updates, transactions) run side by side.
const WRITES_AT_ONCE: usize = 16;

/// How many rows of a transaction that was given up go alone side by side.
const ALONE_AT_ONCE: usize = 4;

/// Half of a transaction's 4 MB: what a row takes is estimated.
const MAX_BYTES: usize = 2 * 1024 * 1024;

/// How often a transaction of several rows is tried again before each of its rows goes alone: the more items it has,
/// the likelier another writer is in its way.
const TRIES_TOGETHER: usize = 3;

/// How often a row whose condition failed is decided anew before it is given up. Each failure means that another
/// writer got on, so that this many in a row are a sign of something else.
const MAX_ROUNDS: usize = 50;

/// How a row's write ended.
enum Ended {
    /// Done, as meant.
    Done,
    /// The condition failed, and the item that stands says what that means.
    Settled(Box<Stored>),
    /// The condition failed: read again and decide anew.
    Again,
    Failed(StoreError),
}

impl IdentifierStore {
    /// As many [`Self::store`]s, in file order where two touch one person and system or one external id (also one that
    /// a row gives up); the answers stand in the order of the requests, each row settled by itself.
    ///
    /// A row that verifies costs a part of the batch read and one plain update; rows that create or change an external
    /// id are packed into transactions of up to 100 actions. Give it some hundreds of rows: it holds them all.
    pub async fn store_many(&self, requests: Vec<StoreRequest>) -> Vec<Result<Stored, StoreError>> {
        let mut answers: Vec<Option<Result<Stored, StoreError>>> =
            requests.iter().map(|request| request.check().err().map(Err)).collect();
        let mut waiting: Vec<usize> = (0..requests.len()).filter(|row| answers[*row].is_none()).collect();
        let mut rounds = vec![0; requests.len()];
        let mut view = View::default();
        while !waiting.is_empty() {
            let keys = waiting.iter().flat_map(|row| keys_of(&requests[*row]));
            if let Err(error) = view.fill(&self.calls, keys).await {
                for row in waiting.drain(..) {
                    answers[row] = Some(Err(error.clone()));
                }
                break;
            }
            let (wave, mut later) = next_wave(&waiting, &requests, &view);
            let mut writes = Vec::new();
            for row in wave {
                let decided = view.decide_surely(&self.calls, &requests[row], self.clock.now()).await;
                match decided.map(|decision| self.allowed(decision)) {
                    Ok(Decision::Write(write)) => writes.push((row, *write)),
                    Ok(Decision::Settled(stored)) => answers[row] = Some(Ok(*stored)),
                    // `decide_surely` tells torn items as broken.
                    Ok(Decision::Torn) => later.push(row),
                    Err(error) => answers[row] = Some(Err(error)),
                }
            }
            for (row, write, ended) in self.write_wave(writes).await {
                match ended {
                    Ended::Done => {
                        view.apply(&write);
                        answers[row] = Some(Ok(write.outcome));
                        continue;
                    }
                    Ended::Settled(stored) => answers[row] = Some(Ok(*stored)),
                    Ended::Failed(error) => answers[row] = Some(Err(error)),
                    Ended::Again => {
                        rounds[row] += 1;
                        if rounds[row] < MAX_ROUNDS {
                            later.push(row);
                        } else {
                            answers[row] = Some(Err(self.why_stuck(&write).await));
                        }
                    }
                }
                view.forget(write.keys());
            }
            later.sort_unstable();
            waiting = later;
        }
        let unanswered = || Err(StoreError::Refused("the row was not reached".into()));
        answers.into_iter().map(|answer| answer.unwrap_or_else(unanswered)).collect()
    }

    /// Writes rows that touch distinct items: single updates and packed transactions side by side.
    async fn write_wave(&self, writes: Vec<(usize, Write)>) -> Vec<(usize, Write, Ended)> {
        let (alone, together): (Vec<_>, Vec<_>) = writes.into_iter().partition(|(_, write)| write.alone().is_some());
        let packs = alone.into_iter().map(|row| vec![row]).chain(pack(together));
        stream::iter(packs.map(|pack| self.write_pack(pack))).buffer_unordered(WRITES_AT_ONCE).concat().await
    }

    /// Writes the rows of one transaction (or one row with its plain update). A row whose condition fails is taken out,
    /// and the others are sent again, as a new transaction.
    async fn write_pack(&self, mut rows: Vec<(usize, Write)>) -> Vec<(usize, Write, Ended)> {
        let actions = Actions { table: self.calls.table_name() };
        let mut ended = Vec::with_capacity(rows.len());
        while rows.len() > 1 {
            let transaction = rows.iter().map(|(_, write)| write.actions(actions)).collect::<Result<Vec<_>, _>>();
            let answer = match transaction {
                Ok(transaction) => self.calls.transact_briefly(&transaction.concat(), TRIES_TOGETHER).await,
                Err(error) => Err(error),
            };
            match answer {
                Ok(Transacted::Done) => {
                    ended.extend(rows.drain(..).map(|(row, write)| (row, write, Ended::Done)));
                }
                Ok(Transacted::Cancelled(reasons)) => {
                    let mut reasons = reasons.into_iter();
                    for (row, write) in std::mem::take(&mut rows) {
                        let of_row: Vec<Action> = reasons.by_ref().take(write.len()).collect();
                        match settle(&write, of_row) {
                            Some(end) => ended.push((row, write, end)),
                            None => rows.push((row, write)),
                        }
                    }
                }
                // Too busy together, or refused because of one of them: each by itself.
                Err(_) => break,
            }
        }
        let alone = rows.into_iter().map(|(row, write)| async move {
            let end = self.write_alone(&write, actions).await;
            (row, write, end)
        });
        ended.extend(stream::iter(alone).buffer_unordered(ALONE_AT_ONCE).collect::<Vec<_>>().await);
        ended
    }

    async fn write_alone(&self, write: &Write, actions: Actions<'_>) -> Ended {
        let answer = match write.alone() {
            Some(before) => match write.update(before, actions) {
                Ok(update) => self.calls.update(&update).await.map(|written| match written {
                    Written::Done => Transacted::Done,
                    Written::Refused { standing } => Transacted::Cancelled(vec![Action::Refused { standing }]),
                }),
                Err(error) => Err(error),
            },
            None => match write.actions(actions) {
                Ok(transaction) => self.calls.transact(&transaction).await,
                Err(error) => Err(error),
            },
        };
        match answer {
            Ok(Transacted::Done) => Ended::Done,
            Ok(Transacted::Cancelled(reasons)) => settle(write, reasons).unwrap_or(Ended::Again),
            Err(error) => Ended::Failed(error),
        }
    }

    /// Why a row's condition fails again and again: its items are broken, or others are truly that busy.
    async fn why_stuck(&self, write: &Write) -> StoreError {
        let checked = match &write.before {
            Some(before) => self.check_together(before).await,
            None => Ok(()),
        };
        checked.err().unwrap_or_else(outrun)
    }
}

/// What a cancelled transaction's reasons mean for one row; none if it may be sent again.
fn settle(write: &Write, reasons: Vec<Action>) -> Option<Ended> {
    let (mut refused, mut conflict) = (false, None);
    for (place, reason) in reasons.into_iter().enumerate() {
        let standing = match reason {
            Action::Fine => continue,
            Action::Invalid(why) => return Some(Ended::Failed(StoreError::Refused(why))),
            Action::Refused { standing } => standing,
        };
        refused = true;
        match place {
            // The person's item comes first: its mark tells whether this very row was there before.
            0 => match standing.map(MappingItem::read) {
                Some(Ok(standing)) => {
                    if let Some(stored) = own_success(write, &standing) {
                        return Some(Ended::Settled(Box::new(stored)));
                    }
                }
                Some(Err(error)) => return Some(Ended::Failed(error)),
                None => {}
            },
            // The owner item of the external id that the row wants.
            1 => match standing.as_ref().map(OwnerItem::read) {
                Some(Ok(owner)) if owner.username != write.after.mapping.username => conflict = Some(owner.username),
                Some(Err(error)) => return Some(Ended::Failed(error)),
                _ => {}
            },
            // The owner item of the external id that the row gives up: the person's item must have changed too.
            _ => {}
        }
    }
    match conflict {
        Some(owner) => Some(Ended::Settled(Box::new(Stored::Conflict { owner }))),
        None => refused.then_some(Ended::Again),
    }
}

/// The outcome, if the item that stands was written by this very row: its answer was lost, or another delivery of its
/// run was faster.
fn own_success(write: &Write, standing: &MappingItem) -> Option<Stored> {
    if standing.mapping == write.after.mapping {
        return Some(write.outcome.clone());
    }
    first_outcome(standing, write.after.mapping.stored_by.as_ref()?)
}

/// The rows, in file order, that touch no item which an earlier waiting row touches; and the others.
fn next_wave(waiting: &[usize], requests: &[StoreRequest], view: &View) -> (Vec<usize>, Vec<usize>) {
    let mut taken = HashSet::new();
    waiting.iter().partition(|row| {
        let [mapping, owner] = keys_of(&requests[**row]);
        // The external id that the row would give up. If an earlier row of the same person waits, that one's keys, which
        // are all taken, hold it already.
        let given_up = view.mapping(&mapping).ok().flatten().map(MappingItem::owner_key);
        let keys: Vec<ItemKey> = [mapping, owner].into_iter().chain(given_up).collect();
        let free = keys.iter().all(|key| !taken.contains(key));
        taken.extend(keys);
        free
    })
}

/// Fills transactions up to 100 actions and half of DynamoDB's bytes.
fn pack(writes: Vec<(usize, Write)>) -> Vec<Vec<(usize, Write)>> {
    let mut packs: Vec<Vec<(usize, Write)>> = Vec::new();
    let (mut actions, mut bytes) = (0, 0);
    for (row, write) in writes {
        let (more_actions, more_bytes) = (write.len(), write.bytes());
        if actions + more_actions <= MAX_IN_ONE_CALL
            && bytes + more_bytes <= MAX_BYTES
            && let Some(pack) = packs.last_mut()
        {
            actions += more_actions;
            bytes += more_bytes;
            pack.push((row, write));
        } else {
            (actions, bytes) = (more_actions, more_bytes);
            packs.push(vec![(row, write)]);
        }
    }
    packs
}
