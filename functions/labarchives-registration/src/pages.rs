//! The pages: what each outcome says, and what to do then.

use askama::Template;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use crosswalk_invitations::{Invitation, InvitedBy, Token};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// The one stylesheet.
pub(crate) const STYLE: &str = include_str!("../templates/style.css");

/// What can be said to a person who has come by a link, or come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The account is linked, or was so and is confirmed.
    Linked,
    /// The same, told to who comes once more.
    DoneAlready,
    /// The person did not sign in.
    Cancelled,
    /// No such link, or it was forgotten.
    UnknownLink,
    /// A link of another system.
    OtherSystem,
    /// The invitation has ended.
    EndedLink,
    /// The invitation was used.
    UsedLink,
    /// There were too many attempts with the invitation.
    TriedTooOften,
    /// The attempt has ended; its invitation may hold.
    EndedAttempt,
    /// This return was taken already, and is under way or has failed.
    TakenAttempt,
    /// State, cookie and attempt do not belong together.
    NotThisBrowser,
    /// The button was pressed on another site.
    ForeignButton,
    /// What LabArchives sends people back with is missing.
    Incomplete,
    /// The LabArchives account is another person's.
    TakenAccount,
    /// The person has another LabArchives account.
    OtherAccount,
    /// LabArchives did not take the sign-in.
    SignInRefused,
    /// LabArchives does not answer.
    Unavailable,
    /// LabArchives does not take what is set here, or is not understood.
    Misconfigured,
    /// Our own store is busy.
    Busy,
    /// Something failed here.
    Failed,
    /// There is nothing at this path.
    NoPage,
    /// Not by this method.
    NoMethod,
}

/// A page's words.
pub(crate) struct Message {
    status: StatusCode,
    heading: &'static str,
    paragraphs: &'static [&'static str],
}

impl Outcome {
    /// Its name in logs and metrics. What is alike to an operator has one name: each is a metric of its own.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Linked => "linked",
            Self::DoneAlready | Self::UsedLink | Self::TakenAttempt => "repeated",
            Self::Cancelled => "cancelled",
            Self::EndedLink | Self::EndedAttempt => "expired",
            Self::UnknownLink | Self::OtherSystem | Self::NotThisBrowser | Self::ForeignButton | Self::Incomplete => {
                "invalid"
            }
            Self::TriedTooOften | Self::NoPage | Self::NoMethod => "invalid",
            Self::TakenAccount | Self::OtherAccount => "conflict",
            Self::SignInRefused => "refused",
            Self::Unavailable => "unavailable",
            Self::Misconfigured | Self::Busy | Self::Failed => "failed",
        }
    }

    fn message(self) -> Message {
        let (status, heading, paragraphs): (u16, &'static str, &'static [&'static str]) = match self {
            Self::Linked => (
                200,
                "Your LabArchives account is linked",
                &["All is done. You can close this page; your personal link is used up."],
            ),
            Self::DoneAlready => (
                200,
                "Your LabArchives account is linked already",
                &["This was done a moment ago. You can close this page; there is nothing more to do."],
            ),
            Self::Cancelled => (
                200,
                "Nothing was linked",
                &[
                    "You did not sign in to LabArchives, or you did not let it tell us the id of your account.",
                    "Your personal link still holds: open it again whenever you like, until it ends.",
                ],
            ),
            Self::UnknownLink => (
                404,
                "This link is not known",
                &[
                    "Check that you have opened the whole link: mail programs sometimes break long ones.",
                    "A link that was used or has ended long ago is not known any more either. Then ask for a new one.",
                ],
            ),
            Self::OtherSystem => (
                404,
                "This link is not for LabArchives",
                &["It was made for another system, and cannot be used here. Ask for a link for LabArchives."],
            ),
            Self::EndedLink => (
                410,
                "This link has ended",
                &["A personal link holds for some days only. Nothing was linked; ask for a new one."],
            ),
            Self::UsedLink => (
                410,
                "This link was used already",
                &[
                    "A LabArchives account was linked with it, and it works once. If that was you, all is done.",
                    "If it was not you, say so at once, as somebody else has had your personal link.",
                ],
            ),
            Self::TriedTooOften => (
                429,
                "This link was tried too often",
                &[
                    "A personal link leads to LabArchives so many times and no more. Nothing was linked now; ask for a new one.",
                    "If it was not you who tried, say so at once, as somebody else has had your personal link.",
                ],
            ),
            Self::EndedAttempt => (
                410,
                "That took too long",
                &[
                    "You have a quarter of an hour to sign in to LabArchives. Nothing was linked; begin again with your personal link.",
                ],
            ),
            Self::TakenAttempt => (
                409,
                "This step was taken already",
                &[
                    "It is still being done in another window, or it has failed. It cannot be taken twice.",
                    "Open your personal link again: it tells whether your account is linked, and begins again if it is not.",
                ],
            ),
            Self::NotThisBrowser => (
                400,
                "This does not fit together",
                &[
                    "You come from a LabArchives sign-in that was not begun in this browser, was begun anew in another window, or was \
                     begun too long ago. Nothing was linked.",
                    "Open your personal link again, and stay in the same browser until the end. Cookies must be allowed there.",
                ],
            ),
            Self::ForeignButton => (
                403,
                "Open your personal link itself",
                &[
                    "The button was pressed on another site's page. Nothing was begun; open your personal link, and press the button there.",
                ],
            ),
            Self::Incomplete => (
                400,
                "LabArchives sent you back without an answer",
                &[
                    "What it says of a sign-in is missing or garbled. Nothing was linked; begin again with your personal link.",
                ],
            ),
            Self::TakenAccount => (
                409,
                "That LabArchives account belongs to someone else",
                &[
                    "The account that you signed in with is linked to another person here. Nothing was changed.",
                    "If you have signed in with an account that is not your own, sign out of LabArchives and begin again. If it is \
                     your own, ask for help: somebody has to look into it.",
                ],
            ),
            Self::OtherAccount => (
                409,
                "Another LabArchives account is linked to you",
                &[
                    "The account that you signed in with is not the one that is linked to you here. Nothing was changed.",
                    "If you have two accounts and want the other one to be linked, ask for help: somebody has to change it.",
                ],
            ),
            // Their own sign-in failed, and no server: the alarm on the API counts 5xx.
            Self::SignInRefused => (
                400,
                "LabArchives did not take your sign-in",
                &[
                    "It took too long, or it was used before. Nothing was linked; begin again with your personal link, which still holds.",
                ],
            ),
            Self::Unavailable => (
                503,
                "LabArchives does not answer",
                &["Nothing was linked. Your personal link still holds: begin again with it in some minutes."],
            ),
            Self::Misconfigured => (
                502,
                "LabArchives does not accept us",
                &[
                    "This is not your fault: something is not set up as it should be between us and LabArchives. Nothing was linked.",
                    "Please tell us. Your personal link still holds; use it again later.",
                ],
            ),
            Self::Busy => (
                503,
                "We are too busy just now",
                &["We could not finish this. Open your personal link again in a minute: it tells how things stand."],
            ),
            Self::Failed => (
                500,
                "Something failed here",
                &[
                    "This is not your fault. Open your personal link again: it tells how things stand. If it fails again, please tell us.",
                ],
            ),
            Self::NoPage => {
                (404, "There is no page here", &["Check that you have opened the whole of your personal link."])
            }
            Self::NoMethod => {
                (405, "This page cannot be asked for in this way", &["Open your personal link in a browser."])
            }
        };
        // Every status above is one.
        Message { status: StatusCode::from_u16(status).unwrap_or_default(), heading, paragraphs }
    }
}

#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage<'a> {
    message: &'a Message,
    way_back: Option<String>,
    contact: Option<&'a str>,
}

#[derive(Template)]
#[template(path = "invitation.html")]
struct InvitationPage<'a> {
    heading: &'static str,
    username: &'a str,
    system: &'a str,
    invited_by: &'static str,
    ends_at: String,
    ends_at_exact: String,
    is_linked: bool,
    contact: Option<&'a str>,
}

/// The page of an outcome, with a link to begin again if the personal link's token is given.
pub(crate) fn message(outcome: Outcome, way_back: Option<&Token>, contact: Option<&str>) -> Response {
    let message = outcome.message();
    let way_back = way_back.map(|token| format!("/registrations/{}", token.expose()));
    let mut response = html(message.status, &MessagePage { message: &message, way_back, contact });
    if message.status == StatusCode::SERVICE_UNAVAILABLE {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("60"));
    }
    response
}

/// The page of an invitation that holds.
pub(crate) fn invitation(invitation: &Invitation, is_linked: bool, contact: Option<&str>) -> Response {
    let page = InvitationPage {
        heading: if is_linked { "Your LabArchives account is linked already" } else { "Link your LabArchives account" },
        username: invitation.username.as_str(),
        system: invitation.system.as_str(),
        invited_by: match invitation.invited_by {
            InvitedBy::Administrator => "an administrator",
            InvitedBy::Audit => "a check for missing links, which sent you a mail",
            InvitedBy::Person => "you, signed in to another application",
        },
        ends_at: words(invitation.ends_at),
        ends_at_exact: crosswalk_identity::times::text(invitation.ends_at),
        is_linked,
        contact,
    };
    html(StatusCode::OK, &page)
}

/// As people write a time. In UTC, as a page without a script knows no other zone.
fn words(time: Timestamp) -> String {
    time.to_zoned(TimeZone::UTC).strftime("%-d %B %Y, %H:%M UTC").to_string()
}

fn html(status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => {
            (status, [(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))], text).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "a page cannot be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use crosswalk_function_kit::Entropy;
    use crosswalk_identity::{System, Username};

    use super::*;

    const EVERY: &[Outcome] = &[
        Outcome::Linked,
        Outcome::DoneAlready,
        Outcome::Cancelled,
        Outcome::UnknownLink,
        Outcome::OtherSystem,
        Outcome::EndedLink,
        Outcome::UsedLink,
        Outcome::TriedTooOften,
        Outcome::EndedAttempt,
        Outcome::TakenAttempt,
        Outcome::NotThisBrowser,
        Outcome::ForeignButton,
        Outcome::Incomplete,
        Outcome::TakenAccount,
        Outcome::OtherAccount,
        Outcome::SignInRefused,
        Outcome::Unavailable,
        Outcome::Misconfigured,
        Outcome::Busy,
        Outcome::Failed,
        Outcome::NoPage,
        Outcome::NoMethod,
    ];

    async fn text(response: Response) -> String {
        assert_eq!(response.headers()[CONTENT_TYPE], "text/html; charset=utf-8");
        String::from_utf8(to_bytes(response.into_body(), 100_000).await.unwrap().to_vec()).unwrap()
    }

    fn made(username: &str) -> Invitation {
        Invitation {
            username: Username::parse(username).unwrap(),
            system: System::parse("labarchives_eln").unwrap(),
            invited_by: InvitedBy::Administrator,
            created_at: "2026-11-22T08:00:00Z".parse().unwrap(),
            ends_at: "2026-11-29T08:00:00Z".parse().unwrap(),
            spent_at: None,
        }
    }

    /// What a screen reader and a browser without a script need.
    #[track_caller]
    fn assert_is_whole(page: &str) {
        for (part, times) in [
            ("<!doctype html>\n<html lang=\"en\">", 1),
            ("<title>", 1),
            ("<main>", 1),
            ("<h1>", 1),
            ("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">", 1),
            ("<link rel=\"stylesheet\" href=\"/registrations/style.css\">", 1),
            ("<script", 0),
            (" style=", 0),
            (" onclick", 0),
            (" onload", 0),
        ] {
            assert_eq!(page.matches(part).count(), times, "{part}: {page}");
        }
    }

    #[tokio::test]
    async fn each_outcome_has_a_page_of_its_own() {
        let token = Token::draw(&Entropy::seeded(1));
        let mut headings = std::collections::BTreeSet::new();
        for outcome in EVERY {
            let page = text(message(*outcome, None, Some("the helpdesk & co"))).await;
            assert_is_whole(&page);
            assert!(page.contains("Ask the helpdesk &#38; co."), "{page}");
            assert!(!page.contains("Begin again with"), "{page}");
            let heading = page.split_once("<h1>").unwrap().1.split_once("</h1>").unwrap().0.to_owned();
            assert!(page.contains(&format!("<title>{heading} ·")), "{page}");
            assert!(headings.insert(heading), "{outcome:?}");
            let page = text(message(*outcome, Some(&token), None)).await;
            assert!(page.contains(&format!("href=\"/registrations/{}\"", token.expose())), "{page}");
        }
    }

    #[tokio::test]
    async fn names_are_text_and_never_markup() {
        let odd = "<script>alert(1)<\"'&>";
        let Ok(username) = Username::parse(odd) else { panic!("the test needs such a username") };
        for is_linked in [false, true] {
            let page = text(invitation(&made(username.as_str()), is_linked, Some("<b>us</b>"))).await;
            assert_is_whole(&page);
            assert!(page.contains("&#60;script&#62;alert(1)&#60;&#34;&#39;&#38;&#62;"), "{page}");
            assert!(page.contains("&#60;b&#62;us"), "{page}");
            assert!(page.contains("29 November 2026, 08:00 UTC"), "{page}");
            assert_eq!(page.contains("linked to this person already"), is_linked, "{page}");
        }
    }

    /// WCAG 2.2's contrast, of what the stylesheet sets on what.
    #[test]
    fn text_stands_out_from_its_ground() {
        let (light, dark) = STYLE.split_once("@media (prefers-color-scheme: dark)").unwrap();
        for theme in [light, dark] {
            let luminance = |name: &str| {
                let (_, rest) = theme.split_once(&format!("--{name}: #")).unwrap();
                let part = |at: usize| {
                    let value = f64::from(u8::from_str_radix(&rest[at..at + 2], 16).unwrap()) / 255.0;
                    if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
                };
                0.2126 * part(0) + 0.7152 * part(2) + 0.0722 * part(4)
            };
            for (text, ground) in [
                ("text", "sheet"),
                ("text", "ground"),
                ("quiet", "sheet"),
                ("on-accent", "accent"),
                ("accent", "sheet"),
            ] {
                let (a, b) = (luminance(text), luminance(ground));
                let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
                assert!(contrast >= 4.5, "{text} on {ground}: {contrast}");
            }
        }
    }
}
