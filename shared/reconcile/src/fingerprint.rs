use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};
use sha2::{Digest, Sha256};

/// 128 bits that stand for a value: equal values have equal ones, and different values in practice never do.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 16]);

/// Why a line holds no fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a line is not a fingerprint of 32 hex digits, a space and a key")]
pub struct FingerprintError;

/// What the last good run left behind: a fingerprint a key. Its text form is a line each, `<32 hex digits> <key>`, sorted
/// by key.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Fingerprints(BTreeMap<Box<str>, Fingerprint>);

/// What became of a key since the last good run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Difference {
    /// It is new.
    Created,
    /// Its value is another one.
    Updated,
    /// It is gone.
    Gone,
}

impl Fingerprint {
    /// Stands for a value that is not known, and equals no value's.
    pub const UNKNOWN: Self = Self([0; 16]);

    /// Of a value's bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut print = [0; 16];
        print.copy_from_slice(&Sha256::digest(bytes)[..16]);
        Self(print)
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    fn from_str(given: &str) -> Result<Self, FingerprintError> {
        let mut print = [0; 16];
        hex::decode_to_slice(given, &mut print).map_err(|_| FingerprintError)?;
        Ok(Self(print))
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl Fingerprints {
    /// Notes a key's value; the one that it had before, if any.
    pub fn insert(&mut self, key: &str, print: Fingerprint) -> Option<Fingerprint> {
        self.0.insert(key.into(), print)
    }

    /// Forgets a key.
    pub fn remove(&mut self, key: &str) {
        self.0.remove(key);
    }

    /// A key's value.
    pub fn get(&self, key: &str) -> Option<Fingerprint> {
        self.0.get(key).copied()
    }

    /// How many keys there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// All of them, by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Fingerprint)> {
        self.0.iter().map(|(key, print)| (&**key, *print))
    }

    /// What differs in `desired`, by key; what does not is left out.
    pub fn differences<'a>(&'a self, desired: &'a Self) -> impl Iterator<Item = (&'a str, Difference)> {
        let changed = desired.iter().filter_map(|(key, print)| match self.get(key) {
            None => Some((key, Difference::Created)),
            Some(known) if known != print => Some((key, Difference::Updated)),
            Some(_) => None,
        });
        let gone = self.iter().filter(|(key, _)| desired.get(key).is_none()).map(|(key, _)| (key, Difference::Gone));
        changed.chain(gone)
    }

    /// The line of one key.
    ///
    /// # Errors
    /// It is none.
    pub fn read_line(&mut self, line: &str) -> Result<(), FingerprintError> {
        let (print, key) = line.split_once(' ').ok_or(FingerprintError)?;
        self.insert(key, print.parse()?);
        Ok(())
    }
}

/// How many there are: a key may be personal.
impl fmt::Debug for Fingerprints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprints({})", self.len())
    }
}

/// The text form. Keys must hold no line break.
impl fmt::Display for Fingerprints {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, print) in self.iter() {
            writeln!(f, "{print} {key}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(pairs: &[(&str, &str)]) -> Fingerprints {
        let mut prints = Fingerprints::default();
        for (key, value) in pairs {
            prints.insert(key, Fingerprint::of(value.as_bytes()));
        }
        prints
    }

    #[test]
    fn differences_are_named_and_the_rest_left_out() {
        let known = of(&[("a", "1"), ("b", "1"), ("c", "1")]);
        let desired = of(&[("a", "1"), ("b", "2"), ("d", "1")]);
        let differences: Vec<_> = known.differences(&desired).collect();
        assert_eq!(differences, [("b", Difference::Updated), ("d", Difference::Created), ("c", Difference::Gone)]);
        assert_eq!(desired.differences(&desired).count(), 0);
    }

    #[test]
    fn lines_that_are_none_are_refused() {
        for line in ["", "x", "12 key", &format!("{} key", "g".repeat(32)), &"a".repeat(32)] {
            assert_eq!(Fingerprints::default().read_line(line), Err(FingerprintError), "{line}");
        }
    }

    proptest! {
        #[test]
        fn the_text_form_reads_back(pairs in prop::collection::btree_map("[^\r\n]{0,20}", ".*", 0..20)) {
            let mut prints = Fingerprints::default();
            for (key, value) in &pairs {
                prints.insert(key, Fingerprint::of(value.as_bytes()));
            }
            let mut again = Fingerprints::default();
            for line in prints.to_string().lines() {
                again.read_line(line).unwrap();
            }
            prop_assert_eq!(again, prints);
        }
    }
}
