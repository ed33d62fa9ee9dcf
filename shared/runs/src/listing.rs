use std::time::Duration;

use crosswalk_identifier_store::{Item, ItemKey, StoreError};

use crate::stored::{LISTING, Stored, key};
use crate::{RunRecord, RunState, Runs};

/// What came of waiting for another worker's run.
#[derive(Debug, Clone, PartialEq)]
pub enum Waited {
    /// It ended.
    Ended(RunRecord),
    /// Its lease lapsed: it can be claimed and taken over.
    Lapsed(RunRecord),
    /// There is no such run (any more).
    Absent,
}

impl Runs {
    /// How many runs are read at once to find those of one kind.
    const PAGE: usize = 200;

    /// The record of a run (strongly consistent). One that nobody took over for [`Self::BROKEN_OFF`] is shown as failed.
    ///
    /// # Errors
    /// The store.
    pub async fn get(&self, id: &str) -> Result<Option<RunRecord>, StoreError> {
        Ok(self.stored(id).await?.map(|stored| stored.shown(self.clock.now())))
    }

    /// The latest runs of a kind, or of all kinds, newest first, at most `limit`; eventually consistent. A record that
    /// does not read is left out and logged: it must not hide the others.
    ///
    /// # Errors
    /// The store.
    pub async fn list(&self, kind: Option<&str>, limit: usize) -> Result<Vec<RunRecord>, StoreError> {
        let mut records = Vec::new();
        let mut after: Option<(ItemKey, String)> = None;
        while records.len() < limit {
            let page = if kind.is_some() { Self::PAGE } else { limit - records.len() };
            let start = after.as_ref().map(|(key, listed)| (key, listed.as_str()));
            let (items, more) = self.calls.listing(LISTING, start, page, true).await?;
            let listed = |item: &Item| Some((ItemKey::of(item)?, item.get("listed")?.as_s().ok()?.clone()));
            after = items.last().and_then(listed);
            for item in items {
                match Stored::read(item) {
                    Ok(stored) => records.push(stored.shown(self.clock.now())),
                    Err(error) => tracing::warn!(%error, "a run was left out of the list"),
                }
            }
            // A filter of DynamoDB's would read, and cost, just as much.
            records.retain(|record| kind.is_none_or(|kind| record.kind == kind));
            if !more || after.is_none() {
                break;
            }
        }
        records.truncate(limit);
        Ok(records)
    }

    /// Waits until a run that another worker holds ends, looking every `interval`, or until its lease lapses.
    ///
    /// # Errors
    /// The store.
    pub async fn wait_for_end(&self, id: &str, interval: Duration) -> Result<Waited, StoreError> {
        loop {
            let Some(stored) = self.stored(id).await? else {
                return Ok(Waited::Absent);
            };
            if stored.record.state != RunState::Running {
                return Ok(Waited::Ended(stored.record));
            }
            if stored.has_lapsed(self.clock.now()) {
                return Ok(Waited::Lapsed(stored.record));
            }
            tokio::time::sleep(interval).await;
        }
    }

    async fn stored(&self, id: &str) -> Result<Option<Stored>, StoreError> {
        self.calls.get(&key(id)).await?.map(Stored::read).transpose()
    }
}
