use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Checked, Refusal, mask, text};

/// The id that one outside system gives a person. Exact: case and Unicode form matter; only outer white space is cut.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ExternalId(String);

impl ExternalId {
    /// DynamoDB's partition key (2,048 bytes) holds it beside its prefix and system.
    pub const MAX_BYTES: usize = 1024;

    /// Takes an id as it was written.
    ///
    /// # Errors
    /// Empty, a control character, or over [`Self::MAX_BYTES`].
    pub fn parse(given: &str) -> Result<Self, Refusal> {
        Self::check(given).map(Checked::keep)
    }

    /// Judges an id without making it.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn check(given: &str) -> Result<Checked<'_, Self>, Refusal> {
        let id = given.trim();
        text::check("external id", id)?;
        text::check_length("external id", id, Self::MAX_BYTES)?;
        Ok(Checked::new(id))
    }

    /// The id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ExternalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Masked.
impl fmt::Debug for ExternalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ExternalId({})", mask(&self.0))
    }
}

impl FromStr for ExternalId {
    type Err = Refusal;

    fn from_str(given: &str) -> Result<Self, Refusal> {
        Self::parse(given)
    }
}

impl TryFrom<String> for ExternalId {
    type Error = Refusal;

    fn try_from(given: String) -> Result<Self, Refusal> {
        Self::parse(&given)
    }
}

impl From<Checked<'_, Self>> for ExternalId {
    fn from(checked: Checked<'_, Self>) -> Self {
        Self(checked.as_str().to_owned())
    }
}

impl From<ExternalId> for String {
    fn from(id: ExternalId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_exact() {
        assert_ne!(ExternalId::parse("Ab1").unwrap(), ExternalId::parse("ab1").unwrap());
        assert_eq!(ExternalId::parse(" 12345 ").unwrap().as_str(), "12345");
        assert_eq!(ExternalId::parse("a/b?c#d%e").unwrap().as_str(), "a/b?c#d%e");
        assert_eq!(format!("{:?}", ExternalId::parse("12345").unwrap()), "ExternalId(1***)");
    }

    #[test]
    fn limits() {
        assert!(ExternalId::parse(&"x".repeat(1024)).is_ok());
        assert!(matches!(ExternalId::parse(&"x".repeat(1025)), Err(Refusal::TooLong { bytes: 1025, limit: 1024, .. })));
        assert!(matches!(ExternalId::parse("  "), Err(Refusal::Empty { .. })));
        assert!(matches!(ExternalId::parse("a\u{0}b"), Err(Refusal::Control { code: 0, position: 2, .. })));
    }
}
