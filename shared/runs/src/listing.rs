use std::time::Duration;

use aws_sdk_dynamodb::types::AttributeValue;
use crosswalk_function_kit::retry::retry;
use crosswalk_identifier_store::{Item, StoreError, Table};

use crate::stored::{self, Stored, failure, is_busy, key, text};
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
    /// The record of a run (strongly consistent). One that nobody took over for [`Self::BROKEN_OFF`] is shown as failed.
    ///
    /// # Errors
    /// The store.
    pub async fn get(&self, id: &str) -> Result<Option<RunRecord>, StoreError> {
        let stored = self.fetch(id).await?.map(Stored::read).transpose()?;
        Ok(stored.map(|stored| stored.shown(self.clock.now())))
    }

    /// The latest runs of a kind, or of all kinds, newest first, at most `limit`; eventually consistent. A record that
    /// does not read is left out and logged: it must not hide the others.
    ///
    /// # Errors
    /// The store.
    pub async fn list(&self, kind: Option<&str>, limit: usize) -> Result<Vec<RunRecord>, StoreError> {
        let mut records = Vec::new();
        let mut after = None;
        while records.len() < limit {
            let left = limit - records.len();
            let (items, next) =
                retry(stored::RETRIES, is_busy, async || self.page(kind, left, after.clone()).await).await?;
            for item in items {
                match Stored::read(item) {
                    Ok(stored) => records.push(stored.shown(self.clock.now())),
                    Err(error) => tracing::warn!(%error, "a run was left out of the list"),
                }
            }
            after = next;
            if after.is_none() {
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
            let Some(stored) = self.fetch(id).await?.map(Stored::read).transpose()? else {
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

    pub(crate) async fn fetch(&self, id: &str) -> Result<Option<Item>, StoreError> {
        let read = self.table.client.get_item().table_name(&self.table.name).consistent_read(true);
        let attempt = async || {
            let answer = read.clone().set_key(Some(key(id))).send().await.map_err(|error| failure(&error))?;
            Ok(answer.item)
        };
        retry(stored::RETRIES, is_busy, attempt).await
    }

    async fn page(
        &self,
        kind: Option<&str>,
        left: usize,
        after: Option<Item>,
    ) -> Result<(Vec<Item>, Option<Item>), StoreError> {
        let description = Table::DESCRIPTION;
        let mut query = self
            .table
            .client
            .query()
            .table_name(&self.table.name)
            .index_name(description.index)
            .key_condition_expression("#listing = :listing")
            .expression_attribute_names("#listing", description.index_partition_key)
            .expression_attribute_values(":listing", text(stored::LISTING))
            .scan_index_forward(false)
            .set_exclusive_start_key(after);
        query = match kind {
            Some(kind) => query
                .filter_expression("#kind = :kind")
                .expression_attribute_names("#kind", "kind")
                .expression_attribute_values(":kind", AttributeValue::S(kind.to_owned())),
            // The limit counts what is read, before a filter: only without one it is ours.
            None => query.limit(i32::try_from(left).unwrap_or(i32::MAX)),
        };
        let answer = query.send().await.map_err(|error| failure(&error))?;
        Ok((answer.items.unwrap_or_default(), answer.last_evaluated_key.filter(|key| !key.is_empty())))
    }
}
