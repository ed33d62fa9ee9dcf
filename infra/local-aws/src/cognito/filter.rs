//! ListUsers' filter: `name = "value"` or `name ^= "value"` (begins with).

use super::invalid;
use super::pool::{Pool, User};
use crate::json_protocol::ApiError;

/// What can be searched by, by the API reference of ListUsers; custom attributes cannot.
const SEARCHABLE: &[&str] = &[
    "username",
    "email",
    "phone_number",
    "name",
    "given_name",
    "family_name",
    "preferred_username",
    "cognito:user_status",
    "status",
    "sub",
];

/// A filter.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Filter {
    name: String,
    begins: bool,
    value: String,
}

impl Filter {
    /// Reads one; an empty one lets everyone through.
    pub(super) fn read(text: &str) -> Result<Option<Self>, ApiError> {
        if text.trim().is_empty() {
            return Ok(None);
        }
        let bad = || invalid(format!("Error while parsing filter: {text}"));
        let (name, value) = text.split_once('=').ok_or_else(bad)?;
        let (name, begins) = name.strip_suffix('^').map_or((name, false), |name| (name, true));
        let name = name.trim().trim_matches('"');
        if !SEARCHABLE.contains(&name) {
            return Err(invalid(format!("User pool does not support searching by attribute {name}")));
        }
        let value = value.trim().strip_prefix('"').and_then(|value| value.strip_suffix('"')).ok_or_else(bad)?;
        let value = value.replace("\\\"", "\"").replace("\\\\", "\\");
        Ok(Some(Self { name: name.to_owned(), begins, value }))
    }

    /// Whether it lets a user through.
    pub(super) fn lets(&self, pool: &Pool, user: &User) -> bool {
        let fits = |has: &str, wanted: &str| if self.begins { has.starts_with(wanted) } else { has == wanted };
        match self.name.as_str() {
            "username" => fits(&user.username, &self.value),
            "sub" => fits(&user.sub, &self.value),
            "status" => fits(if user.enabled { "Enabled" } else { "Disabled" }, &self.value),
            "cognito:user_status" => fits(user.status.name(), &self.value.to_uppercase()),
            name => user.attributes.get(name).is_some_and(|has| fits(&pool.key(has), &pool.key(&self.value))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_equality_and_beginning() {
        let filter =
            |name: &str, begins, value: &str| Some(Filter { name: name.to_owned(), begins, value: value.to_owned() });
        assert_eq!(Filter::read("email = \"a=b@example.org\"").unwrap(), filter("email", false, "a=b@example.org"));
        assert_eq!(Filter::read("given_name^=\"J\\\"o\"").unwrap(), filter("given_name", true, "J\"o"));
        assert_eq!(Filter::read("").unwrap(), None);
        for bad in ["email", "email = x", "custom:fein = \"1\"", "email > \"x\""] {
            assert_eq!(Filter::read(bad).unwrap_err().name, "InvalidParameterException", "{bad}");
        }
    }
}
