//! What Glean's answers mean. Its specification gives no form for errors, so their bodies are texts.

use std::fmt;

use crosswalk_function_kit::http::is_transient_status;
use crosswalk_identity::mask;
use reqwest::StatusCode;

use super::SendError;
use super::settings::TOKEN_NAME;
use super::types::Employee;

/// An endpoint that is used here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    BulkPeople,
    BulkTeams,
    IndexPerson,
    DeletePerson,
    IndexTeam,
    DeleteTeam,
    ProcessAll,
}

impl Endpoint {
    /// The last part of its path.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::BulkPeople => "bulkindexemployees",
            Self::BulkTeams => "bulkindexteams",
            Self::IndexPerson => "indexemployee",
            Self::DeletePerson => "deleteemployee",
            Self::IndexTeam => "indexteam",
            Self::DeleteTeam => "deleteteam",
            Self::ProcessAll => "processallemployeesandteams",
        }
    }

    /// Pages go one at a time, far below what Glean allows; the rest is paced.
    pub(super) fn is_bulk(self) -> bool {
        matches!(self, Self::BulkPeople | Self::BulkTeams)
    }

    fn deletes(self) -> bool {
        matches!(self, Self::DeletePerson | Self::DeleteTeam)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What an answer means for the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Glean has taken it.
    Taken,
    /// Glean has taken it and has something to say.
    TakenWith(String),
    /// It may be taken later.
    Passing(String),
    /// The body is too large (413).
    TooLarge(String),
    /// It will not be taken.
    Refused(SendError),
}

/// Reads an answer. `repeated`: an earlier attempt's answer was lost, so Glean may have taken the request already. `people`
/// are those whom the request names.
pub(super) fn judge(
    endpoint: Endpoint,
    status: StatusCode,
    text: &str,
    repeated: bool,
    people: &[Employee],
) -> Verdict {
    let answered = || match tidy(text, people) {
        said if said.is_empty() => format!("Glean answered {status} to {endpoint}"),
        said => format!("Glean answered {status} to {endpoint}: {said}"),
    };
    match status {
        _ if status.is_success() => Verdict::Taken,
        StatusCode::NOT_FOUND if endpoint.deletes() => Verdict::Taken,
        // Undocumented: Glean took the page, and found fault with parts of it.
        StatusCode::BAD_REQUEST if text.to_ascii_lowercase().contains("uploaded successfully") => {
            Verdict::TakenWith(format!("{} (it counts this as taken)", answered()))
        }
        StatusCode::PAYLOAD_TOO_LARGE => Verdict::TooLarge(answered()),
        _ if is_transient_status(status) => Verdict::Passing(answered()),
        StatusCode::GONE => Verdict::Refused(SendError::Gone(endpoint.name())),
        StatusCode::CONFLICT => Verdict::Refused(SendError::Conflict(conflict(endpoint, repeated, &answered()))),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Verdict::Refused(SendError::Denied(format!(
            "{}. Check that {TOKEN_NAME} is an Indexing API token of this Glean, in force, with the scope ENTITIES",
            answered()
        ))),
        StatusCode::NOT_FOUND => Verdict::Refused(SendError::Denied(format!("{}. Check GLEAN_API_URL", answered()))),
        _ if status.is_redirection() => Verdict::Refused(SendError::Denied(format!(
            "{}, and redirects are not followed. Check GLEAN_API_URL",
            answered()
        ))),
        _ => Verdict::Refused(SendError::Refused(answered())),
    }
}

fn conflict(endpoint: Endpoint, repeated: bool, answered: &str) -> String {
    match (endpoint.is_bulk(), repeated) {
        (true, true) => format!(
            "{answered}. The answer to this page was lost once, and Glean may hold it already; the next run forces a restart"
        ),
        (true, false) => format!("{answered}. Another upload may be under way; the next run forces a restart"),
        (false, _) => format!("{answered}. Something else changed it at the same time; the next run sends it again"),
    }
}

/// How much of a text is looked at, and how much of it is told.
const LOOKED_AT: usize = 4_000;
const TOLD: usize = 300;

/// Glean's text on one line, shortened, without e-mails and without what else it may repeat of the people that were sent.
pub(super) fn tidy(text: &str, people: &[Employee]) -> String {
    let start = match text.char_indices().nth(LOOKED_AT) {
        // The last word may be cut, and half an e-mail is not seen as one.
        Some((end, _)) => text[..end].rsplit_once(char::is_whitespace).map_or("", |(whole, _)| whole),
        None => text,
    };
    let line: String =
        start.split_whitespace().collect::<Vec<_>>().join(" ").chars().filter(|c| !c.is_control()).collect();
    // E-mails first: a name may be a part of one, and would break it up.
    let mut line = without_emails(&line);
    for person in people {
        for value in personal(person) {
            line = without(line, value);
        }
    }
    match line.char_indices().nth(TOLD) {
        Some((end, _)) => format!("{}…", line[..end].trim_end()),
        None => line,
    }
}

/// What tells of a person, beside e-mails. Shorter values than three characters are parts of too many words.
fn personal(person: &Employee) -> impl Iterator<Item = &str> {
    let named = [&person.first_name, &person.last_name, &person.preferred_name, &person.phone_number, &person.bio];
    let named = named.into_iter().flatten().chain(&person.also_known_as);
    let handles = person.datasource_profiles.iter().map(|profile| &profile.handle);
    named.chain(handles).map(|value| value.trim()).filter(|value| value.chars().count() >= 3)
}

/// Takes out a value where it stands as a word or words of its own.
fn without(line: String, value: &str) -> String {
    let mut out = String::new();
    let mut rest = line.as_str();
    let mut before = None;
    while let Some(at) = rest.find(value) {
        let (head, tail) = (&rest[..at], &rest[at + value.len()..]);
        let begins = !head.chars().next_back().or(before).is_some_and(char::is_alphanumeric);
        let ends = !tail.chars().next().is_some_and(char::is_alphanumeric);
        out.push_str(head);
        out.push_str(if begins && ends { "***" } else { value });
        before = value.chars().next_back();
        rest = tail;
    }
    if out.is_empty() {
        return line;
    }
    out + rest
}

/// Masks whatever stands around an `@` (also as a URL has it, `%40`).
fn without_emails(line: &str) -> String {
    let line = line.replace("%40", "@");
    let mut out = String::new();
    let mut rest = line.as_str();
    while let Some(at) = rest.find('@') {
        let local = rest[..at].rfind(|c| !in_local_part(c)).map_or(0, |last| last + first_length(&rest[last..]));
        let domain = rest[at + 1..].find(|c| !in_domain(c)).unwrap_or(rest.len() - at - 1);
        let end = at + 1 + domain;
        out.push_str(&rest[..local]);
        out.push_str(&mask(&rest[local..end]));
        rest = &rest[end..];
    }
    out + rest
}

fn first_length(text: &str) -> usize {
    text.chars().next().map_or(0, char::len_utf8)
}

/// RFC 5322's atoms with dots, and letters beyond ASCII.
fn in_local_part(c: char) -> bool {
    c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c)
}

fn in_domain(c: char) -> bool {
    c.is_alphanumeric() || c == '-' || c == '.'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::types::DatasourceProfile;
    use super::*;

    fn judged(endpoint: Endpoint, status: u16, text: &str, repeated: bool) -> Verdict {
        judge(endpoint, StatusCode::from_u16(status).unwrap(), text, repeated, &[])
    }

    const EVERY: [Endpoint; 7] = [
        Endpoint::BulkPeople,
        Endpoint::BulkTeams,
        Endpoint::IndexPerson,
        Endpoint::DeletePerson,
        Endpoint::IndexTeam,
        Endpoint::DeleteTeam,
        Endpoint::ProcessAll,
    ];

    #[test]
    fn each_status_has_its_meaning_at_each_endpoint() {
        for endpoint in EVERY {
            let is = |status| judged(endpoint, status, "", false);
            for status in [200, 201, 202, 204] {
                assert_eq!(is(status), Verdict::Taken, "{endpoint} {status}");
            }
            for status in [408, 429, 500, 502, 503, 504] {
                assert!(matches!(is(status), Verdict::Passing(_)), "{endpoint} {status}");
            }
            assert!(matches!(is(413), Verdict::TooLarge(_)), "{endpoint}");
            assert_eq!(is(410), Verdict::Refused(SendError::Gone(endpoint.name())));
            assert!(matches!(is(409), Verdict::Refused(SendError::Conflict(_))), "{endpoint}");
            for status in [301, 302, 401, 403] {
                assert!(matches!(is(status), Verdict::Refused(SendError::Denied(_))), "{endpoint} {status}");
            }
            for status in [400, 405, 422] {
                assert!(matches!(is(status), Verdict::Refused(SendError::Refused(_))), "{endpoint} {status}");
            }
            assert_eq!(is(404) == Verdict::Taken, endpoint.deletes(), "{endpoint}");
        }
    }

    #[test]
    fn a_400_may_be_a_success() {
        for text in ["Employees uploaded successfully, but 2 have no manager", "Teams UPLOADED Successfully"] {
            let Verdict::TakenWith(warning) = judged(Endpoint::BulkTeams, 400, text, false) else { panic!("{text}") };
            assert!(warning.contains(text), "{warning}");
        }
        assert!(matches!(judged(Endpoint::BulkTeams, 400, "upload failed", false), Verdict::Refused(_)));
        // Only a 400 is: with another status the same words mean nothing.
        assert!(matches!(judged(Endpoint::BulkTeams, 409, "uploaded successfully", false), Verdict::Refused(_)));
    }

    #[test]
    fn refusals_say_what_to_do() {
        let told = |endpoint, status, repeated| match judged(endpoint, status, "no", repeated) {
            Verdict::Refused(error) => error.to_string(),
            other => panic!("{other:?}"),
        };
        for (endpoint, status, repeated, what) in [
            (Endpoint::BulkPeople, 401, false, "Check that GLEAN_API_TOKEN"),
            (Endpoint::BulkPeople, 403, false, "scope ENTITIES"),
            (Endpoint::BulkPeople, 404, false, "Check GLEAN_API_URL"),
            (Endpoint::BulkPeople, 302, false, "redirects are not followed. Check GLEAN_API_URL"),
            (Endpoint::BulkPeople, 409, false, "Another upload may be under way; the next run forces a restart"),
            (
                Endpoint::BulkPeople,
                409,
                true,
                "was lost once, and Glean may hold it already; the next run forces a restart",
            ),
            (Endpoint::IndexTeam, 409, true, "the next run sends it again"),
            (Endpoint::BulkPeople, 410, false, "Glean has removed bulkindexemployees (410)"),
            (Endpoint::IndexTeam, 400, false, "Glean answered 400 Bad Request to indexteam: no"),
        ] {
            let told = told(endpoint, status, repeated);
            assert!(told.contains(what), "{told}");
        }
    }

    #[test]
    fn texts_are_one_short_line() {
        assert_eq!(tidy(" <html>\n\n <b>Bad\u{7} \tGateway</b>", &[]), "<html> <b>Bad Gateway</b>");
        assert_eq!(tidy("", &[]), "");
        let long = tidy(&"é".repeat(LOOKED_AT), &[]);
        assert_eq!(long, format!("{}…", "é".repeat(TOLD)));
        // A word that was cut is left out, as it may be half an e-mail.
        let cut = format!("{} alice@example.org", "é".repeat(LOOKED_AT - 3));
        assert!(!tidy(&cut, &[]).contains("al"));
        assert_eq!(tidy(&"é".repeat(LOOKED_AT + 1), &[]), "");
    }

    #[test]
    fn emails_are_masked_wherever_they_stand() {
        for (said, told) in [
            ("alice@example.org is unknown", "a***@e*** is unknown"),
            (r#"{"email":"zoë.o'x+y@example.org"}"#, r#"{"email":"z***@e***"}"#),
            ("<bob@example.org>, (carol@example.org); dan@example.org.", "<b***@e***>, (c***@e***); d***@e***"),
            ("see /people?search=a%2Bb%40example.org&x", "see /***@e***&x"),
            ("a@b@example.org", "a***@b******@e***"),
            ("@ alone@ @here", "***@*** a***@*** ***@h***"),
        ] {
            assert_eq!(tidy(said, &[]), told);
        }
    }

    #[test]
    fn names_and_handles_of_who_was_sent_are_left_out() {
        let person = Employee {
            email: "alice@example.org".to_owned(),
            first_name: Some("Alice".to_owned()),
            last_name: Some("van Dyke".to_owned()),
            preferred_name: Some("Al".to_owned()),
            datasource_profiles: vec![DatasourceProfile { datasource: "sso".to_owned(), handle: "adyke7".to_owned() }],
            ..Employee::default()
        };
        let said = "Alice van Dyke (adyke7) in sso: Al; Alices malice Alice";
        assert_eq!(tidy(said, &[person]), "*** *** (***) in sso: Al; Alices malice ***");
    }

    proptest! {
        #[test]
        fn no_email_that_stands_as_a_word_is_told(
            before in "[a-z \":,(<]{0,30}[ \":,(<]",
            local in "[a-z0-9.+_-]{3,20}",
            domain in "[a-z]{3,9}[.]example",
            after in "[ \":,)>][a-z \":,)>]{0,30}",
        ) {
            let told = tidy(&format!("{before}{local}@{domain}{after}"), &[]);
            let at = format!("{local}@");
            prop_assert!(!told.contains(&at) && !told.contains(&domain), "{}", told);
        }
    }
}
