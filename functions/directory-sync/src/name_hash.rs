//! A compact stand-in for keys, e-mails and usernames where only equality counts.

use std::hash::{DefaultHasher, Hash, Hasher};

/// 64 bits of a text: equal for equal texts, and for different ones once in many billions.
pub(crate) fn name_hash(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
