//! The AWS configuration that all SDK clients share, and how to read what their calls answer.

use std::error::Error;
use std::time::Duration;

use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use crate::settings::Environment;

/// How long a connection may take.
const CONNECT: Duration = Duration::from_secs(3);
/// How long an attempt may wait for the answer's first byte.
const READ: Duration = Duration::from_secs(20);

/// The SDKs' own defaults, with `AWS_ENDPOINT_URL` honoured for all of them, standard retries, and time limits for
/// connecting (3 s) and for each attempt's answer (20 s). Nothing is fetched: credentials come with the first call.
///
/// The region is `AWS_REGION`, `AWS_DEFAULT_REGION` or the profile's; the instance metadata service is not asked for it,
/// which outside EC2 costs seconds. A set endpoint without a region means an emulator, which takes any.
pub async fn load_config(environment: &Environment) -> SdkConfig {
    let named = environment.get("AWS_REGION").or_else(|| environment.get("AWS_DEFAULT_REGION"));
    let endpoint = environment.get("AWS_ENDPOINT_URL");
    let region = RegionProviderChain::first_try(named.map(|name| Region::new(name.to_owned())))
        .or_else(ProfileFileRegionProvider::new())
        .or_else(endpoint.map(|_| Region::from_static("us-east-1")));
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .region(region)
        .retry_config(RetryConfig::standard())
        .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT).read_timeout(READ).build());
    if let Some(endpoint) = endpoint {
        loader = loader.endpoint_url(endpoint);
    }
    loader.load().await
}

/// What a failed call answered, for messages: its code and text, or how the connection broke. Never the request, which
/// may hold personal data; the service's text does so for a few operations, so mask or drop it where it is logged.
pub fn explain<E>(error: &SdkError<E, HttpResponse>) -> String
where
    E: ProvideErrorMetadata + Error + 'static,
{
    if let SdkError::ServiceError(answer) = error {
        return match (answer.err().code(), answer.err().message()) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.to_owned(),
            (None, _) => format!("HTTP status {}", answer.raw().status().as_u16()),
        };
    }
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

/// The code of an answered error, modelled or not.
pub fn code<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> Option<&str> {
    match error {
        SdkError::ServiceError(answer) => answer.err().code(),
        _ => None,
    }
}

/// Whether the same call may well succeed a moment later: throttled, a server error, or a broken or slow connection.
pub fn is_transient<E: ProvideErrorMetadata>(error: &SdkError<E, HttpResponse>) -> bool {
    match error {
        SdkError::ConstructionFailure(_) => false,
        SdkError::TimeoutError(_) | SdkError::ResponseError(_) => true,
        SdkError::DispatchFailure(failure) => failure.is_io() || failure.is_timeout() || failure.as_other().is_some(),
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            status >= 500 || status == 429 || answer.err().code().is_some_and(|code| TRANSIENT.contains(&code))
        }
        _ => false,
    }
}

/// The codes that the SDKs themselves take for throttling, and those of the services that we call.
const TRANSIENT: &[&str] = &[
    "BandwidthLimitExceeded",
    "InternalErrorException",
    "InternalServerError",
    "InternalServiceError",
    "PriorRequestNotComplete",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "RequestThrottled",
    "RequestThrottledException",
    "RequestTimeout",
    "RequestTimeoutException",
    "SlowDown",
    "ThrottledException",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "TransactionInProgressException",
];

#[cfg(test)]
mod tests {
    use aws_sdk_secretsmanager::Client;

    use super::*;
    use crate::fake_http::{self, Answer};

    #[tokio::test]
    async fn endpoint_region_and_limits_are_set() {
        let environment = Environment::from_iter([("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")]);
        let config = load_config(&environment.with("AWS_REGION", "eu-central-1")).await;
        assert_eq!(config.endpoint_url(), Some("http://127.0.0.1:4566"));
        assert_eq!(config.region().map(Region::as_ref), Some("eu-central-1"));
        let limits = config.timeout_config().unwrap();
        assert_eq!((limits.connect_timeout(), limits.read_timeout()), (Some(CONNECT), Some(READ)));
    }

    async fn failure(answer: Answer) -> (bool, Option<String>, String) {
        let (config, _) = fake_http::config(move |_| answer.clone());
        let config = config.into_builder().retry_config(RetryConfig::disabled()).build();
        let error = Client::new(&config).get_secret_value().secret_id("x").send().await.unwrap_err();
        (is_transient(&error), code(&error).map(str::to_owned), explain(&error))
    }

    #[tokio::test]
    async fn what_may_be_tried_again_is_told_from_what_may_not() {
        let (transient, code, text) = failure(Answer::error(400, "TooManyRequestsException", "slow down")).await;
        assert_eq!((transient, code.as_deref()), (true, Some("TooManyRequestsException")));
        assert_eq!(text, "TooManyRequestsException: slow down");
        assert!(failure(Answer::error(500, "Whatever", "broken")).await.0);
        assert!(failure(Answer::Broken).await.0);
        let (transient, code, text) = failure(Answer::error(400, "AccessDeniedException", "no")).await;
        assert_eq!((transient, code.as_deref()), (false, Some("AccessDeniedException")));
        assert_eq!(text, "AccessDeniedException: no");
    }
}
