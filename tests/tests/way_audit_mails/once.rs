//! One mail a person.

use std::time::Duration;

use crosswalk_function_kit::{Deadline, Entropy};
use futures::future::join_all;

use crate::bed::{Bed, people, person, told};

const LATELY: &str = "skipped: a mail was sent of late; the next one waits for AUDIT_NOTIFY_DAYS";

#[tokio::test(flavor = "multi_thread")]
async fn five_audits_at_the_same_time_and_five_after_them_send_one_mail_a_person() {
    let bed = Bed::new().await;
    let people = people(200);
    let at_once = join_all((0..5).map(|_| bed.notify(&people))).await;
    let sent: u64 = at_once.iter().map(|notified| notified.tally().sent).sum();
    let skipped: u64 = at_once.iter().map(|notified| notified.tally().skipped).sum();
    assert_eq!((sent, skipped), (200, 800));
    assert_eq!(bed.addresses().await.len(), 200);
    for _ in 0..5 {
        bed.forward(5);
        assert!(told(&bed.notify(&people).await).iter().all(|told| told == LATELY));
    }
    assert_eq!(bed.addresses().await.len(), 200);
    bed.forward(6);
    assert_eq!(bed.notify(&people).await.tally().sent, 200);
    assert!(bed.by_address().await.values().all(|count| *count == 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn audits_that_are_killed_at_any_moment_leave_nobody_with_two_mails() {
    let bed = Bed::new().await;
    let people = people(60);
    for moment in 1..12 {
        let killed = tokio::time::timeout(Duration::from_millis(moment * 9), bed.notify(&people));
        let _ = killed.await;
    }
    let last = bed.notify(&people).await;
    assert_eq!((last.tally().sent + last.tally().skipped, &last.ended), (60, &None));
    // At most one each; those whose audit was killed between notice and mail have none.
    let reached = bed.addresses().await.len();
    assert!(reached <= 60 && reached > 0, "{reached}");
    assert!(bed.notify(&people).await.tally().skipped == 60 && bed.addresses().await.len() == reached);
}

#[tokio::test]
async fn whoever_shares_a_username_or_an_address_with_one_who_was_written_to_waits_too() {
    let bed = Bed::new().await;
    let mut both = person("zoe", Some("zoe@example.org"), "nemo");
    both.usernames.extend(person("zoe.k", None, "nemo").usernames);
    assert_eq!(told(&bed.notify(&[both]).await), ["sent"]);
    // As an audit of a list, which knows of one of them only, or of another address.
    let lately = [LATELY; 3];
    let others = [
        person("ZOE.K", Some("other@example.org"), "cdcs"),
        person("somebody", Some("Zoe@Example.org"), "cdcs"),
        person("zoe", Some("third@example.org"), "cdcs"),
    ];
    assert_eq!(told(&bed.notify(&others).await), lately);
    assert_eq!(told(&bed.dry_run(&others).await), lately);
    bed.forward(30);
    assert_eq!(told(&bed.notify(&others[..1]).await), ["sent"]);
}

#[tokio::test]
async fn the_days_are_a_setting() {
    let bed = Bed::new().await.with("AUDIT_NOTIFY_DAYS", "2");
    let people = people(1);
    assert_eq!(told(&bed.notify(&people).await), ["sent"]);
    bed.forward(1);
    assert_eq!(told(&bed.notify(&people).await), [LATELY]);
    bed.forward(1);
    assert_eq!(told(&bed.notify(&people).await), ["sent"]);
    assert!(bed.mails().await[0].text.as_ref().unwrap().contains("at most once in 2 days"));
}

#[tokio::test]
async fn a_run_sends_so_many_and_the_next_one_goes_on() {
    let bed = Bed::new().await.with("AUDIT_MAX_MAILS", "3");
    let mut people = people(27);
    // Those who never get a mail come first, and must not keep the places of the others.
    people[..20].iter_mut().for_each(|person| person.disabled = true);
    let dry = bed.dry_run(&people).await.tally();
    assert_eq!((dry.would_send, dry.skipped, dry.not_reached), (3, 20, 4));
    for (sent, not_reached) in [(3, 4), (3, 1), (1, 0), (0, 0)] {
        let notified = bed.notify(&people).await;
        let tally = notified.tally();
        assert_eq!((tally.sent, tally.not_reached, notified.ended), (sent, not_reached, None));
    }
    assert_eq!(bed.addresses().await.len(), 7);
}

#[tokio::test]
async fn without_time_nobody_is_noted_or_written_to() {
    let bed = Bed::new().await;
    let people = people(3);
    let run = Entropy::system().uuid().to_string();
    let soon = Deadline::within(Duration::from_secs(20));
    let notified = bed.notifier().notify(people.clone(), &run, false, soon).await;
    assert_eq!(told(&notified), ["not reached: the run's time was up; left for the next run"; 3]);
    assert_eq!(bed.notify(&people).await.tally().sent, 3);
}

#[tokio::test]
async fn a_pace_that_is_too_slow_for_the_time_leaves_the_rest_for_the_next_run() {
    let bed = Bed::new().await.with("AUDIT_MAILS_A_SECOND", "0.05");
    let people = people(5);
    let run = Entropy::system().uuid().to_string();
    // A letter is begun while there are 40 seconds for it; here the first is, and the next one's turn is 20 seconds later.
    let soon = Deadline::within(Duration::from_secs(44));
    let tally = bed.notifier().notify(people.clone(), &run, false, soon).await.tally();
    assert_eq!((tally.sent, tally.not_reached), (1, 4));
    let bed = bed.with("AUDIT_MAILS_A_SECOND", "1000");
    assert_eq!(bed.notify(&people).await.tally().sent, 4);
    assert_eq!(bed.addresses().await.len(), 5);
}
