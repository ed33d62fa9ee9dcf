use std::fmt;

use crosswalk_reconcile::Fingerprint;

/// Somebody who is to have an account: an entry that was found sound.
#[derive(Clone, PartialEq, Eq)]
pub struct Person {
    /// The source's stable key.
    pub key: Box<str>,
    /// The e-mails, in lower case, sorted, each once; at least one.
    pub emails: Box<[Box<str>]>,
    /// The username in the source's spelling; it keeps the target's rule.
    pub username: Option<Box<str>>,
    /// The first (given) name.
    pub first_name: Option<Box<str>>,
    /// The last (family) name.
    pub last_name: Option<Box<str>>,
    /// Whether the source says that they may log in.
    pub enabled: bool,
    /// External ids, in the order in which the settings name them.
    pub external_ids: Box<[Option<Box<str>>]>,
    /// Of all that makes the account: what changes it, changes the account.
    pub print: Fingerprint,
    /// Of the username and the external ids: what changes it, changes mappings.
    pub mapped: Fingerprint,
}

/// Without anything personal.
impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Person({}, enabled: {})", self.print, self.enabled)
    }
}
