//! DynamoDB through the real client.

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{AttributeValue, TableStatus, TimeToLiveStatus};
use crosswalk_local_aws::provision::provision_table;
use crosswalk_local_aws::testbed::Testbed;

fn text(value: &str) -> AttributeValue {
    AttributeValue::S(value.to_owned())
}

#[tokio::test]
async fn the_table_stands_with_index_and_ttl_and_provisioning_twice_is_once() {
    let testbed = Testbed::start_table_only().await;
    let client = Client::new(&testbed.config);
    let table = &testbed.names.table;
    client.put_item().table_name(table).item("pk", text("a")).item("sk", text("b")).send().await.unwrap();

    provision_table(&testbed.config, table).await.unwrap();

    let described = client.describe_table().table_name(table).send().await.unwrap().table.unwrap();
    assert_eq!(described.table_status, Some(TableStatus::Active));
    assert_eq!(described.global_secondary_indexes()[0].index_name(), Some("by_listing"));
    let ttl = client.describe_time_to_live().table_name(table).send().await.unwrap();
    let ttl = ttl.time_to_live_description.unwrap();
    assert_eq!(ttl.time_to_live_status, Some(TimeToLiveStatus::Enabled));
    assert_eq!(ttl.attribute_name.as_deref(), Some("expires_at"));
    let item = client.get_item().table_name(table).key("pk", text("a")).key("sk", text("b")).send().await.unwrap();
    assert!(item.item.is_some(), "provisioning again must leave what stands");
}

#[tokio::test]
async fn of_sixteen_conditional_puts_exactly_one_wins() {
    let testbed = Testbed::start_table_only().await;
    let client = Client::new(&testbed.config);
    for round in 0..20 {
        let tries = (0..16).map(|_| {
            client
                .put_item()
                .table_name(&testbed.names.table)
                .item("pk", text(&format!("round {round}")))
                .item("sk", text("x"))
                .condition_expression("attribute_not_exists(pk)")
                .send()
        });
        let won = futures::future::join_all(tries).await.into_iter().filter(Result::is_ok).count();
        assert_eq!(won, 1, "round {round}");
    }
}
