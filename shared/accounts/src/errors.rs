//! Why there is no account, and what a person can do about it.

use std::error::Error;

use aws_sdk_cognitoidentityprovider::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use crosswalk_function_kit::aws;
use crosswalk_identity::Email;

/// The calls, as errors name them.
pub(crate) const DESCRIBE_POOL: &str = "DescribeUserPool";
pub(crate) const GET_USER: &str = "AdminGetUser";
pub(crate) const CREATE_USER: &str = "AdminCreateUser";
pub(crate) const SET_PASSWORD: &str = "AdminSetUserPassword";

/// Why there is no account. No text holds the e-mail.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AccountError {
    /// The pool does not do; the message says how to mend it. Every row would fail: the run should stop.
    #[error("{0}")]
    Pool(String),
    /// The pool refuses this account for good.
    #[error("Cognito refused the account at {step}: {reason}{}", after(done))]
    Refused {
        /// The call, such as AdminCreateUser.
        step: &'static str,
        /// Its code and what to do.
        reason: String,
        /// The calls that had changed something before it, in their order.
        done: &'static [&'static str],
    },
    /// Throttling or broken connections outlasted the retries.
    #[error("Cognito was busy for too long at {step} ({reason}){}; drop the row in again", after(done))]
    Busy {
        /// The call.
        step: &'static str,
        /// Its code.
        reason: String,
        /// The calls that had changed something before it, in their order.
        done: &'static [&'static str],
    },
}

impl AccountError {
    /// Whether every other row would fail like this one.
    pub fn is_of_pool(&self) -> bool {
        matches!(self, Self::Pool(_))
    }

    /// The calls that had changed something before the error, in their order.
    pub fn done(&self) -> &'static [&'static str] {
        match self {
            Self::Pool(_) => &[],
            Self::Refused { done, .. } | Self::Busy { done, .. } => done,
        }
    }
}

fn after(done: &[&str]) -> String {
    match done {
        [] => String::new(),
        _ => format!(" (after {}, which was done; a repeat goes on from there)", done.join(", ")),
    }
}

/// What one failed call means. Several codes are not modelled on the operations that answer them (AliasExistsException and
/// LimitExceededException on AdminCreateUser), so codes are compared, not variants.
pub(crate) fn failure<E>(
    step: &'static str,
    done: &'static [&'static str],
    pool_id: &str,
    email: Option<&Email>,
    error: &SdkError<E, HttpResponse>,
) -> AccountError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let reason = without(email, aws::explain(error));
    let done_before = after(done);
    match aws::code(error) {
        Some("ResourceNotFoundException") => AccountError::Pool(format!(
            "there is no user pool {pool_id} in this account and region: set COGNITO_IDENTITY_POOL_ID to the id of one \
             that stands{done_before}"
        )),
        Some(
            "NotAuthorizedException"
            | "AccessDeniedException"
            | "UnrecognizedClientException"
            | "InvalidSignatureException"
            | "ExpiredTokenException"
            | "MissingAuthenticationTokenException",
        ) => AccountError::Pool(format!(
            "{step} is not allowed on the user pool {pool_id} ({reason}): allow this role cognito-idp:{step} on it{done_before}"
        )),
        Some("OperationNotEnabledException") => {
            AccountError::Pool(format!("{step} is switched off on the user pool {pool_id} ({reason}){done_before}"))
        }
        // A limit of the user or the account may pass, but not within the seconds that retries take.
        Some("LimitExceededException") => AccountError::Busy { step, reason, done },
        _ if matches!(error, SdkError::ConstructionFailure(_)) => AccountError::Pool(format!(
            "{step} could not be sent ({reason}): check credentials and AWS_REGION{done_before}"
        )),
        _ if aws::is_transient(error) => AccountError::Busy { step, reason, done },
        None if !matches!(error, SdkError::ServiceError(_)) => AccountError::Pool(format!(
            "{step} could not be sent ({reason}): check credentials and AWS_ENDPOINT_URL{done_before}"
        )),
        _ => AccountError::Refused { step, reason, done },
    }
}

/// Cognito repeats the username in some messages; reasons get logged.
fn without(email: Option<&Email>, reason: String) -> String {
    match email {
        None => reason,
        Some(email) => reason.replace(email.as_str(), "the e-mail").replace(email.key(), "the e-mail"),
    }
}
