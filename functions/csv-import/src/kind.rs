use std::fmt;

use crosswalk_identity::{System, Systems, SystemsError};

use crate::csv_file::Column;

/// What the rows of a file are, told by its key's prefix.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// `imports/leave-admins/…`: people who act for an employer, and need an account.
    LeaveAdmins,
    /// `imports/mappings/<system>/…`: what a system calls people.
    Mappings(System),
    /// `imports/employers/…`: employers by their FEIN.
    Employers,
}

/// Where files are dropped.
const IMPORTS: &str = "imports/";

/// The prefixes that are known, for people to read.
pub const KNOWN_PREFIXES: &str = "imports/leave-admins/, imports/mappings/<system>/ and imports/employers/";

/// Why a key names no kind of file. The messages hold no more of the key than its prefix: file names can be personal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KindError {
    /// None of the known prefixes.
    #[error("no files are taken under this prefix; known are {KNOWN_PREFIXES}")]
    Prefix,
    /// `imports/mappings/` without a system's folder.
    #[error("mappings are dropped under imports/mappings/<system>/, with a folder for the system; known are {known}")]
    NoSystem {
        /// The known systems.
        known: String,
    },
    /// A folder that names no known system.
    #[error(transparent)]
    System(#[from] SystemsError),
}

impl Kind {
    /// The kind of a (decoded) key.
    ///
    /// # Errors
    /// The prefix is not known, or the system is not.
    pub fn from_key(key: &str, systems: &Systems) -> Result<Self, KindError> {
        let folders = key.strip_prefix(IMPORTS).ok_or(KindError::Prefix)?;
        match folders.split_once('/') {
            Some(("leave-admins", _)) => Ok(Self::LeaveAdmins),
            Some(("employers", _)) => Ok(Self::Employers),
            Some(("mappings", rest)) => match rest.split_once('/') {
                Some((system, _)) => Ok(Self::Mappings(systems.get(system)?)),
                None => Err(KindError::NoSystem { known: systems.to_string() }),
            },
            _ => Err(KindError::Prefix),
        }
    }

    /// The kind of a name on the command line, with the system that mappings need.
    ///
    /// # Errors
    /// Another name, mappings without a system, or an unknown system.
    pub fn from_name(name: &str, system: Option<&str>, systems: &Systems) -> Result<Self, KindError> {
        match (name, system) {
            ("leave-admins", _) => Ok(Self::LeaveAdmins),
            ("employers", _) => Ok(Self::Employers),
            ("mappings", Some(system)) => Ok(Self::Mappings(systems.get(system)?)),
            ("mappings", None) => Err(KindError::NoSystem { known: systems.to_string() }),
            _ => Err(KindError::Prefix),
        }
    }

    /// The columns that such a file has: name, and whether it must be there.
    pub(crate) fn columns(&self) -> &'static [Column] {
        const fn required(name: &'static str) -> Column {
            Column { name, required: true }
        }
        const fn optional(name: &'static str) -> Column {
            Column { name, required: false }
        }
        match self {
            Self::LeaveAdmins => const { &[required("fein"), required("email")] },
            Self::Mappings(_) => {
                const { &[required("username"), required("external_id"), optional("email"), optional("notes")] }
            }
            Self::Employers => const { &[required("fein"), required("name"), optional("fineos_employer_id")] },
        }
    }
}

/// `leave-admins`, `mappings` or `employers`: as in a run record.
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::LeaveAdmins => "leave-admins",
            Self::Mappings(_) => "mappings",
            Self::Employers => "employers",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn by_prefix() {
        let systems = Systems::default();
        let kind = |key: &str| Kind::from_key(key, &systems);
        assert_eq!(kind("imports/leave-admins/2026/a.csv"), Ok(Kind::LeaveAdmins));
        assert_eq!(kind("imports/employers/a.csv"), Ok(Kind::Employers));
        assert_eq!(kind("imports/mappings/nemo/a b.csv").unwrap().to_string(), "mappings");
        for unknown in ["imports/people/a.csv", "leave-admins/a.csv", "imports/a.csv", "imports/leave-admins", "a"] {
            assert_eq!(kind(unknown), Err(KindError::Prefix), "{unknown}");
        }
    }

    #[test]
    fn mappings_need_a_known_system() {
        let systems = Systems::default();
        let error = |key: &str| Kind::from_key(key, &systems).unwrap_err().to_string();
        assert!(error("imports/mappings/a.csv").contains("imports/mappings/<system>/"));
        assert!(
            error("imports/mappings/orcid/a.csv")
                .contains("`orcid` is not known here; known are cdcs, labarchives_eln")
        );
        assert!(error("imports/x/a.csv").contains("imports/leave-admins/"));
        assert!(Kind::from_name("mappings", None, &systems).is_err());
        assert!(Kind::from_name("mappings", Some("nemo"), &systems).is_ok());
    }
}
