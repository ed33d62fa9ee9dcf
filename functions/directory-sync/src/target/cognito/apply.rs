//! The steps, taken: many at once, each bundle's in its order, kind after kind.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crosswalk_accounts::{AccountError, Attributes, Made};
use crosswalk_function_kit::Deadline;
use futures::{FutureExt, StreamExt, stream};
use tokio::sync::{Mutex, mpsc};

use super::{CognitoTarget, broke, settings};
use crate::step::{Change, What};
use crate::target::{Applied, Bundle, Done, Failure, TargetError};
use crate::{Field, Step};

/// What is left to the steps under way when no more are begun; a quarter of an invocation that has less than four times
/// that.
const MARGIN: Duration = Duration::from_secs(20);

/// How long the steps under way may take to get their places in the slowest pace: what is begun must end within the margin.
const QUEUE: f64 = 2.0;

/// Why a step was not done.
pub(super) enum Trouble {
    /// The step alone.
    Step(Failure),
    /// The pool does not do: no other step can be done either. This one was reached all the same.
    Pool(Failure, TargetError),
}

/// An application under way.
pub(super) struct Work<'a> {
    pub(super) target: &'a CognitoTarget,
    deadline: Deadline,
    margin: Duration,
    done: &'a mpsc::UnboundedSender<Done>,
    broken: AtomicBool,
    /// One swap at a time, as one intent is kept; whether one is left half done.
    pub(super) swaps: Mutex<bool>,
}

pub(super) async fn apply(
    target: &CognitoTarget,
    bundles: Vec<Bundle>,
    deadline: Deadline,
    done: &mpsc::UnboundedSender<Done>,
) -> Result<(), TargetError> {
    let quarter = deadline.left().unwrap_or(Duration::MAX) / 4;
    let work = Work {
        target,
        deadline,
        margin: MARGIN.min(quarter).max(Duration::from_millis(1)),
        done,
        broken: AtomicBool::new(false),
        swaps: Mutex::new(false),
    };
    let mut kinds: [Vec<Bundle>; 4] = Default::default();
    for bundle in bundles {
        // A bundle begins with what frees names, so its first kind is the one that others may wait for.
        let kind = bundle.0.iter().map(|step| kind(&step.what)).min().unwrap_or_default();
        kinds[kind].push(bundle);
    }
    let at_once = target.accounts.calls_within(QUEUE).clamp(2, 64);
    let mut broke_off = None;
    for bundles in kinds {
        let begun = stream::iter(bundles).take_while(|_| std::future::ready(work.goes_on()));
        let mut running = begun.map(|bundle| work.take(bundle).boxed()).buffer_unordered(at_once);
        // What is under way is seen to its end, and told of, when one of the others breaks off.
        while let Some(taken) = running.next().await {
            if let Err(error) = taken {
                work.broken.store(true, Ordering::Relaxed);
                broke_off.get_or_insert(error);
            }
        }
    }
    broke_off.map_or(Ok(()), Err)
}

/// Updates before creations, and what removes last: names are freed before they are taken.
fn kind(what: &What) -> usize {
    match what {
        What::Update | What::Adopt | What::Rekey { .. } | What::Complete => 0,
        What::Create => 1,
        What::Deactivate { .. } => 2,
        What::Delete => 3,
    }
}

/// Whether two steps wait for each other.
fn wait_for_each_other(one: &Step, other: &Step) -> bool {
    one.after.contains(&other.key) && other.after.contains(&one.key)
}

impl Work<'_> {
    fn goes_on(&self) -> bool {
        !self.broken.load(Ordering::Relaxed) && !self.deadline.is_near(self.margin)
    }

    async fn take(&self, Bundle(steps): Bundle) -> Result<(), TargetError> {
        let mut left = std::collections::VecDeque::from(steps);
        let mut failed: Vec<Box<str>> = Vec::new();
        while let Some(step) = left.pop_front() {
            if !self.goes_on() {
                return Ok(());
            }
            let partner =
                left.iter().position(|other| wait_for_each_other(&step, other)).and_then(|at| left.remove(at));
            let waits_in_vain = |step: &Step| {
                let later = |key: &str| left.iter().any(|other| *other.key == *key);
                step.after.iter().any(|key| failed.contains(key) || later(key))
            };
            if waits_in_vain(&step) || partner.as_ref().is_some_and(waits_in_vain) {
                for step in std::iter::once(step).chain(partner) {
                    failed.push(step.key.clone());
                    let reason = "it takes an e-mail or username that another account was to give up, which failed; the next \
                                  run tries again";
                    self.tell(step, Err(Failure { conflict: true, account: None, reason: reason.into() }));
                }
                continue;
            }
            let keys: Vec<_> = std::iter::once(&step).chain(&partner).map(|step| step.key.clone()).collect();
            let well = match partner {
                Some(partner) => self.swap(step, partner).boxed().await?,
                None => {
                    let result = self.step(&step).await;
                    self.end(step, result)?
                }
            };
            if !well {
                failed.extend(keys);
            }
        }
        Ok(())
    }

    /// Tells what came of a step, and whether it was done.
    pub(super) fn end(&self, step: Step, result: Result<Applied, Trouble>) -> Result<bool, TargetError> {
        let (result, broke) = match result {
            Ok(applied) => (Ok(applied), None),
            Err(Trouble::Step(failure)) => (Err(failure), None),
            Err(Trouble::Pool(failure, error)) => (Err(failure), Some(error)),
        };
        let well = result.is_ok();
        self.tell(step, result);
        broke.map_or(Ok(well), Err)
    }

    pub(super) fn tell(&self, step: Step, result: Result<Applied, Failure>) {
        // Nobody listens any more where the run was given up.
        let _ = self.done.send(Done { step, result });
    }

    async fn step(&self, step: &Step) -> Result<Applied, Trouble> {
        let accounts = &self.target.accounts;
        if step.what == What::Create {
            return self.create(step).await;
        }
        let account = account(step)?;
        match step.what {
            What::Deactivate { .. } => self.gone_is_done(account, accounts.disable(account).await),
            What::Delete => {
                // The list is some minutes old by now, and this cannot be undone.
                let standing = accounts.read(account).await.map_err(trouble)?;
                if standing.is_some_and(|listed| listed.account.enabled) {
                    let reason = "somebody else activated the account meanwhile; it is left".into();
                    return Err(Trouble::Step(Failure { conflict: false, account: None, reason }));
                }
                self.gone_is_done(account, accounts.delete(account).await)
            }
            What::Complete => {
                // The password comes after the groups, as a completion begins anew until the password is there; and before
                // the rest, as an account that is not confirmed is refused some names.
                self.join(account).await.map_err(|trouble| made(account, trouble))?;
                if !self.target.settings.invite {
                    accounts.complete(account).await.map_err(|error| made(account, trouble(error)))?;
                }
                self.change(account, &step.changes).await?;
                self.activate(account, step.active).await?;
                Ok(applied(account))
            }
            What::Create | What::Update | What::Adopt | What::Rekey { .. } => {
                if step.active == Some(false) {
                    accounts.disable(account).await.map_err(trouble)?;
                }
                self.change(account, &step.changes).await?;
                self.settle(step, account).await
            }
        }
    }

    /// What follows when the account holds what it is to hold.
    pub(super) async fn settle(&self, step: &Step, account: &str) -> Result<Applied, Trouble> {
        if matches!(step.what, What::Adopt | What::Rekey { .. }) {
            self.join(account).await?;
        }
        if step.active == Some(true) {
            self.target.accounts.enable(account).await.map_err(trouble)?;
        }
        Ok(applied(account))
    }

    async fn create(&self, step: &Step) -> Result<Applied, Trouble> {
        let accounts = &self.target.accounts;
        let invite = self.target.settings.invite;
        let mut attributes = attributes(&step.changes, true);
        attributes.email_verified = Some(true);
        let (username, later) = match accounts.create(&attributes, invite).await.map_err(trouble)? {
            Made::Created { username, later } => (username, later),
            Made::Taken => {
                let reason = "an account with the e-mail was made meanwhile; the next run sees it".into();
                return Err(Trouble::Step(Failure { conflict: true, account: None, reason }));
            }
        };
        // The password comes last, as the next run completes an account that has none.
        let finish = async {
            self.join(&username).await?;
            if !invite {
                accounts.give_password(&username).await.map_err(trouble)?;
            }
            self.activate(&username, step.active).await
        };
        finish.await.map_err(|trouble| made(&username, trouble))?;
        let mut created = applied(&username);
        match later {
            Some(_) if invite => {
                created.warning = Some(
                    "accounts get their preferred_username, by which people sign in, when they have taken their invitation"
                        .into(),
                );
            }
            Some(later) => {
                let named = accounts.update(&username, &later).await;
                named.map_err(|error| made(&username, trouble(error)))?;
            }
            None => {}
        }
        Ok(created)
    }

    async fn activate(&self, account: &str, active: Option<bool>) -> Result<(), Trouble> {
        match active {
            Some(true) => self.target.accounts.enable(account).await.map_err(trouble),
            Some(false) => self.target.accounts.disable(account).await.map_err(trouble),
            None => Ok(()),
        }
    }

    async fn change(&self, account: &str, changes: &[Change]) -> Result<(), Trouble> {
        if changes.is_empty() {
            return Ok(());
        }
        let attributes = attributes(changes, self.target.settings.email_verified);
        self.target.accounts.update(account, &attributes).await.map_err(trouble)
    }

    async fn join(&self, account: &str) -> Result<(), Trouble> {
        for group in &self.target.settings.groups {
            self.target.accounts.join(account, group).await.map_err(|error| match trouble(error) {
                Trouble::Pool(failure, TargetError(text)) => {
                    Trouble::Pool(failure, TargetError(format!("{text} ({} asks for it)", settings::GROUPS.name)))
                }
                step @ Trouble::Step(_) => step,
            })?;
        }
        Ok(())
    }

    /// An account that is gone is not there for anybody to log in with either.
    fn gone_is_done(&self, account: &str, result: Result<(), AccountError>) -> Result<Applied, Trouble> {
        match result {
            Ok(()) => Ok(applied(account)),
            Err(AccountError::Gone { .. }) => {
                let warning = Some("accounts that were to be removed were gone already".into());
                Ok(Applied { warning, ..applied(account) })
            }
            Err(error) => Err(trouble(error)),
        }
    }
}

fn applied(account: &str) -> Applied {
    Applied { account: account.into(), warning: None }
}

/// The id of a step's account.
pub(super) fn account(step: &Step) -> Result<&str, Trouble> {
    step.account.as_deref().ok_or_else(|| {
        let reason = "the plan names no account for it; this is a fault of ours".into();
        Trouble::Step(Failure { conflict: false, account: None, reason })
    })
}

/// Changed fields as attributes. The others are Invenio's.
pub(super) fn attributes(changes: &[Change], email_verified: bool) -> Attributes {
    let mut attributes = Attributes::default();
    for Change { field, new, .. } in changes {
        let new = Some(new.clone());
        match field {
            Field::Email => {
                attributes.email = new;
                attributes.email_verified = Some(email_verified);
            }
            Field::Username => attributes.preferred_username = new,
            Field::GivenName => attributes.given_name = new,
            Field::FamilyName => attributes.family_name = new,
            Field::Displayname | Field::FullName => {}
        }
    }
    attributes
}

/// What a failed call means for its step.
pub(super) fn trouble(error: AccountError) -> Trouble {
    let conflict = matches!(error, AccountError::Taken { .. });
    let of_pool = error.is_of_pool();
    let reason = match &error {
        AccountError::Taken { .. } => {
            "another account of the pool has the e-mail or username; the next run sees it".to_owned()
        }
        AccountError::Gone { .. } => "the account is gone from the pool; the next run sees it".to_owned(),
        _ => broke(error.clone()).0,
    };
    let failure = Failure { conflict, account: None, reason: reason.into() };
    if of_pool { Trouble::Pool(failure, broke(error)) } else { Trouble::Step(failure) }
}

/// The same, after the step made an account.
fn made(account: &str, trouble: Trouble) -> Trouble {
    let with = |failure| Failure { account: Some(account.into()), ..failure };
    match trouble {
        Trouble::Step(failure) => Trouble::Step(with(failure)),
        Trouble::Pool(failure, error) => Trouble::Pool(with(failure), error),
    }
}
