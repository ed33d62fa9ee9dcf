//! Why there is no account, and what a person can do about it.

use std::error::Error;

use aws_sdk_cognitoidentityprovider::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use crosswalk_function_kit::aws;

/// The calls, as errors name them.
pub(crate) const DESCRIBE_POOL: &str = "DescribeUserPool";
pub(crate) const GET_USER: &str = "AdminGetUser";
pub(crate) const CREATE_USER: &str = "AdminCreateUser";
pub(crate) const SET_PASSWORD: &str = "AdminSetUserPassword";
pub(crate) const LIST_USERS: &str = "ListUsers";
pub(crate) const UPDATE_USER: &str = "AdminUpdateUserAttributes";
pub(crate) const DISABLE_USER: &str = "AdminDisableUser";
pub(crate) const ENABLE_USER: &str = "AdminEnableUser";
pub(crate) const DELETE_USER: &str = "AdminDeleteUser";
pub(crate) const ADD_TO_GROUP: &str = "AdminAddUserToGroup";

/// Why there is no account, or why it is not as it should be. No text holds what the account was to hold.
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
    /// Another account holds the e-mail or username.
    #[error("{step}: another account holds the e-mail or username")]
    Taken {
        /// The call.
        step: &'static str,
    },
    /// The account is not there any more.
    #[error("{step}: the account is gone")]
    Gone {
        /// The call.
        step: &'static str,
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
            Self::Pool(_) | Self::Taken { .. } | Self::Gone { .. } => &[],
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
    personal: &[&str],
    error: &SdkError<E, HttpResponse>,
) -> AccountError
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let reason = without(personal, aws::explain(error));
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

/// Cognito repeats the username and bad values in some messages; reasons get logged.
fn without(personal: &[&str], mut reason: String) -> String {
    for value in personal.iter().filter(|value| !value.is_empty()) {
        let word = if value.contains('@') { "the e-mail" } else { "the value" };
        for spelling in [value.to_ascii_lowercase(), value.to_lowercase().to_ascii_lowercase()] {
            reason = replaced(&reason, &spelling, word);
        }
    }
    reason
}

/// With a value (in lower case) replaced where it stands as a word of its own: a name may well be a part of an English word.
fn replaced(text: &str, value: &str, word: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut from = 0;
    // ASCII's lower case has the same length as its upper case, so places in the one are places in the other.
    for (at, found) in text.to_ascii_lowercase().match_indices(value) {
        let end = at + found.len();
        let joined = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        if joined(text[..at].chars().next_back()) || joined(text[end..].chars().next()) {
            continue;
        }
        kept.push_str(&text[from..at]);
        kept.push_str(word);
        from = end;
    }
    kept.push_str(&text[from..]);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_repeat_no_value() {
        let told = |values: &[&str], text: &str| without(values, text.to_owned());
        assert_eq!(
            told(&["Al", "O'Neil"], "Value 'Al' of O'Neil: Alas, Al."),
            "Value 'the value' of the value: Alas, the value."
        );
        assert_eq!(
            told(&["Zoe@Example.org"], "zoe@example.org is not Zoe@Example.org"),
            "the e-mail is not the e-mail"
        );
        assert_eq!(told(&["", "Żółw"], "no żółw, no turtle"), "no the value, no turtle");
    }
}
