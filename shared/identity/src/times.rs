//! Times as text: RFC 3339 in UTC with exactly three digits of milliseconds, so that texts sort as times do and can be
//! compared in DynamoDB's conditions. For serde: `#[serde(with = "times")]`.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serializer};

/// The text.
pub fn text(time: Timestamp) -> String {
    format!("{time:.3}")
}

/// For serde.
///
/// # Errors
/// The serializer's.
pub fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text(*time))
}

/// For serde; any RFC 3339 text reads.
///
/// # Errors
/// Not a time.
pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    Timestamp::deserialize(deserializer)
}

/// The same for a time that may be absent (null).
pub mod optional {
    use super::{Deserialize, Deserializer, Serializer, Timestamp, text};

    /// For serde.
    ///
    /// # Errors
    /// The serializer's.
    pub fn serialize<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        match time {
            Some(time) => serializer.serialize_some(&text(*time)),
            None => serializer.serialize_none(),
        }
    }

    /// For serde; null reads as none.
    ///
    /// # Errors
    /// Neither a time nor null.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        Option::<Timestamp>::deserialize(deserializer)
    }
}
