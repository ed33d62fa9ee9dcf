//! Reads of more than one kind of item.

use std::time::Duration;

use aws_sdk_dynamodb::error::{ProvideErrorMetadata, SdkError};
use crosswalk_function_kit::aws;
use crosswalk_function_kit::retry::{Retries, retry};
use crosswalk_identifier_store::{Item, StoreError};

use crate::People;
use crate::writes::text;

const RETRIES: Retries = Retries { first: Duration::from_millis(25), longest: Duration::from_secs(2), times: 10 };

impl People {
    /// All items of a partition, in the order of their sort keys, strongly consistent.
    pub(crate) async fn whole_partition(&self, pk: &str) -> Result<Vec<Item>, StoreError> {
        let (mut items, mut start) = (Vec::new(), None);
        loop {
            let query = self.table.client.query().table_name(&self.table.name).consistent_read(true);
            let query = query.key_condition_expression("pk = :pk").expression_attribute_values(":pk", text(pk));
            let page = retry(RETRIES, is_busy, async || {
                query.clone().set_exclusive_start_key(start.clone()).send().await.map_err(|error| failure(&error))
            })
            .await?;
            items.extend(page.items.unwrap_or_default());
            start = page.last_evaluated_key.filter(|key| !key.is_empty());
            if start.is_none() {
                return Ok(items);
            }
        }
    }

    /// One page of the table's people, e-mails, employers, links and reverses, and where the next one starts.
    pub(crate) async fn scan_page(&self, start: Option<Item>) -> Result<(Vec<Item>, Option<Item>), StoreError> {
        let scan = self
            .table
            .client
            .scan()
            .table_name(&self.table.name)
            .consistent_read(true)
            .filter_expression(
                "begins_with(sk, :person) OR begins_with(sk, :link) OR begins_with(sk, :reverse) OR sk = :employer",
            )
            .expression_attribute_values(":person", text("PERSON"))
            .expression_attribute_values(":link", text(crate::Link::PREFIX))
            .expression_attribute_values(":reverse", text(crate::Link::REVERSE_PREFIX))
            .expression_attribute_values(":employer", text(crate::Employer::SORT_KEY));
        let page = retry(RETRIES, is_busy, async || {
            scan.clone().set_exclusive_start_key(start.clone()).send().await.map_err(|error| failure(&error))
        })
        .await?;
        Ok((page.items.unwrap_or_default(), page.last_evaluated_key.filter(|key| !key.is_empty())))
    }
}

fn failure<E>(error: &SdkError<E>) -> StoreError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let explained = aws::explain(error);
    if aws::is_transient(error) { StoreError::Busy(explained) } else { StoreError::Refused(explained) }
}

fn is_busy(error: &StoreError) -> bool {
    matches!(error, StoreError::Busy(_))
}
