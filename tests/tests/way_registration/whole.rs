//! The whole way.

use crosswalk_invitations::Token;
use reqwest::{Method, Url};

use crate::bed::{Bed, COOKIE_NAME, link, path, state_of, uid};
use crate::logged;

#[tokio::test]
async fn a_person_links_their_account_by_their_personal_link() {
    let bed = Bed::start().await;
    let token = bed.invite("Wilma.Whole").await;
    assert!(link(&bed, &token).as_str().starts_with(&format!("{}/registrations/", bed.url)));
    let mut browser = bed.browser();

    // The page says who, where and until when, and holds one form with one button.
    let page = browser.get(&path(&token)).await;
    page.says(200, "Link your LabArchives account");
    let until = bed.invitation(&token).await.ends_at;
    let until = until.to_zoned(jiff::tz::TimeZone::UTC).strftime("%-d %B %Y, %H:%M UTC").to_string();
    for part in ["Wilma.Whole", "LabArchives", "an administrator", &until] {
        assert!(page.body.contains(part), "{part}: {}", page.body);
    }
    assert_eq!((page.body.matches("<form").count(), page.body.matches("<button").count()), (1, 1));
    assert!(page.cookies().is_empty());

    // The button leads to LabArchives' sign-in, with a cookie for the way back.
    let answer = browser.ask(Method::POST, &path(&token)).await;
    assert_eq!(answer.status, 303);
    let at = Url::parse(answer.header("location")).unwrap();
    assert!(at.as_str().starts_with(&format!("{}/api_user_login?", bed.labarchives.url())), "{at}");
    let names: Vec<_> = at.query_pairs().map(|(name, _)| name.into_owned()).collect();
    assert_eq!(names, ["redirect_uri", "akid", "expires", "sig"]);
    let redirect: Url = at.query_pairs().next().unwrap().1.parse().unwrap();
    let state = state_of(&redirect);
    assert_eq!(redirect.as_str(), format!("{}/registrations/callback/{state}", bed.url));
    assert!(Token::parse(&state).is_some() && state != token.expose());
    let cookie = format!("{COOKIE_NAME}={state}; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=900");
    assert_eq!(sorted(&answer.cookies()), [sorted_parts(&cookie)]);

    let back = bed.sign_in(&at, "ann").await;
    let success = browser.come_back(&back).await;
    success.says(200, "Your LabArchives account is linked");
    let [cleared] = &success.cookies()[..] else { panic!("{success:?}") };
    assert!(cleared.starts_with(&format!("{COOKIE_NAME}=;")) && cleared.contains("Max-Age=0"), "{cleared}");
    for part in ["Secure", "HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(cleared.contains(part), "else browsers do not take it: {cleared}");
    }
    assert_eq!(browser.cookie, None);

    let mapping = bed.mapping("Wilma.Whole").await.unwrap();
    assert_eq!(mapping.external_id.as_str(), uid("ann"));
    assert_eq!((mapping.email, mapping.notes.as_deref()), (None, Some("registered by its owner")));
    assert!(bed.is_spent(&token).await);
    let counts = bed.labarchives.take_counts();
    assert_eq!((counts.asked, counts.exchanged, counts.refused), (1, 1, 0));

    // Nothing of it in a log, and neither token nor state nor code in the table.
    let code = back.query_pairs().next().unwrap().1.into_owned();
    let items = bed.items().await;
    for secret in [token.expose(), &state, &code, "ann@example.org"] {
        assert!(!items.contains(secret), "{secret}");
    }
    logged::assert_nothing_of([token.expose(), &state, &code, "ann@example.org", &uid("ann"), "Wilma.Whole"]);
    assert!(logged::so_far().contains("linked"), "the outcome is logged");
}

/// The parts of a cookie, in an order of ours.
fn sorted_parts(cookie: &str) -> Vec<String> {
    let mut parts: Vec<_> = cookie.split("; ").map(str::to_owned).collect();
    parts[1..].sort();
    parts
}

fn sorted(cookies: &[&str]) -> Vec<Vec<String>> {
    cookies.iter().map(|cookie| sorted_parts(cookie)).collect()
}

#[tokio::test]
async fn the_same_browser_that_comes_once_more_is_told_that_it_is_done() {
    let bed = Bed::start().await;
    let token = bed.invite("ann").await;
    let mut browser = bed.browser();
    let at = browser.press(&token).await;
    let back = bed.sign_in(&at, "ann").await;
    let cookie = browser.cookie.clone();
    browser.come_back(&back).await.says(200, "Your LabArchives account is linked");
    bed.labarchives.take_counts();
    // Reloaded before the browser has taken the cookie away.
    browser.cookie = cookie;
    browser.come_back(&back).await.says(200, "Your LabArchives account is linked already");
    assert_eq!(bed.labarchives.take_counts().asked, 0);
}

#[tokio::test]
async fn a_person_who_has_this_very_account_confirms_it() {
    let bed = Bed::start().await;
    bed.set("ann", &uid("ann")).await;
    let token = bed.invite("ann").await;
    let mut browser = bed.browser();
    let page = browser.get(&path(&token)).await;
    page.says(200, "Your LabArchives account is linked already");
    assert!(page.body.contains("Confirm at LabArchives"), "{}", page.body);
    browser.register(&token, "ann").await.says(200, "Your LabArchives account is linked");
    let mapping = bed.mapping("ann").await.unwrap();
    assert!(mapping.last_verified_at.is_some() && mapping.external_id.as_str() == uid("ann"), "{mapping:?}");
    assert!(bed.is_spent(&token).await);
}

#[tokio::test]
async fn the_older_signature_is_taken_where_it_is_set() {
    let bed = Bed::start_with(&[("LABARCHIVES_HASH", "sha1")]).await;
    bed.labarchives.sign_with(crosswalk_stand_ins::labarchives::Hash::Sha1);
    let token = bed.invite("ann").await;
    bed.browser().register(&token, "ann").await.says(200, "Your LabArchives account is linked");
}
