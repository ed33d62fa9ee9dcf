//! Turns in DynamoDB: an item a turn, written in one transaction with the run's.

use aws_sdk_dynamodb::types::builders::UpdateBuilder;
use aws_sdk_dynamodb::types::{Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update};
use crosswalk_identifier_store::{Action, Item, ItemKey, StoreError, Transacted};
use jiff::Timestamp;
use serde::Deserialize;
use tokio::time::Instant;

use super::{Taken, begun_again, fresh, is_done};
use crate::stored::{Stored, key, number, text, time};
use crate::writes::{refused, setting};
use crate::{Counts, Lease, Progress, RunError, RunRecord, RunState, Runs};

/// Of many that begin at once, one is told at the first look and the others at the second; more looks than that are needed
/// only while leases lapse and turns change hands.
const ROUNDS: usize = 20;

/// A turn as its item has it.
#[derive(Debug, Deserialize)]
struct Turn {
    run: String,
    fence: u64,
    ticket: String,
    lease_until: Timestamp,
}

/// A turn and a run that are ours, until another takes the turn.
#[derive(Debug)]
pub(super) struct Hold {
    runs: Runs,
    turn: ItemKey,
    turn_fence: u64,
    /// Of this claim alone. The fencing number does not tell one apart from the claims after it if somebody deleted the
    /// turn's item by hand, and numbers began anew.
    ticket: String,
    lease: Lease,
}

fn turn_key(turn: &str) -> ItemKey {
    ItemKey::new(format!("TURN#{turn}"), "TURN")
}

/// Takes the turn and the run.
pub(super) async fn begin(
    runs: &Runs,
    record: &RunRecord,
    turn: &str,
    delivery: &str,
) -> Result<Taken<Hold>, RunError> {
    let claim = ClaimOf { runs, turn: turn_key(turn), ticket: runs.entropy.uuid().to_string(), delivery };
    let record = fresh(record);
    for _ in 0..ROUNDS {
        let since = Instant::now();
        let (standing, run) = claim.look(&record.id).await?;
        let now = runs.clock.now();
        match (&standing, &run) {
            // Our own claim of the round before, whose answer was lost.
            (Some(turn), Some(run)) if turn.ticket == claim.ticket && run.held.ticket == claim.ticket => {
                return Ok(claim.ours(turn.fence, run.held.fence, run.record.clone(), since));
            }
            (_, Some(run)) if is_done(&run.record) => {
                return Ok(Taken::Ended(run.record.clone()));
            }
            (Some(turn), _) if turn.lease_until > now => {
                return Ok(Taken::Busy { run: turn.run.clone(), until: Some(turn.lease_until) });
            }
            // It works under another turn: its settings have changed since.
            (_, Some(run)) if run.record.state == RunState::Running && run.held.lease_until > now => {
                return Ok(Taken::Busy { run: record.id, until: Some(run.held.lease_until) });
            }
            _ => {}
        }
        let (turn_fence, taking_turn) = claim.take_turn(standing.as_ref(), &record.id)?;
        let (record, run_fence, taking_run) = claim.take_run(run, &record)?;
        if done(runs.calls.transact(&[taking_turn, taking_run]).await?)? {
            return Ok(claim.ours(turn_fence, run_fence, record, since));
        }
    }
    let busy = format!("the turn of the run {} is taken by many at once", record.id);
    Err(StoreError::Busy(busy).into())
}

/// One beginning.
struct ClaimOf<'a> {
    runs: &'a Runs,
    turn: ItemKey,
    ticket: String,
    delivery: &'a str,
}

impl ClaimOf<'_> {
    /// Turn and run as they stand together.
    async fn look(&self, run: &str) -> Result<(Option<Turn>, Option<Stored>), StoreError> {
        let mut items = self.runs.calls.get_together(&[self.turn.clone(), key(run)]).await?.into_iter();
        let mut next = || items.next().flatten().filter(|item| !item.is_empty());
        Ok((next().map(Turn::read).transpose()?, next().map(Stored::read).transpose()?))
    }

    /// The fencing number under which the turn will be ours, and the write that makes it so if it still stands as seen.
    fn take_turn(&self, seen: Option<&Turn>, run: &str) -> Result<(u64, TransactWriteItem), StoreError> {
        let fence = seen.map_or(0, |turn| turn.fence) + 1;
        let mut item = self.turn.attributes();
        item.extend([
            ("run".into(), text(run)),
            ("fence".into(), number(fence)),
            ("ticket".into(), text(&self.ticket)),
            ("delivery".into(), text(self.delivery)),
            ("lease_until".into(), time(self.runs.lease_end())),
            // Forgotten when nobody has taken it for as long as runs are kept: some ways have a turn for each run.
            ("expires_at".into(), number(self.runs.expiry())),
        ]);
        let put = Put::builder().table_name(self.runs.calls.table_name()).set_item(Some(item));
        let put = match seen {
            None => put.condition_expression("attribute_not_exists(pk)"),
            // The lapsed time is part of the condition: its holder may have renewed since it was read.
            Some(seen) => put
                .condition_expression("#fence = :fence AND #ticket = :ticket AND #lease_until = :lapsed")
                .expression_attribute_names("#fence", "fence")
                .expression_attribute_names("#ticket", "ticket")
                .expression_attribute_names("#lease_until", "lease_until")
                .expression_attribute_values(":fence", number(seen.fence))
                .expression_attribute_values(":ticket", text(&seen.ticket))
                .expression_attribute_values(":lapsed", time(seen.lease_until)),
        };
        let put = put.return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        Ok((fence, TransactWriteItem::builder().put(refused(put.build())?).build()))
    }

    /// The record and the fencing number with which the run will be ours, and the write that makes it so.
    fn take_run(
        &self,
        seen: Option<Stored>,
        record: &RunRecord,
    ) -> Result<(RunRecord, u64, TransactWriteItem), StoreError> {
        let Some(seen) = seen else {
            let put = self.runs.putting(record, self.delivery, &self.ticket)?;
            return Ok((record.clone(), 1, TransactWriteItem::builder().put(put).build()));
        };
        let fence = seen.held.fence + 1;
        if let Some(record) = begun_again(&seen.record, record) {
            let put = self.runs.beginning_again(&record, &seen, self.delivery, &self.ticket)?;
            return Ok((record, fence, TransactWriteItem::builder().put(put).build()));
        }
        let lease = Lease { run: seen.record.id.clone(), fence: seen.held.fence };
        let update = self.runs.taking_over(&lease, seen.held.lease_until, self.delivery, &self.ticket)?;
        Ok((seen.record, fence, TransactWriteItem::builder().update(update).build()))
    }

    fn ours(&self, turn_fence: u64, run_fence: u64, record: RunRecord, since: Instant) -> Taken<Hold> {
        let hold = Hold {
            runs: self.runs.clone(),
            turn: self.turn.clone(),
            turn_fence,
            ticket: self.ticket.clone(),
            lease: Lease { run: record.id.clone(), fence: run_fence },
        };
        Taken::Ours { hold, record, since }
    }
}

impl Turn {
    fn read(item: Item) -> Result<Self, StoreError> {
        let key = ItemKey::of(&item).map_or_else(|| "without a key".to_owned(), |key| key.pk);
        serde_dynamo::from_item(item)
            .map_err(|error: serde_dynamo::Error| StoreError::Broken { key, reason: error.to_string() })
    }
}

impl Hold {
    /// Renews both leases, with what is known of the run's progress.
    pub(super) async fn renew(&self, progress: &Progress, counts: &Counts) -> Result<(), RunError> {
        let turn = setting(self.ours(), [("lease_until", time(self.runs.lease_end()))])?;
        let run = self.runs.renewing(&self.lease, progress, counts)?;
        if self.both(turn, run).await? { Ok(()) } else { Err(self.lost()) }
    }

    /// Writes the ended record, and frees the turn.
    pub(super) async fn end(&self, record: &RunRecord) -> Result<(), RunError> {
        let run = self.runs.ending(&self.lease, record)?;
        if self.both(self.freeing()?, run).await? {
            return Ok(());
        }
        // An end whose answer was lost finds the run ended under its own ticket: nobody else can have done that.
        match self.runs.calls.get(&key(&self.lease.run)).await?.map(Stored::read).transpose()? {
            Some(Stored { record, held }) if held.ticket == self.ticket && record.state != RunState::Running => Ok(()),
            _ => Err(self.lost()),
        }
    }

    /// Frees both.
    pub(super) async fn release(&self) -> Result<(), RunError> {
        let run = self.runs.releasing(&self.lease)?;
        self.both(self.freeing()?, run).await?;
        Ok(())
    }

    /// The turn lapses now. Its fencing number moves on, so that a renewal that is still on its way cannot bring it back.
    fn freeing(&self) -> Result<Update, StoreError> {
        let sets = [("lease_until", time(self.runs.clock.now())), ("fence", number(self.turn_fence + 1))];
        setting(self.ours(), sets)
    }

    /// An update that is done only while the turn is ours.
    fn ours(&self) -> UpdateBuilder {
        self.runs
            .update(&self.turn)
            .condition_expression("#fence = :fence AND #ticket = :ticket")
            .expression_attribute_names("#fence", "fence")
            .expression_attribute_names("#ticket", "ticket")
            .expression_attribute_values(":fence", number(self.turn_fence))
            .expression_attribute_values(":ticket", text(&self.ticket))
    }

    async fn both(&self, turn: Update, run: Update) -> Result<bool, StoreError> {
        let actions = [turn, run].map(|update| TransactWriteItem::builder().update(update).build());
        done(self.runs.calls.transact(&actions).await?)
    }

    fn lost(&self) -> RunError {
        RunError::Lost { run: self.lease.run.clone() }
    }
}

/// Whether the transaction was done; if not, a condition did not hold.
fn done(transacted: Transacted) -> Result<bool, StoreError> {
    let Transacted::Cancelled(actions) = transacted else { return Ok(true) };
    for action in actions {
        if let Action::Invalid(why) = action {
            return Err(StoreError::Refused(why));
        }
    }
    Ok(false)
}
