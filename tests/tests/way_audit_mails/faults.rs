//! SES refuses, is busy, gives no answer, or takes nothing of this account.

use crosswalk_local_aws::{MailRules, SesFault};

use crate::bed::{Bed, people, person, told};

const BUSY: SesFault =
    SesFault::Answers { status: 429, error: "TooManyRequestsException", message: "Maximum sending rate exceeded." };

#[tokio::test]
async fn a_refused_address_is_an_outcome_and_not_tried_again_each_night() {
    let bed = Bed::new().await;
    let mut people = people(30);
    for refused in [3, 4, 17] {
        people[refused].email = person("x", Some(&format!("user{refused}@refused.example.org")), "nemo").email;
    }
    let notified = bed.notify(&people).await;
    assert_eq!((notified.tally().sent, notified.tally().refused, &notified.ended), (27, 3, &None));
    assert_eq!(told(&notified)[3], "refused: SES refused it (MessageRejected); not tried again before its time");
    assert_eq!(bed.addresses().await.len(), 27);
    assert_eq!(bed.notify(&people).await.tally().skipped, 30);
    bed.forward(30);
    bed.embedded()
        .set_mail_rules(MailRules { refused_domain: "nowhere.example.org".to_owned(), ..MailRules::default() });
    assert_eq!(bed.notify(&people).await.tally().sent, 30);
}

#[tokio::test]
async fn mails_go_at_the_pace_that_ses_allows() {
    let bed = Bed::new().await;
    bed.embedded().set_mail_rules(MailRules { max_a_second: 40.0, ..MailRules::default() });
    let began = tokio::time::Instant::now();
    // Two audits have SES's whole rate each, and are throttled together.
    let (people, others) = (people(90), people(90).split_off(45));
    let (all, some) = futures::future::join(bed.notify_patiently(&people), bed.notify_patiently(&others)).await;
    let sent = all.tally().sent + some.tally().sent;
    assert_eq!((sent, all.tally().failed + some.tally().failed), (90, 0), "{:?} {:?}", all.tally(), some.tally());
    // The first second's 40 may go at once.
    assert!(began.elapsed().as_secs_f64() > 1.0, "{:?}", began.elapsed());
    assert_eq!(bed.addresses().await.len(), 90);
}

#[tokio::test]
async fn a_mail_that_ses_was_too_busy_for_is_sent_by_the_next_run() {
    let bed = Bed::new().await;
    let people = people(4);
    bed.embedded().fail_ses("SendEmail", BUSY, u32::MAX);
    let notified = bed.notify(&people).await;
    assert_eq!(told(&notified), ["failed: SES was busy for too long (TooManyRequestsException)"; 4]);
    assert!(bed.addresses().await.is_empty());
    bed.embedded().fail_ses("SendEmail", BUSY, 2);
    assert_eq!(bed.notify(&people).await.tally().sent, 4);
    assert_eq!(bed.addresses().await.len(), 4);
}

#[tokio::test]
async fn a_fault_of_the_account_ends_the_sending_and_the_rest_is_left_for_the_next_run() {
    let bed = Bed::new().await;
    let people = people(40);
    for (error, told) in [
        ("SendingPausedException", "sending is paused in this account"),
        ("MailFromDomainNotVerifiedException", "the domain of MAIL_FROM is not verified"),
        ("AccountSuspendedException", "AWS has suspended this account's sending"),
        ("AccessDeniedException", "allow this role ses:SendEmail"),
    ] {
        bed.embedded().fail_ses("SendEmail", SesFault::Answers { status: 400, error, message: "no" }, u32::MAX);
        let notified = bed.notify(&people).await;
        assert!(notified.ended.as_ref().unwrap().contains(told), "{:?}", notified.ended);
        assert_eq!(notified.tally().not_reached, 40);
    }
    // One mail meets it, and those beside it are under way.
    bed.embedded().fail_ses(
        "SendEmail",
        SesFault::Answers { status: 400, error: "SendingPausedException", message: "" },
        1,
    );
    let first = bed.notify(&people).await;
    let tally = first.tally();
    assert!(first.ended.is_some() && tally.sent < 40 && tally.sent + tally.not_reached == 40, "{tally:?}");
    let second = bed.notify(&people).await;
    assert_eq!((second.tally().sent, second.tally().skipped, second.ended), (40 - tally.sent, tally.sent, None));
    assert_eq!(bed.addresses().await.len(), 40);
}

#[tokio::test]
async fn the_days_quota_is_kept_and_met() {
    let bed = Bed::new().await;
    let people = people(30);
    bed.embedded().set_mail_rules(MailRules { max_a_day: 5.0, ..MailRules::default() });
    let notified = bed.notify(&people).await;
    assert_eq!((notified.tally().sent, notified.tally().not_reached), (5, 25));
    assert!(told(&notified)[29].starts_with("not reached: the day's sending quota of this account is used up"));
    // Where SES does not tell its quota, its refusal does.
    let denied = SesFault::Answers { status: 403, error: "AccessDeniedException", message: "no" };
    bed.embedded().fail_ses("GetAccount", denied, 1);
    let bed = bed.with("AUDIT_MAILS_A_SECOND", "1000");
    let notified = bed.notify(&people).await;
    assert!(notified.ended.unwrap().contains("the day's sending quota of this account is used up"));
    bed.embedded().set_mail_rules(MailRules::default());
    assert_eq!(bed.notify(&people).await.tally().sent, 25);
    assert_eq!(bed.addresses().await.len(), 30);
}

#[tokio::test]
async fn a_mail_whose_answer_was_lost_is_not_sent_again() {
    let bed = Bed::new().await;
    let people = people(20);
    bed.embedded().fail_ses("SendEmail", SesFault::AnswerLost, 3);
    let notified = bed.notify(&people).await;
    assert_eq!((notified.tally().sent, notified.tally().failed), (17, 3));
    let lost = told(&notified).into_iter().find(|told| told != "sent").unwrap();
    assert!(lost.contains("it may have been sent, and is not tried again before its time"), "{lost}");
    assert_eq!(bed.notify(&people).await.tally().skipped, 20);
    assert_eq!(bed.addresses().await.len(), 20);
}

#[tokio::test]
async fn when_nothing_comes_to_anything_most_people_are_left_for_the_next_run() {
    let bed = Bed::new().await;
    let people = people(100);
    bed.embedded().fail_ses(
        "SendEmail",
        SesFault::Answers { status: 500, error: "InternalFailure", message: "" },
        u32::MAX,
    );
    let notified = bed.notify(&people).await;
    let tally = notified.tally();
    // Ten in a row, and those that were under way beside them.
    assert!((10..=26).contains(&tally.failed) && tally.failed + tally.not_reached == 100, "{tally:?}");
    assert!(notified.ended.unwrap().starts_with("10 mails in a row came to nothing"));
    bed.embedded().fail_ses("SendEmail", BUSY, 0);
    assert_eq!(bed.notify(&people).await.tally().sent, tally.not_reached);
}

/// A refused address is that person's outcome, however many there are of them one after the other; a mail that is refused
/// wherever it goes is not written to everybody.
#[tokio::test]
async fn refused_addresses_stop_nothing_and_a_refused_mail_does() {
    let bed = Bed::new().await;
    let rejected =
        SesFault::Answers { status: 400, error: "MessageRejected", message: "Address is on the suppression list" };
    bed.embedded().fail_ses("SendEmail", rejected, 30);
    let tally = bed.notify(&people(60)).await.tally();
    assert_eq!((tally.refused, tally.sent), (30, 30));

    let bed = Bed::new().await;
    bed.embedded().fail_ses("SendEmail", rejected, u32::MAX);
    let notified = bed.notify(&people(200)).await;
    let tally = notified.tally();
    assert!((50..=66).contains(&tally.refused) && tally.refused + tally.not_reached == 200, "{tally:?}");
    assert!(notified.ended.unwrap().starts_with("50 mails in a row came to nothing"));
}
