//! Personal links: looking at one spends nothing; each way in which one does not hold has its own page.

use reqwest::Method;

use crate::bed::{Bed, path, uid};

#[tokio::test]
async fn looking_changes_nothing() {
    let bed = Bed::start().await;
    let token = bed.invite("ann").await;
    let before = bed.items().await;
    let page = bed.ask(Method::GET, &path(&token), &[]).await;
    for method in [Method::HEAD, Method::GET, Method::GET, Method::HEAD] {
        let again = bed.ask(method.clone(), &path(&token), &[("user-agent", "MailScanner/1.0")]).await;
        assert_eq!(again.status, 200);
        assert_eq!(again.body, if method == Method::GET { page.body.as_str() } else { "" });
        assert!(again.cookies().is_empty());
    }
    assert_eq!(bed.ask(Method::OPTIONS, &path(&token), &[]).await.status, 405);
    assert_eq!(bed.items().await, before);
    bed.browser().register(&token, "ann").await.says(200, "Your LabArchives account is linked");
}

#[tokio::test]
async fn a_link_that_ended_says_so() {
    let bed = Bed::start().await;
    let token = bed.invite("ann").await;
    bed.forward(7 * 24 * 60 - 1);
    bed.browser().get(&path(&token)).await.says(200, "Link your LabArchives account");
    let mut browser = bed.browser();
    let at = browser.press(&token).await;
    let back = bed.sign_in(&at, "ann").await;
    bed.forward(2);
    bed.browser().get(&path(&token)).await.says(410, "This link has ended");
    bed.browser().ask(Method::POST, &path(&token)).await.says(410, "This link has ended");
    // It ended while its person signed in.
    browser.come_back(&back).await.says(410, "This link has ended");
    assert!(bed.mapping("ann").await.is_none());
    assert_eq!(bed.labarchives.take_counts().asked, 0);
}

#[tokio::test]
async fn a_link_that_was_used_says_so_and_does_nothing() {
    let bed = Bed::start().await;
    let token = bed.invite("ann").await;
    bed.browser().register(&token, "ann").await;
    let before = bed.items().await;
    bed.browser().get(&path(&token)).await.says(410, "This link was used already");
    bed.browser().ask(Method::POST, &path(&token)).await.says(410, "This link was used already");
    assert_eq!(bed.items().await, before);
}

#[tokio::test]
async fn an_attempt_that_began_before_the_link_was_used_ends_with_it() {
    let bed = Bed::start().await;
    let token = bed.invite("ann").await;
    let (mut one, mut other) = (bed.browser(), bed.browser());
    let (at, at_other) = (one.press(&token).await, other.press(&token).await);
    one.come_back(&bed.sign_in(&at, "ann").await).await.says(200, "Your LabArchives account is linked");
    let before = bed.items().await;
    let late = other.come_back(&bed.sign_in(&at_other, "ben").await).await;
    late.says(410, "This link was used already");
    assert_eq!(bed.items().await, before);
}

#[tokio::test]
async fn an_attempt_ends_after_a_quarter_of_an_hour() {
    let bed = Bed::start().await;
    let token = bed.invite("ann").await;
    let mut browser = bed.browser();
    let at = browser.press(&token).await;
    let back = bed.sign_in(&at, "ann").await;
    bed.forward(16);
    browser.come_back(&back).await.says(410, "That took too long");
    assert_eq!(bed.labarchives.take_counts().asked, 0);
    assert!(bed.mapping("ann").await.is_none() && !bed.is_spent(&token).await);
    browser.register(&token, "ann").await.says(200, "Your LabArchives account is linked");
}

#[tokio::test]
async fn who_cancels_begins_again_by_the_same_link() {
    let bed = Bed::start().await;
    let token = bed.invite("ann").await;
    let mut browser = bed.browser();
    let at = browser.press(&token).await;
    let cancelled = browser.come_back(&bed.cancel(&at).await).await;
    cancelled.says(200, "Nothing was linked");
    assert!(cancelled.body.contains(&format!("href=\"{}\"", path(&token))), "{}", cancelled.body);
    assert!(!cancelled.body.contains("cancelled by the user"), "LabArchives' words are anybody's words");
    assert!(bed.mapping("ann").await.is_none() && !bed.is_spent(&token).await);
    browser.register(&token, "ann").await.says(200, "Your LabArchives account is linked");
    assert_eq!(bed.mapping("ann").await.unwrap().external_id.as_str(), uid("ann"));
}

#[tokio::test]
async fn a_link_to_another_system_is_not_for_here() {
    let bed = Bed::start().await;
    let token = bed.invite_to("ann", "nemo").await;
    for method in [Method::GET, Method::POST] {
        bed.browser().ask(method, &path(&token)).await.says(404, "This link is not for LabArchives");
    }
}

#[tokio::test]
async fn what_is_no_link_is_not_known() {
    let bed = Bed::start().await;
    let token = bed.invite("ann").await;
    let good = token.expose();
    let other = crosswalk_invitations::Token::draw(&crosswalk_function_kit::Entropy::system());
    let before = bed.items().await;
    for given in [
        other.expose(),
        &good[..42],
        &format!("{good}A"),
        &format!("{good}="),
        &format!("{good}%00"),
        &format!("{good}%20"),
        &format!("%20{good}"),
        &good.to_uppercase(),
        "A",
        "..%2f..%2fetc%2fpasswd",
        "%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        "%E2%80%AE",
        "%FF%FE",
        &"A".repeat(5000),
        "callback",
        token.hash().as_str(),
    ] {
        for method in [Method::GET, Method::POST] {
            let answer = bed.browser().ask(method, &format!("/registrations/{given}")).await;
            assert!(!answer.body.contains("<script"), "{given}: {answer:?}");
            answer.says(404, "This link is not known");
        }
    }
    assert_eq!(bed.items().await, before);
}
