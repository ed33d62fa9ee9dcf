use std::time::Duration;

use anyhow::{Context as _, bail};
use aws_config::SdkConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection, ProjectionType,
    ScalarAttributeType, TableStatus, TimeToLiveSpecification, TimeToLiveStatus,
};
use crosswalk_identifier_store::Table;

/// Makes sure that the table stands, with its index and TTL, and can be used.
///
/// # Errors
/// A call that failed, by name.
pub async fn provision_table(config: &SdkConfig, name: &str) -> anyhow::Result<()> {
    let client = Client::new(config);
    let described = Table::DESCRIPTION;
    let created = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .set_attribute_definitions(Some(
            [described.partition_key, described.sort_key, described.index_partition_key, described.index_sort_key]
                .into_iter()
                .map(string_attribute)
                .collect::<Result<_, _>>()?,
        ))
        .set_key_schema(Some(key_schema(described.partition_key, described.sort_key)?))
        .global_secondary_indexes(
            GlobalSecondaryIndex::builder()
                .index_name(described.index)
                .set_key_schema(Some(key_schema(described.index_partition_key, described.index_sort_key)?))
                .projection(Projection::builder().projection_type(ProjectionType::All).build())
                .build()?,
        )
        .send()
        .await;
    match created.map_err(|error| error.into_service_error()) {
        Ok(_) => {}
        Err(error) if error.is_resource_in_use_exception() => {}
        Err(error) => return Err(error).with_context(|| format!("CreateTable {name}")),
    }
    wait_until_active(&client, name).await?;
    expire_items(&client, name, described.ttl).await
}

fn string_attribute(name: &str) -> Result<AttributeDefinition, aws_sdk_dynamodb::error::BuildError> {
    AttributeDefinition::builder().attribute_name(name).attribute_type(ScalarAttributeType::S).build()
}

fn key_schema(partition: &str, sort: &str) -> Result<Vec<KeySchemaElement>, aws_sdk_dynamodb::error::BuildError> {
    [(partition, KeyType::Hash), (sort, KeyType::Range)]
        .into_iter()
        .map(|(name, kind)| KeySchemaElement::builder().attribute_name(name).key_type(kind).build())
        .collect()
}

async fn wait_until_active(client: &Client, name: &str) -> anyhow::Result<()> {
    let mut pause = Duration::from_millis(20);
    for _ in 0..40 {
        let answer = client.describe_table().table_name(name).send().await;
        let answer =
            answer.map_err(|error| error.into_service_error()).with_context(|| format!("DescribeTable {name}"))?;
        if answer.table.and_then(|table| table.table_status) == Some(TableStatus::Active) {
            return Ok(());
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(2));
    }
    bail!("the table {name} did not become active within a minute")
}

/// DynamoDB refuses to switch on what is on already, so it is asked first.
async fn expire_items(client: &Client, name: &str, attribute: &str) -> anyhow::Result<()> {
    let answer = client.describe_time_to_live().table_name(name).send().await;
    let answer =
        answer.map_err(|error| error.into_service_error()).with_context(|| format!("DescribeTimeToLive {name}"))?;
    let status = answer.time_to_live_description.and_then(|described| described.time_to_live_status);
    if matches!(status, Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)) {
        return Ok(());
    }
    let specification = TimeToLiveSpecification::builder().enabled(true).attribute_name(attribute).build()?;
    client
        .update_time_to_live()
        .table_name(name)
        .time_to_live_specification(specification)
        .send()
        .await
        .map_err(|error| error.into_service_error())
        .with_context(|| format!("UpdateTimeToLive {name}"))?;
    Ok(())
}
