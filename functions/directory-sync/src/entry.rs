use std::fmt;

use crosswalk_reconcile::Keyed;

/// An entry of the directory or a row of the table, as it was read: nothing is judged yet.
///
/// Texts are as the source has them, but trimmed; an empty one counts as none.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it is, for reports: its DN, or `row 17`. No two entries of a read have the same one.
    pub place: Box<str>,
    /// The stable key, in its text form; none where the source has none for it.
    pub key: Option<Box<str>>,
    /// All of its e-mails, in the source's order.
    pub emails: Vec<Box<str>>,
    /// The username.
    pub username: Option<Box<str>>,
    /// The first (given) name.
    pub first_name: Option<Box<str>>,
    /// The last (family) name.
    pub last_name: Option<Box<str>>,
    /// Whether the source says that the person may log in; `true` where it does not say.
    pub enabled: bool,
    /// External ids, in the order in which the settings name their attributes or columns (`SYNC_MAPPINGS`).
    pub external_ids: Box<[Option<Box<str>>]>,
    /// What cannot be understood of it, such as a column's type or an unknown word for enabled; it is then rejected with
    /// this reason, which tells no person's data.
    pub fault: Option<String>,
}

impl Keyed for Entry {
    fn key(&self) -> &str {
        &self.place
    }
}

/// Without anything personal.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry({} e-mails, enabled: {}, fault: {:?})", self.emails.len(), self.enabled, self.fault)
    }
}
