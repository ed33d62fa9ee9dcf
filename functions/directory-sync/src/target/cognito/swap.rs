//! Two accounts whose e-mails (or usernames) pass to each other. As no two may hold one, the first account steps aside to a
//! temporary name: three updates. The intent is kept before the first, so that the next run completes what a crash breaks
//! off.

use std::fmt;
use std::sync::Arc;

use crosswalk_accounts::{AccountError, Attributes, Listed};
use futures::future::BoxFuture;
use serde::{Deserialize, Serialize};

use super::apply::{Trouble, Work, account, attributes, trouble};
use super::{CognitoTarget, broke, settings};
use crate::step::Change;
use crate::target::{Applied, Failure, TargetError};
use crate::{Field, Step};

/// Keeps the intent of the swap that begins (`Some`), and forgets it when it is done (`None`).
pub type KeepIntent = Arc<dyn Fn(Option<SwapIntent>) -> BoxFuture<'static, Result<(), TargetError>> + Send + Sync>;

/// A swap that was begun. Both accounts, the one that steps aside first.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwapIntent {
    /// The account that steps aside.
    pub one: SwapSide,
    /// The other one.
    pub other: SwapSide,
}

/// What one of the two accounts is to hold in the end.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SwapSide {
    /// Its id.
    pub account: Box<str>,
    /// Its e-mail, if that changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Box<str>>,
    /// Its username, if that changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<Box<str>>,
}

/// Without anything personal.
impl fmt::Debug for SwapIntent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SwapIntent({:?}, {:?})", self.one, self.other)
    }
}

/// Without anything personal.
impl fmt::Debug for SwapSide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { email, username, .. } = self;
        write!(f, "SwapSide(e-mail: {}, username: {})", email.is_some(), username.is_some())
    }
}

impl SwapSide {
    fn of(account: &str, changes: &[Change]) -> Self {
        let new = |field| changes.iter().find(|change| change.field == field).map(|change| change.new.clone());
        Self { account: account.into(), email: new(Field::Email), username: new(Field::Username) }
    }

    fn wanted(&self, field: Field) -> Option<&str> {
        match field {
            Field::Email => self.email.as_deref(),
            Field::Username => self.username.as_deref(),
            _ => None,
        }
    }
}

/// What no two accounts hold at once.
const NAMES: [Field; 2] = [Field::Email, Field::Username];

/// The domain of temporary e-mails. Nothing is ever delivered below `.invalid` (RFC 2606, section 2), so whoever holds one
/// gets no code to sign in with.
const NOWHERE: &str = "@crosswalk.invalid";
const ASIDE: &str = "swap-";

fn is_temporary(field: Field, name: &str) -> bool {
    name.starts_with(ASIDE) && (field != Field::Email || name.ends_with(NOWHERE))
}

/// As the pool compares them, where it does not mind case; where it does, this only makes a detour.
fn same(one: Option<&str>, other: Option<&str>) -> bool {
    one.zip(other).is_some_and(|(one, other)| one.to_lowercase() == other.to_lowercase())
}

/// The first account's changes: those by which it steps aside, and the rest, for when the other account has moved.
fn aside(one: &[Change], other: &[Change], temporary: &str) -> (Vec<Change>, Vec<Change>) {
    let (mut first, mut last) = (Vec::new(), Vec::new());
    for change in one {
        let theirs = other.iter().find(|theirs| theirs.field == change.field && NAMES.contains(&change.field));
        let blocked = theirs.is_some_and(|theirs| same(theirs.old.as_deref(), Some(&change.new)));
        let awaited = theirs.is_some_and(|theirs| same(Some(&theirs.new), change.old.as_deref()));
        match (awaited, blocked) {
            (true, true) => {
                let new = match change.field {
                    Field::Email => format!("{temporary}{NOWHERE}"),
                    _ => temporary.to_owned(),
                };
                first.push(Change { new: new.into(), ..change.clone() });
                last.push(change.clone());
            }
            (true, false) => first.push(change.clone()),
            (false, _) => last.push(change.clone()),
        }
    }
    (first, last)
}

/// How far an exchange came.
enum Exchanged {
    Wholly,
    /// Both hold what they held.
    NotAtAll(AccountError),
    /// The other account has moved, or may have; the first one has not.
    Half {
        other_moved: bool,
        error: AccountError,
    },
}

impl CognitoTarget {
    /// Finishes a swap that was begun, whatever of it was done: reads both accounts, and gives each what the swap was to
    /// give it. Where other hands changed the accounts meanwhile, they are left as they are: the next plan sees them.
    ///
    /// # Errors
    /// The pool does not do, or was busy for too long.
    pub async fn complete(&self, intent: &SwapIntent) -> Result<(), TargetError> {
        let SwapIntent { one, other } = intent;
        let Some(found) = self.accounts.read(&one.account).await.map_err(broke)? else { return Ok(()) };
        let theirs = self.accounts.read(&other.account).await.map_err(broke)?;
        let name = |listed: &Listed, field| match field {
            Field::Email => listed.attributes.email.clone(),
            _ => listed.attributes.preferred_username.clone(),
        };
        let (mut changes, mut their_changes) = (Vec::new(), Vec::new());
        for field in NAMES {
            let Some(new) = one.wanted(field) else { continue };
            let holds = name(&found, field);
            let they_hold = theirs.as_ref().and_then(|theirs| name(theirs, field));
            let stepped_aside = holds.as_deref().is_some_and(|name| is_temporary(field, name));
            let crossed = same(holds.as_deref(), other.wanted(field)) && same(they_hold.as_deref(), Some(new));
            if !stepped_aside && !crossed {
                continue;
            }
            changes.push(Change { field, old: holds, new: new.into() });
            if let Some(their_new) = other.wanted(field).filter(|_| same(they_hold.as_deref(), Some(new))) {
                their_changes.push(Change { field, old: they_hold, new: their_new.into() });
            }
        }
        match self.exchange((&one.account, &changes), (&other.account, &their_changes)).await {
            Exchanged::Wholly => Ok(()),
            Exchanged::NotAtAll(error) | Exchanged::Half { error, .. } => match error {
                AccountError::Pool(_) | AccountError::Busy { .. } => Err(broke(error)),
                // A third account has a name by now, or one of the two is gone: no repeat would end otherwise, and the plan
                // sees it.
                AccountError::Refused { .. } | AccountError::Taken { .. } | AccountError::Gone { .. } => Ok(()),
            },
        }
    }

    async fn exchange(&self, one: (&str, &[Change]), other: (&str, &[Change])) -> Exchanged {
        let temporary = format!("{ASIDE}{}", self.accounts.entropy().uuid());
        let (first, last) = aside(one.1, other.1, &temporary);
        if let Err(error) = self.set(one.0, &first).await {
            return match error {
                // It may have been done: the answer is lost.
                AccountError::Busy { .. } => self.undo(one.0, &first, error).await,
                error => Exchanged::NotAtAll(error),
            };
        }
        if let Err(error) = self.set(other.0, other.1).await {
            return self.undo(one.0, &first, error).await;
        }
        match self.set(one.0, &last).await {
            Ok(()) => Exchanged::Wholly,
            Err(error) => Exchanged::Half { other_moved: true, error },
        }
    }

    /// Gives the first account back what it stepped aside from.
    async fn undo(&self, account: &str, first: &[Change], error: AccountError) -> Exchanged {
        let back: Vec<_> = first
            .iter()
            .filter_map(|change| {
                Some(Change { new: change.old.clone()?, old: Some(change.new.clone()), ..change.clone() })
            })
            // One that had stepped aside before stays there.
            .filter(|change| !is_temporary(change.field, &change.new))
            .collect();
        match self.set(account, &back).await {
            Ok(()) => Exchanged::NotAtAll(error),
            Err(_) => Exchanged::Half { other_moved: false, error },
        }
    }

    /// E-mails count as verified: an account that is to give one up must sign in by it no more, at once.
    async fn set(&self, account: &str, changes: &[Change]) -> Result<(), AccountError> {
        if changes.is_empty() {
            return Ok(());
        }
        let attributes: Attributes = attributes(changes, true);
        self.accounts.update(account, &attributes).await
    }

    async fn keep(&self, intent: Option<SwapIntent>) -> Result<(), TargetError> {
        match &self.keep_intent {
            Some(keep) => keep(intent).await,
            None => Ok(()),
        }
    }
}

impl Work<'_> {
    /// Takes two steps that wait for each other. One pair at a time, and none after one that was left half done: a single
    /// intent is kept.
    pub(super) async fn swap(&self, one: Step, other: Step) -> Result<bool, TargetError> {
        let mut left_half_done = self.swaps.lock().await;
        if *left_half_done {
            return Ok(false);
        }
        let emails = [&one, &other].into_iter().any(|step| step.new_value(Field::Email).is_some());
        if emails && !self.target.settings.email_verified {
            let reason = format!(
                "two accounts swap their e-mails, which takes that those count as verified: set {}=true for a run, or swap \
                 them by hand",
                settings::EMAIL_VERIFIED.name
            );
            for step in [one, other] {
                self.tell(step, Err(Failure { conflict: true, account: None, reason: reason.clone().into() }));
            }
            return Ok(false);
        }
        let (Ok(account_one), Ok(account_other)) = (account(&one), account(&other)) else {
            let mut well = true;
            for step in [one, other] {
                let result = account(&step).map(|account| Applied { account: account.into(), warning: None });
                well &= self.end(step, result)?;
            }
            return Ok(well);
        };
        let intent = SwapIntent {
            one: SwapSide::of(account_one, &one.changes),
            other: SwapSide::of(account_other, &other.changes),
        };
        self.target.keep(Some(intent)).await?;
        let target = self.target;
        match target.exchange((account_one, &one.changes), (account_other, &other.changes)).await {
            Exchanged::Wholly => {
                let results = [self.settle(&one, account_one).await, self.settle(&other, account_other).await];
                let mut ended = Ok(true);
                for (step, result) in [one, other].into_iter().zip(results) {
                    ended = self.end(step, result).and_then(|well| ended.map(|all| all && well));
                }
                target.keep(None).await?;
                ended
            }
            Exchanged::NotAtAll(error) => {
                let ended = self.fail([one, other], &error);
                // With a pool that does not do, it is not sure that nothing was done.
                if ended.is_ok() {
                    target.keep(None).await?;
                } else {
                    *left_half_done = true;
                }
                ended
            }
            Exchanged::Half { other_moved, error } => {
                *left_half_done = true;
                let mut failed = vec![one];
                if other_moved {
                    let result = self.settle(&other, account_other).await;
                    self.end(other, result)?;
                } else {
                    failed.push(other);
                }
                self.fail(failed, &error)
            }
        }
    }

    fn fail(&self, steps: impl IntoIterator<Item = Step>, error: &AccountError) -> Result<bool, TargetError> {
        let mut ended = Ok(false);
        for step in steps {
            let result: Result<Applied, Trouble> = Err(trouble(error.clone()));
            ended = self.end(step, result).and(ended);
        }
        ended
    }
}
