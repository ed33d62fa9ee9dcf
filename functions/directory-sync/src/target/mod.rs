//! Where the accounts stand: a Cognito user pool, or the database of an Invenio instance.

pub mod bundle;
pub mod cognito;
pub mod invenio;

use std::borrow::Cow;

use std::collections::HashSet;

use crosswalk_function_kit::Deadline;
use crosswalk_runs::Traffic;
use tokio::sync::mpsc;

use crate::{Account, Fields, Person, Step};
pub use bundle::Bundle;
use cognito::CognitoTarget;
use invenio::InvenioTarget;

/// Where the accounts stand. Made by each run for itself: what it counts is this run's.
#[derive(Debug)]
pub enum Target {
    /// A Cognito user pool.
    Cognito(CognitoTarget),
    /// An Invenio instance.
    Invenio(InvenioTarget),
}

/// What came of one step.
#[derive(Debug)]
pub struct Done {
    /// The step.
    pub step: Step,
    /// What came of it.
    pub result: Result<Applied, Failure>,
}

/// A step that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// The account's id in the target.
    pub account: Box<str>,
    /// What was done all the same but may surprise, if anything; tells no person's data.
    pub warning: Option<Cow<'static, str>>,
}

/// A step that was not done, or not wholly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Another account stands in the way (a conflict), rather than an error on the way (failed).
    pub conflict: bool,
    /// The account's id, where the step made one before it failed (a creation whose password could not be set).
    pub account: Option<Box<str>>,
    /// Why, and what to do; tells no person's data.
    pub reason: Cow<'static, str>,
}

/// The target does not do, or broke off: nothing more can be done in this run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TargetError(pub String);

impl Target {
    /// What stands for the pool or the database: the state of one is not taken for another's.
    pub fn id(&self) -> String {
        match self {
            Self::Cognito(target) => target.id(),
            Self::Invenio(target) => target.id(),
        }
    }

    /// All accounts that stand, in any order; those that are `managed` are looked for one by one where a list may not have
    /// them yet. `read` is told how many have come so far.
    ///
    /// # Errors
    /// They cannot be read to the end.
    pub async fn accounts<'a, M: Iterator<Item = &'a str>>(
        &self,
        managed: impl Fn() -> M,
        read: &(dyn Fn(u64) + Send + Sync),
    ) -> Result<Vec<Account>, TargetError> {
        match self {
            Self::Cognito(target) => {
                let mut accounts = target.accounts(read).await?;
                let listed: HashSet<&str> = accounts.iter().map(|account| &*account.id).collect();
                let missing: Vec<&str> = managed().filter(|id| !listed.contains(id)).collect();
                drop(listed);
                accounts.extend(target.not_listed(&missing).await?);
                Ok(accounts)
            }
            Self::Invenio(target) => target.accounts(read).await,
        }
    }

    /// What the account of a person is to hold, with this one of their e-mails.
    pub fn fields(&self, person: &Person, email: &str) -> Fields {
        match self {
            Self::Cognito(_) => cognito::fields(person, email),
            Self::Invenio(_) => invenio::fields(person, email),
        }
    }

    /// Whether names that pass between more than two people at once (a longer circle than a swap) can be moved.
    pub fn turns_circles(&self) -> bool {
        matches!(self, Self::Invenio(_))
    }

    /// Takes the steps, and tells of each one that was reached. It stops beginning new ones when the deadline is near; what
    /// was not reached is not told of.
    ///
    /// Dropping the future at any moment leaves each account either as it was or as its step wants it, or (Cognito) in a
    /// state that the same step completes when it is taken again.
    ///
    /// # Errors
    /// The target broke off; what it did until then was told.
    pub async fn apply(
        &self,
        bundles: Vec<Bundle>,
        deadline: Deadline,
        done: &mpsc::UnboundedSender<Done>,
    ) -> Result<(), TargetError> {
        match self {
            Self::Cognito(target) => target.apply(bundles, deadline, done).await,
            Self::Invenio(target) => target.apply(bundles, deadline, done).await,
        }
    }

    /// The calls, or statements, so far.
    pub fn traffic(&self) -> Traffic {
        match self {
            Self::Cognito(target) => target.traffic(),
            Self::Invenio(target) => target.traffic(),
        }
    }
}
