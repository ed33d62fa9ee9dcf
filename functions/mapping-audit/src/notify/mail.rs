//! What a mail says.

use askama::Template;
use crosswalk_identity::{System, Username};
use jiff::Timestamp;
use url::Url;

use super::address::breaks_a_line;
use super::settings::Contact;

/// How systems are called among people. Others go by their own name.
const NAMES: &[(&str, &str)] = &[
    ("cdcs", "CDCS"),
    ("labarchives_eln", "LabArchives ELN"),
    ("labarchives_scheduler", "LabArchives Scheduler"),
    ("nemo", "NEMO"),
    ("sharepoint", "SharePoint"),
];
/// How many systems a subject names.
const IN_SUBJECT: usize = 3;
/// How many usernames a mail names, and how much of each.
const USERNAMES: usize = 5;
const LONGEST: usize = 80;

/// A mail, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mail {
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: String,
}

/// What a mail is made of.
pub(crate) struct Matter<'a> {
    pub(crate) usernames: &'a [Username],
    pub(crate) systems: &'a [System],
    /// The personal link of one of the systems, and until when it holds.
    pub(crate) invitation: Option<(&'a System, Url, Timestamp)>,
    pub(crate) contact: Option<&'a Contact>,
    pub(crate) days: i64,
}

/// A system, as the mail names it.
struct Row {
    name: String,
    link: Option<Link>,
}

struct Link {
    url: String,
    until: String,
}

#[derive(Template)]
#[template(path = "missing.txt")]
struct Text<'a> {
    page: &'a Page,
}

#[derive(Template)]
#[template(path = "missing.html")]
struct Html<'a> {
    page: &'a Page,
}

struct Page {
    subject: String,
    usernames: Vec<String>,
    more_usernames: usize,
    rows: Vec<Row>,
    contact: Option<String>,
    days: i64,
}

/// Writes a mail.
///
/// # Errors
/// A template fails, which none of ours does on what it is given.
pub(crate) fn compose(matter: &Matter<'_>) -> Result<Mail, askama::Error> {
    let rows: Vec<Row> = matter.systems.iter().map(|system| row(system, matter)).collect();
    let page = Page {
        subject: subject(&rows),
        usernames: matter.usernames.iter().take(USERNAMES).map(|username| in_a_line(username.as_str())).collect(),
        more_usernames: matter.usernames.len().saturating_sub(USERNAMES),
        rows,
        contact: matter.contact.map(|contact| in_a_line(contact.as_str())),
        days: matter.days,
    };
    let (text, html) = (Text { page: &page }.render()?, Html { page: &page }.render()?);
    Ok(Mail { subject: page.subject, text, html })
}

fn row(system: &System, matter: &Matter<'_>) -> Row {
    let link = matter.invitation.as_ref().filter(|(of, _, _)| *of == system).map(|(_, url, until)| Link {
        url: url.to_string(),
        until: until.strftime("%A, %-d %B %Y, %H:%M UTC").to_string(),
    });
    Row { name: name(system).to_owned(), link }
}

fn name(system: &System) -> &str {
    let known = NAMES.iter().find(|(of, _)| *of == system.as_str());
    known.map_or(system.as_str(), |(_, name)| name)
}

/// Of systems' names alone, which hold letters, digits, spaces and `_`: nothing that a person has chosen stands in the head of
/// a mail.
fn subject(rows: &[Row]) -> String {
    let names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
    match names.as_slice() {
        [one] => format!("Please link your {one} account"),
        [first @ .., last] if names.len() <= IN_SUBJECT => {
            format!("Please link your {} and {last} accounts", first.join(", "))
        }
        _ => format!("Please link your accounts in {} systems", names.len()),
    }
}

/// Without what would begin a line or hide, and not too long.
fn in_a_line(text: &str) -> String {
    let mut kept: String = text.chars().filter(|c| !breaks_a_line(*c)).take(LONGEST + 1).collect();
    if let Some((end, _)) = kept.char_indices().nth(LONGEST) {
        kept.truncate(end);
        kept.push('…');
    }
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names(usernames: &[&str]) -> Vec<Username> {
        usernames.iter().map(|name| Username::parse(name).unwrap()).collect()
    }

    fn systems(list: &str) -> Vec<System> {
        list.split(' ').map(|name| System::parse(name).unwrap()).collect()
    }

    fn composed(usernames: &[&str], list: &str, link: bool, contact: Option<&str>) -> Mail {
        let (usernames, systems, contact) = (names(usernames), systems(list), contact.map(|c| c.parse().unwrap()));
        let url = Url::parse("https://crosswalk.example.org/registrations/TOKEN").unwrap();
        let until = "2026-11-29T10:00:00Z".parse().unwrap();
        let invitation = link.then(|| (&systems[0], url, until));
        let matter =
            Matter { usernames: &usernames, systems: &systems, invitation, contact: contact.as_ref(), days: 30 };
        compose(&matter).unwrap()
    }

    #[test]
    fn a_mail_says_what_is_missing_and_what_to_do() {
        let mail = composed(&["zoe", "zoe.k"], "labarchives_eln nemo", true, Some("help@example.org"));
        insta::assert_snapshot!("text", mail.text);
        insta::assert_snapshot!("html", mail.html);
        assert_eq!(mail.subject, "Please link your LabArchives ELN and NEMO accounts");
    }

    #[test]
    fn without_a_link_or_a_contact_there_is_still_something_to_do() {
        let mail = composed(&["zoe"], "nemo", false, None);
        insta::assert_snapshot!("text_without_link_and_contact", mail.text);
        assert!(!mail.html.contains("href"), "{}", mail.html);
    }

    #[test]
    fn a_subject_names_few_systems() {
        let subject = |list: &str| composed(&["zoe"], list, false, None).subject;
        assert_eq!(subject("campus_b"), "Please link your campus_b account");
        assert_eq!(subject("cdcs nemo sharepoint"), "Please link your CDCS, NEMO and SharePoint accounts");
        assert_eq!(subject("a b c d"), "Please link your accounts in 4 systems");
    }

    #[test]
    fn names_are_escaped_in_html_and_shortened() {
        let long = "x".repeat(300);
        let mail =
            composed(&["<b>zoe</b>".replace('/', "").as_str(), "a&\"b'", &long], "nemo", false, Some("<i>& desk"));
        assert!(mail.html.contains("&#60;b&#62;zoe") && mail.html.contains("a&#38;&#34;b&#39;"), "{}", mail.html);
        assert!(!mail.html.contains("<b>") && !mail.html.contains("<i>"), "{}", mail.html);
        assert!(!mail.text.contains(&"x".repeat(81)) && mail.text.contains("<b>zoe"), "{}", mail.text);
        let many: Vec<String> = (0..9).map(|name| format!("user{name}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let mail = composed(&many, "nemo", false, None);
        assert!(mail.text.contains("user4 and 4 more") && !mail.text.contains("user5"), "{}", mail.text);
    }

    proptest! {
        /// No name makes a line, an element or a header of its own.
        #[test]
        fn no_name_changes_the_mail_around_it(name in "[a-z<>&\"'\u{202e}\u{2028}\u{2029}\u{200b} {}=()!-]{1,90}") {
            if let Ok(username) = Username::parse(&name) {
                let plain = composed(&["zoe"], "labarchives_eln nemo", true, None);
                let mail = composed(&[username.as_str()], "labarchives_eln nemo", true, None);
                prop_assert_eq!(&mail.subject, &plain.subject);
                prop_assert_eq!(mail.text.lines().count(), plain.text.lines().count());
                for c in ['<', '>', '"', '\''] {
                    prop_assert_eq!(mail.html.matches(c).count(), plain.html.matches(c).count());
                }
                let hidden = ['\u{2028}', '\u{2029}', '\u{202e}', '\u{200b}'];
                prop_assert!(!mail.text.contains(hidden) && !mail.html.contains(hidden));
            }
        }
    }
}
