//! A mail to each of those who lack a mapping.

use std::borrow::Cow;

use aws_config::SdkConfig;
use crosswalk_function_kit::settings::{Environment, Reader, Setting};
use crosswalk_function_kit::{Clock, Deadline, Entropy};
use crosswalk_identity::{Email, System, Username};

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

/// What came of a person's mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailOutcome {
    /// It was sent.
    Sent,
    /// A dry run: it would be.
    WouldSend,
    /// It was not to be sent, and why.
    Skipped(Cow<'static, str>),
    /// The address or the mail was refused, and why.
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

/// How mails are sent.
#[derive(Debug, Clone, Default)]
pub struct NotifySettings {
    /// Whether any are sent.
    pub notify: bool,
}

/// Every setting that mails need.
pub fn settings() -> Vec<Setting> {
    Vec::new()
}

impl NotifySettings {
    /// Reads them. Problems are the reader's to tell.
    pub fn read(_reader: &mut Reader<'_>, _environment: &Environment) -> Option<Self> {
        Some(Self::default())
    }
}

/// Sends the mails.
#[derive(Debug, Clone)]
pub struct Notifier;

impl Notifier {
    /// Nothing is called yet.
    pub fn new(_settings: NotifySettings, _config: &SdkConfig, _table: &str, _clock: Clock, _entropy: Entropy) -> Self {
        Self
    }

    /// What came of each person's mail.
    pub async fn notify(
        &self,
        people: Vec<Lacking>,
        _run: &str,
        dry_run: bool,
        _deadline: Deadline,
    ) -> Notified {
        let outcome = if dry_run { MailOutcome::WouldSend } else { MailOutcome::NotReached("not built yet".into()) };
        Notified { people: people.into_iter().map(|lacking| (lacking, outcome.clone())).collect(), ended: None }
    }
}
