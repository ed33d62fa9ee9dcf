//! The letters of one run: each goes its way, a few side by side, until all are sent or there is a reason to stop.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use crosswalk_accounts::AccountError;
use crosswalk_function_kit::Deadline;
use crosswalk_function_kit::rate::Pace;
use crosswalk_identifier_store::{MAX_IN_ONE_CALL, StoreError};
use crosswalk_identity::System;
use crosswalk_invitations::InvitedBy;
use futures::future::BoxFuture;
use futures::{FutureExt as _, StreamExt as _, stream};
use jiff::Timestamp;
use url::Url;

use super::address::Letter;
use super::mail::{Mail, Matter, compose};
use super::send::{Sent, Ses};
use super::{MailOutcome, Notifier};

/// How many letters are under way side by side: enough for some hundred a second, as each takes a tenth of a second.
const AT_ONCE: usize = 16;
/// How many mails in a row may fail. More are the fault of the account or of SES; and those that were perhaps sent are not
/// tried again for long.
const FAILED_IN_A_ROW: usize = 10;
/// How many in a row may be refused, each for its address. More of them hardly are: SES refuses the mail itself.
const REFUSED_IN_A_ROW: usize = 50;
/// What one letter may take: its notice and invitation written, and SES's answer waited for.
const LETTER: Duration = Duration::from_secs(40);

const NO_TIME: &str = "the run's time was up; left for the next run";

/// What the letters of a run share.
pub(crate) struct Sending<'a> {
    notifier: &'a Notifier,
    ses: &'a Ses,
    run: &'a str,
    dry_run: bool,
    deadline: Deadline,
    /// Mails that may still be sent, and why there may be no more.
    left: Mutex<(usize, &'static str)>,
    /// Mails that failed since the last one that was sent, and those that were refused.
    failed_in_a_row: AtomicUsize,
    refused_in_a_row: AtomicUsize,
    ended: OnceLock<String>,
}

impl<'a> Sending<'a> {
    pub(crate) fn new(notifier: &'a Notifier, ses: &'a Ses, run: &'a str, dry_run: bool, deadline: Deadline) -> Self {
        let most = "as many mails as AUDIT_MAX_MAILS allows were sent; left for the next run";
        let left = Mutex::new((notifier.settings.max, most));
        let (failed_in_a_row, refused_in_a_row) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Self { notifier, ses, run, dry_run, deadline, left, failed_in_a_row, refused_in_a_row, ended: OnceLock::new() }
    }

    /// Why the sending was ended, if it was.
    pub(crate) fn ended(&self) -> Option<String> {
        self.ended.get().cloned()
    }

    /// What came of each letter.
    pub(crate) async fn all(&self, letters: &[Letter]) -> Vec<MailOutcome> {
        let mut outcomes = Vec::with_capacity(letters.len());
        let mut pace: Option<Pace> = None;
        for some in letters.chunks(MAX_IN_ONE_CALL) {
            if self.is_over() {
                outcomes.extend(some.iter().map(|_| self.not_reached()));
                continue;
            }
            let standing = match Box::pin(self.notifier.notices.standing(some)).await {
                Ok(standing) => standing,
                Err(error) => {
                    self.end(format!("who was written to of late could not be read: {error}"));
                    outcomes.extend(some.iter().map(|_| self.not_reached()));
                    continue;
                }
            };
            // Asked for once somebody is to be written to, and by no dry run.
            if pace.is_none() && standing.len() < some.len() && !self.dry_run {
                pace = self.pace().await;
            }
            outcomes.extend(self.some(some, &standing, pace.as_ref()).await);
        }
        outcomes
    }

    async fn some(&self, letters: &[Letter], standing: &HashSet<usize>, pace: Option<&Pace>) -> Vec<MailOutcome> {
        // A list, as a stream over a closure that borrows is not known to be `Send`.
        let mut ways: Vec<BoxFuture<'_, MailOutcome>> = Vec::with_capacity(letters.len());
        for (place, letter) in letters.iter().enumerate() {
            let written_to = standing.contains(&place);
            ways.push(
                async move { if written_to { written_to_before() } else { self.one(letter, pace).await } }.boxed(),
            );
        }
        stream::iter(ways).buffered(AT_ONCE).collect().await
    }

    /// At what pace mails go out; none if none can be sent.
    async fn pace(&self) -> Option<Pace> {
        match Box::pin(self.ses.allowance(self.notifier.settings.a_second, self.deadline)).await {
            Ok(allowance) => {
                let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(today) = allowance.left_today.filter(|today| *today < left.0) {
                    *left = (today, "the day's sending quota of this account is used up; left for the next run");
                }
                Some(Pace::per_second(allowance.a_second))
            }
            Err(why) => {
                self.end(why);
                None
            }
        }
    }

    async fn one(&self, letter: &Letter, pace: Option<&Pace>) -> MailOutcome {
        if self.is_over() {
            return self.not_reached();
        }
        if let (0, why) = *self.left.lock().unwrap_or_else(PoisonError::into_inner) {
            return MailOutcome::NotReached(why.into());
        }
        Box::pin(self.go(letter, pace)).await
    }

    /// The way of one letter. What can be found out without writing comes first; its notice stands before it is sent.
    async fn go(&self, letter: &Letter, pace: Option<&Pace>) -> MailOutcome {
        match self.notifier.disabled.any(letter).await {
            Ok(false) => {}
            Ok(true) => return MailOutcome::Skipped("the account is disabled".into()),
            Err(error) if error.is_of_pool() => {
                self.end(format!("whose account is disabled could not be read: {error}"));
                return self.not_reached();
            }
            Err(error) => return MailOutcome::Failed(unread(&error).into()),
        }
        // Not before it is known that a mail may go there: else those who get none, and always come first, would keep the places.
        if let Some(why) = self.take_place() {
            return MailOutcome::NotReached(why.into());
        }
        if self.dry_run {
            return MailOutcome::WouldSend;
        }
        let Some(pace) = pace else { return self.not_reached() };
        if self.deadline.in_time(LETTER, pace.wait()).await.is_none() || self.is_over() {
            return self.not_reached();
        }
        let silence = self.notifier.settings.silence;
        let claim = match self.notifier.notices.claim(letter, self.run, silence).await {
            Ok(Some(claim)) => claim,
            Ok(None) => {
                self.left.lock().unwrap_or_else(PoisonError::into_inner).0 += 1;
                return written_to_before();
            }
            Err(error) => return MailOutcome::Failed(format!("the mail could not be noted: {error}").into()),
        };
        let mail = match self.written(letter).await {
            Ok(mail) => mail,
            Err(why) => {
                self.notifier.notices.release(claim).await;
                return MailOutcome::Failed(why.into());
            }
        };
        let sent = self.ses.send(&letter.to, &mail, pace, self.deadline).await;
        self.note(&sent);
        match sent {
            Sent::Taken => MailOutcome::Sent,
            Sent::Refused(why) => MailOutcome::Refused(format!("{why}; not tried again before its time").into()),
            Sent::Uncertain(why) => MailOutcome::Failed(
                format!("{why}: it may have been sent, and is not tried again before its time").into(),
            ),
            Sent::NotTaken(why) => {
                self.notifier.notices.release(claim).await;
                MailOutcome::Failed(why.into())
            }
            Sent::Account(why) => {
                self.notifier.notices.release(claim).await;
                self.end(why);
                self.not_reached()
            }
        }
    }

    /// The mail, with a personal link where a system's id can be registered by one.
    async fn written(&self, letter: &Letter) -> Result<Mail, String> {
        let settings = &self.notifier.settings;
        let invitation =
            self.invitation(letter).await.map_err(|error| format!("no invitation could be made: {error}"))?;
        let matter = Matter {
            usernames: &letter.usernames,
            systems: &letter.systems,
            invitation,
            contact: settings.contact.as_ref(),
            days: settings.silence.as_hours() / 24,
        };
        compose(&matter).map_err(|error| format!("the mail could not be written: {error}"))
    }

    async fn invitation(&self, letter: &Letter) -> Result<Option<(&'a System, Url, Timestamp)>, StoreError> {
        let settings = &self.notifier.settings;
        let (Some(system), Some(pages)) = (&settings.labarchives, &settings.invitations.pages) else { return Ok(None) };
        let Some(username) = letter.lacks(system) else { return Ok(None) };
        let invite = self.notifier.invitations.invite(username, system, settings.invitations.lasts, InvitedBy::Audit);
        let (token, invitation) = Box::pin(invite).await?;
        Ok(Some((system, pages.link(&token), invitation.ends_at)))
    }

    /// Ends the sending if too many mails in a row came to nothing.
    fn note(&self, sent: &Sent) {
        let (count, most, why) = match sent {
            Sent::NotTaken(why) | Sent::Uncertain(why) => (&self.failed_in_a_row, FAILED_IN_A_ROW, why),
            Sent::Refused(why) => (&self.refused_in_a_row, REFUSED_IN_A_ROW, why),
            Sent::Taken | Sent::Account(_) => {
                self.failed_in_a_row.store(0, Ordering::Relaxed);
                self.refused_in_a_row.store(0, Ordering::Relaxed);
                return;
            }
        };
        if count.fetch_add(1, Ordering::Relaxed) + 1 >= most {
            self.end(format!("{most} mails in a row came to nothing, the last because: {why}"));
        }
    }

    fn end(&self, why: String) {
        // The first reason is told; what is under way may meet the same one.
        let _ = self.ended.set(why);
    }

    /// Takes one of the places that are left, or says why there is none.
    fn take_place(&self) -> Option<&'static str> {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        match left.0.checked_sub(1) {
            Some(less) => {
                left.0 = less;
                None
            }
            None => Some(left.1),
        }
    }

    fn is_over(&self) -> bool {
        self.ended.get().is_some() || self.deadline.is_near(LETTER)
    }

    fn not_reached(&self) -> MailOutcome {
        let why = self.ended.get().map(|why| format!("the sending was ended ({why}); left for the next run").into());
        MailOutcome::NotReached(why.unwrap_or_else(|| NO_TIME.into()))
    }
}

fn written_to_before() -> MailOutcome {
    MailOutcome::Skipped("a mail was sent of late; the next one waits for AUDIT_NOTIFY_DAYS".into())
}

fn unread(error: &AccountError) -> String {
    match error {
        // The error's own text tells importers to drop a row in again.
        AccountError::Busy { step, reason, .. } => {
            format!(
                "whether the account is disabled could not be read: Cognito was busy for too long at {step} ({reason})"
            )
        }
        error => format!("whether the account is disabled could not be read: {error}"),
    }
}
