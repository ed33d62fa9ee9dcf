//! SES v2: takes simple mails and keeps them to be read, by SES's rules of addresses, headers, rate and quota (API reference
//! of Amazon SES v2; the messages are the service's own where it has them).

mod rules;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crosswalk_function_kit::Clock;
use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Mail;
use crate::json_protocol::ApiError;
use crate::mailbox::Mailbox;
pub use rules::{MailRules, SesFault};
use rules::{Quota, check_address, check_header, check_line};

/// The most that one mail may be addressed to (SES's quotas page).
const MAX_RECIPIENTS: usize = 50;

/// The service.
#[derive(Debug)]
pub(crate) struct Ses {
    clock: Clock,
    mailbox: Arc<Mailbox>,
    rules: Mutex<MailRules>,
    quota: Mutex<Quota>,
    /// Operation → what its next calls come to.
    faults: Mutex<HashMap<String, (SesFault, u32)>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendEmail {
    from_email_address: Option<String>,
    #[serde(default)]
    reply_to_addresses: Vec<String>,
    #[serde(default)]
    destination: Destination,
    content: EmailContent,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct Destination {
    to_addresses: Vec<String>,
    cc_addresses: Vec<String>,
    bcc_addresses: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct EmailContent {
    simple: Option<Message>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Message {
    subject: Content,
    body: Body,
    #[serde(default)]
    headers: Vec<Header>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Body {
    text: Option<Content>,
    html: Option<Content>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Content {
    data: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Header {
    name: String,
    value: String,
}

fn bad_request(message: impl Into<String>) -> ApiError {
    ApiError::new("BadRequestException", message)
}

fn too_many(message: &str) -> ApiError {
    ApiError::new("TooManyRequestsException", message).with_status(StatusCode::TOO_MANY_REQUESTS)
}

impl Ses {
    pub(crate) fn new(mailbox: Arc<Mailbox>, clock: Clock) -> Self {
        Self { clock, mailbox, rules: Mutex::default(), quota: Mutex::default(), faults: Mutex::default() }
    }

    /// Other rules from now on.
    pub(crate) fn set_rules(&self, rules: MailRules) {
        *self.rules.lock().unwrap_or_else(PoisonError::into_inner) = rules;
    }

    /// What the next `times` calls of an operation come to.
    pub(crate) fn fail(&self, operation: &str, fault: SesFault, times: u32) {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.insert(operation.to_owned(), (fault, times));
    }

    fn fault(&self, operation: &str) -> Option<SesFault> {
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let (fault, left) = faults.get_mut(operation).filter(|(_, left)| *left > 0)?;
        *left -= 1;
        Some(*fault)
    }

    fn rules(&self) -> MailRules {
        self.rules.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Answers a call.
    pub(crate) fn answer(&self, method: &Method, path: &str, body: &[u8]) -> Result<Value, ApiError> {
        match (method, path) {
            (&Method::POST, "/v2/email/outbound-emails") => match self.fault("SendEmail") {
                Some(SesFault::Answers { status, error, message }) => Err(error_of(status, error, message)),
                Some(SesFault::AnswerLost) => {
                    self.send(body)?;
                    Err(error_of(500, "InternalFailure", "the answer was lost on its way"))
                }
                None => self.send(body),
            },
            (&Method::GET, "/v2/email/account") => match self.fault("GetAccount") {
                Some(SesFault::Answers { status, error, message }) => Err(error_of(status, error, message)),
                Some(SesFault::AnswerLost) => Err(error_of(500, "InternalFailure", "the answer was lost on its way")),
                None => Ok(self.account()),
            },
            _ => Err(ApiError::new("NotFoundException", "The embedded SES has SendEmail and GetAccount only")
                .with_status(StatusCode::NOT_FOUND)),
        }
    }

    fn account(&self) -> Value {
        let rules = self.rules();
        let sent = self.quota.lock().unwrap_or_else(PoisonError::into_inner).sent_in_a_day(self.clock.now());
        json!({
            "DedicatedIpAutoWarmupEnabled": false,
            "EnforcementStatus": "HEALTHY",
            "ProductionAccessEnabled": true,
            "SendQuota": {
                "Max24HourSend": rules.max_a_day,
                "MaxSendRate": rules.max_a_second,
                "SentLast24Hours": sent,
            },
            "SendingEnabled": rules.sending_enabled,
        })
    }

    fn send(&self, body: &[u8]) -> Result<Value, ApiError> {
        let ask: SendEmail = serde_json::from_slice(body).map_err(|error| bad_request(error.to_string()))?;
        let from = ask.from_email_address.ok_or_else(|| bad_request("Missing required parameter FromEmailAddress"))?;
        let Destination { to_addresses, cc_addresses, bcc_addresses } = ask.destination;
        let to: Vec<String> = to_addresses.into_iter().chain(cc_addresses).chain(bcc_addresses).collect();
        if to.is_empty() {
            return Err(bad_request("Missing final '@domain'"));
        }
        if to.len() > MAX_RECIPIENTS {
            return Err(bad_request(format!("Recipient count exceeds {MAX_RECIPIENTS}")));
        }
        for address in to.iter().chain(&ask.reply_to_addresses).chain([&from]) {
            check_address(address).map_err(bad_request)?;
        }
        let simple = ask.content.simple.ok_or_else(|| bad_request("The embedded SES takes simple content only"))?;
        check_line(&simple.subject.data).map_err(bad_request)?;
        for Header { name, value } in &simple.headers {
            check_header(name, value).map_err(bad_request)?;
        }
        if simple.body.text.is_none() && simple.body.html.is_none() {
            return Err(bad_request("Missing required parameter Body: Text or Html"));
        }
        let rules = self.rules();
        if !rules.sending_enabled {
            return Err(ApiError::new("SendingPausedException", "Email sending is disabled for this account"));
        }
        if to.iter().any(|address| rules.refuses(address)) {
            return Err(ApiError::new("MessageRejected", "An address is of a domain that the embedded SES refuses"));
        }
        let mut quota = self.quota.lock().unwrap_or_else(PoisonError::into_inner);
        quota.take(&rules, to.len(), self.clock.now()).map_err(too_many)?;
        drop(quota);
        let number = self.mailbox.take(Mail {
            from,
            to,
            reply_to: ask.reply_to_addresses,
            headers: simple.headers.into_iter().map(|Header { name, value }| (name, value)).collect(),
            subject: simple.subject.data,
            text: simple.body.text.map(|content| content.data),
            html: simple.body.html.map(|content| content.data),
        });
        Ok(json!({ "MessageId": format!("{number:016x}-crosswalk") }))
    }
}

fn error_of(status: u16, error: &'static str, message: &str) -> ApiError {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    ApiError::new(error, message).with_status(status)
}
