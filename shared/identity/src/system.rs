use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Refusal;

/// The systems that are known when `CROSSWALK_SYSTEMS` says nothing.
pub const DEFAULT_SYSTEMS: &str = "nemo,labarchives_eln,labarchives_scheduler,cdcs,sharepoint";

/// The name of an outside system: 1 to 64 of `a-z`, `0-9` and `_`, such as `nemo` or `nemo_campus_b`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct System(String);

impl System {
    /// Takes a well-formed name. Whether this installation knows it is for [`Systems::get`] to say.
    ///
    /// # Errors
    /// Anything but 1 to 64 of `a-z`, `0-9` and `_`.
    pub fn parse(given: &str) -> Result<Self, Refusal> {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
        if given.is_empty() || given.len() > 64 || !given.bytes().all(fits) {
            return Err(Refusal::System);
        }
        Ok(Self(given.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for System {
    type Err = Refusal;

    fn from_str(given: &str) -> Result<Self, Refusal> {
        Self::parse(given)
    }
}

impl TryFrom<String> for System {
    type Error = Refusal;

    fn try_from(given: String) -> Result<Self, Refusal> {
        Self::parse(&given)
    }
}

impl From<System> for String {
    fn from(system: System) -> Self {
        system.0
    }
}

/// The systems that this installation knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Systems(BTreeSet<System>);

/// Why a name or a list of names does not do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SystemsError {
    /// The list is empty.
    #[error("no system is named; give a comma-separated list such as `{DEFAULT_SYSTEMS}`")]
    None,
    /// One name of the list is malformed.
    #[error("`{name}` is no system's name: 1 to 64 of a-z, 0-9 and _")]
    Malformed {
        /// The name as given.
        name: String,
    },
    /// The name is not in the list.
    #[error("the system `{name}` is not known here; known are {known} (set by CROSSWALK_SYSTEMS)")]
    Unknown {
        /// The name as given.
        name: String,
        /// The known ones, comma-separated.
        known: String,
    },
}

impl Systems {
    /// Reads a comma-separated list, as `CROSSWALK_SYSTEMS` holds it.
    ///
    /// # Errors
    /// An empty list or a malformed name.
    pub fn parse(list: &str) -> Result<Self, SystemsError> {
        let names = list.split(',').map(str::trim).filter(|name| !name.is_empty());
        let systems = names
            .map(|name| System::parse(name).map_err(|_| SystemsError::Malformed { name: name.to_owned() }))
            .collect::<Result<BTreeSet<_>, _>>()?;
        if systems.is_empty() {
            return Err(SystemsError::None);
        }
        Ok(Self(systems))
    }

    /// The known system of this name.
    ///
    /// # Errors
    /// An unknown name, with the known ones.
    pub fn get(&self, name: &str) -> Result<System, SystemsError> {
        let unknown = || SystemsError::Unknown { name: name.to_owned(), known: self.to_string() };
        let system = System::parse(name).map_err(|_| unknown())?;
        if self.0.contains(&system) { Ok(system) } else { Err(unknown()) }
    }

    /// In alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = &System> {
        self.0.iter()
    }
}

/// [`DEFAULT_SYSTEMS`].
impl Default for Systems {
    fn default() -> Self {
        Self(DEFAULT_SYSTEMS.split(',').map(|name| System(name.to_owned())).collect())
    }
}

impl FromStr for Systems {
    type Err = SystemsError;

    fn from_str(list: &str) -> Result<Self, SystemsError> {
        Self::parse(list)
    }
}

impl fmt::Display for Systems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, system) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            system.fmt(f)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_list_is_well_formed() {
        assert_eq!(Systems::parse(DEFAULT_SYSTEMS).unwrap(), Systems::default());
    }

    #[test]
    fn a_list_replaces_it() {
        let systems = Systems::parse(" nemo_campus_b , nemo ,").unwrap();
        assert_eq!(systems.to_string(), "nemo, nemo_campus_b");
        assert!(systems.get("nemo").is_ok());
        let error = systems.get("cdcs").unwrap_err().to_string();
        assert!(error.contains("known are nemo, nemo_campus_b"), "{error}");
        assert_eq!(Systems::parse("nemo,Nemo"), Err(SystemsError::Malformed { name: "Nemo".into() }));
        assert_eq!(Systems::parse(" , "), Err(SystemsError::None));
    }
}
