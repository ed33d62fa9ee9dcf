//! User attributes and the pool's schema.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::invalid;
use crate::json_protocol::ApiError;

/// The attributes that every pool has.
const STANDARD: &[&str] = &[
    "address",
    "birthdate",
    "email",
    "email_verified",
    "family_name",
    "gender",
    "given_name",
    "locale",
    "middle_name",
    "name",
    "nickname",
    "phone_number",
    "phone_number_verified",
    "picture",
    "preferred_username",
    "profile",
    "sub",
    "updated_at",
    "website",
    "zoneinfo",
];

/// Name and value, as calls give them.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Attribute {
    pub(super) name: String,
    #[serde(default)]
    pub(super) value: String,
}

/// One attribute of a pool's schema, as CreateUserPool gives it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct SchemaAttribute {
    pub(super) name: String,
    #[serde(default = "string")]
    pub(super) attribute_data_type: String,
    #[serde(default = "yes")]
    pub(super) mutable: bool,
    #[serde(default)]
    pub(super) required: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) string_attribute_constraints: Option<Value>,
}

fn string() -> String {
    "String".to_owned()
}

fn yes() -> bool {
    true
}

impl SchemaAttribute {
    /// The name by which users have it.
    pub(super) fn full_name(&self) -> String {
        if STANDARD.contains(&self.name.as_str()) { self.name.clone() } else { format!("custom:{}", self.name) }
    }

    fn limit(&self, which: &str) -> Option<usize> {
        let limit = self.string_attribute_constraints.as_ref()?.get(which)?;
        limit.as_str().map_or_else(|| limit.as_u64().and_then(|it| usize::try_from(it).ok()), |it| it.parse().ok())
    }
}

/// Checks attributes that a call sets, and that required ones are among `all`.
pub(super) fn check(
    schema: &[SchemaAttribute],
    given: &[Attribute],
    all: &BTreeMap<String, String>,
) -> Result<(), ApiError> {
    let refuse = |name: &str, reason: &str| {
        Err(invalid(format!("Attributes did not conform to the schema: {name}: {reason}\n")))
    };
    for Attribute { name, value } in given {
        let described = schema.iter().find(|attribute| attribute.full_name() == *name);
        if name == "sub" {
            return refuse(name, "Attribute cannot be updated.");
        }
        if described.is_none() && !STANDARD.contains(&name.as_str()) {
            return refuse(name, "Attribute does not exist in the schema.");
        }
        let length = value.chars().count();
        let longest = described.and_then(|attribute| attribute.limit("MaxLength")).unwrap_or(2048);
        let shortest = described.and_then(|attribute| attribute.limit("MinLength")).unwrap_or(0);
        if length > longest {
            return refuse(name, "String must be no longer than its maximum length");
        }
        if length < shortest {
            return refuse(name, "String must be at least its minimum length");
        }
        if name == "email" && !value.is_empty() && !is_email(value) {
            return Err(invalid("Invalid email address format."));
        }
    }
    for required in schema.iter().filter(|attribute| attribute.required) {
        let name = required.full_name();
        if all.get(&name).is_none_or(String::is_empty) {
            return refuse(&name, "The attribute is required");
        }
    }
    Ok(())
}

/// What Cognito takes for an e-mail address: one `@` with something on both sides and no spaces.
pub(super) fn is_email(text: &str) -> bool {
    text.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty()
            && domain.contains('.')
            && !domain.starts_with('.')
            && !domain.ends_with('.')
            && !domain.contains('@')
            && !text.contains(char::is_whitespace)
    })
}

/// A user's attributes, as answers have them: `sub` first.
pub(super) fn listed(sub: &str, attributes: &BTreeMap<String, String>) -> Vec<Value> {
    let sub = [("sub", sub)].into_iter();
    let rest = attributes.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    sub.chain(rest).map(|(name, value)| json!({ "Name": name, "Value": value })).collect()
}
