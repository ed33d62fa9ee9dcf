use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use email_address::{EmailAddress, Options};
use serde::{Deserialize, Serialize};

use crate::text::{self, Kinds};
use crate::{Checked, Refusal, mask};

/// An e-mail address. Equality and hash go by the key form: `Alice@Example.org` and `alice@example.org` are one.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Email {
    display: String,
    key: String,
}

impl Email {
    /// RFC 5321's longest path, less its angle brackets.
    pub const MAX_BYTES: usize = 254;

    /// Takes an address as a person wrote it.
    ///
    /// # Errors
    /// Empty, a control character, over [`Self::MAX_BYTES`], or not `local@domain` as RFC 5321 and 6531 have it.
    pub fn parse(given: &str) -> Result<Self, Refusal> {
        Self::check(given).map(Checked::keep)
    }

    /// Judges an address without making it.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn check(given: &str) -> Result<Checked<'_, Self>, Refusal> {
        let display = given.trim();
        if !is_plain(display) {
            let kinds = text::check("e-mail", display)?;
            text::check_key_length("e-mail", display, kinds, Self::MAX_BYTES)?;
            check_grammar(display)?;
        }
        Ok(Checked::new(display))
    }

    /// As first given.
    pub fn as_str(&self) -> &str {
        &self.display
    }

    /// The form by which two spellings are one address.
    pub fn key(&self) -> &str {
        &self.key
    }
}

/// The grammar of RFC 5321 and 6531, which copies the address.
fn check_grammar(display: &str) -> Result<(), Refusal> {
    let options = Options::default().without_display_text().without_domain_literal();
    EmailAddress::parse_with_options(display, options)
        .map(|_| ())
        .map_err(|error| Refusal::Email { reason: error.to_string() })
}

/// Whether this is one of the addresses that nearly all are: at most 64 of ASCII's letters, digits and `._+-`, an `@`, and a
/// domain of at most 63 letters, digits, dots and dashes. The rules of length and grammar take every such address; asking
/// this first, a million rows are told in a fraction of the time.
fn is_plain(display: &str) -> bool {
    let Some((local, domain)) = display.split_once('@') else { return false };
    // As no label is longer than a domain, their limit (63 bytes, RFC 1035 2.3.4) need not be asked for.
    let lengths = (1..=64).contains(&local.len()) && (1..=63).contains(&domain.len());
    lengths
        && !Kinds::of(local).hold(Kinds::NOT_PLAIN_LOCAL)
        && !Kinds::of(domain).hold(Kinds::NOT_PLAIN_DOMAIN)
        && !has_pair(local, |before, byte| (before == b'.') & (byte == b'.'))
        && !has_pair(domain, |before, byte| {
            ((before == b'.') & matches!(byte, b'.' | b'-')) | ((before == b'-') & (byte == b'.'))
        })
}

/// Whether two neighbours are such a pair, with a dot before the text and one after it.
fn has_pair(text: &str, is_such: impl Fn(u8, u8) -> bool) -> bool {
    let next = |(before, found): (u8, bool), byte| (byte, found | is_such(before, byte));
    let (last, found) = text.bytes().fold((b'.', false), next);
    found | is_such(last, b'.')
}

impl PartialEq for Email {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Email {}

impl Hash for Email {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.display)
    }
}

/// Masked.
impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Email({})", mask(&self.display))
    }
}

impl FromStr for Email {
    type Err = Refusal;

    fn from_str(given: &str) -> Result<Self, Refusal> {
        Self::parse(given)
    }
}

impl TryFrom<String> for Email {
    type Error = Refusal;

    fn try_from(given: String) -> Result<Self, Refusal> {
        Self::parse(&given)
    }
}

impl From<Checked<'_, Self>> for Email {
    fn from(checked: Checked<'_, Self>) -> Self {
        let display = checked.as_str();
        Self { display: display.to_owned(), key: text::key_form(display) }
    }
}

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.display
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn case_does_not_matter_and_is_kept() {
        let email = Email::parse(" Zo\u{eb}.X+y@Example.ORG ").unwrap();
        assert_eq!(email.as_str(), "Zo\u{eb}.X+y@Example.ORG");
        assert_eq!(email, Email::parse("zo\u{eb}.x+Y@example.org").unwrap());
        assert_eq!(format!("{email:?}"), "Email(Z***@E***)");
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_it() {
        for given in
            ["", "alice", "alice@", "@example.org", "a b@example.org", "Alice <alice@example.org>", "alice@[127.0.0.1]"]
        {
            let refusal = Email::parse(given).expect_err(given).to_string();
            assert!(!refusal.contains("alice"), "{refusal}");
        }
        assert!(Email::parse(&format!("a@{}.org", "x".repeat(260))).is_err());
    }

    #[test]
    fn the_shortcut_is_for_plain_addresses() {
        let long = |local: usize, label: usize| format!("{}@{}.org", "a".repeat(local), "b".repeat(label));
        for given in ["a@b", "A.b_c+d-e@x-1.2y.example.org", "-@1", &long(64, 59)] {
            assert!(is_plain(given), "{given}");
        }
        for given in [
            "",
            "@",
            "a@",
            "@b",
            "a",
            "a@@b",
            "a@b@c",
            ".a@b",
            "a.@b",
            "a..b@c",
            "a@.b",
            "a@b.",
            "a@b..c",
            "a@-b",
            "a@b-",
            "a@b_c",
            "a@b+c",
            "a b@c",
            "a!b@c",
            "\"a\"@b",
            "a@[1.2.3.4]",
            "zo\u{eb}@b",
            "a@zo\u{eb}",
            &long(65, 3),
            &long(3, 60),
        ] {
            assert!(!is_plain(given), "{given}");
        }
    }

    /// Addresses, and what is nearly one: each part goes a little beyond its limits.
    fn nearly() -> impl Strategy<Value = String> {
        let label = "[a-zA-Z0-9_+-]{0,6}|[a-z0-9]{60,66}|[a-z\u{eb}!]{1,3}";
        let local = "[a-zA-Z0-9._+-]{0,12}|[a-z0-9]{60,68}|[a-z\u{eb}!\" ]{1,4}";
        let domain = proptest::collection::vec(label, 0..6).prop_map(|labels| labels.join("."));
        (local, "@{0,2}|@", domain, "[. @]?").prop_map(|(local, at, domain, end)| format!("{local}{at}{domain}{end}"))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1024))]

        /// Those that differ from plain ones in a character or two, so that most are taken.
        #[test]
        fn no_plain_address_is_refused(given in "[a-z0-9._+-]{1,5}@[a-zA-Z0-9.-]{1,5}") {
            prop_assert_eq!(is_plain(&given), check_grammar(&given).is_ok(), "{}", given);
        }

        #[test]
        fn the_shortcut_takes_nothing_that_the_grammar_refuses(given in nearly()) {
            if is_plain(&given) {
                prop_assert_eq!(check_grammar(&given), Ok(()), "{}", given);
            }
        }

        #[test]
        fn an_address_is_judged_by_length_and_grammar(given in nearly()) {
            let display = given.trim();
            let length = text::key_form(display).len();
            let sound = text::check("e-mail", display).is_ok() && length <= Email::MAX_BYTES && check_grammar(display).is_ok();
            prop_assert_eq!(Email::check(&given).is_ok(), sound);
            let parsed = Email::parse(&given);
            prop_assert_eq!(parsed.clone().err(), Email::check(&given).err());
            if let Ok(email) = parsed {
                prop_assert_eq!(email.as_str(), display);
                prop_assert_eq!(email.key(), text::key_form(display));
            }
        }
    }
}
