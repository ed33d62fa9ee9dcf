//! Calls to AWS, counted where an SDK hands them to the network: each attempt is one, whoever began it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextRef;
use aws_smithy_runtime_api::client::retries::RequestAttempts;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

use crate::retry;

/// What was sent so far. Clones count together.
///
/// As an interceptor of an SDK's client (`config().to_builder().interceptor(counter)`) it counts what that client sends: the
/// SDK's own retries too, and as repeats also the calls that [`retry::retry`] sent again, as it does where the SDK's
/// retries are off.
#[derive(Debug, Clone, Default)]
pub struct Counter(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    requests: AtomicU64,
    retries: AtomicU64,
    bytes_sent: AtomicU64,
}

impl Counter {
    /// Counts a request with a body of so many bytes; `is_repeat` if it repeats an earlier one.
    pub fn sent(&self, bytes: u64, is_repeat: bool) {
        self.0.requests.fetch_add(1, Ordering::Relaxed);
        self.0.retries.fetch_add(u64::from(is_repeat), Ordering::Relaxed);
        self.0.bytes_sent.fetch_add(bytes, Ordering::Relaxed);
    }

    /// Requests, repeated ones included.
    pub fn requests(&self) -> u64 {
        self.0.requests.load(Ordering::Relaxed)
    }

    /// Of the requests, how many repeated an earlier one.
    pub fn retries(&self) -> u64 {
        self.0.retries.load(Ordering::Relaxed)
    }

    /// Bytes of the requests' bodies.
    pub fn bytes_sent(&self) -> u64 {
        self.0.bytes_sent.load(Ordering::Relaxed)
    }

    /// Does `work`, and counts here what clients with the interceptor [`OfTask`] send for it. A task that `work` spawns is
    /// not part of it.
    pub async fn around<T>(self, work: impl Future<Output = T>) -> T {
        OF_TASK.scope(self, work).await
    }
}

tokio::task_local! {
    static OF_TASK: Counter;
}

/// For a client that many runs or requests share: what it sends counts into the counter of the task that asked
/// ([`Counter::around`]), and nowhere if there is none.
#[derive(Debug, Clone, Copy)]
pub struct OfTask;

impl Intercept for Counter {
    fn name(&self) -> &'static str {
        "Counter"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        settings: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let by_sdk = settings.load::<RequestAttempts>().is_some_and(|attempts| attempts.attempts() > 1);
        let bytes = context.request().body().content_length().unwrap_or(0);
        self.sent(bytes, by_sdk || retry::is_repeat());
        Ok(())
    }
}

impl Intercept for OfTask {
    fn name(&self) -> &'static str {
        "OfTask"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        components: &RuntimeComponents,
        settings: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let counter = OF_TASK.try_with(Counter::clone);
        counter.map_or(Ok(()), |counter| counter.read_before_transmit(context, components, settings))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::time::Duration;

    use aws_config::retry::RetryConfig;
    use aws_sdk_secretsmanager::Client;
    use aws_sdk_secretsmanager::config::Builder;
    use serde_json::json;

    use super::*;
    use crate::fake_http::{self, Answer};
    use crate::retry::{Retries, retry};

    fn told(counter: &Counter) -> (u64, u64) {
        (counter.requests(), counter.retries())
    }

    /// A configuration whose first `failures` answers are lost.
    fn failing(failures: usize) -> aws_config::SdkConfig {
        let answered = AtomicUsize::new(0);
        let (config, _) = fake_http::config(move |_| match answered.fetch_add(1, Ordering::Relaxed) {
            n if n < failures => Answer::error(500, "InternalServiceError", "busy"),
            _ => Answer::ok(json!({ "SecretString": "s" })),
        });
        config
    }

    #[tokio::test(start_paused = true)]
    async fn the_sdk_s_own_retries_count() {
        let counter = Counter::default();
        let config = failing(2).into_builder().retry_config(RetryConfig::standard()).build();
        let client = Client::from_conf(Builder::from(&config).interceptor(counter.clone()).build());
        client.get_secret_value().secret_id("x").send().await.unwrap();
        assert_eq!(told(&counter), (3, 2));
        assert_eq!(counter.bytes_sent(), 3 * u64::try_from(r#"{"SecretId":"x"}"#.len()).unwrap());
        client.get_secret_value().secret_id("x").send().await.unwrap();
        assert_eq!(told(&counter), (4, 2));
    }

    #[tokio::test(start_paused = true)]
    async fn our_own_retries_count() {
        let counter = Counter::default();
        let config = failing(2).into_builder().retry_config(RetryConfig::disabled()).build();
        let client = Client::from_conf(Builder::from(&config).interceptor(counter.clone()).build());
        let retries = Retries { first: Duration::from_millis(1), longest: Duration::from_millis(1), times: 5 };
        retry(retries, |_| true, || client.get_secret_value().secret_id("x").send()).await.unwrap();
        assert_eq!(told(&counter), (3, 2));
        retry(retries, |_| true, || client.get_secret_value().secret_id("x").send()).await.unwrap();
        assert_eq!(told(&counter), (4, 2));
    }

    #[tokio::test]
    async fn a_shared_client_counts_for_who_asks() {
        let config = failing(0);
        let client = Client::from_conf(Builder::from(&config).interceptor(OfTask).build());
        let ask = async || client.get_secret_value().secret_id("x").send().await.map(drop).unwrap();
        let (one, two) = (Counter::default(), Counter::default());
        let twice = async {
            ask().await;
            ask().await;
        };
        tokio::join!(one.clone().around(ask()), two.clone().around(twice), ask());
        assert_eq!((told(&one), told(&two)), ((1, 0), (2, 0)));
    }
}
