//! The accounts of a Cognito user pool.

use crosswalk_accounts::Accounts;
use crosswalk_function_kit::Deadline;
use crosswalk_function_kit::settings::{Environment, Setting, SettingsError};
use crosswalk_runs::Traffic;
use tokio::sync::mpsc;

use super::{Bundle, Done, TargetError};
use crate::{Account, Fields, Person};

/// What is read from the environment, beside `crosswalk_accounts`' own settings.
pub const SETTINGS: &[Setting] = &[];

/// How accounts are made and changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CognitoSettings {}

impl CognitoSettings {
    /// Reads the environment.
    ///
    /// # Errors
    /// Everything that is missing or does not read, together.
    pub fn from_env(_environment: &Environment) -> Result<Self, SettingsError> {
        Ok(Self {})
    }
}

/// A user pool.
#[derive(Debug)]
pub struct CognitoTarget {
    accounts: Accounts,
}

impl CognitoTarget {
    /// Nothing is called yet.
    pub fn new(accounts: Accounts, _settings: CognitoSettings) -> Self {
        Self { accounts }
    }

    /// The pool's id: the state of one pool is not taken for another's.
    pub fn id(&self) -> String {
        String::new()
    }

    /// See [`super::Target::accounts`].
    ///
    /// # Errors
    /// ListUsers fails, or the pool does not do.
    pub async fn accounts(&self, _read: &(dyn Fn(u64) + Send + Sync)) -> Result<Vec<Account>, TargetError> {
        Err(TargetError(format!("{:?} is not built yet", self.accounts)))
    }

    /// See [`super::Target::apply`].
    ///
    /// # Errors
    /// The pool does not do.
    pub async fn apply(
        &self,
        _bundles: Vec<Bundle>,
        _deadline: Deadline,
        _done: &mpsc::UnboundedSender<Done>,
    ) -> Result<(), TargetError> {
        Err(TargetError("Cognito is not built yet".to_owned()))
    }

    /// The calls so far.
    pub fn traffic(&self) -> Traffic {
        Traffic::default()
    }
}

/// What an account is to hold.
pub fn fields(person: &Person, email: &str) -> Fields {
    Fields {
        email: Some(email.into()),
        username: person.username.clone(),
        given_name: person.first_name.clone(),
        family_name: person.last_name.clone(),
        ..Fields::default()
    }
}

/// Why a username does not do, if it does not; tells no person's data.
pub fn username_problem(_username: &str) -> Option<String> {
    None
}
