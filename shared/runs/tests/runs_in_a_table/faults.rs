//! A busy DynamoDB and lost answers: neither costs a run its lease, nor gives it to two.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::interceptors::{
    BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextRef,
};
use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_dynamodb::error::BoxError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::{Storable, StoreReplace};
use crosswalk_function_kit::Entropy;
use crosswalk_identifier_store::Table;
use crosswalk_runs::{Claim, Counts, Outcome, Progress, RunState, Runs};
use tokio::sync::watch;

use crate::bed::{Bed, bed};

/// Answers that DynamoDB throttled, after the work was done: the caller cannot know that it was.
#[derive(Debug, Clone, Default)]
pub(crate) struct Throttled {
    left: Arc<AtomicUsize>,
    /// Of this operation alone, if one is named.
    operation: Arc<Mutex<Option<&'static str>>>,
}

impl Throttled {
    pub(crate) fn next(&self, times: usize) {
        self.left.store(times, Ordering::SeqCst);
    }

    pub(crate) fn next_of(&self, operation: &'static str, times: usize) {
        *self.operation.lock().unwrap() = Some(operation);
        self.next(times);
    }

    pub(crate) fn left(&self) -> usize {
        self.left.load(Ordering::SeqCst)
    }

    fn concerns(&self, target: &str) -> bool {
        self.operation.lock().unwrap().is_none_or(|operation| target.ends_with(&format!(".{operation}")))
    }
}

/// What a call asks for.
#[derive(Debug)]
struct Target(String);

impl Storable for Target {
    type Storer = StoreReplace<Self>;
}

impl Intercept for Throttled {
    fn name(&self) -> &'static str {
        "Throttled"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let target = context.request().headers().get("x-amz-target").unwrap_or_default().to_owned();
        config.interceptor_state().store_put(Target(target));
        Ok(())
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _components: &RuntimeComponents,
        config: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let concerned = config.load::<Target>().is_some_and(|target| self.concerns(&target.0));
        let count_down = |left: usize| left.checked_sub(1);
        if concerned && self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, count_down).is_ok() {
            let response = context.response_mut();
            *response.status_mut() = 400.try_into()?;
            let refusal = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"slow down"}"#;
            *response.body_mut() = SdkBody::from(refusal);
        }
        Ok(())
    }
}

impl Bed {
    /// The same runs over a connection that can be throttled.
    pub(crate) fn throttled(&self) -> (Runs, Throttled) {
        let throttled = Throttled::default();
        let config = self.table.client.config().to_builder().interceptor(throttled.clone()).build();
        let table = Table::new(Client::from_conf(config), &self.table.name);
        (Runs::new(table, self.hand.clock(), Entropy::system()), throttled)
    }
}

#[tokio::test]
async fn a_claim_whose_answer_was_lost_is_ours() {
    let bed = bed().await;
    let (runs, throttled) = bed.throttled();
    throttled.next(2);
    let claim = runs.claim(&bed.record("import-1"), "delivery").await.unwrap();
    let Claim::Ours { lease, takeover, record } = claim else { panic!("{claim:?}") };
    assert_eq!((lease.fence, takeover, record), (1, false, bed.record("import-1")));
    assert_eq!(throttled.left(), 0);
}

#[tokio::test]
async fn a_takeover_whose_answer_was_lost_is_ours() {
    let bed = bed().await;
    let old = bed.claim("import-1").await;
    bed.hand.forward(Runs::LEASE);
    let (runs, throttled) = bed.throttled();
    // The put's refusal, and the takeover twice.
    throttled.next(3);
    let claim = runs.claim(&bed.record("import-1"), "second").await.unwrap();
    let Claim::Ours { lease, takeover: true, .. } = claim else { panic!("{claim:?}") };
    assert_eq!((throttled.left(), lease.fence), (0, old.fence + 1));
    runs.renew(&lease, &Progress::default(), &Counts::default()).await.unwrap();
}

#[tokio::test]
async fn an_end_and_a_release_whose_answers_were_lost_are_done() {
    let bed = bed().await;
    let (runs, throttled) = bed.throttled();
    let lease = bed.claim("import-1").await;
    let mut record = bed.record("import-1");
    record.state = RunState::Succeeded;
    throttled.next(1);
    runs.end(&lease, &record).await.unwrap();
    assert_eq!(bed.runs.get("import-1").await.unwrap().unwrap().state, RunState::Succeeded);

    let lease = bed.claim("import-2").await;
    throttled.next(1);
    runs.release(&lease).await.unwrap();
    assert_eq!(throttled.left(), 0);
    bed.claim("import-2").await;
}

#[tokio::test]
async fn throttling_that_outlasts_the_retries_is_no_loss() {
    let bed = bed().await;
    let (runs, throttled) = bed.throttled();
    let lease = bed.claim("import-1").await;
    let mut counts = Counts::default();
    counts.add(Outcome::Created);
    throttled.next(9);
    let failed = runs.renew(&lease, &Progress::default(), &counts).await;
    assert!(matches!(failed, Err(crosswalk_runs::RunError::Store(_))), "{failed:?}");

    throttled.next(9);
    let (_tell, latest) = watch::channel((Progress::default(), counts));
    let keeper = runs.keep_every(Duration::from_millis(20), lease, latest);
    while throttled.left() > 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!keeper.is_lost());
    }
    keeper.stop().await;
    assert_eq!(bed.runs.get("import-1").await.unwrap().unwrap().counts, counts);
}
