use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::text::{self, Kinds};
use crate::{Checked, Refusal, mask};

/// The name under which Crosswalk knows a person: the canonical identity that every mapping hangs on.
///
/// Equality, order and hash go by the key form; [`fmt::Display`] shows the form first given.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Username {
    display: String,
    key: String,
}

impl Username {
    /// The most bytes of the key form. The path of an API request and DynamoDB's sort key (1,024 bytes) both hold it.
    pub const MAX_BYTES: usize = 512;

    /// Takes a username as a person wrote it.
    ///
    /// # Errors
    /// Empty, a control character, one of `/ ? # % \` or nothing but `.` or `..` (they cannot travel in a path), or over
    /// [`Self::MAX_BYTES`].
    pub fn parse(given: &str) -> Result<Self, Refusal> {
        Self::check(given).map(Checked::keep)
    }

    /// Judges a username without making it.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn check(given: &str) -> Result<Checked<'_, Self>, Refusal> {
        let display = given.trim();
        let kinds = text::check("username", display)?;
        if kinds.hold(Kinds::NOT_IN_PATH)
            && let Some(byte) = display.bytes().find(|byte| Kinds::of_one(*byte).hold(Kinds::NOT_IN_PATH))
        {
            return Err(Refusal::NotInPath { character: byte.into() });
        }
        if matches!(display, "." | "..") {
            return Err(Refusal::Dots);
        }
        text::check_key_length("username", display, kinds, Self::MAX_BYTES)?;
        Ok(Checked::new(display))
    }

    /// As first given.
    pub fn as_str(&self) -> &str {
        &self.display
    }

    /// The form by which two spellings are one person.
    pub fn key(&self) -> &str {
        &self.key
    }
}

impl PartialEq for Username {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for Username {}

impl PartialOrd for Username {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Username {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key.cmp(&other.key)
    }
}

impl Hash for Username {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

impl fmt::Display for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.display)
    }
}

/// Masked: a username is often an e-mail.
impl fmt::Debug for Username {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Username({})", mask(&self.display))
    }
}

impl FromStr for Username {
    type Err = Refusal;

    fn from_str(given: &str) -> Result<Self, Refusal> {
        Self::parse(given)
    }
}

impl TryFrom<String> for Username {
    type Error = Refusal;

    fn try_from(given: String) -> Result<Self, Refusal> {
        Self::parse(&given)
    }
}

impl From<Checked<'_, Self>> for Username {
    fn from(checked: Checked<'_, Self>) -> Self {
        let display = checked.as_str();
        Self { display: display.to_owned(), key: text::key_form(display) }
    }
}

impl From<Username> for String {
    fn from(username: Username) -> Self {
        username.display
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spellings_of_one_person_are_equal() {
        let composed = Username::parse("Zo\u{eb}").unwrap();
        let decomposed = Username::parse("  ZOE\u{308} ").unwrap();
        assert_eq!(composed, decomposed);
        assert_eq!(composed.as_str(), "Zo\u{eb}");
        assert_eq!(decomposed.key(), "zo\u{eb}");
    }

    #[test]
    fn refusals_say_what_was_wrong() {
        for (given, message) in [
            ("", "the username is empty"),
            (" \u{a0} ", "the username is empty"),
            ("a\tb", "the username holds the control character U+0009 at character 2; remove it"),
            ("..", "the username is `.` or `..`, which cannot stand in a path"),
            ("a/b", "the username holds `/`, which cannot stand in a path; `/ ? # % \\` are not allowed"),
        ] {
            assert_eq!(Username::parse(given).unwrap_err().to_string(), message);
        }
        let long = "é".repeat(257);
        assert_eq!(Username::parse(&long).unwrap_err(), Refusal::TooLong { what: "username", bytes: 514, limit: 512 });
        assert!(Username::parse(&"x".repeat(512)).is_ok());
    }

    #[test]
    fn debug_is_masked() {
        let username = Username::parse("alice@example.org").unwrap();
        assert_eq!(format!("{username:?}"), "Username(a***@e***)");
    }

    proptest! {
        /// As [`Username::parse`] has them, one rule after the other.
        #[test]
        fn the_rules(given in "[ a-zA-Z]{0,3}(\\.{1,3}|[ a-z@.]{0,9}|[a/?#%\\\\\t\u{7f}\u{85}\u{eb}]{0,4}|\u{130}{169,172}|A{510,514})[a ]?") {
            let display = given.trim();
            let key = text::key_form(display);
            let sound = !matches!(display, "" | "." | "..")
                && !display.chars().any(|c| c.is_control() || "/?#%\\".contains(c))
                && key.len() <= Username::MAX_BYTES;
            prop_assert_eq!(Username::check(&given).is_ok(), sound);
            let parsed = Username::parse(&given);
            prop_assert_eq!(parsed.clone().err(), Username::check(&given).err());
            if let Ok(username) = parsed {
                prop_assert_eq!((username.as_str(), username.key()), (display, key.as_str()));
            }
        }

        #[test]
        fn the_key_form_is_stable(given in "\\PC{1,40}") {
            if let Ok(username) = Username::parse(&given) {
                let again = Username::parse(username.key()).unwrap();
                prop_assert_eq!(again.key(), username.key());
            }
        }
    }
}
