//! A user pool: its users, found by username and by what the pool signs in with.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::attributes::{SchemaAttribute, listed};
use super::groups::Group;
use super::password::{HashedPassword, PasswordPolicy};
use crate::json_protocol::ApiError;
use crate::{ACCOUNT_ID, REGION, epoch_seconds};

/// Where a user stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) enum Status {
    /// Has a password of their own.
    Confirmed,
    /// Has a temporary password, which the next sign-in must change.
    ForceChangePassword,
}

impl Status {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Confirmed => "CONFIRMED",
            Self::ForceChangePassword => "FORCE_CHANGE_PASSWORD",
        }
    }
}

/// A user.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct User {
    pub(super) username: String,
    pub(super) sub: String,
    pub(super) attributes: BTreeMap<String, String>,
    pub(super) status: Status,
    pub(super) enabled: bool,
    pub(super) password: HashedPassword,
    /// Until when a temporary password holds.
    pub(super) password_until: Option<Timestamp>,
    pub(super) created: Timestamp,
    pub(super) modified: Timestamp,
    /// The names of the groups that they are in.
    #[serde(default)]
    pub(super) groups: BTreeSet<String>,
    /// Where people sign in by e-mail: the one that they still sign in with, while a changed one is not proven.
    #[serde(default)]
    pub(super) proven_email: Option<String>,
}

/// A user as a file has it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct StoredUser {
    pub(super) pool: String,
    pub(super) user: User,
}

/// An app client, which a sign-in names.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct AppClient {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) flows: Vec<String>,
}

/// Which attributes keep their value until a changed one is verified, in the API's form.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AttributeUpdates {
    #[serde(default)]
    attributes_require_verification_before_update: Vec<String>,
}

/// A pool.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Pool {
    pub(super) id: String,
    pub(super) name: String,
    /// `email`, `phone_number`, or nothing: then people choose a username.
    pub(super) username_attributes: Vec<String>,
    /// What they can sign in with beside the username.
    pub(super) alias_attributes: Vec<String>,
    pub(super) auto_verified_attributes: Vec<String>,
    pub(super) case_sensitive: bool,
    pub(super) policy: PasswordPolicy,
    pub(super) schema: Vec<SchemaAttribute>,
    pub(super) admin_create_user: Value,
    pub(super) clients: Vec<AppClient>,
    pub(super) created: Timestamp,
    #[serde(default)]
    pub(super) groups: Vec<Group>,
    #[serde(default)]
    attribute_updates: Option<AttributeUpdates>,
    /// Username's key → user.
    #[serde(skip)]
    users: BTreeMap<String, User>,
    /// Sign-in name's key (such as the e-mail) → username's key.
    #[serde(skip)]
    sign_in_names: HashMap<String, String>,
}

/// What CreateUserPool gives of a pool.
pub(super) struct NewPool {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) username_attributes: Vec<String>,
    pub(super) alias_attributes: Vec<String>,
    pub(super) auto_verified_attributes: Vec<String>,
    pub(super) case_sensitive: bool,
    pub(super) policy: PasswordPolicy,
    pub(super) schema: Vec<SchemaAttribute>,
    pub(super) admin_create_user: Value,
    pub(super) attribute_updates: Option<AttributeUpdates>,
    pub(super) created: Timestamp,
}

impl From<NewPool> for Pool {
    fn from(new: NewPool) -> Self {
        Self {
            id: new.id,
            name: new.name,
            username_attributes: new.username_attributes,
            alias_attributes: new.alias_attributes,
            auto_verified_attributes: new.auto_verified_attributes,
            case_sensitive: new.case_sensitive,
            policy: new.policy,
            schema: new.schema,
            admin_create_user: new.admin_create_user,
            clients: Vec::new(),
            created: new.created,
            groups: Vec::new(),
            attribute_updates: new.attribute_updates,
            users: BTreeMap::new(),
            sign_in_names: HashMap::new(),
        }
    }
}

impl Pool {
    /// Under what a name is kept.
    pub(super) fn key(&self, name: &str) -> String {
        if self.case_sensitive { name.to_owned() } else { name.to_lowercase() }
    }

    /// Whether people sign in with their e-mail, so that the pool makes up the username.
    pub(super) fn signs_in_by_attribute(&self) -> bool {
        !self.username_attributes.is_empty()
    }

    pub(super) fn keeps_unproven_emails_out(&self) -> bool {
        let before = self.attribute_updates.as_ref().map(|it| &it.attributes_require_verification_before_update);
        before.is_some_and(|names| names.iter().any(|name| name == "email"))
    }

    /// E-mail and phone number are aliases when they are verified ("Customizing sign-in attributes" in the developer
    /// guide).
    fn sign_in_keys(&self, user: &User) -> Vec<String> {
        let usernames = self.username_attributes.iter().filter_map(|name| match &user.proven_email {
            Some(proven) if name == "email" => Some(proven),
            _ => user.attributes.get(name),
        });
        let verified = |name: &String| {
            name == "preferred_username"
                || user.attributes.get(&format!("{name}_verified")).is_some_and(|verified| verified == "true")
        };
        let aliases = self.alias_attributes.iter().filter(|name| verified(name));
        let aliases = aliases.filter_map(|name| user.attributes.get(name));
        usernames.chain(aliases).map(|value| self.key(value)).collect()
    }

    /// Where people sign in by e-mail, they do so by the former one until a changed one is verified (aws-sdk-js's issue
    /// 4308).
    pub(super) fn keep_sign_in_email(&self, user: &mut User, before: Option<&User>) {
        let by_email = self.username_attributes.iter().any(|name| name == "email");
        let verified = user.attributes.get("email_verified").is_some_and(|verified| verified == "true");
        user.proven_email = match before {
            Some(before) if by_email && !verified => {
                let former = before.proven_email.as_ref().or_else(|| before.attributes.get("email"));
                former.filter(|former| user.attributes.get("email") != Some(former)).cloned()
            }
            _ => None,
        };
    }

    /// Another account that signs in by a name of this one.
    pub(super) fn other_with_its_names(&self, user: &User) -> Option<&User> {
        let keys = self.sign_in_keys(user);
        keys.iter().filter_map(|key| self.find(key)).find(|other| other.username != user.username)
    }

    /// Adds or replaces a user, and the names that they sign in with.
    pub(super) fn insert(&mut self, user: User) {
        let username = self.key(&user.username);
        self.forget_names(&username);
        for name in self.sign_in_keys(&user) {
            self.sign_in_names.insert(name, username.clone());
        }
        self.users.insert(username, user);
    }

    pub(super) fn remove(&mut self, username: &str) {
        let username = self.key(username);
        self.forget_names(&username);
        self.users.remove(&username);
    }

    fn forget_names(&mut self, username: &str) {
        let names = self.users.get(username).map(|user| self.sign_in_keys(user)).unwrap_or_default();
        for name in names {
            if self.sign_in_names.get(&name).is_some_and(|owner| owner == username) {
                self.sign_in_names.remove(&name);
            }
        }
    }

    /// By username, `sub`, or a sign-in attribute.
    pub(super) fn find(&self, name: &str) -> Option<&User> {
        let key = self.key(name);
        self.users.get(&key).or_else(|| self.users.get(self.sign_in_names.get(&key)?))
    }

    /// The same, or UserNotFoundException.
    pub(super) fn user(&self, name: &str) -> Result<&User, ApiError> {
        self.find(name).ok_or_else(|| ApiError::new("UserNotFoundException", "User does not exist."))
    }

    /// All users, by username's key, behind `after`.
    pub(super) fn users_after(&self, after: &str) -> impl Iterator<Item = (&String, &User)> {
        self.users.range::<str, _>((std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded))
    }

    /// As DescribeUserPool gives it.
    pub(super) fn described(&self) -> Value {
        let mut schema: Vec<Value> =
            ["sub", "email", "email_verified", "phone_number", "phone_number_verified", "name"]
                .into_iter()
                .filter(|standard| self.schema.iter().all(|attribute| attribute.name != *standard))
                .map(|standard| {
                    json!({ "Name": standard, "AttributeDataType": "String", "Mutable": standard != "sub",
                    "Required": standard == "sub" })
                })
                .collect();
        schema.extend(self.schema.iter().map(|attribute| {
            let mut described = json!(attribute);
            described["Name"] = json!(attribute.full_name());
            described
        }));
        let mut described = json!({
            "Id": self.id,
            "Name": self.name,
            "Arn": format!("arn:aws:cognito-idp:{REGION}:{ACCOUNT_ID}:userpool/{}", self.id),
            "Policies": { "PasswordPolicy": self.policy },
            "UsernameConfiguration": { "CaseSensitive": self.case_sensitive },
            "AdminCreateUserConfig": self.admin_create_user,
            "SchemaAttributes": schema,
            "MfaConfiguration": "OFF",
            "EstimatedNumberOfUsers": self.users.len(),
            "CreationDate": epoch_seconds(self.created),
            "LastModifiedDate": epoch_seconds(self.created),
        });
        if let Some(updates) = &self.attribute_updates {
            described["UserAttributeUpdateSettings"] = json!(updates);
        }
        for (name, list) in [
            ("UsernameAttributes", &self.username_attributes),
            ("AliasAttributes", &self.alias_attributes),
            ("AutoVerifiedAttributes", &self.auto_verified_attributes),
        ] {
            if !list.is_empty() {
                described[name] = json!(list);
            }
        }
        described
    }
}

impl User {
    /// As AdminCreateUser and ListUsers give it; AdminGetUser names the attributes `UserAttributes`.
    pub(super) fn described(&self, attributes: &str) -> Value {
        json!({
            "Username": self.username,
            attributes: listed(&self.sub, &self.attributes),
            "UserCreateDate": epoch_seconds(self.created),
            "UserLastModifiedDate": epoch_seconds(self.modified),
            "Enabled": self.enabled,
            "UserStatus": self.status.name(),
        })
    }
}
