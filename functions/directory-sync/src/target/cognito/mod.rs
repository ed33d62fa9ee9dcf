//! The accounts of a Cognito user pool.

mod apply;
mod settings;
mod swap;

use std::fmt;

use crosswalk_accounts::{AccountError, AccountState, Accounts, Listed};
use crosswalk_function_kit::Deadline;
use crosswalk_runs::Traffic;
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use tokio::sync::mpsc;

pub use settings::{CognitoSettings, SETTINGS};
pub use swap::{KeepIntent, SwapIntent, SwapSide};

use super::{Bundle, Done, TargetError};
use crate::{Account, Fields, Person};

/// The most managed accounts that ListUsers may lack.
const MOST_NOT_LISTED: usize = 5_000;

/// A user pool.
pub struct CognitoTarget {
    accounts: Accounts,
    settings: CognitoSettings,
    keep_intent: Option<KeepIntent>,
}

impl CognitoTarget {
    /// Nothing is called yet. Swaps are not kept, unless [`Self::keeping`] follows.
    pub fn new(accounts: Accounts, settings: CognitoSettings) -> Self {
        Self { accounts, settings, keep_intent: None }
    }

    /// Where the intent of a swap is kept while it is under way, so that a run which ends half way through one is
    /// completed by the next ([`Self::complete`]).
    #[must_use]
    pub fn keeping(mut self, keep_intent: KeepIntent) -> Self {
        self.keep_intent = Some(keep_intent);
        self
    }

    /// The pool's id: the state of one pool is not taken for another's.
    pub fn id(&self) -> String {
        self.accounts.pool_id().to_owned()
    }

    /// See [`super::Target::accounts`].
    ///
    /// # Errors
    /// ListUsers fails, or the pool does not do.
    pub async fn accounts(&self, read: &(dyn Fn(u64) + Send + Sync)) -> Result<Vec<Account>, TargetError> {
        if !self.settings.email_verified && self.accounts.keeps_unproven_emails_out().await.map_err(broke)? {
            return Err(TargetError(format!(
                "the user pool {} keeps an account's former e-mail until its person proves the new one, so every run would \
                 change it again: set {}=true",
                self.id(),
                settings::EMAIL_VERIFIED.name
            )));
        }
        let listed = self.accounts.list(read).await.map_err(broke)?;
        Ok(listed.into_iter().map(|listed| self.account(listed)).collect())
    }

    /// Of these ids, which no list told of, the accounts that stand: ListUsers is eventually consistent, and may lack what was
    /// made or changed a moment ago.
    ///
    /// # Errors
    /// AdminGetUser fails, or so many are missing that rather the list is wrong.
    pub async fn not_listed(&self, ids: &[&str]) -> Result<Vec<Account>, TargetError> {
        if ids.len() > MOST_NOT_LISTED {
            return Err(TargetError(format!(
                "ListUsers of the user pool {} lacks {} of the managed accounts, which is more than chance: nothing was changed. \
                 If they were deleted on purpose, give the pool a sync of its own (SYNC_NAME)",
                self.id(),
                ids.len()
            )));
        }
        let found = stream::iter(ids).map(|id| self.accounts.read(id)).buffered(8).try_collect::<Vec<_>>();
        let found = found.boxed().await.map_err(broke)?;
        Ok(found.into_iter().flatten().map(|listed| self.account(listed)).collect())
    }

    fn account(&self, listed: Listed) -> Account {
        let Listed { account, attributes } = listed;
        // One who was invited holds a temporary password: there is nothing to complete.
        let unfinished = account.state == AccountState::ForceChangePassword && !self.settings.invite;
        Account {
            id: account.username.into(),
            fields: Fields {
                email: attributes.email,
                username: attributes.preferred_username,
                given_name: attributes.given_name,
                family_name: attributes.family_name,
                ..Fields::default()
            },
            active: account.enabled,
            version: 0,
            unfinished,
        }
    }

    /// See [`super::Target::apply`].
    ///
    /// # Errors
    /// The pool does not do, or the intent of a swap cannot be kept.
    pub async fn apply(
        &self,
        bundles: Vec<Bundle>,
        deadline: Deadline,
        done: &mpsc::UnboundedSender<Done>,
    ) -> Result<(), TargetError> {
        apply::apply(self, bundles, deadline, done).await
    }

    /// The calls so far, of all that the [`Accounts`] are used for.
    pub fn traffic(&self) -> Traffic {
        self.accounts.counter().into()
    }
}

/// What no step can pass.
fn broke(error: AccountError) -> TargetError {
    match error {
        AccountError::Pool(text) => TargetError(text),
        AccountError::Busy { step, reason, .. } => {
            TargetError(format!("Cognito was busy for too long at {step} ({reason}); the next run tries again"))
        }
        AccountError::Refused { step, reason, .. } => TargetError(format!("Cognito refused {step}: {reason}")),
        AccountError::Taken { .. } | AccountError::Gone { .. } => TargetError(error.to_string()),
    }
}

impl fmt::Debug for CognitoTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CognitoTarget").field("accounts", &self.accounts).field("settings", &self.settings).finish()
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

/// Why a username does not do, if it does not; tells no person's data. Held against the rule for what people sign in with
/// (API model of AdminCreateUser's Username: 1 to 128 letters, marks, symbols, numbers and punctuation), as
/// preferred_username may be an alias; as a mere attribute it could be longer.
pub fn username_problem(username: &str) -> Option<String> {
    if username.is_empty() {
        return Some("it is empty".to_owned());
    }
    let length = username.chars().count();
    if length > LONGEST_USERNAME {
        return Some(format!("it has {length} characters, and Cognito takes {LONGEST_USERNAME} at most"));
    }
    username.chars().any(is_no_sign).then(|| "it holds a space or an invisible character".to_owned())
}

const LONGEST_USERNAME: usize = 128;

/// Spaces, control characters, and what is written without being seen (soft hyphen, joiners, directions, private use).
fn is_no_sign(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        || matches!(c, '\u{e000}'..='\u{f8ff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usernames_are_held_against_cognitos_rule() {
        for well in ["zoe", "zoë.quill-1", "ゾーイ", "zoe@example.org", &"x".repeat(128)] {
            assert_eq!(username_problem(well), None, "{well}");
        }
        for bad in ["", "zoe quill", "zoe\u{200b}", "zoe\n", "\u{e000}", &"ö".repeat(129)] {
            let told = username_problem(bad).unwrap();
            assert!(!told.contains("zoe"), "{told}");
        }
    }
}
