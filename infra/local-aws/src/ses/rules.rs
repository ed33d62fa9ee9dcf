//! What the embedded SES takes, and how much of it.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

/// How the embedded SES treats mails; [`crate::LocalAws::set_mail_rules`] gives it others.
#[derive(Debug, Clone, PartialEq)]
pub struct MailRules {
    /// Mails a second, which GetAccount tells as MaxSendRate. A second's mails may come at once, as SES lets short bursts
    /// through; more are TooManyRequestsException.
    pub max_a_second: f64,
    /// Mails in 24 hours, which GetAccount tells as Max24HourSend; -1 is no limit.
    pub max_a_day: f64,
    /// Whether the account may send; else each mail is SendingPausedException.
    pub sending_enabled: bool,
    /// A mail to an address of this domain is MessageRejected. That is a rule of the embedded SES alone: SES answers so in
    /// its sandbox, and to a mail whose content it refuses.
    pub refused_domain: String,
}

/// As an account with all limits raised.
impl Default for MailRules {
    fn default() -> Self {
        Self {
            max_a_second: 1000.0,
            max_a_day: -1.0,
            sending_enabled: true,
            refused_domain: "refused.example.org".to_owned(),
        }
    }
}

impl MailRules {
    pub(crate) fn refuses(&self, address: &str) -> bool {
        address.rsplit_once('@').is_some_and(|(_, domain)| domain.eq_ignore_ascii_case(&self.refused_domain))
    }
}

/// What a call to the embedded SES comes to, instead of what it would.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SesFault {
    /// This error, and nothing is sent.
    Answers {
        /// The HTTP status.
        status: u16,
        /// The name, such as `SendingPausedException`.
        error: &'static str,
        /// The text.
        message: &'static str,
    },
    /// The mail is taken, and the answer says InternalFailure (500).
    AnswerLost,
}

/// What was sent of late.
#[derive(Debug, Default)]
pub(crate) struct Quota {
    sent: VecDeque<Timestamp>,
    /// Mails that may go out at once, as of a moment.
    burst: Option<(f64, Timestamp)>,
}

impl Quota {
    /// Makes room for so many recipients, or says what is exceeded.
    pub(crate) fn take(&mut self, rules: &MailRules, recipients: usize, now: Timestamp) -> Result<(), &'static str> {
        #[expect(clippy::cast_precision_loss, reason = "counts of mails")]
        let (before, wanted) = (self.sent_in_a_day(now) as f64, recipients as f64);
        if rules.max_a_day >= 0.0 && before + wanted > rules.max_a_day {
            return Err("Daily message quota exceeded.");
        }
        let most = rules.max_a_second.max(1.0);
        let free = self.burst.map_or(most, |(left, at)| {
            let passed = now.duration_since(at).as_secs_f64().max(0.0);
            (left + passed * rules.max_a_second).min(most)
        });
        if free < 1.0 {
            self.burst = Some((free, now));
            return Err("Maximum sending rate exceeded.");
        }
        // Each recipient counts, and a mail to many is taken if there is room for one.
        self.burst = Some((free - wanted, now));
        self.sent.extend(std::iter::repeat_n(now, recipients));
        Ok(())
    }

    pub(crate) fn sent_in_a_day(&mut self, now: Timestamp) -> usize {
        let day_ago = now - SignedDuration::from_hours(24);
        while self.sent.front().is_some_and(|at| *at <= day_ago) {
            self.sent.pop_front();
        }
        self.sent.len()
    }
}

/// An address as it stands in a header, with or without a name in front. SES takes no SMTPUTF8: what is in front of the `@`
/// is ASCII, and a domain is in its ASCII form (developer guide, "Message headers").
pub(crate) fn check_address(address: &str) -> Result<(), &'static str> {
    check_line(address)?;
    let bare = address.rsplit_once('<').map_or(address, |(_, rest)| rest.trim_end_matches('>'));
    let Some((local, domain)) = bare.rsplit_once('@').filter(|(_, domain)| !domain.is_empty()) else {
        return Err("Missing final '@domain'");
    };
    if local.is_empty() || !local.is_ascii() {
        return Err("Local address contains control or whitespace");
    }
    if !domain.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte)) {
        return Err("Domain contains illegal character");
    }
    Ok(())
}

/// A header of a name and value as the API model has them.
pub(crate) fn check_header(name: &str, value: &str) -> Result<(), &'static str> {
    let name_does =
        (1..=126).contains(&name.len()) && name.bytes().all(|byte| matches!(byte, 33..=126) && byte != b':');
    let value_does = value.len() <= 870 && value.bytes().all(|byte| matches!(byte, 32..=126));
    if name_does && value_does { Ok(()) } else { Err("Invalid header name or value") }
}

/// What stands in one line of the head of a mail.
pub(crate) fn check_line(text: &str) -> Result<(), &'static str> {
    if text.chars().any(char::is_control) { Err("Control characters are not allowed in headers") } else { Ok(()) }
}
