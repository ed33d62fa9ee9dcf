//! A table, a clock that stands still, and a connection that can lose answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::interceptors::{
    BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_sdk_dynamodb::types::AttributeValue;
use aws_smithy_types::body::SdkBody;
use crosswalk_function_kit::{Clock, Entropy};
use crosswalk_identifier_store::{Item, Table};
use crosswalk_identity::{Email, Fein, Mark, Username};
use crosswalk_local_aws::testbed::Testbed;
use crosswalk_people::{BrokenItem, Employer, People};
use jiff::Timestamp;

pub(crate) struct Bed {
    pub(crate) people: People,
    pub(crate) table: Table,
    _testbed: Testbed,
}

pub(crate) async fn bed() -> Bed {
    let testbed = Testbed::start_table_only().await;
    let table = Table::new(Client::new(&testbed.config), &testbed.names.table);
    let people = People::new(table.clone(), Clock::fixed(now()), Entropy::system());
    Bed { people, table, _testbed: testbed }
}

pub(crate) fn now() -> Timestamp {
    "2026-11-22T10:00:00Z".parse().unwrap()
}

pub(crate) fn name(text: &str) -> Username {
    Username::parse(text).unwrap()
}

pub(crate) fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

pub(crate) fn fein(text: &str) -> Fein {
    Fein::parse(text).unwrap()
}

pub(crate) fn employer(number: &str, name: &str, id: Option<&str>) -> Employer {
    Employer { fein: fein(number), name: name.into(), fineos_employer_id: id.map(Into::into) }
}

/// A line of the run that most tests are.
pub(crate) fn line(number: u64) -> Mark {
    Mark::line("import-1", number)
}

pub(crate) fn other_run() -> Mark {
    Mark::line("import-2", 1)
}

impl Bed {
    /// The same people over a connection whose first `times` done writes are answered with an error.
    pub(crate) fn losing_answers(&self, times: usize) -> (People, Lossy) {
        let lossy = Lossy { left: Arc::new(AtomicUsize::new(times)), writes: Arc::default() };
        let config = self.table.client.config().to_builder().interceptor(lossy.clone()).build();
        let table = Table::new(Client::from_conf(config), &self.table.name);
        (People::new(table, Clock::fixed(now()), Entropy::system()), lossy)
    }

    pub(crate) async fn raw(&self, pk: &str, sk: &str) -> Option<Item> {
        let get = self.table.client.get_item().table_name(&self.table.name).consistent_read(true);
        get.key("pk", text(pk)).key("sk", text(sk)).send().await.unwrap().item
    }

    pub(crate) async fn put_raw(&self, attributes: &[(&str, &str)]) {
        let put = self.table.client.put_item().table_name(&self.table.name);
        let item = attributes.iter().map(|(name, value)| ((*name).to_owned(), text(value))).collect();
        put.set_item(Some(item)).send().await.unwrap();
    }

    pub(crate) async fn delete_raw(&self, pk: &str, sk: &str) {
        let delete = self.table.client.delete_item().table_name(&self.table.name);
        delete.key("pk", text(pk)).key("sk", text(sk)).send().await.unwrap();
    }

    /// The sort keys of a partition.
    pub(crate) async fn sort_keys(&self, pk: &str) -> Vec<String> {
        let query = self.table.client.query().table_name(&self.table.name).consistent_read(true);
        let query = query.key_condition_expression("pk = :pk").expression_attribute_values(":pk", text(pk));
        let items = query.send().await.unwrap().items.unwrap_or_default();
        items.into_iter().map(|item| item["sk"].as_s().unwrap().clone()).collect()
    }

    pub(crate) async fn broken(&self) -> Vec<String> {
        let mut broken: Vec<BrokenItem> = Vec::new();
        let checked = self.people.check_integrity(|item| broken.push(item)).await.unwrap();
        assert_eq!(checked.broken, broken.len() as u64);
        let mut broken: Vec<_> = broken.iter().map(ToString::to_string).collect();
        broken.sort();
        broken
    }
}

pub(crate) fn text(of: &str) -> AttributeValue {
    AttributeValue::S(of.to_owned())
}

pub(crate) fn revision(item: &Item) -> &str {
    item["revision"].as_n().unwrap()
}

/// Turns answers to writes into server errors, after the service has done its work. For one call at a time.
#[derive(Debug, Clone)]
pub(crate) struct Lossy {
    left: Arc<AtomicUsize>,
    writes: Arc<AtomicBool>,
}

impl Lossy {
    pub(crate) fn left(&self) -> usize {
        self.left.load(Ordering::SeqCst)
    }
}

impl Intercept for Lossy {
    fn name(&self) -> &'static str {
        "Lossy"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let target = context.request().headers().get("x-amz-target").unwrap_or_default();
        let writes = ["PutItem", "UpdateItem", "TransactWriteItems"].iter().any(|name| target.ends_with(name));
        self.writes.store(writes, Ordering::SeqCst);
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        _config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let lose = || self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)).is_ok();
        if self.writes.load(Ordering::SeqCst) && context.response().status().is_success() && lose() {
            let response = context.response_mut();
            *response.status_mut() = 500.try_into()?;
            *response.body_mut() = SdkBody::from("{}");
        }
        Ok(())
    }
}
