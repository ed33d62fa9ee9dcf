//! Calls to Cognito: each attempt takes its place in the pace of its quota, and is counted.

use aws_sdk_cognitoidentityprovider::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use crosswalk_function_kit::aws;
use crosswalk_function_kit::rate::Pace;
use crosswalk_function_kit::retry::{Retries, retry};
use crosswalk_function_kit::traffic::Counter;

use crate::ensure::Accounts;

impl Accounts {
    /// The calls so far, of this and its clones together.
    pub fn counter(&self) -> &Counter {
        &self.0.counter
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
        retry(Retries::default(), aws::is_transient, async || {
            if let Some(pace) = pace {
                pace.wait().await;
            }
            // On the heap: the SDK's futures are deep, and the compiler follows types only so far.
            Box::pin(send()).await
        })
        .await
    }
}
