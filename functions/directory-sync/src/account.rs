use std::fmt;

use serde::Serialize;

/// An account that stands in the target.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// The target's own id, by which every write finds it: Cognito's username, Invenio's `id`.
    pub id: Box<str>,
    /// What it holds, as far as a sync has to do with it.
    pub fields: Fields,
    /// Whether its person may log in.
    pub active: bool,
    /// Invenio's `version_id`; 0 elsewhere.
    pub version: i32,
    /// It was made and has no password yet that its person could replace: the second half of its creation is still to
    /// come (Cognito's FORCE_CHANGE_PASSWORD).
    pub unfinished: bool,
}

/// What an account holds of a person. A target uses some of the fields; the others stay `None`. In what is desired, `None`
/// is left as it stands.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Fields {
    /// The e-mail, by which the person signs in.
    pub email: Option<Box<str>>,
    /// The username (Cognito: preferred_username).
    pub username: Option<Box<str>>,
    /// Cognito's given_name.
    pub given_name: Option<Box<str>>,
    /// Cognito's family_name.
    pub family_name: Option<Box<str>>,
    /// Invenio's displayname: the username in its own spelling.
    pub displayname: Option<Box<str>>,
    /// Invenio's full_name, in the profile.
    pub full_name: Option<Box<str>>,
}

/// One of [`Fields`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Field {
    /// See [`Fields::email`].
    Email,
    /// See [`Fields::username`].
    Username,
    /// See [`Fields::given_name`].
    GivenName,
    /// See [`Fields::family_name`].
    FamilyName,
    /// See [`Fields::displayname`].
    Displayname,
    /// See [`Fields::full_name`].
    FullName,
}

impl Field {
    /// All of them, in the order in which a plan shows them.
    pub const ALL: [Self; 6] =
        [Self::Email, Self::Username, Self::GivenName, Self::FamilyName, Self::Displayname, Self::FullName];

    /// The word, as in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Username => "username",
            Self::GivenName => "given_name",
            Self::FamilyName => "family_name",
            Self::Displayname => "displayname",
            Self::FullName => "full_name",
        }
    }
}

impl Fields {
    /// One field's value.
    pub fn get(&self, field: Field) -> Option<&str> {
        match field {
            Field::Email => self.email.as_deref(),
            Field::Username => self.username.as_deref(),
            Field::GivenName => self.given_name.as_deref(),
            Field::FamilyName => self.family_name.as_deref(),
            Field::Displayname => self.displayname.as_deref(),
            Field::FullName => self.full_name.as_deref(),
        }
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Without anything personal.
impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { active, version, unfinished, .. } = self;
        write!(f, "Account(active: {active}, version: {version}, unfinished: {unfinished})")
    }
}

/// Which fields are there.
impl fmt::Debug for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(Field::ALL.into_iter().filter(|field| self.get(*field).is_some())).finish()
    }
}
