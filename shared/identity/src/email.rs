use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use email_address::{EmailAddress, Options};
use serde::{Deserialize, Serialize};

use crate::{Refusal, mask, text};

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
        let display = given.trim();
        text::check("e-mail", display)?;
        let key = text::key_form(display);
        text::check_length("e-mail", &key, Self::MAX_BYTES)?;
        let options = Options::default().without_display_text().without_domain_literal();
        EmailAddress::parse_with_options(display, options)
            .map_err(|error| Refusal::Email { reason: error.to_string() })?;
        Ok(Self { display: display.to_owned(), key })
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

impl From<Email> for String {
    fn from(email: Email) -> Self {
        email.display
    }
}

#[cfg(test)]
mod tests {
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
}
