//! A mail to each of those who lack a mapping: one a person in a while, whatever number of audits run.
//!
//! The way of the mails: `address` joins people who share one and tells who can get none; `notice` tells who was written
//! to of late; `disabled` whom not to write to; `mail` what is written; `send` how SES takes it; and `sending` does
//! one after the other for each letter, a few side by side, at SES's pace.

mod address;
mod disabled;
mod mail;
mod notice;
mod send;
mod sending;
mod settings;

use std::borrow::Cow;

use aws_config::SdkConfig;
use crosswalk_accounts::Accounts;
use crosswalk_function_kit::retry::Retries;
use crosswalk_function_kit::{Clock, Deadline, Entropy};
use crosswalk_identifier_store::Table;
use crosswalk_identity::{Email, System, Username};
use crosswalk_invitations::Invitations;

use disabled::Disabled;
use notice::Notices;
use send::Ses;
use sending::Sending;
pub use settings::{Contact, Domain, NotifySettings, settings};

/// A person who lacks mappings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lacking {
    /// All usernames of the person; the first is the one that the reports name.
    pub usernames: Vec<Username>,
    /// The address, if one is known.
    pub email: Option<Email>,
    /// What is missing, in the order of AUDIT_REQUIRED_SYSTEMS.
    pub systems: Vec<System>,
    /// Whether a sync has found, or made, the account inactive.
    pub disabled: bool,
}

/// What came of a person's mail. No reason names a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailOutcome {
    /// It was sent.
    Sent,
    /// A dry run: it would be.
    WouldSend,
    /// It was not to be sent, and why.
    Skipped(Cow<'static, str>),
    /// The address or the mail was refused, and why. It is not tried again before AUDIT_NOTIFY_DAYS have passed.
    Refused(Cow<'static, str>),
    /// It could not be sent, and why.
    Failed(Cow<'static, str>),
    /// It is left for the next run, and why: the time was up, as many as there may be were sent, or the sending was ended.
    NotReached(Cow<'static, str>),
}

/// What came of the mails of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notified {
    /// Each person with what came of the mail, in the order in which they were given.
    pub people: Vec<(Lacking, MailOutcome)>,
    /// Why the sending was ended before all were written to, if it was: something is wrong with the account, not with a
    /// mail. The run should tell.
    pub ended: Option<String>,
}

/// How many mails came to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Sent.
    pub sent: u64,
    /// Would be sent, in a dry run.
    pub would_send: u64,
    /// Not to be sent.
    pub skipped: u64,
    /// Refused.
    pub refused: u64,
    /// Failed.
    pub failed: u64,
    /// Left for the next run.
    pub not_reached: u64,
}

impl Notified {
    /// Counts the people by what came of their mails.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        for (_, outcome) in &self.people {
            let count = match outcome {
                MailOutcome::Sent => &mut tally.sent,
                MailOutcome::WouldSend => &mut tally.would_send,
                MailOutcome::Skipped(_) => &mut tally.skipped,
                MailOutcome::Refused(_) => &mut tally.refused,
                MailOutcome::Failed(_) => &mut tally.failed,
                MailOutcome::NotReached(_) => &mut tally.not_reached,
            };
            *count += 1;
        }
        tally
    }
}

/// Sends the mails.
#[derive(Debug, Clone)]
pub struct Notifier {
    settings: NotifySettings,
    notices: Notices,
    disabled: Disabled,
    invitations: Invitations,
    ses: Option<Ses>,
}

impl Notifier {
    /// Nothing is called yet.
    pub fn new(settings: NotifySettings, config: &SdkConfig, table: &str, clock: Clock, entropy: Entropy) -> Self {
        let table = Table::new(aws_sdk_dynamodb::Client::new(config), table);
        let ses = settings.from.as_ref().filter(|_| settings.notify);
        let ses = ses.and_then(|from| Ses::new(config, from, settings.contact.as_ref()));
        let accounts = settings.accounts.clone().map(|of_pool| {
            let client = aws_sdk_cognitoidentityprovider::Client::new(config);
            Accounts::new(&client, of_pool, clock.clone(), entropy.clone())
        });
        Self {
            notices: Notices::new(table.clone(), clock.clone(), entropy.clone()),
            disabled: Disabled::new(accounts),
            invitations: Invitations::new(table, clock, entropy),
            ses,
            settings,
        }
    }

    /// The same with other retries of SES's calls.
    pub fn with_retries(mut self, retries: Retries) -> Self {
        self.ses = self.ses.map(|ses| ses.with_retries(retries));
        self
    }

    /// Writes to people, in their order; gives what came of each one's mail. Two who have one address get one mail, which is
    /// the first one's. A dry run reads who was written to and whose account is disabled, and changes nothing.
    pub async fn notify(&self, people: Vec<Lacking>, run: &str, dry_run: bool, deadline: Deadline) -> Notified {
        let Some(ses) = &self.ses else {
            let off = || MailOutcome::Skipped("mails are switched off (AUDIT_NOTIFY)".into());
            return Notified { people: people.into_iter().map(|person| (person, off())).collect(), ended: None };
        };
        let (letters, mut outcomes) = address::letters(&people, self.settings.domain.as_ref());
        let sending = Sending::new(self, ses, run, dry_run, deadline);
        let told = Box::pin(sending.all(&letters)).await;
        for (letter, outcome) in letters.iter().zip(told) {
            for (nth, place) in letter.people.iter().enumerate() {
                outcomes[*place] = Some(if nth == 0 { outcome.clone() } else { of_another(&outcome) });
            }
        }
        let nothing = || MailOutcome::Failed("nothing is known of it".into());
        let outcomes = outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(nothing));
        Notified { people: people.into_iter().zip(outcomes).collect(), ended: sending.ended() }
    }
}

/// What it comes to for a person who shares the address of the one whose mail it is.
fn of_another(outcome: &MailOutcome) -> MailOutcome {
    match outcome {
        MailOutcome::Sent | MailOutcome::WouldSend => {
            MailOutcome::Skipped("the mail of another person with this e-mail tells of it".into())
        }
        MailOutcome::Skipped(_) | MailOutcome::Refused(_) | MailOutcome::Failed(_) | MailOutcome::NotReached(_) => {
            outcome.clone()
        }
    }
}
