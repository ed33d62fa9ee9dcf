//! What is read of a user and of a usage event. What else NEMO gives is not looked at.

use std::fmt;

use crosswalk_reconcile::Keyed;
use jiff::Timestamp;
use serde::Deserialize;

/// A user.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "RawUser")]
pub struct User {
    /// NEMO's id.
    pub id: u64,
    key: Box<str>,
    /// Unique in NEMO, which tells case apart.
    pub username: Box<str>,
    /// Not unique; empty where there is none.
    pub email: Box<str>,
    /// Whether they may use NEMO.
    pub is_active: bool,
}

#[derive(Deserialize)]
struct RawUser {
    id: u64,
    username: Box<str>,
    email: Option<Box<str>>,
    is_active: bool,
}

/// A use of a tool.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "RawEvent")]
pub struct UsageEvent {
    key: Box<str>,
    /// When it began.
    pub start: Timestamp,
    /// Who used the tool.
    pub user: Option<u64>,
    /// Who worked it for them; usually the same.
    pub operator: Option<u64>,
}

#[derive(Deserialize)]
struct RawEvent {
    id: u64,
    start: Timestamp,
    user: Option<u64>,
    operator: Option<u64>,
}

impl User {
    /// A user.
    pub fn new(id: u64, username: &str, email: &str, is_active: bool) -> Self {
        Self { id, key: id.to_string().into(), username: username.into(), email: email.into(), is_active }
    }
}

impl From<RawUser> for User {
    fn from(RawUser { id, username, email, is_active }: RawUser) -> Self {
        Self { id, key: id.to_string().into(), username, email: email.unwrap_or_default(), is_active }
    }
}

impl UsageEvent {
    /// A use of a tool.
    pub fn new(id: u64, start: Timestamp, user: u64, operator: u64) -> Self {
        Self { key: id.to_string().into(), start, user: Some(user), operator: Some(operator) }
    }
}

impl From<RawEvent> for UsageEvent {
    fn from(RawEvent { id, start, user, operator }: RawEvent) -> Self {
        Self { key: id.to_string().into(), start, user, operator }
    }
}

impl Keyed for User {
    fn key(&self) -> &str {
        &self.key
    }
}

impl Keyed for UsageEvent {
    fn key(&self) -> &str {
        &self.key
    }
}

/// Without name and e-mail.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "User({}, active: {})", self.id, self.is_active)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nemos_own_forms_read() {
        let user: User = serde_json::from_str(
            r#"{"id":7,"username":"ada","email":null,"is_active":true,"projects":[1],"type":null}"#,
        )
        .unwrap();
        assert_eq!(user, User::new(7, "ada", "", true));
        assert_eq!((user.key(), format!("{user:?}").as_str()), ("7", "User(7, active: true)"));
        let event: UsageEvent = serde_json::from_str(
            r#"{"id":3,"start":"2026-11-20T23:30:00.123456-05:00","end":null,"user":7,"operator":7,"tool":2}"#,
        )
        .unwrap();
        assert_eq!(event, UsageEvent::new(3, "2026-11-21T04:30:00.123456Z".parse().unwrap(), 7, 7));
        // Whether they are active must be said: else an inactive user would count as active.
        assert!(serde_json::from_str::<User>(r#"{"id":7,"username":"ada","email":""}"#).is_err());
    }
}
