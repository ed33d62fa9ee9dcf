//! Calls to Cognito: each attempt takes its place in the pace of its quota, and is counted.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use aws_sdk_cognitoidentityprovider::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_cognitoidentityprovider::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_cognitoidentityprovider::error::{BoxError, ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use crosswalk_function_kit::aws;
use crosswalk_function_kit::rate::Pace;
use crosswalk_function_kit::retry::{Retries, retry};
use std::sync::Arc;

use crate::ensure::Accounts;

/// The calls so far, of an [`Accounts`] and its clones together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Requests that were sent, repeated ones included.
    pub requests: u64,
    /// Of these, how many repeated an earlier one.
    pub retries: u64,
    /// Bytes of the requests' bodies.
    pub bytes_sent: u64,
}

/// Counts what goes out.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counters(Arc<Counted>);

#[derive(Debug, Default)]
struct Counted {
    requests: AtomicU64,
    retries: AtomicU64,
    bytes_sent: AtomicU64,
}

impl Intercept for Counters {
    fn name(&self) -> &'static str {
        "Counters"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let bytes = context.request().body().bytes().map_or(0, <[u8]>::len);
        self.0.requests.fetch_add(1, Ordering::Relaxed);
        self.0.bytes_sent.fetch_add(bytes.try_into().unwrap_or(0), Ordering::Relaxed);
        Ok(())
    }
}

impl Accounts {
    /// The calls so far. Who wants those of one run takes the difference.
    pub fn traffic(&self) -> Traffic {
        let Counted { requests, retries, bytes_sent } = &*self.0.counters.0;
        Traffic {
            requests: requests.load(Ordering::Relaxed),
            retries: retries.load(Ordering::Relaxed),
            bytes_sent: bytes_sent.load(Ordering::Relaxed),
        }
    }

    /// Sends until that succeeds, fails for good, or the retries are used up.
    pub(crate) async fn call<T, E, Sent>(
        &self,
        pace: Option<&Pace>,
        send: impl Fn() -> Sent,
    ) -> Result<T, SdkError<E, HttpResponse>>
    where
        E: ProvideErrorMetadata,
        Sent: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
    {
        let again = AtomicBool::new(false);
        retry(Retries::default(), aws::is_transient, async || {
            if let Some(pace) = pace {
                pace.wait().await;
            }
            if again.swap(true, Ordering::Relaxed) {
                self.0.counters.0.retries.fetch_add(1, Ordering::Relaxed);
            }
            // On the heap: the SDK's futures are deep, and the compiler follows types only so far.
            Box::pin(send()).await
        })
        .await
    }
}
