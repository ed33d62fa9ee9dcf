//! The accounts that stand.

use std::fmt;

use aws_sdk_cognitoidentityprovider::types::UserStatusType;
use crosswalk_function_kit::aws;
use crosswalk_function_kit::retry::{Retries, retry};
use crosswalk_identity::{Email, mask};

use crate::ensure::Accounts;
use crate::errors::{AccountError, GET_USER, failure};
use crate::pool::Pool;

/// In characters (API model). Said here, because Cognito's own refusal repeats the e-mail.
const LONGEST_USERNAME: usize = 128;

/// An account that stands.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// The pool's own name for it, by which every call finds it.
    pub username: String,
    /// Where it stands.
    pub state: AccountState,
    /// Whether it may log in at all; an administrator decides that.
    pub enabled: bool,
}

/// Where an account stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountState {
    /// It has a password of its own, known to its person alone.
    Confirmed,
    /// It waits for its first own password. Without a temporary one it is stuck: "forgot password" is refused, too.
    ForceChangePassword,
    /// It signed itself up and has not proven its e-mail.
    Unconfirmed,
    /// It came in by an import, and sets a password by "forgot password".
    ResetRequired,
    /// It logs in elsewhere, and has no password here.
    ExternalProvider,
    /// What else Cognito says (ARCHIVED, COMPROMISED, UNKNOWN).
    Other,
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { username, state, enabled } = self;
        write!(f, "Account({}, {state:?}, enabled: {enabled})", mask(username))
    }
}

impl From<Option<&UserStatusType>> for AccountState {
    fn from(status: Option<&UserStatusType>) -> Self {
        match status {
            Some(UserStatusType::Confirmed) => Self::Confirmed,
            Some(UserStatusType::ForceChangePassword) => Self::ForceChangePassword,
            Some(UserStatusType::Unconfirmed) => Self::Unconfirmed,
            Some(UserStatusType::ResetRequired) => Self::ResetRequired,
            Some(UserStatusType::ExternalProvider) => Self::ExternalProvider,
            _ => Self::Other,
        }
    }
}

impl Accounts {
    /// The account that logs in with this e-mail.
    ///
    /// # Errors
    /// The pool does not do, or AdminGetUser fails.
    pub async fn find(&self, email: &Email) -> Result<Option<Account>, AccountError> {
        let pool = self.pool().await?;
        self.find_in(pool, email).await
    }

    /// We make accounts under the e-mail's key form, so that is asked first; where case matters, another hand may have made
    /// one under the spelling that is given.
    pub(crate) async fn find_in(&self, pool: Pool, email: &Email) -> Result<Option<Account>, AccountError> {
        if let Some(account) = self.get(email, email.key()).await? {
            return Ok(Some(account));
        }
        if pool.case_sensitive && email.as_str() != email.key() {
            return self.get(email, email.as_str()).await;
        }
        Ok(None)
    }

    async fn get(&self, email: &Email, spelling: &str) -> Result<Option<Account>, AccountError> {
        if spelling.chars().count() > LONGEST_USERNAME {
            let reason = format!("Cognito takes e-mails of {LONGEST_USERNAME} characters at most");
            return Err(AccountError::Refused { step: GET_USER, reason, done: &[] });
        }
        let pool_id = &self.0.pool_id;
        let request = self.0.client.admin_get_user().user_pool_id(pool_id).username(spelling);
        let answer = retry(Retries::default(), aws::is_transient, async || {
            self.0.paces.get_user.wait().await;
            request.clone().send().await
        })
        .await;
        match answer {
            Ok(user) => {
                let state = AccountState::from(user.user_status());
                Ok(Some(Account { state, enabled: user.enabled, username: user.username }))
            }
            Err(error) if aws::code(&error) == Some("UserNotFoundException") => Ok(None),
            Err(error) => Err(failure(GET_USER, &[], pool_id, Some(email), &error)),
        }
    }
}
