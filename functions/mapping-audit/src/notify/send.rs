//! SES: how much it lets this account send, and one mail.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::config::retry::RetryConfig;
use aws_sdk_sesv2::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sesv2::operation::get_account::GetAccountError;
use aws_sdk_sesv2::operation::send_email::SendEmailError;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message, MessageHeader};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use crosswalk_function_kit::rate::Pace;
use crosswalk_function_kit::retry::{Retries, retry_as_told};
use crosswalk_function_kit::{Deadline, aws};
use crosswalk_identity::Email;

use super::address;
use super::mail::Mail;
use super::settings::Contact;

/// The pace where SES does not say what it allows: that of an account in its sandbox.
const CAREFUL: f64 = 1.0;
/// The part of SES's rate that is used: who sends at the very rate is refused now and then, as SES counts what arrives.
const SHARE: f64 = 0.9;
/// What an attempt may take: the SDK's clients wait 20 seconds for an answer, and 3 for a connection.
const ATTEMPT: Duration = Duration::from_secs(23);

/// SES. Clones share one client.
#[derive(Debug, Clone)]
pub(crate) struct Ses {
    client: Client,
    from: String,
    from_key: String,
    reply_to: Option<String>,
    retries: Retries,
}

/// What SES lets this account send.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Allowance {
    /// Mails a second.
    pub(crate) a_second: f64,
    /// Mails that are left of the day's quota, if there is one.
    pub(crate) left_today: Option<usize>,
}

/// How sending a mail ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Sent {
    /// SES took it.
    Taken,
    /// SES refused it for good, and would again.
    Refused(String),
    /// SES has surely not taken it, and might another time.
    NotTaken(String),
    /// Perhaps SES has taken it.
    Uncertain(String),
    /// SES takes no mail of this account, whomever it is to.
    Account(String),
}

impl Ses {
    /// The client's own retries are turned off: not everything may be sent again, and each attempt takes its place in the
    /// pace. None if nothing can come from that address.
    pub(crate) fn new(config: &SdkConfig, from: &Email, contact: Option<&Contact>) -> Option<Self> {
        let config = aws_sdk_sesv2::config::Builder::from(config).retry_config(RetryConfig::disabled());
        Some(Self {
            client: Client::from_conf(config.build()),
            from: address::for_ses(from)?,
            from_key: from.key().to_owned(),
            reply_to: contact.and_then(Contact::address),
            retries: Retries::default(),
        })
    }

    pub(crate) fn with_retries(mut self, retries: Retries) -> Self {
        self.retries = retries;
        self
    }

    /// What SES lets this account send, at the pace that is set, if one is.
    ///
    /// # Errors
    /// Why no mail can be sent.
    pub(crate) async fn allowance(&self, a_second: Option<f64>, deadline: Deadline) -> Result<Allowance, String> {
        let call = || Box::pin(self.client.get_account().send());
        let deadline = deadline.earlier(ATTEMPT);
        let account = match retry_as_told(self.retries, deadline, aws::is_transient, |_| None, call).await {
            Ok(account) => account,
            Err(error) => {
                let why = unknown_account(&error)?;
                let a_second = a_second.unwrap_or(CAREFUL);
                tracing::warn!(
                    %why, a_second,
                    "SES does not say how much this account may send: allow this role ses:GetAccount, or set \
                     AUDIT_MAILS_A_SECOND"
                );
                return Ok(Allowance { a_second, left_today: None });
            }
        };
        if !account.sending_enabled {
            return Err("SES says that sending is switched off in this account and region".to_owned());
        }
        let quota = account.send_quota;
        let told = quota.as_ref().map_or(CAREFUL, |quota| quota.max_send_rate * SHARE);
        let left_today = quota.filter(|quota| quota.max24_hour_send >= 0.0).map(|quota| {
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0 ..= 1e9 before")]
            let left = (quota.max24_hour_send - quota.sent_last24_hours).clamp(0.0, 1e9) as usize;
            left
        });
        Ok(Allowance { a_second: a_second.unwrap_or(told), left_today })
    }

    /// Sends a mail to one address.
    pub(crate) async fn send(&self, to: &str, mail: &Mail, pace: &Pace, deadline: Deadline) -> Sent {
        let content = match content(mail) {
            Ok(content) => content,
            Err(error) => return Sent::Refused(format!("the mail could not be made: {error}")),
        };
        let call = self
            .client
            .send_email()
            .from_email_address(&self.from)
            .set_reply_to_addresses(self.reply_to.clone().map(|address| vec![address]))
            .destination(Destination::builder().to_addresses(to).build())
            .content(content);
        let is_first = AtomicBool::new(true);
        let attempt = async || {
            // The first attempt has waited for its place before the mail was noted.
            if !is_first.swap(false, Ordering::Relaxed) && deadline.in_time(ATTEMPT, pace.wait()).await.is_none() {
                return Err(Sent::NotTaken("the run's time was up before SES had room for it".to_owned()));
            }
            match Box::pin(call.clone().send()).await {
                Ok(_) => Ok(()),
                Err(error) => Err(self.judge(&error)),
            }
        };
        let again = |sent: &Sent| matches!(sent, Sent::NotTaken(_));
        match retry_as_told(self.retries, deadline.earlier(ATTEMPT), again, |_| None, attempt).await {
            Ok(()) => Sent::Taken,
            Err(sent) => sent,
        }
    }

    /// What a failed call means. SES's texts name addresses, so none of them is repeated.
    fn judge(&self, error: &SdkError<SendEmailError, HttpResponse>) -> Sent {
        let SdkError::ServiceError(answer) = error else {
            return match error {
                SdkError::ConstructionFailure(_) => {
                    Sent::Account(format!("no mail could be made: {}", aws::explain(error)))
                }
                _ if never_connected(error) => Sent::NotTaken("SES could not be reached".to_owned()),
                _ => Sent::Uncertain("SES's answer did not come".to_owned()),
            };
        };
        let (status, error) = (answer.raw().status().as_u16(), answer.err());
        let code = error.code().unwrap_or_default();
        let text = error.message().unwrap_or_default().to_lowercase();
        if let Some(why) = account_fault(code) {
            return Sent::Account(format!("{code}: {why}"));
        }
        if text.contains("quota exceeded") {
            return Sent::Account(format!("{code}: the day's sending quota of this account is used up"));
        }
        // "Email address is not verified. The following identities failed the check in region …: …"
        if code == "MessageRejected" && text.contains("not verified") {
            if text.contains(&self.from_key) {
                return Sent::Account(format!("{code}: MAIL_FROM is not a verified identity of SES in this region"));
            }
            let why =
                "SES is in its sandbox, where it writes to verified addresses only: ask AWS for production access";
            return Sent::NotTaken(format!("{code}: {why}"));
        }
        match status {
            429 | 503 => Sent::NotTaken(format!("SES was busy for too long ({code})")),
            500.. => Sent::Uncertain(format!("SES answered with an error of its own (HTTP status {status})")),
            _ if THROTTLED.contains(&code) => Sent::NotTaken(format!("SES was busy for too long ({code})")),
            _ => Sent::Refused(format!("SES refused it ({code})")),
        }
    }
}

/// Codes of throttling whose status is not 429.
const THROTTLED: &[&str] =
    &["TooManyRequestsException", "Throttling", "ThrottlingException", "ThrottledException", "LimitExceededException"];

/// What is wrong with the account, by an error's code (the errors of SendEmail and those common to all of SES, API
/// reference).
fn account_fault(code: &str) -> Option<&'static str> {
    Some(match code {
        "AccountSuspendedException" => "AWS has suspended this account's sending: ask AWS's support",
        "SendingPausedException" => "sending is paused in this account: resume it in SES",
        "MailFromDomainNotVerifiedException" => "the domain of MAIL_FROM is not verified: verify it in SES",
        "NotFoundException" => "SES has no identity for MAIL_FROM in this region: verify it there",
        "AccessDeniedException" | "AccessDenied" | "NotAuthorizedException" => {
            "allow this role ses:SendEmail on the identity of MAIL_FROM"
        }
        "UnrecognizedClientException"
        | "InvalidClientTokenId"
        | "InvalidSignatureException"
        | "SignatureDoesNotMatch"
        | "ExpiredTokenException"
        | "MissingAuthenticationTokenException"
        | "OptInRequired" => "the credentials do not do",
        _ => return None,
    })
}

/// Why SES does not say what it allows, where mails may well be sent all the same.
///
/// # Errors
/// Why none can be sent.
fn unknown_account(error: &SdkError<GetAccountError, HttpResponse>) -> Result<String, String> {
    match error {
        // Also one that may not be asked, or is asked too often: GetAccount may be called once a second.
        SdkError::ServiceError(_) => Ok(aws::code(error).unwrap_or("no code").to_owned()),
        _ => Err(format!("SES could not be reached: {}", aws::explain(error))),
    }
}

/// Whether there was no connection to send anything over. The SDK's types do not tell; its texts do, and where they change
/// a mail counts as perhaps sent, which errs towards none.
fn never_connected(error: &SdkError<SendEmailError, HttpResponse>) -> bool {
    let text = aws::explain(error);
    matches!(error, SdkError::DispatchFailure(_)) && CONNECTING.iter().any(|sign| text.contains(sign))
}

/// Of hyper-util's client, of the SDK's time limit for connecting, and of its resolution of names.
const CONNECTING: &[&str] = &["client error (Connect)", "HTTP connect timeout", "dns error"];

fn content(mail: &Mail) -> Result<EmailContent, aws_sdk_sesv2::error::BuildError> {
    let utf8 = |text: &str| Content::builder().data(text).charset("UTF-8").build();
    // So that no out-of-office answer comes (RFC 3834, 5).
    let automatic = MessageHeader::builder().name("Auto-Submitted").value("auto-generated").build()?;
    let message = Message::builder()
        .subject(utf8(&mail.subject)?)
        .body(Body::builder().text(utf8(&mail.text)?).html(utf8(&mail.html)?).build())
        .headers(automatic);
    Ok(EmailContent::builder().simple(message.build()).build())
}

#[cfg(test)]
mod tests {
    use crosswalk_local_aws::{LocalAws, MailRules, SesFault, Storage, mails, sdk_config_for};

    use super::*;

    const QUICK: Retries = Retries { first: Duration::from_millis(1), longest: Duration::from_millis(2), times: 2 };

    fn ses(config: &SdkConfig) -> Ses {
        let from = Email::parse("crosswalk@example.org").unwrap();
        Ses::new(config, &from, Some(&"help@example.org".parse().unwrap())).unwrap().with_retries(QUICK)
    }

    async fn send(config: &SdkConfig) -> Sent {
        let mail = Mail { subject: "s".to_owned(), text: "t".to_owned(), html: "h".to_owned() };
        ses(config).send("zoe@example.org", &mail, &Pace::per_second(1000.0), Deadline::NONE).await
    }

    async fn answered(status: u16, error: &'static str, message: &'static str) -> (Sent, usize) {
        let aws = LocalAws::start(Storage::Memory, 0).unwrap();
        aws.fail_ses("SendEmail", SesFault::Answers { status, error, message }, 100);
        let sent = send(&aws.sdk_config()).await;
        aws.fail_ses("SendEmail", SesFault::AnswerLost, 0);
        (sent, mails(aws.endpoint()).await.unwrap().len())
    }

    #[tokio::test]
    async fn what_a_failure_means_goes_by_its_code() {
        type Kind = fn(String) -> Sent;
        let cases: [(u16, &str, &str, Kind); 15] = [
            (400, "MessageRejected", "Message content rejected", Sent::Refused),
            (400, "BadRequestException", "zoe@example.org is illegal", Sent::Refused),
            (400, "MessageRejected", "Email address is not verified: Crosswalk@example.org", Sent::Account),
            (400, "MessageRejected", "Email address is not verified: zoe@example.org", Sent::NotTaken),
            (429, "TooManyRequestsException", "Maximum sending rate exceeded.", Sent::NotTaken),
            (400, "Throttling", "Maximum sending rate exceeded.", Sent::NotTaken),
            (429, "TooManyRequestsException", "Daily message quota exceeded.", Sent::Account),
            (400, "LimitExceededException", "Daily sending quota exceeded", Sent::Account),
            (400, "AccountSuspendedException", "", Sent::Account),
            (400, "SendingPausedException", "", Sent::Account),
            (400, "MailFromDomainNotVerifiedException", "", Sent::Account),
            (403, "AccessDeniedException", "not allowed on crosswalk@example.org", Sent::Account),
            (404, "NotFoundException", "", Sent::Account),
            (503, "ServiceUnavailable", "", Sent::NotTaken),
            (500, "InternalFailure", "", Sent::Uncertain),
        ];
        for (status, error, message, kind) in cases {
            let (sent, taken) = answered(status, error, message).await;
            let (Sent::Refused(why) | Sent::NotTaken(why) | Sent::Uncertain(why) | Sent::Account(why)) = sent.clone()
            else {
                panic!("{error}: {sent:?}")
            };
            assert_eq!((sent, taken), (kind(why.clone()), 0), "{error} {message}");
            assert!(!why.contains('@'), "{why}");
        }
    }

    #[tokio::test]
    async fn what_was_surely_not_taken_is_sent_again_and_nothing_else() {
        let aws = LocalAws::start(Storage::Memory, 0).unwrap();
        let busy = SesFault::Answers { status: 429, error: "TooManyRequestsException", message: "slow down" };
        aws.fail_ses("SendEmail", busy, 2);
        assert_eq!(send(&aws.sdk_config()).await, Sent::Taken);
        // SES took it, and its answer got lost: sent again, it would be there twice.
        aws.fail_ses("SendEmail", SesFault::AnswerLost, 1);
        assert!(matches!(send(&aws.sdk_config()).await, Sent::Uncertain(_)));
        let mails = mails(aws.endpoint()).await.unwrap();
        assert_eq!(mails.len(), 2);
        assert_eq!(
            (&mails[0].reply_to, &mails[0].to),
            (&vec!["help@example.org".to_owned()], &vec!["zoe@example.org".to_owned()])
        );
        assert_eq!(mails[0].headers, [("Auto-Submitted".to_owned(), "auto-generated".to_owned())]);
    }

    #[tokio::test]
    async fn what_was_never_connected_was_never_sent() {
        // Bound and closed again: nobody listens there.
        let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let nobody = sdk_config_for(&format!("http://{address}"));
        assert_eq!(send(&nobody).await, Sent::NotTaken("SES could not be reached".to_owned()));
        assert!(ses(&nobody).allowance(Some(5.0), Deadline::NONE).await.unwrap_err().contains("could not be reached"));
        // One that takes the request and hangs up.
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let config = sdk_config_for(&format!("http://{}", listener.local_addr().unwrap()));
        let hang_up = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            tokio::io::AsyncReadExt::read(&mut stream, &mut request).await.unwrap();
        });
        assert!(matches!(send(&config).await, Sent::Uncertain(_)));
        hang_up.await.unwrap();
    }

    #[tokio::test]
    async fn ses_says_how_much_it_allows() {
        let aws = LocalAws::start(Storage::Memory, 0).unwrap();
        let config = aws.sdk_config();
        let of = async |set| ses(&config).allowance(set, Deadline::NONE).await;
        assert_eq!(of(None).await, Ok(Allowance { a_second: 900.0, left_today: None }));
        aws.set_mail_rules(MailRules { max_a_second: 10.0, max_a_day: 200.0, ..MailRules::default() });
        assert_eq!(send(&config).await, Sent::Taken);
        assert_eq!(of(Some(3.0)).await, Ok(Allowance { a_second: 3.0, left_today: Some(199) }));
        let denied = SesFault::Answers { status: 403, error: "AccessDeniedException", message: "no" };
        aws.fail_ses("GetAccount", denied, 2);
        assert_eq!(of(None).await, Ok(Allowance { a_second: 1.0, left_today: None }));
        assert_eq!(of(Some(3.0)).await, Ok(Allowance { a_second: 3.0, left_today: None }));
        aws.set_mail_rules(MailRules { sending_enabled: false, ..MailRules::default() });
        assert!(of(None).await.unwrap_err().contains("switched off"));
    }
}
