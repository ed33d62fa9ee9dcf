//! Texts with a form of their own, which the specification gives as `format` or in words. Each is checked as it is read.

use std::fmt;

use jiff::civil::Date;
use serde::de::{self, Deserialize, Deserializer};
use url::Url;

/// A text of a certain form.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $check:expr, $problem:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.0 == other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.0 == *other
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                let check: fn(&str) -> bool = $check;
                if check(&text) { Ok(Self(text)) } else { Err(de::Error::custom($problem)) }
            }
        }
    };
}

text!(
    /// A text that is not empty, nor white space alone.
    NonEmpty,
    |text| !text.trim().is_empty(),
    "is empty"
);
text!(
    /// `format: email`: one `@` between two parts without white space, and a point in none of the odd places.
    Email,
    |text| {
        let part = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && !part.ends_with('.')
                && !part.contains("..")
                && !part.chars().any(|c| c.is_whitespace() || c.is_control() || c == '@')
        };
        text.split_once('@').is_some_and(|(local, domain)| part(local) && part(domain))
    },
    "is no e-mail address"
);
text!(
    /// `format: uri`: absolute, and in ASCII without white space.
    Uri,
    |text| text.is_ascii() && !text.contains(|c: char| c.is_ascii_whitespace() || c.is_ascii_control()) && Url::parse(text).is_ok(),
    "is no absolute URI"
);
text!(
    /// `format: date`: `YYYY-MM-DD`, and a day that exists.
    Day,
    |text| text.len() == 10 && text.parse::<Date>().is_ok_and(|date| date.to_string() == text),
    "is no date of the form YYYY-MM-DD"
);
text!(
    /// The key of an additional field: "all lowercase alphabetic characters with no numbers, spaces, hyphens or
    /// underscores".
    FieldKey,
    |text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase()),
    "must be lowercase letters only"
);
