//! LabArchives fails: the personal link still holds.

use std::time::Duration;

use crosswalk_stand_ins::labarchives::{Fault, Faults};

use crate::bed::{Bed, path, with_query};
use crate::logged;

#[tokio::test]
async fn whatever_fails_there_the_link_is_used_again() {
    let bed = Bed::start().await;
    let token = bed.invite("Otto.Outage").await;
    let mut browser = bed.browser();
    for (fault, status, heading) in [
        (Fault::Unavailable, 503, "LabArchives does not answer"),
        (Fault::HtmlError, 503, "LabArchives does not answer"),
        (Fault::BreakBefore, 503, "LabArchives does not answer"),
        (Fault::BreakAfter, 503, "LabArchives does not answer"),
        (Fault::Silent(Duration::from_secs(4)), 503, "LabArchives does not answer"),
        (Fault::Refuse(4506), 502, "LabArchives does not accept us"),
        (Fault::Refuse(4520), 502, "LabArchives does not accept us"),
        (Fault::Refuse(4514), 400, "LabArchives did not take your sign-in"),
        (Fault::Refuse(4533), 400, "LabArchives did not take your sign-in"),
        (Fault::Refuse(4999), 502, "LabArchives does not accept us"),
        (Fault::OtherXml, 502, "LabArchives does not accept us"),
        (Fault::CutXml, 502, "LabArchives does not accept us"),
        (Fault::HtmlPage, 502, "LabArchives does not accept us"),
        (Fault::Endless, 502, "LabArchives does not accept us"),
    ] {
        bed.labarchives.fail(Faults::exchange(fault));
        bed.labarchives.take_counts();
        let answer = browser.register(&token, "ann").await;
        println!("{fault:?}");
        answer.says(status, heading);
        assert_eq!(answer.header("retry-after").is_empty(), status != 503, "{fault:?}");
        assert!(answer.body.contains(&format!("href=\"{}\"", path(&token))), "{fault:?}: {}", answer.body);
        assert_eq!(bed.labarchives.take_counts().asked, 1, "{fault:?}: a code is sent once");
        assert!(bed.mappings().await.is_empty() && !bed.is_spent(&token).await, "{fault:?}");
    }
    bed.labarchives.fail(Faults::default());
    browser.register(&token, "ann").await.says(200, "Your LabArchives account is linked");
    logged::assert_nothing_of(["Otto.Outage", token.expose(), "ann@example.org"]);
    let logged = logged::so_far();
    for told in ["LABARCHIVES_AKID", "LABARCHIVES_HASH"] {
        assert!(logged.lines().any(|line| line.contains("ERROR") && line.contains(told)), "{told}");
    }
    assert!(!logged.contains(crosswalk_stand_ins::labarchives::ACCESS_PASSWORD));
}

#[tokio::test]
async fn a_code_that_is_guessed_or_old_links_nothing() {
    let bed = Bed::start().await;
    let token = bed.invite("ann").await;
    let mut browser = bed.browser();
    let at = browser.press(&token).await;
    let back = bed.sign_in(&at, "ann").await;
    let guessed = with_query(&back, "auth_code", Some("guessed"));
    browser.come_back(&guessed).await.says(400, "LabArchives did not take your sign-in");

    let at = browser.press(&token).await;
    let back = bed.sign_in(&at, "ann").await;
    bed.forward(6);
    browser.come_back(&back).await.says(400, "LabArchives did not take your sign-in");
    assert!(bed.mappings().await.is_empty() && !bed.is_spent(&token).await);
}

#[tokio::test]
async fn the_e_mail_of_the_query_is_nobodys_identity() {
    let bed = Bed::start().await;
    // Changed on the way: LabArchives does not know the code with it.
    let token = bed.invite("ann").await;
    let mut browser = bed.browser();
    let back = bed.sign_in(&browser.press(&token).await, "ann").await;
    let changed = with_query(&back, "email", Some("ben@example.org"));
    browser.come_back(&changed).await.says(400, "LabArchives did not take your sign-in");
    assert!(bed.mappings().await.is_empty());

    // And where LabArchives does not mind, or tells another one by itself: it is not stored.
    bed.labarchives.fail(Faults {
        tells_email: Some("somebody.else@example.org".to_owned()),
        takes_any_login: true,
        ..Faults::default()
    });
    browser.register(&token, "ann").await.says(200, "Your LabArchives account is linked");
    assert_eq!(bed.mapping("ann").await.unwrap().email, None);
    assert!(!bed.items().await.contains("somebody.else"));
    logged::assert_nothing_of(["somebody.else@example.org"]);
}

#[tokio::test]
async fn a_way_back_without_an_answer_links_nothing() {
    let bed = Bed::start().await;
    let token = bed.invite("ann").await;
    let mut browser = bed.browser();
    for name in ["auth_code", "email"] {
        for value in [None, Some("")] {
            let back = bed.sign_in(&browser.press(&token).await, "ann").await;
            let answer = browser.come_back(&with_query(&back, name, value)).await;
            assert_eq!(answer.status, 400, "{name} {value:?}: {answer:?}");
        }
    }
    assert_eq!(bed.labarchives.take_counts().asked, 0);
    // Neither does one with both an error and a code.
    let mut back = bed.sign_in(&browser.press(&token).await, "ann").await;
    back.query_pairs_mut().append_pair("error", "cancelled by the user");
    browser.come_back(&back).await.says(200, "Nothing was linked");
    assert!(bed.mappings().await.is_empty() && !bed.is_spent(&token).await);
}
