//! The settings of the mails.

use std::str::FromStr;

use crosswalk_accounts::AccountsSettings;
use crosswalk_function_kit::settings::{Environment, Reader, Setting, merged};
use crosswalk_identity::{Email, System};
use crosswalk_invitations::InvitationSettings;
use jiff::SignedDuration;

use super::address;

const NOTIFY: Setting = Setting::with_default(
    "AUDIT_NOTIFY",
    "false",
    "whether each person who lacks a mapping gets a mail that lists what is missing",
);
const FROM: Setting = Setting::optional(
    "MAIL_FROM",
    "the address that mails come from, a verified identity of SES; needed with AUDIT_NOTIFY",
);
const DOMAIN: Setting = Setting::optional(
    "AUDIT_EMAIL_DOMAIN",
    "the domain at which people without a known e-mail have one: username@domain. Without it they get no mail",
);
const DAYS: Setting = Setting::with_default(
    "AUDIT_NOTIFY_DAYS",
    "30",
    "how many days, 1 to 3,650, a person gets no other mail, whatever became of the last one",
);
const MAX: Setting = Setting::with_default(
    "AUDIT_MAX_MAILS",
    "500",
    "how many mails a run sends at most, 1 to 100,000; the next run goes on",
);
const A_SECOND: Setting = Setting::optional(
    "AUDIT_MAILS_A_SECOND",
    "how many mails go out a second, 0.01 to 1,000; without it a little less than SES lets this account send",
);
const CONTACT: Setting = Setting::optional(
    "AUDIT_CONTACT",
    "whom the mails name for questions, such as an e-mail, to which answers then go; at most 200 characters",
);
const POOL: Setting = Setting::optional(
    "COGNITO_IDENTITY_POOL_ID",
    "the id of a Cognito user pool, such as `us-east-1_AbCdEfGhI`: whoever has an account there that is disabled gets no mail",
);
const LABARCHIVES: Setting = Setting::with_default(
    "LABARCHIVES_SYSTEM",
    "labarchives_eln",
    "the system whose ids people register themselves, by a personal link",
);

const OWN: &[Setting] = &[NOTIFY, FROM, DOMAIN, DAYS, MAX, A_SECOND, CONTACT, POOL, LABARCHIVES];

/// Every setting that mails need.
pub fn settings() -> Vec<Setting> {
    merged(&[OWN, crosswalk_invitations::SETTINGS, crosswalk_accounts::SETTINGS])
}

/// How mails are sent.
#[derive(Debug, Clone)]
pub struct NotifySettings {
    /// Whether any are sent.
    pub notify: bool,
    /// Whom they come from; always there where any are sent.
    pub from: Option<Email>,
    /// Where people without a known e-mail have one.
    pub domain: Option<Domain>,
    /// How long a person gets no other one.
    pub silence: SignedDuration,
    /// How many a run sends.
    pub max: usize,
    /// How many go out a second, if SES is not to say.
    pub a_second: Option<f64>,
    /// Whom they name for questions.
    pub contact: Option<Contact>,
    /// Where a disabled account keeps its person from getting one.
    pub accounts: Option<AccountsSettings>,
    /// The system whose ids people register themselves.
    pub labarchives: Option<System>,
    /// Where they do so.
    pub invitations: InvitationSettings,
}

/// No mails.
impl Default for NotifySettings {
    fn default() -> Self {
        Self {
            notify: false,
            from: None,
            domain: None,
            silence: SignedDuration::from_hours(24 * 30),
            max: 500,
            a_second: None,
            contact: None,
            accounts: None,
            labarchives: None,
            invitations: InvitationSettings { pages: None, lasts: SignedDuration::from_hours(24 * 7) },
        }
    }
}

impl NotifySettings {
    /// Reads them. Problems are the reader's to tell.
    pub fn read(reader: &mut Reader<'_>, environment: &Environment) -> Option<Self> {
        let notify = reader.flag(&NOTIFY);
        let from = optional::<Email>(reader, &FROM);
        if let Some(from) = &from
            && address::for_ses(from).is_none()
        {
            reader.problem(format!("{} is no address that SES takes: ASCII in front of the @", FROM.name));
        }
        if notify && reader.text(&FROM).is_none() {
            reader.problem(format!("{} is not set: {}", FROM.name, FROM.meaning));
        }
        let domain = optional::<Domain>(reader, &DOMAIN);
        let days = reader.within(&DAYS, 1..=3_650, "1 to 3,650");
        let max = reader.within(&MAX, 1..=100_000, "1 to 100,000");
        let a_second = match reader.text(&A_SECOND) {
            Some(_) => reader.within(&A_SECOND, 0.01..=1000.0, "0.01 to 1,000"),
            None => None,
        };
        let contact = optional::<Contact>(reader, &CONTACT);
        let accounts = match reader.text(&POOL).map(|_| AccountsSettings::from_env(environment)) {
            Some(Ok(settings)) => Some(settings),
            Some(Err(problems)) => {
                problems.0.into_iter().for_each(|problem| reader.problem(problem));
                None
            }
            None => None,
        };
        let labarchives = reader.parsed::<System>(&LABARCHIVES);
        let invitations = InvitationSettings::read(reader);
        Some(Self {
            notify,
            from,
            domain,
            silence: SignedDuration::from_hours(24 * days?),
            max: max?,
            a_second,
            contact,
            accounts,
            labarchives: Some(labarchives?),
            invitations: invitations?,
        })
    }
}

fn optional<T>(reader: &mut Reader<'_>, setting: &Setting) -> Option<T>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    reader.text(setting)?;
    reader.parsed(setting)
}

/// What stands behind the `@`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Domain(String);

impl Domain {
    /// The address of a username there, if it can be one.
    pub(crate) fn address(&self, local: &str) -> Option<Email> {
        Email::parse(&format!("{local}@{}", self.0)).ok()
    }
}

impl FromStr for Domain {
    type Err = &'static str;

    fn from_str(given: &str) -> Result<Self, Self::Err> {
        let domain = Self(given.to_owned());
        let sound = domain.address("a").is_some_and(|address| address::for_ses(&address).is_some());
        if sound { Ok(domain) } else { Err("it must be a domain such as example.org, without an @") }
    }
}

/// Whom a mail names for questions: a line of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contact(String);

impl Contact {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Where answers go, if it is an address.
    pub(crate) fn address(&self) -> Option<String> {
        address::for_ses(&Email::parse(&self.0).ok()?)
    }
}

impl FromStr for Contact {
    type Err = &'static str;

    fn from_str(given: &str) -> Result<Self, Self::Err> {
        if given.chars().count() > 200 || given.chars().any(address::breaks_a_line) {
            return Err("it must be one line of at most 200 characters");
        }
        Ok(Self(given.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<NotifySettings, String> {
        let environment = pairs.iter().copied().collect::<Environment>();
        let mut reader = Reader::new(&environment);
        let settings = NotifySettings::read(&mut reader, &environment);
        reader.finish(settings).map_err(|error| error.to_string())
    }

    #[test]
    fn without_any_setting_no_mail_is_sent() {
        let settings = read(&[]).unwrap();
        assert!(!settings.notify && settings.from.is_none() && settings.accounts.is_none());
        assert_eq!((settings.max, settings.silence), (500, SignedDuration::from_hours(720)));
        assert_eq!(settings.labarchives.unwrap().as_str(), "labarchives_eln");
    }

    #[test]
    fn a_sender_is_enough() {
        let settings = read(&[("AUDIT_NOTIFY", "true"), ("MAIL_FROM", "crosswalk@example.org")]).unwrap();
        assert_eq!(settings.from.unwrap().as_str(), "crosswalk@example.org");
        assert!(read(&[("AUDIT_NOTIFY", "true")]).unwrap_err().contains("MAIL_FROM is not set"));
    }

    #[test]
    fn what_is_wrong_is_told_together() {
        let told = read(&[
            ("AUDIT_NOTIFY", "true"),
            ("MAIL_FROM", "zo\u{eb}@example.org"),
            ("AUDIT_EMAIL_DOMAIN", "@example.org"),
            ("AUDIT_NOTIFY_DAYS", "0"),
            ("AUDIT_MAX_MAILS", "0"),
            ("AUDIT_MAILS_A_SECOND", "NaN"),
            ("AUDIT_CONTACT", "help\ndesk"),
            ("COGNITO_IDENTITY_POOL_ID", "arn:aws:cognito"),
            ("LABARCHIVES_SYSTEM", "Lab"),
            ("REGISTRATION_URL", "http://example.org"),
        ])
        .unwrap_err();
        for name in [
            "MAIL_FROM",
            "AUDIT_EMAIL_DOMAIN",
            "AUDIT_NOTIFY_DAYS",
            "AUDIT_MAX_MAILS",
            "AUDIT_MAILS_A_SECOND",
            "AUDIT_CONTACT",
            "COGNITO_IDENTITY_POOL_ID",
            "LABARCHIVES_SYSTEM",
            "REGISTRATION_URL",
        ] {
            assert!(told.contains(name), "{name}: {told}");
        }
    }

    #[test]
    fn answers_go_to_a_contact_that_is_an_address() {
        let contact = |given: &str| given.parse::<Contact>().unwrap();
        assert_eq!(contact("help@example.org").address().as_deref(), Some("help@example.org"));
        assert_eq!(contact("the lab's office, room 12").address(), None);
    }
}
