//! What was read from a realm, free of how it was read and of what becomes of it.

use std::sync::Arc;

use crosswalk_reconcile::{Complete, Keyed, Snapshot};
use jiff::Timestamp;

/// Attributes by name; each may have several values. Only those that the settings ask for are kept: a pair a value, as a
/// realm has a million of them, and the names shared, as they are few.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Attributes(Box<[(Arc<str>, Box<str>)]>);

impl Attributes {
    /// All names and values.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// The values of an attribute, in Keycloak's order.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| **known == *name).map(|(_, value)| &**value)
    }
}

impl FromIterator<(Arc<str>, Box<str>)> for Attributes {
    fn from_iter<I: IntoIterator<Item = (Arc<str>, Box<str>)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

/// A realm that was read to its proven end.
#[derive(Debug)]
pub struct Realm {
    /// Its users; service accounts that the realm lists among them included.
    pub users: Snapshot<Complete, User>,
    /// Its groups, each with its direct members: a parent stands before its children.
    pub groups: Snapshot<Complete, Group>,
}

/// A user of the realm.
#[derive(Clone, PartialEq, Eq)]
pub struct User {
    /// Keycloak's id.
    pub id: Box<str>,
    /// The username.
    pub username: String,
    /// The e-mail, if there is one.
    pub email: Option<String>,
    /// The first name, if there is one.
    pub first_name: Option<String>,
    /// The last name, if there is one.
    pub last_name: Option<String>,
    /// Whether the user may log in.
    pub enabled: bool,
    /// Whether it stands for a client and not for a person.
    pub service_account: bool,
    /// When the user was made.
    pub created_at: Option<Timestamp>,
    /// The attributes that the settings ask for.
    pub attributes: Attributes,
}

/// A group of the realm.
#[derive(Clone, PartialEq, Eq)]
pub struct Group {
    /// Keycloak's id.
    pub id: Box<str>,
    /// The last part of the path.
    pub name: String,
    /// The whole path, such as `/engineering/platform`.
    pub path: String,
    /// The group above it; none at the top.
    pub parent: Option<Box<str>>,
    /// The attributes that the settings ask for.
    pub attributes: Attributes,
    /// The ids of its direct members, in the order of their usernames.
    pub members: Vec<Box<str>>,
}

impl Keyed for User {
    fn key(&self) -> &str {
        &self.id
    }
}

impl Keyed for Group {
    fn key(&self) -> &str {
        &self.id
    }
}

/// The id alone: the rest is personal.
impl std::fmt::Debug for User {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "User({})", self.id)
    }
}

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Group({}, {} members)", self.path, self.members.len())
    }
}
