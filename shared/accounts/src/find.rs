//! The accounts that stand.

use std::fmt;

use aws_sdk_cognitoidentityprovider::types::UserStatusType;
use crosswalk_identity::{Email, mask};

use crate::ensure::Accounts;
use crate::errors::{AccountError, GET_USER};
use crate::pool::Pool;

/// In characters (API model). Said here, because Cognito's own refusal repeats the e-mail.
pub(crate) const LONGEST_USERNAME: usize = 128;

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
        if let Some(account) = self.get(email.key()).await? {
            return Ok(Some(account));
        }
        if pool.case_sensitive && email.as_str() != email.key() {
            return self.get(email.as_str()).await;
        }
        Ok(None)
    }

    async fn get(&self, spelling: &str) -> Result<Option<Account>, AccountError> {
        if spelling.chars().count() > LONGEST_USERNAME {
            return Err(too_long(GET_USER));
        }
        Ok(self.read(spelling).await?.map(|found| found.account))
    }
}

pub(crate) fn too_long(step: &'static str) -> AccountError {
    let reason = format!("Cognito takes e-mails of {LONGEST_USERNAME} characters at most");
    AccountError::Refused { step, reason, done: &[] }
}
