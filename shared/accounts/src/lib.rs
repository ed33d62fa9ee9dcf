//! Accounts in a Cognito user pool: made sure of, inside the pool's quotas.

use aws_sdk_cognitoidentityprovider::Client;
use crosswalk_function_kit::settings::{Environment, SettingsError};
use crosswalk_function_kit::{Clock, Entropy};
use crosswalk_identity::Email;
use jiff::Timestamp;

/// How fast each quota category may be used, in calls a second, by this process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AccountsSettings {
    /// Calls a second that are left to others, of each quota.
    pub reserve: f64,
    /// How many invocations share the quotas.
    pub sharers: f64,
}

impl AccountsSettings {
    /// `COGNITO_IDENTITY_POOL_ID`, `CROSSWALK_COGNITO_RESERVE`, `CROSSWALK_COGNITO_SHARERS`, quotas.
    pub fn from_env(_environment: &Environment) -> Result<Self, SettingsError> {
        todo!()
    }
}

/// What making sure of an account did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ensured {
    /// It was absent.
    Created,
    /// It was stuck in FORCE_CHANGE_PASSWORD and got a permanent password.
    Repaired,
    /// It stood.
    Unchanged,
}

/// What `ensure` would do, from reads alone.
pub type Planned = Ensured;

/// Why there is no account.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// The pool does not do; the message says how to mend it. Every row would fail: the run should stop.
    #[error("{0}")]
    Pool(String),
    /// The pool refuses this account for good.
    #[error("Cognito refused the account at {step}: {reason}")]
    Refused {
        /// The call, such as AdminCreateUser.
        step: &'static str,
        /// Its code and what to do.
        reason: String,
    },
    /// Throttling or broken connections outlasted the retries.
    #[error("Cognito was busy for too long at {step} ({reason}); drop the row in again")]
    Busy {
        /// The call.
        step: &'static str,
        /// Its code.
        reason: String,
    },
}

/// The accounts of one pool. Clones share the client, the paces and the check of the pool.
#[derive(Clone, Debug)]
pub struct Accounts {}

impl Accounts {
    /// Over a pool; nothing is called yet.
    pub fn new(_client: Client, _pool_id: String, _settings: AccountsSettings, _clock: Clock, _entropy: Entropy) -> Self {
        todo!()
    }

    /// Makes sure that a login with this e-mail stands: AdminGetUser; if absent AdminCreateUser (suppressed) and
    /// AdminSetUserPassword (permanent, random). An account in FORCE_CHANGE_PASSWORD is repaired unless `invited_until`
    /// lies in the future.
    pub async fn ensure(&self, _email: &Email, _invited_until: Option<Timestamp>) -> Result<Ensured, AccountError> {
        todo!()
    }

    /// What `ensure` would do (dry run).
    pub async fn plan(&self, _email: &Email, _invited_until: Option<Timestamp>) -> Result<Planned, AccountError> {
        todo!()
    }
}
