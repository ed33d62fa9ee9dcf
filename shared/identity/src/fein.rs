use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Checked, Refusal};

/// A Federal Employer Identification Number: 9 digits, kept without the dash.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Fein(String);

impl Fein {
    /// Takes a FEIN as spreadsheets leave it: dashes are stripped and lost leading zeros are filled in.
    ///
    /// # Errors
    /// Empty, something else than digits and dashes, more than 9 digits, or nothing but zeros.
    pub fn parse(given: &str) -> Result<Self, Refusal> {
        Self::check(given).map(Checked::keep)
    }

    /// Judges a FEIN without making it.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn check(given: &str) -> Result<Checked<'_, Self>, Refusal> {
        let trimmed = given.trim();
        if trimmed.is_empty() {
            return Err(Refusal::Empty { what: "FEIN" });
        }
        let digits = || trimmed.bytes().filter(|byte| *byte != b'-');
        let found = |found: &str| Err(Refusal::Fein { found: found.to_owned() });
        let count = digits().count();
        if count == 0 {
            return found("has none");
        }
        if !digits().all(|byte| byte.is_ascii_digit()) {
            return found("holds something else than digits and dashes");
        }
        if count > 9 {
            return found(&format!("has {count}"));
        }
        if digits().all(|byte| byte == b'0') {
            return found("is all zeros");
        }
        Ok(Checked::new(trimmed))
    }

    /// The 9 digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last four digits, for logs: `**-***7847`.
    pub fn masked(&self) -> String {
        format!("**-***{}", &self.0[5..])
    }
}

impl fmt::Display for Fein {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Masked.
impl fmt::Debug for Fein {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fein({})", self.masked())
    }
}

impl FromStr for Fein {
    type Err = Refusal;

    fn from_str(given: &str) -> Result<Self, Refusal> {
        Self::parse(given)
    }
}

impl TryFrom<String> for Fein {
    type Error = Refusal;

    fn try_from(given: String) -> Result<Self, Refusal> {
        Self::parse(&given)
    }
}

impl From<Checked<'_, Self>> for Fein {
    fn from(checked: Checked<'_, Self>) -> Self {
        let digits: String = checked.as_str().chars().filter(|c| *c != '-').collect();
        Self(format!("{digits:0>9}"))
    }
}

impl From<Fein> for String {
    fn from(fein: Fein) -> Self {
        fein.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn as_spreadsheets_leave_them() {
        for given in ["04-2127847", "042127847", "42127847", " 04-2127847 "] {
            assert_eq!(Fein::parse(given).unwrap().as_str(), "042127847");
        }
        assert_eq!(format!("{:?}", Fein::parse("042127847").unwrap()), "Fein(**-***7847)");
    }

    #[test]
    fn refused() {
        for given in ["", "-", "0421278471", "04.2127847", "abc", "000000000", "12345678\u{666}"] {
            assert!(Fein::parse(given).is_err(), "{given}");
        }
    }

    proptest! {
        #[test]
        fn the_rules(given in " ?([0-9-]{0,12}|[0-]{0,9}|[0-9x.\u{666}-]{1,6}) ?") {
            let digits = given.trim().replace('-', "");
            let sound = digits.parse::<u64>().is_ok_and(|number| number > 0) && digits.len() <= 9;
            prop_assert_eq!(Fein::check(&given).is_ok(), sound);
            let parsed = Fein::parse(&given);
            prop_assert_eq!(parsed.clone().err(), Fein::check(&given).err());
            if let Ok(fein) = parsed {
                prop_assert_eq!(fein.as_str(), format!("{digits:0>9}"));
            }
        }
    }
}
