//! The accounts of an Invenio instance: rows of `accounts_user` in its PostgreSQL database, as its models read them.

use crosswalk_function_kit::Deadline;
use crosswalk_function_kit::secrets::Secrets;
use crosswalk_function_kit::settings::{Environment, Setting, SettingsError};
use crosswalk_runs::Traffic;
use tokio::sync::mpsc;

use super::{Bundle, Done, TargetError};
use crate::{Account, Fields, Person};

/// What is read from the environment.
pub const SETTINGS: &[Setting] = &[];

/// How the database is reached, and what a new account is given.
#[derive(Debug, Clone)]
pub struct InvenioSettings {}

impl InvenioSettings {
    /// Reads the environment.
    ///
    /// # Errors
    /// Everything that is missing or does not read, together.
    pub fn from_env(_environment: &Environment) -> Result<Self, SettingsError> {
        Ok(Self {})
    }

    /// Why a username does not do by this instance's rule, if it does not; tells no person's data.
    pub fn username_problem(&self, _username: &str) -> Option<String> {
        None
    }
}

/// An instance's database.
#[derive(Debug)]
pub struct InvenioTarget {}

impl InvenioTarget {
    /// Connects.
    ///
    /// # Errors
    /// The URI cannot be had, the server cannot be reached, or the database holds no table `accounts_user` of a shape that
    /// is known.
    pub async fn connect(_settings: &InvenioSettings, _secrets: &Secrets) -> Result<Self, TargetError> {
        Err(TargetError("Invenio is not built yet".to_owned()))
    }

    /// What stands for the instance's database (host, port, name), whatever user and password the URI holds: the state of
    /// one is not taken for another's.
    pub fn id(&self) -> String {
        String::new()
    }

    /// See [`super::Target::accounts`].
    ///
    /// # Errors
    /// The rows cannot be read to the end.
    pub async fn accounts(&self, _read: &(dyn Fn(u64) + Send + Sync)) -> Result<Vec<Account>, TargetError> {
        Err(TargetError("Invenio is not built yet".to_owned()))
    }

    /// See [`super::Target::apply`].
    ///
    /// # Errors
    /// The database broke off.
    pub async fn apply(
        &self,
        _bundles: Vec<Bundle>,
        _deadline: Deadline,
        _done: &mpsc::UnboundedSender<Done>,
    ) -> Result<(), TargetError> {
        Err(TargetError("Invenio is not built yet".to_owned()))
    }

    /// The statements so far.
    pub fn traffic(&self) -> Traffic {
        Traffic::default()
    }
}

/// What an account is to hold: username and e-mail in lower case, the username's own spelling as displayname.
pub fn fields(person: &Person, email: &str) -> Fields {
    let names = [person.first_name.as_deref(), person.last_name.as_deref()];
    let full_name = names.into_iter().flatten().collect::<Vec<_>>().join(" ");
    Fields {
        email: Some(email.into()),
        username: person.username.as_deref().map(|username| username.to_lowercase().into()),
        displayname: person.username.clone(),
        full_name: (!full_name.is_empty()).then(|| full_name.into()),
        ..Fields::default()
    }
}
