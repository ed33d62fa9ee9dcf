//! SES v2: takes simple mails and keeps them to be read.

use std::sync::Arc;

use http::{Method, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Mail;
use crate::json_protocol::ApiError;
use crate::mailbox::Mailbox;

/// The service.
#[derive(Debug)]
pub(crate) struct Ses {
    mailbox: Arc<Mailbox>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SendEmail {
    from_email_address: Option<String>,
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

fn bad_request(message: impl Into<String>) -> ApiError {
    ApiError::new("BadRequestException", message)
}

impl Ses {
    pub(crate) fn new(mailbox: Arc<Mailbox>) -> Self {
        Self { mailbox }
    }

    /// Answers a call.
    pub(crate) fn answer(&self, method: &Method, path: &str, body: &[u8]) -> Result<Value, ApiError> {
        if (method, path) != (&Method::POST, "/v2/email/outbound-emails") {
            return Err(ApiError::new("NotFoundException", "The embedded SES has SendEmail only")
                .with_status(StatusCode::NOT_FOUND));
        }
        let ask: SendEmail = serde_json::from_slice(body).map_err(|error| bad_request(error.to_string()))?;
        let from = ask.from_email_address.ok_or_else(|| bad_request("Missing required parameter FromEmailAddress"))?;
        let Destination { to_addresses, cc_addresses, bcc_addresses } = ask.destination;
        let to: Vec<String> = to_addresses.into_iter().chain(cc_addresses).chain(bcc_addresses).collect();
        if to.is_empty() || to.iter().any(|address| !address.contains('@')) {
            return Err(bad_request("Missing final '@domain'"));
        }
        let simple = ask.content.simple.ok_or_else(|| bad_request("The embedded SES takes simple content only"))?;
        let number = self.mailbox.take(Mail {
            from,
            to,
            subject: simple.subject.data,
            text: simple.body.text.map(|content| content.data),
            html: simple.body.html.map(|content| content.data),
        });
        Ok(json!({ "MessageId": format!("{number:016x}-crosswalk") }))
    }
}
