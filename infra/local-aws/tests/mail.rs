//! SES through the real client.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use aws_sdk_sesv2::Client;
use aws_sdk_sesv2::config::retry::RetryConfig;
use aws_sdk_sesv2::error::ProvideErrorMetadata as _;
use aws_sdk_sesv2::operation::send_email::SendEmailError;
use aws_sdk_sesv2::types::{Body, Content, Destination, EmailContent, Message, MessageHeader};
use crosswalk_local_aws::{LocalAws, Mail, MailRules, SesFault, Storage, mails};

/// Without retries, so that a test sees each answer.
fn client(aws: &LocalAws) -> Client {
    let config = aws_sdk_sesv2::config::Builder::from(&aws.sdk_config()).retry_config(RetryConfig::disabled());
    Client::from_conf(config.build())
}

fn content(text: &str) -> Content {
    Content::builder().data(text).charset("UTF-8").build().unwrap()
}

async fn send(client: &Client, from: &str, to: &str, subject: &str) -> Result<(), SendEmailError> {
    let header = MessageHeader::builder().name("Auto-Submitted").value("auto-generated").build().unwrap();
    let message = Message::builder()
        .subject(content(subject))
        .headers(header)
        .body(Body::builder().text(content("text")).html(content("<p>html</p>")).build());
    let call = client
        .send_email()
        .from_email_address(from)
        .reply_to_addresses("help@example.org")
        .destination(Destination::builder().to_addresses(to).build())
        .content(EmailContent::builder().simple(message.build()).build());
    let sent = call.send().await.map_err(|error| error.into_service_error())?;
    assert!(sent.message_id().is_some());
    Ok(())
}

const FROM: &str = "crosswalk@example.org";

#[tokio::test]
async fn mail_that_was_sent_can_be_read() {
    let aws = LocalAws::start(Storage::Memory, 0).unwrap();
    let client = client(&aws);
    send(&client, FROM, "zoe@example.org", "Grüße").await.unwrap();
    let expected = Mail {
        from: FROM.to_owned(),
        to: vec!["zoe@example.org".to_owned()],
        reply_to: vec!["help@example.org".to_owned()],
        headers: vec![("Auto-Submitted".to_owned(), "auto-generated".to_owned())],
        subject: "Grüße".to_owned(),
        text: Some("text".to_owned()),
        html: Some("<p>html</p>".to_owned()),
    };
    assert_eq!(mails(aws.endpoint()).await.unwrap(), [expected]);
    let nobody = client.send_email().from_email_address(FROM).content(EmailContent::builder().build());
    assert!(nobody.send().await.unwrap_err().into_service_error().is_bad_request_exception());
}

#[tokio::test]
async fn what_would_write_other_headers_is_refused() {
    let aws = LocalAws::start(Storage::Memory, 0).unwrap();
    let client = client(&aws);
    let injected = "a\r\nBcc: eve@example.org";
    for (from, to, subject) in [
        (FROM, "zoe@example.org", injected),
        (FROM, "zoe@example.org\nBcc: eve@example.org", "s"),
        ("crosswalk@example.org\r\nBcc: eve@example.org", "zoe@example.org", "s"),
        (FROM, "zoe", "s"),
        (FROM, "zo\u{eb}@example.org", "s"),
        (FROM, "zoe@ex\u{e4}mple.org", "s"),
    ] {
        let refused = send(&client, from, to, subject).await.unwrap_err();
        assert!(refused.is_bad_request_exception(), "{from} {to} {subject}: {refused:?}");
    }
    let header = MessageHeader::builder().name("X-Note").value(injected).build().unwrap();
    let message = Message::builder().subject(content("s")).body(Body::builder().text(content("t")).build());
    let call = client
        .send_email()
        .from_email_address(FROM)
        .destination(Destination::builder().to_addresses("zoe@example.org").build())
        .content(EmailContent::builder().simple(message.headers(header).build()).build());
    assert!(call.send().await.unwrap_err().into_service_error().is_bad_request_exception());
    assert_eq!(mails(aws.endpoint()).await.unwrap(), []);
}

#[tokio::test]
async fn one_domain_is_refused_and_a_paused_account_sends_nothing() {
    let aws = LocalAws::start(Storage::Memory, 0).unwrap();
    let client = client(&aws);
    let refused = send(&client, FROM, "zoe@Refused.example.org", "s").await.unwrap_err();
    assert!(refused.is_message_rejected());
    aws.set_mail_rules(MailRules { refused_domain: "other.example.org".to_owned(), ..MailRules::default() });
    send(&client, FROM, "zoe@refused.example.org", "s").await.unwrap();
    aws.set_mail_rules(MailRules { sending_enabled: false, ..MailRules::default() });
    let paused = send(&client, FROM, "zoe@example.org", "s").await.unwrap_err();
    assert!(paused.is_sending_paused_exception());
    assert!(!client.get_account().send().await.unwrap().sending_enabled());
    assert_eq!(mails(aws.endpoint()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn the_account_has_a_rate_and_a_quota() {
    let aws = LocalAws::start(Storage::Memory, 0).unwrap();
    let client = client(&aws);
    // So slow that no second mail is due before the test has ended.
    aws.set_mail_rules(MailRules { max_a_second: 0.001, max_a_day: 2.0, ..MailRules::default() });
    send(&client, FROM, "zoe@example.org", "s").await.unwrap();
    let throttled = send(&client, FROM, "zoe@example.org", "s").await.unwrap_err();
    assert!(throttled.is_too_many_requests_exception());
    assert_eq!(throttled.message(), Some("Maximum sending rate exceeded."));
    let quota = client.get_account().send().await.unwrap().send_quota.unwrap();
    assert_eq!((quota.max_send_rate(), quota.max24_hour_send(), quota.sent_last24_hours()), (0.001, 2.0, 1.0));
    aws.set_mail_rules(MailRules { max_a_day: 1.0, ..MailRules::default() });
    let throttled = send(&client, FROM, "zoe@example.org", "s").await.unwrap_err();
    assert_eq!(throttled.message(), Some("Daily message quota exceeded."));
}

#[tokio::test]
async fn faults_come_when_asked_for() {
    let aws = LocalAws::start(Storage::Memory, 0).unwrap();
    let client = client(&aws);
    let denied = SesFault::Answers { status: 403, error: "AccessDeniedException", message: "no" };
    aws.fail_ses("GetAccount", denied, 1);
    let error = client.get_account().send().await.unwrap_err();
    assert_eq!(error.code(), Some("AccessDeniedException"));
    assert!(client.get_account().send().await.unwrap().sending_enabled());
    aws.fail_ses("SendEmail", SesFault::AnswerLost, 1);
    let lost = send(&client, FROM, "zoe@example.org", "lost").await.unwrap_err();
    assert_eq!(lost.code(), Some("InternalFailure"));
    send(&client, FROM, "zoe@example.org", "s").await.unwrap();
    let subjects: Vec<String> = mails(aws.endpoint()).await.unwrap().into_iter().map(|mail| mail.subject).collect();
    assert_eq!(subjects, ["lost", "s"]);
}
