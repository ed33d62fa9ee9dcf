//! The registration's pages in a real Chromium, which `tests/peers/browser/run` installs: over TLS, without script, from a
//! personal link to LabArchives (a stand-in) and back. The pages and LabArchives are two sites to the browser, as they are to
//! people's: what it keeps back from another site, it keeps back here.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bed;
mod driver;
mod tls;

use crosswalk_identity::Username;
use crosswalk_stand_ins::labarchives::{AccountSpec, Fault, Faults};
use serde_json::json;

use bed::Bed;
use driver::Page;

const PRESS: &str = "Continue to LabArchives";
const AGAIN: &str = "Begin again with your personal link";

/// From a personal link to LabArchives' page.
async fn go_to_sign_in(bed: &mut Bed, who: &str, link: &str) {
    bed.browser.open(who, link).await.is(200, "Link your LabArchives account");
    let page = bed.browser.press(who, PRESS).await;
    page.is(200, "Stand-in for LabArchives");
    assert!(page.url.starts_with(&bed.labarchives_url), "{}", page.url);
}

/// Signs in there, and comes back.
async fn sign_in(bed: &mut Bed, who: &str, account: &str) -> Page {
    let account = AccountSpec::new(account);
    bed.browser.fill(who, "E-mail", &account.email).await;
    bed.browser.fill(who, "Password", &account.password).await;
    let page = bed.browser.press(who, "Sign in").await;
    assert!(page.url.starts_with("https://crosswalk.example.org/registrations/callback/"), "{}", page.url);
    page
}

/// One test, as all of it is one browser.
#[tokio::test(flavor = "multi_thread")]
async fn people_register_in_a_real_browser() {
    let mut bed = Bed::start().await;

    // The whole way, by keyboard where there is a choice.
    let link = bed.invite("wilma.whole@example.org").await;
    let page = bed.browser.open("wilma", &link).await;
    page.is(200, "Link your LabArchives account");
    page.is_sound();
    assert_eq!(page.buttons, [PRESS]);
    assert!(page.tree.contains("- term: Person") && page.tree.contains("wilma.whole@example.org"), "{}", page.tree);
    assert!(page.text.contains("until") && page.text.contains("UTC"), "{}", page.text);
    bed.picture("wilma", "1-link").await;
    assert!(bed.browser.cookies("wilma").await.is_empty(), "looking sets no cookie");
    bed.browser.key("wilma", "Tab").await;
    let focus = bed.browser.focus("wilma").await;
    assert_eq!((&focus["name"], &focus["visible"]), (&json!(PRESS), &json!(true)), "{focus}");
    let page = bed.browser.enter("wilma").await;
    page.is(200, "Stand-in for LabArchives");
    assert!(page.url.starts_with(&bed.labarchives_url), "{}", page.url);
    assert!(page.errors.is_empty(), "the policy lets the form through: {:?}", page.errors);
    let asked = bed.labarchives.take_asked();
    let [asked] = &asked[..] else { panic!("{asked:?}") };
    assert_eq!(
        (asked.path.as_str(), &asked.referer),
        ("/api_user_login", &None),
        "LabArchives does not learn the link"
    );
    let cookies = bed.browser.cookies("wilma").await;
    let [cookie] = &cookies[..] else { panic!("{cookies:?}") };
    let told = json!([
        cookie["name"],
        cookie["domain"],
        cookie["path"],
        cookie["secure"],
        cookie["httpOnly"],
        cookie["sameSite"]
    ]);
    assert_eq!(told, json!(["__Host-crosswalk-registration", "crosswalk.example.org", "/", true, true, "Lax"]));
    let page = sign_in(&mut bed, "wilma", "ann").await;
    page.is(200, "Your LabArchives account is linked");
    page.is_sound();
    bed.picture("wilma", "2-linked").await;
    assert!(bed.browser.cookies("wilma").await.is_empty(), "the cookie is taken back");
    let username = Username::parse("wilma.whole@example.org").unwrap();
    let mapping = bed.store().get(&username, &bed::eln()).await.unwrap().unwrap();
    assert_eq!(mapping.external_id.as_str(), AccountSpec::new("ann").uid);
    assert_eq!((mapping.email, mapping.notes.as_deref()), (None, Some("registered by its owner")));

    // The same browser again: the last page anew, and the link.
    let page = bed.browser.open("wilma", &page.url).await;
    page.is(410, "This link was used already");
    page.is_sound();
    let page = bed.browser.open("wilma", &link).await;
    page.is(410, "This link was used already");
    bed.picture("wilma", "3-used").await;

    // Who cancels goes on by the page's own link, and confirms what stands.
    let link = bed.invite("carl.cancels").await;
    go_to_sign_in(&mut bed, "wilma", &link).await;
    let page = bed.browser.press("wilma", "Cancel").await;
    page.is(200, "Nothing was linked");
    page.is_sound();
    bed.picture("wilma", "4-cancelled").await;
    let page = bed.browser.follow("wilma", AGAIN).await;
    page.is(200, "Link your LabArchives account");
    assert_eq!(page.url, link);

    // Another person's account: the page does not say whose. Then their own.
    bed.browser.press("wilma", PRESS).await;
    let page = sign_in(&mut bed, "wilma", "ann").await;
    page.is(409, "That LabArchives account belongs to someone else");
    page.is_sound();
    assert!(!page.text.contains("wilma"), "{}", page.text);
    bed.picture("wilma", "5-conflict").await;
    bed.browser.follow("wilma", AGAIN).await;
    bed.browser.press("wilma", PRESS).await;
    sign_in(&mut bed, "wilma", "ben").await.is(200, "Your LabArchives account is linked");

    // Who has one already may confirm it, and changes nothing by another one.
    let link = bed.invite("carl.cancels").await;
    let page = bed.browser.open("wilma", &link).await;
    page.is(200, "Your LabArchives account is linked already");
    page.is_sound();
    bed.picture("wilma", "6-linked-already").await;
    bed.browser.press("wilma", "Confirm at LabArchives").await;
    let page = sign_in(&mut bed, "wilma", "cleo").await;
    page.is(409, "Another LabArchives account is linked to you");
    page.is_sound();
    bed.picture("wilma", "7-other-account").await;

    // A link that is none, and one that has ended.
    let page = bed.browser.open("wilma", "https://crosswalk.example.org/registrations/not-a-link").await;
    page.is(404, "This link is not known");
    page.is_sound();
    bed.picture("wilma", "8-unknown").await;
    let page = bed.browser.open("wilma", "https://crosswalk.example.org/").await;
    page.is(404, "There is no page here");
    page.is_sound();
    let ended = bed.ended_link("eve.ended").await;
    let page = bed.browser.open("wilma", &ended).await;
    page.is(410, "This link has ended");
    page.is_sound();
    bed.picture("wilma", "9-ended").await;

    // A state that nobody has made; and another person's way back, in a browser that did not begin it.
    let forged = format!("https://crosswalk.example.org/registrations/callback/{}?auth_code=a&email=b", "A".repeat(43));
    let page = bed.browser.open("wilma", &forged).await;
    page.is(400, "This does not fit together");
    page.is_sound();
    bed.picture("wilma", "10-forged").await;
    let link = bed.invite("dora.does").await;
    go_to_sign_in(&mut bed, "dora", &link).await;
    let page = bed.browser.view("dora").await;
    let back = bed.sign_in_elsewhere(&page, "cleo").await;
    bed.browser.open("thief", &back).await.is(400, "This does not fit together");
    bed.browser.forget("dora").await;
    bed.browser.open("dora", &back).await.is(400, "This does not fit together");

    // LabArchives is down, and then it is not: the same link.
    go_to_sign_in(&mut bed, "dora", &link).await;
    bed.labarchives.fail(Faults::exchange(Fault::Unavailable));
    let page = sign_in(&mut bed, "dora", "cleo").await;
    page.is(503, "LabArchives does not answer");
    page.is_sound();
    bed.picture("dora", "11-unavailable").await;
    bed.labarchives.fail(Faults::exchange(Fault::Refuse(4520)));
    bed.browser.follow("dora", AGAIN).await;
    bed.browser.press("dora", PRESS).await;
    let page = sign_in(&mut bed, "dora", "cleo").await;
    page.is(502, "LabArchives does not accept us");
    page.is_sound();
    bed.picture("dora", "12-misconfigured").await;
    bed.labarchives.fail(Faults::default());
    bed.browser.follow("dora", AGAIN).await;
    bed.browser.press("dora", PRESS).await;
    sign_in(&mut bed, "dora", "cleo").await.is(200, "Your LabArchives account is linked");

    // A page of another site that presses the button for who looks at it: the browser says so, and is not let in.
    let link = bed.invite("fay.framed").await;
    bed.evil_form(&link);
    let evil = format!("{}/evil", bed.labarchives_url);
    bed.browser.open("fay", &evil).await.is(200, "You have won");
    let page = bed.browser.press("fay", "Claim it").await;
    page.is(403, "Open your personal link itself");
    page.is_sound();
    bed.picture("fay", "13-foreign-button").await;
    assert!(bed.browser.cookies("fay").await.is_empty());

    // The longest name, on the smallest screen.
    let long = format!("{}@example.org", "x".repeat(100));
    let link = bed.invite(&long).await;
    bed.browser.open("fay", &link).await.is(200, "Link your LabArchives account");
    bed.picture("fay", "14-long-name").await;

    let mut mapped: Vec<_> = bed.mappings().await;
    mapped.sort();
    let uid = |name: &str| AccountSpec::new(name).uid;
    let expected = [("carl.cancels", uid("ben")), ("dora.does", uid("cleo")), ("wilma.whole@example.org", uid("ann"))];
    assert_eq!(mapped, expected.map(|(username, uid)| (username.to_owned(), uid)));
    bed.end().await;
}
