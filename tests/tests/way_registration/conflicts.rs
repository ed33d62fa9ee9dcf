//! Accounts that are somebody's already.

use crate::bed::{Bed, path, uid};
use crate::logged;

#[tokio::test]
async fn an_account_of_someone_else_stays_theirs() {
    let bed = Bed::start().await;
    bed.set("owner-of-bens", &uid("ben")).await;
    let token = bed.invite("intruder").await;
    let mut browser = bed.browser();
    let answer = browser.register(&token, "ben").await;
    answer.says(409, "That LabArchives account belongs to someone else");
    for told in ["owner-of-bens", &uid("ben"), "ben@example.org"] {
        assert!(!answer.body.contains(told), "{told}");
    }
    assert_eq!(browser.cookie, None);
    assert_eq!(bed.mappings().await.into_keys().collect::<Vec<_>>(), ["owner-of-bens"]);
    assert!(!bed.is_spent(&token).await);
    // Whoever was signed in as somebody else begins again.
    assert!(answer.body.contains(&path(&token)), "{}", answer.body);
    browser.register(&token, "ann").await.says(200, "Your LabArchives account is linked");
    logged::assert_nothing_of(["owner-of-bens", "intruder", &uid("ben"), &uid("ann")]);
}

#[tokio::test]
async fn a_person_with_another_account_keeps_it() {
    let bed = Bed::start().await;
    bed.set("ann", "an-older-uid").await;
    let token = bed.invite("ann").await;
    let mut browser = bed.browser();
    browser.get(&path(&token)).await.says(200, "Your LabArchives account is linked already");
    let before = bed.mapping("ann").await;
    let answer = browser.register(&token, "ann").await;
    answer.says(409, "Another LabArchives account is linked to you");
    assert!(!answer.body.contains("an-older-uid"));
    assert_eq!(bed.mapping("ann").await, before);
    assert!(!bed.is_spent(&token).await);
}

#[tokio::test]
async fn an_account_that_is_linked_while_its_person_signs_in() {
    let bed = Bed::start().await;
    let (one, other) = (bed.invite("ann").await, bed.invite("ben").await);
    let (mut at_one, mut at_other) = (bed.browser(), bed.browser());
    let (first, second) = (at_one.press(&one).await, at_other.press(&other).await);
    let (first, second) = (bed.sign_in(&first, "cleo").await, bed.sign_in(&second, "cleo").await);
    let answers = [at_one.come_back(&first).await, at_other.come_back(&second).await];
    answers[0].says(200, "Your LabArchives account is linked");
    answers[1].says(409, "That LabArchives account belongs to someone else");
    assert_eq!(bed.mappings().await.into_iter().collect::<Vec<_>>(), [("ann".to_owned(), uid("cleo"))]);
}

#[tokio::test]
async fn what_was_noted_of_a_mapping_stays_when_its_person_confirms_it() {
    let bed = Bed::start().await;
    bed.set("ann", &uid("ann")).await;
    let token = bed.invite("ann").await;
    bed.browser().register(&token, "ann").await.says(200, "Your LabArchives account is linked");
    let mapping = bed.mapping("ann").await.unwrap();
    assert_eq!(mapping.notes.as_deref(), Some("by hand"));
    assert!(mapping.last_verified_at.is_some() && bed.is_spent(&token).await);
}
