//! From the personal link to the mapping, and the ways that end before.

use crosswalk_function_kit::Entropy;
use crosswalk_invitations::{MOST_ATTEMPTS, Token};
use crosswalk_stand_ins::labarchives::{AccountSpec, Fault, Faults};
use jiff::SignedDuration;

use crate::world::{Answer, World, link};

/// Comes back, with a cookie if there is one.
async fn come_back(world: &World, path: &str, cookie: Option<&str>) -> Answer {
    let headers: Vec<_> = cookie.map(|cookie| ("cookie", cookie)).into_iter().collect();
    world.ask("GET", path, &headers).await
}

#[track_caller]
fn assert_leads_back(answer: &Answer, token: &Token) {
    assert!(answer.body.contains(&format!("href=\"{}\"", link(token))), "{answer:?}");
}

#[tokio::test]
async fn a_link_becomes_a_mapping_once() {
    let world = World::start().await;
    let token = world.invite("Zoe").await;
    for _ in 0..2 {
        let page = world.ask("GET", &link(&token), &[]).await.page(200, "Link your LabArchives account");
        assert!(page.body.contains("<dd>Zoe</dd>"), "{page:?}");
        assert_eq!(world.ask("HEAD", &link(&token), &[]).await.body, "");
    }
    assert_eq!(world.items().await, 1, "viewing writes nothing");

    let (cookie, sign_in) = world.begin(&token).await;
    let back = world.sign_in(&sign_in, "zoe").await;
    assert_eq!(world.ask("HEAD", &back, &[("cookie", &cookie)]).await.status, 405, "a look is no return");
    let done = come_back(&world, &back, Some(&cookie)).await.page(200, "Your LabArchives account is linked");
    assert!(done.header("set-cookie").ends_with("; Max-Age=0"), "{done:?}");
    let mapping = world.mapping("zoe").await.unwrap();
    assert_eq!(mapping.external_id.as_str(), AccountSpec::new("zoe").uid);
    assert_eq!((mapping.email, mapping.notes.as_deref()), (None, Some("registered by its owner")));
    assert!(!done.body.contains(mapping.external_id.as_str()));

    // Once more: by a browser that still has the cookie, by one that lost it, by the link.
    let created = world.mapping("zoe").await;
    come_back(&world, &back, Some(&cookie)).await.page(200, "Your LabArchives account is linked already");
    come_back(&world, &back, None).await.page(410, "This link was used already");
    world.ask("GET", &link(&token), &[]).await.page(410, "This link was used already");
    world.ask("POST", &link(&token), &[]).await.page(410, "This link was used already");
    assert_eq!(world.mapping("zoe").await, created);
    assert_eq!(world.labarchives.take_counts().asked, 1);

    let lines = world.lines.lock().unwrap().clone();
    let outcomes: Vec<_> = lines.iter().filter_map(|line| line["Outcome"].as_str()).collect();
    assert_eq!(outcomes, ["linked", "repeated", "repeated", "repeated", "repeated"]);
}

#[tokio::test]
async fn of_returns_at_once_one_goes_on() {
    let world = World::start().await;
    let token = world.invite("zoe").await;
    let (cookie, sign_in) = world.begin(&token).await;
    let back = world.sign_in(&sign_in, "zoe").await;
    let answers = futures::future::join_all((0..6).map(|_| come_back(&world, &back, Some(&cookie)))).await;
    let linked = |answer: &&Answer| answer.body.contains("<h1>Your LabArchives account is linked</h1>");
    assert_eq!(answers.iter().filter(linked).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 409)), "{answers:?}");
    assert_eq!(world.labarchives.take_counts().asked, 1);
    assert!(world.mapping("zoe").await.is_some());
}

#[tokio::test]
async fn state_and_cookie_belong_together() {
    let world = World::start().await;
    let (zoe, kim) = (world.invite("zoe").await, world.invite("kim").await);
    let (zoes, sign_in) = world.begin(&zoe).await;
    let (kims, _) = world.begin(&kim).await;
    let back = world.sign_in(&sign_in, "zoe").await;
    let forged = Token::draw(&Entropy::system());
    let stranger = format!("/registrations/callback/{}?auth_code=a&email=zoe@example.org", forged.expose());
    let (unfit, forged) = ("This does not fit together", format!("__Host-crosswalk-registration={}", forged.expose()));
    for (path, cookie) in [
        (back.as_str(), None),
        (back.as_str(), Some(kims.as_str())),
        (back.as_str(), Some(forged.as_str())),
        (stranger.as_str(), Some(forged.as_str())),
        (stranger.as_str(), Some(zoes.as_str())),
        ("/registrations/callback/x?auth_code=a&email=zoe@example.org", Some(zoes.as_str())),
    ] {
        come_back(&world, path, cookie).await.page(400, unfit);
    }
    assert_eq!(world.labarchives.take_counts().asked, 0);
    // Whoever began can still end it.
    come_back(&world, &back, Some(&zoes)).await.page(200, "Your LabArchives account is linked");
}

#[tokio::test]
async fn what_has_ended_says_so() {
    let world = World::start().await;
    let token = world.invite("zoe").await;
    let (cookie, sign_in) = world.begin(&token).await;
    let back = world.sign_in(&sign_in, "zoe").await;
    world.forward(SignedDuration::from_mins(15));
    let late = come_back(&world, &back, Some(&cookie)).await.page(410, "That took too long");
    assert_leads_back(&late, &token);
    world.ask("GET", &link(&token), &[]).await.page(200, "Link your");
    world.forward(SignedDuration::from_hours(7 * 24));
    for method in ["GET", "POST"] {
        world.ask(method, &link(&token), &[]).await.page(410, "This link has ended");
    }
    come_back(&world, &back, Some(&cookie)).await.page(410, "This link has ended");
    assert!(world.mapping("zoe").await.is_none());
}

#[tokio::test]
async fn who_cancels_may_begin_again() {
    let world = World::start().await;
    let token = world.invite("zoe").await;
    let (cookie, sign_in) = world.begin(&token).await;
    let back = world.at_labarchives(&sign_in, "zoe", "cancel").await;
    let cancelled = come_back(&world, &back, Some(&cookie)).await.page(200, "Nothing was linked");
    assert_leads_back(&cancelled, &token);
    let (cookie, sign_in) = world.begin(&token).await;
    let back = world.sign_in(&sign_in, "zoe").await;
    come_back(&world, &back, Some(&cookie)).await.page(200, "Your LabArchives account is linked");
}

#[tokio::test]
async fn nobody_s_mapping_is_changed() {
    let world = World::start().await;
    world.map("kim", &AccountSpec::new("kim").uid).await;
    let (zoe, kim) = (world.invite("zoe").await, world.invite("kim").await);

    let (cookie, sign_in) = world.begin(&zoe).await;
    let back = world.sign_in(&sign_in, "kim").await;
    let heading = "That LabArchives account belongs to someone else";
    let taken = come_back(&world, &back, Some(&cookie)).await.page(409, heading);
    assert!(!taken.body.contains("kim"), "{taken:?}");
    assert_leads_back(&taken, &zoe);
    assert!(world.mapping("zoe").await.is_none());

    let linked = world.ask("GET", &link(&kim), &[]).await.page(200, "Your LabArchives account is linked already");
    assert!(!linked.body.contains(&AccountSpec::new("kim").uid));
    let (cookie, sign_in) = world.begin(&kim).await;
    let back = world.sign_in(&sign_in, "zoe").await;
    come_back(&world, &back, Some(&cookie)).await.page(409, "Another LabArchives account is linked to you");
    assert_eq!(world.mapping("kim").await.unwrap().external_id.as_str(), AccountSpec::new("kim").uid);

    // The same account confirms it, and only that spends the link.
    let (cookie, sign_in) = world.begin(&kim).await;
    let back = world.sign_in(&sign_in, "kim").await;
    come_back(&world, &back, Some(&cookie)).await.page(200, "Your LabArchives account is linked");
    let confirmed = world.mapping("kim").await.unwrap();
    assert!(confirmed.last_verified_at.is_some() && confirmed.notes.is_none(), "{confirmed:?}");
    world.ask("GET", &link(&kim), &[]).await.page(410, "This link was used already");
}

#[tokio::test]
async fn a_link_is_tried_so_often_and_no_more() {
    let world = World::start().await;
    let (token, other) = (world.invite("zoe").await, world.invite("zoe").await);
    for _ in 0..MOST_ATTEMPTS {
        let (cookie, sign_in) = world.begin(&token).await;
        let back = world.sign_in(&sign_in, "zoe").await;
        let guessed = format!("{}?auth_code=guessed&email=kim@example.org", back.split('?').next().unwrap());
        come_back(&world, &guessed, Some(&cookie)).await.page(400, "LabArchives did not take your sign-in");
        come_back(&world, &back, Some(&cookie)).await.page(409, "This step was taken already");
    }
    let most = usize::try_from(MOST_ATTEMPTS).unwrap();
    assert_eq!(world.labarchives.take_counts().asked, most);
    let items = world.items().await;
    for _ in 0..3 {
        let refused = world.ask("POST", &link(&token), &[]).await.page(429, "This link was tried too often");
        assert!(!refused.headers.contains_key("location") && !refused.headers.contains_key("set-cookie"));
    }
    assert_eq!(world.items().await, items, "no attempt is made");
    let lines = world.lines.lock().unwrap().clone();
    assert_eq!(lines.iter().rev().find_map(|line| line["Outcome"].as_str()), Some("invalid"));
    // Another link of the same person's has a count of its own.
    let (cookie, sign_in) = world.begin(&other).await;
    let back = world.sign_in(&sign_in, "zoe").await;
    come_back(&world, &back, Some(&cookie)).await.page(200, "Your LabArchives account is linked");
}

#[tokio::test]
async fn a_code_in_labarchives_refusal_counts() {
    let world = World::start().await;
    let token = world.invite("zoe").await;
    for (error, status, heading) in [
        ("4506", 502, "LabArchives does not accept us"),
        ("4520:+signature", 502, "LabArchives does not accept us"),
        ("4514", 400, "LabArchives did not take your sign-in"),
        ("session+timeout+(4533)", 400, "LabArchives did not take your sign-in"),
        ("cancelled", 200, "Nothing was linked"),
    ] {
        let (cookie, sign_in) = world.begin(&token).await;
        let back = world.sign_in(&sign_in, "zoe").await;
        let refused = format!("{}?error={error}", back.split('?').next().unwrap());
        let answer = come_back(&world, &refused, Some(&cookie)).await.page(status, heading);
        assert_leads_back(&answer, &token);
        assert!(answer.header("set-cookie").ends_with("; Max-Age=0"), "{answer:?}");
    }
    assert_eq!(world.labarchives.take_counts().asked, 0);
}

#[tokio::test]
async fn each_failure_of_labarchives_has_its_page_and_spends_nothing() {
    let world = World::start().await;
    let token = world.invite("zoe").await;
    for (fault, status, heading) in [
        (Fault::Unavailable, 503, "LabArchives does not answer"),
        (Fault::BreakAfter, 503, "LabArchives does not answer"),
        (Fault::HtmlError, 503, "LabArchives does not answer"),
        (Fault::Refuse(4514), 400, "LabArchives did not take your sign-in"),
        (Fault::Refuse(4533), 400, "LabArchives did not take your sign-in"),
        (Fault::Refuse(4506), 502, "LabArchives does not accept us"),
        (Fault::Refuse(4520), 502, "LabArchives does not accept us"),
        (Fault::OtherXml, 502, "LabArchives does not accept us"),
        (Fault::CutXml, 502, "LabArchives does not accept us"),
        (Fault::HtmlPage, 502, "LabArchives does not accept us"),
        (Fault::Endless, 502, "LabArchives does not accept us"),
    ] {
        let (cookie, sign_in) = world.begin(&token).await;
        let back = world.sign_in(&sign_in, "zoe").await;
        world.labarchives.fail(Faults { exchange: Some(fault), times: Some(1), ..Faults::default() });
        let answer = come_back(&world, &back, Some(&cookie)).await.page(status, heading);
        assert_leads_back(&answer, &token);
        assert_eq!(answer.headers.contains_key("retry-after"), status == 503, "{fault:?}");
        assert_eq!(world.labarchives.take_counts().asked, 1, "{fault:?}");
        // The attempt is used up, whatever became of it.
        come_back(&world, &back, Some(&cookie)).await.page(409, "This step was taken already");
    }
    let (cookie, sign_in) = world.begin(&token).await;
    let back = world.sign_in(&sign_in, "zoe").await;
    come_back(&world, &back, Some(&cookie)).await.page(200, "Your LabArchives account is linked");
}
