//! The operations on pools and users.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use rand::RngExt as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::attributes::{self, Attribute, SchemaAttribute};
use super::filter::Filter;
use super::password::{HashedPassword, PasswordPolicy};
use super::pool::{AppClient, AttributeUpdates, NewPool, Pool, Status, StoredUser, User};
use super::{Cognito, invalid};
use crate::json_protocol::ApiError;
use crate::{Mail, epoch_seconds};

/// The most that one page of ListUsers holds.
const MOST_USERS: usize = 60;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateUserPool {
    pool_name: String,
    policies: Option<Policies>,
    #[serde(default)]
    schema: Vec<SchemaAttribute>,
    #[serde(default)]
    username_attributes: Vec<String>,
    #[serde(default)]
    alias_attributes: Vec<String>,
    #[serde(default)]
    auto_verified_attributes: Vec<String>,
    username_configuration: Option<UsernameConfiguration>,
    admin_create_user_config: Option<Value>,
    user_attribute_update_settings: Option<AttributeUpdates>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Policies {
    password_policy: Option<PasswordPolicy>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct UsernameConfiguration {
    case_sensitive: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PoolAsk {
    user_pool_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListUserPools {
    max_results: usize,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateUserPoolClient {
    user_pool_id: String,
    client_name: String,
    #[serde(default)]
    explicit_auth_flows: Vec<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AdminCreateUser {
    user_pool_id: String,
    username: String,
    #[serde(default)]
    user_attributes: Vec<Attribute>,
    temporary_password: Option<String>,
    message_action: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UserAsk {
    user_pool_id: String,
    username: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AdminSetUserPassword {
    user_pool_id: String,
    username: String,
    password: String,
    #[serde(default)]
    permanent: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AdminUpdateUserAttributes {
    user_pool_id: String,
    username: String,
    user_attributes: Vec<Attribute>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListUsers {
    user_pool_id: String,
    attributes_to_get: Option<Vec<String>>,
    limit: Option<usize>,
    pagination_token: Option<String>,
    filter: Option<String>,
}

pub(super) fn pool_not_found(id: &str) -> ApiError {
    ApiError::new("ResourceNotFoundException", format!("User pool {id} does not exist."))
}

fn username_exists() -> ApiError {
    ApiError::new("UsernameExistsException", "User account already exists")
}

/// Username's constraint in the API model: 1 to 128 letters, marks, symbols, numbers and punctuation.
fn check_username(username: &str) -> Result<(), ApiError> {
    let length = username.chars().count();
    if (1..=128).contains(&length) && !username.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Ok(());
    }
    Err(invalid(
        "1 validation error detected: Value at 'username' failed to satisfy constraint: Member must satisfy regular \
         expression pattern: [\\p{L}\\p{M}\\p{S}\\p{N}\\p{P}]+, and be 1 to 128 characters long",
    ))
}

impl Cognito {
    pub(super) fn create_user_pool(&self, ask: CreateUserPool) -> Result<Value, ApiError> {
        let policy = match ask.policies.and_then(|policies| policies.password_policy) {
            Some(policy) => policy,
            None => PasswordPolicy::of_no_policy(),
        };
        if !(6..=99).contains(&policy.minimum_length) {
            return Err(invalid("Password policy: the minimum length must be from 6 to 99"));
        }
        if !ask.username_attributes.is_empty() && !ask.alias_attributes.is_empty() {
            return Err(invalid("Only one of the aliasAttributes or usernameAttributes can be set in a user pool."));
        }
        let id = format!("{}_{}", crate::REGION, self.random_text(9));
        let pool = Pool::from(NewPool {
            id: id.clone(),
            name: ask.pool_name,
            username_attributes: ask.username_attributes,
            alias_attributes: ask.alias_attributes,
            auto_verified_attributes: ask.auto_verified_attributes,
            // The API's default; the console's is the other.
            case_sensitive: ask.username_configuration.is_none_or(|it| it.case_sensitive),
            policy,
            schema: ask.schema,
            admin_create_user: ask.admin_create_user_config.unwrap_or(json!({ "AllowAdminCreateUserOnly": false })),
            attribute_updates: ask.user_attribute_update_settings,
            created: self.clock.now(),
        });
        self.pool_files.put(&id, &pool);
        let described = pool.described();
        self.pools().insert(id, pool);
        Ok(json!({ "UserPool": described }))
    }

    pub(super) fn describe_user_pool(&self, ask: &PoolAsk) -> Result<Value, ApiError> {
        self.in_pool(&ask.user_pool_id, |pool| Ok(json!({ "UserPool": pool.described() })))
    }

    pub(super) fn list_user_pools(&self, ask: &ListUserPools) -> Result<Value, ApiError> {
        if !(1..=60).contains(&ask.max_results) {
            return Err(invalid("MaxResults must be from 1 to 60"));
        }
        let pools = self.pools();
        let after = ask.next_token.as_deref().unwrap_or_default();
        let mut rest = pools.values().filter(|pool| pool.id.as_str() > after);
        let page: Vec<_> = rest.by_ref().take(ask.max_results).collect();
        let more = rest.next().is_some();
        let listed: Vec<_> = page
            .iter()
            .map(|pool| {
                json!({ "Id": pool.id, "Name": pool.name, "CreationDate": epoch_seconds(pool.created),
                    "LastModifiedDate": epoch_seconds(pool.created) })
            })
            .collect();
        let mut answer = json!({ "UserPools": listed });
        if let (true, Some(last)) = (more, page.last()) {
            answer["NextToken"] = json!(last.id);
        }
        Ok(answer)
    }

    pub(super) fn delete_user_pool(&self, ask: &PoolAsk) -> Result<Value, ApiError> {
        let pool = self.pools().remove(&ask.user_pool_id).ok_or_else(|| pool_not_found(&ask.user_pool_id))?;
        for (_, user) in pool.users_after("") {
            self.user_files.remove(&file_key(&pool.id, &user.username));
        }
        self.pool_files.remove(&pool.id);
        Ok(json!({}))
    }

    pub(super) fn create_user_pool_client(&self, ask: CreateUserPoolClient) -> Result<Value, ApiError> {
        let client = AppClient { id: self.random_text(26), name: ask.client_name, flows: ask.explicit_auth_flows };
        let answer = json!({ "UserPoolClient": {
            "UserPoolId": ask.user_pool_id,
            "ClientId": client.id,
            "ClientName": client.name,
            "ExplicitAuthFlows": client.flows,
        }});
        self.change_pool(&ask.user_pool_id, |pool| {
            pool.clients.push(client);
            Ok(answer)
        })
    }

    pub(super) fn admin_create_user(&self, ask: AdminCreateUser) -> Result<Value, ApiError> {
        check_username(&ask.username)?;
        let now = self.clock.now();
        let mut pools = self.pools();
        let pool = pools.get_mut(&ask.user_pool_id).ok_or_else(|| pool_not_found(&ask.user_pool_id))?;
        if ask.message_action.as_deref() == Some("RESEND") {
            return self.invite_again(pool, &ask, now);
        }
        if let Some(bad) = ask.message_action.as_deref().filter(|action| *action != "SUPPRESS") {
            return Err(invalid(format!("Value '{bad}' at 'messageAction' must be RESEND or SUPPRESS")));
        }
        let mut attributes: BTreeMap<_, _> =
            ask.user_attributes.iter().map(|it| (it.name.clone(), it.value.clone())).collect();
        let sub = self.entropy.uuid().to_string();
        let username = if pool.signs_in_by_attribute() {
            let by_email = pool.username_attributes.iter().any(|name| name == "email");
            if by_email && attributes::is_email(&ask.username) {
                attributes.insert("email".to_owned(), ask.username.clone());
            } else if pool.username_attributes.iter().any(|name| name == "phone_number")
                && ask.username.starts_with('+')
            {
                attributes.insert("phone_number".to_owned(), ask.username.clone());
            } else {
                return Err(invalid(if by_email {
                    "Username should be an email."
                } else {
                    "Username should be a phone number."
                }));
            }
            sub.clone()
        } else {
            ask.username.clone()
        };
        attributes::check(&pool.schema, &ask.user_attributes, &attributes)?;
        let password = match ask.temporary_password {
            Some(password) => {
                pool.policy.check(&password)?;
                password
            }
            None => self.random_password(pool.policy.minimum_length),
        };
        if pool.find(&ask.username).is_some() {
            return Err(username_exists());
        }
        let mut user = User {
            username,
            sub,
            attributes,
            status: Status::ForceChangePassword,
            enabled: true,
            password: HashedPassword::of(&password, self.entropy.uuid()),
            password_until: temporary_until(pool, now),
            created: now,
            modified: now,
            groups: BTreeSet::new(),
            proven_email: None,
        };
        pool.keep_sign_in_email(&mut user, None);
        // The reference says AliasExistsException; what is answered is this (boto3's issue 3213). ForceAliasCreation, which
        // would take the alias away from the other account, is not had here.
        if pool.other_with_its_names(&user).is_some() {
            return Err(ApiError::new("UsernameExistsException", "An account with the given email already exists."));
        }
        if ask.message_action.is_none() {
            self.invite(&user, &password);
        }
        let described = user.described("Attributes");
        self.keep(pool, user);
        Ok(json!({ "User": described }))
    }

    /// `MessageAction=RESEND`: a new temporary password for someone who has not signed in yet.
    fn invite_again(&self, pool: &mut Pool, ask: &AdminCreateUser, now: Timestamp) -> Result<Value, ApiError> {
        let mut user = pool.user(&ask.username)?.clone();
        if user.status != Status::ForceChangePassword {
            return Err(ApiError::new(
                "UnsupportedUserStateException",
                format!("Resend not possible. {} status is not FORCE_CHANGE_PASSWORD", user.username),
            ));
        }
        let password = match &ask.temporary_password {
            Some(password) => {
                pool.policy.check(password)?;
                password.clone()
            }
            None => self.random_password(pool.policy.minimum_length),
        };
        user.password = HashedPassword::of(&password, self.entropy.uuid());
        user.password_until = temporary_until(pool, now);
        user.modified = now;
        self.invite(&user, &password);
        let described = user.described("Attributes");
        self.keep(pool, user);
        Ok(json!({ "User": described }))
    }

    pub(super) fn admin_get_user(&self, ask: &UserAsk) -> Result<Value, ApiError> {
        self.in_pool(&ask.user_pool_id, |pool| Ok(pool.user(&ask.username)?.described("UserAttributes")))
    }

    pub(super) fn admin_set_user_password(&self, ask: &AdminSetUserPassword) -> Result<Value, ApiError> {
        self.change_user(&ask.user_pool_id, &ask.username, |pool, user| {
            pool.policy.check(&ask.password)?;
            self.set_password(pool, user, &ask.password, ask.permanent);
            Ok(())
        })
    }

    pub(super) fn set_password(&self, pool: &Pool, user: &mut User, password: &str, permanent: bool) {
        user.password = HashedPassword::of(password, self.entropy.uuid());
        user.status = if permanent { Status::Confirmed } else { Status::ForceChangePassword };
        user.password_until = if permanent { None } else { temporary_until(pool, self.clock.now()) };
    }

    pub(super) fn admin_update_user_attributes(&self, ask: AdminUpdateUserAttributes) -> Result<Value, ApiError> {
        let mut loses = None;
        let answer = self.change_user(&ask.user_pool_id, &ask.username, |pool, user| {
            let given: BTreeMap<_, _> =
                ask.user_attributes.iter().map(|it| (it.name.clone(), it.value.clone())).collect();
            let mut all = user.attributes.clone();
            all.extend(given.clone());
            attributes::check(&pool.schema, &ask.user_attributes, &all)?;
            for Attribute { name, value } in &ask.user_attributes {
                let described = pool.schema.iter().find(|attribute| attribute.full_name() == *name);
                if described.is_some_and(|attribute| !attribute.mutable) && user.attributes.get(name) != Some(value) {
                    return Err(invalid(format!("user.{name}: Attribute cannot be updated.\n")));
                }
                // An e-mail that is an alias is not refused but taken away, below (boto3's issue 3213).
                let signs_in = pool.username_attributes.contains(name)
                    || pool.alias_attributes.contains(name) && name == "preferred_username";
                if signs_in && pool.find(value).is_some_and(|other| other.username != user.username) {
                    return Err(ApiError::new(
                        "AliasExistsException",
                        format!("An account with the {name} already exists."),
                    ));
                }
            }
            let email_changes = given.get("email").is_some_and(|new| user.attributes.get("email") != Some(new));
            let proven = given.get("email_verified").is_some_and(|verified| verified == "true");
            if email_changes && !proven && pool.keeps_unproven_emails_out() {
                // Until its person proves it, which cannot be done here (API reference of UserAttributes).
                for name in ["email", "email_verified"] {
                    match user.attributes.get(name) {
                        Some(former) => all.insert(name.to_owned(), former.clone()),
                        None => all.remove(name),
                    };
                }
            } else if email_changes && !proven {
                all.insert("email_verified".to_owned(), "false".to_owned());
            }
            let before = user.clone();
            // Setting an attribute to nothing takes it away (API reference).
            all.retain(|_, value| !value.is_empty());
            user.attributes = all;
            pool.keep_sign_in_email(user, Some(&before));
            loses = pool.other_with_its_names(user).map(|other| other.username.clone());
            Ok(())
        });
        if let (Ok(_), Some(other)) = (&answer, loses) {
            self.change_user(&ask.user_pool_id, &other, |_, user| {
                user.attributes.insert("email_verified".to_owned(), "false".to_owned());
                Ok(())
            })?;
            // The name is the winner's: let it be entered again.
            self.change_user(&ask.user_pool_id, &ask.username, |_, _| Ok(()))?;
        }
        answer
    }

    pub(super) fn admin_enable_user(&self, ask: &UserAsk, enabled: bool) -> Result<Value, ApiError> {
        self.change_user(&ask.user_pool_id, &ask.username, |_, user| {
            user.enabled = enabled;
            Ok(())
        })
    }

    pub(super) fn admin_delete_user(&self, ask: &UserAsk) -> Result<Value, ApiError> {
        let mut pools = self.pools();
        let pool = pools.get_mut(&ask.user_pool_id).ok_or_else(|| pool_not_found(&ask.user_pool_id))?;
        let username = pool.user(&ask.username)?.username.clone();
        pool.remove(&username);
        self.user_files.remove(&file_key(&pool.id, &username));
        Ok(json!({}))
    }

    pub(super) fn list_users(&self, ask: &ListUsers) -> Result<Value, ApiError> {
        let limit = ask.limit.unwrap_or(MOST_USERS);
        if limit > MOST_USERS {
            return Err(invalid(format!(
                "1 validation error detected: Value '{limit}' at 'limit' failed to satisfy constraint: Member must \
                 have value less than or equal to 60"
            )));
        }
        let filter = Filter::read(ask.filter.as_deref().unwrap_or_default())?;
        let after = match &ask.pagination_token {
            Some(token) => hex::decode(token)
                .ok()
                .and_then(|key| String::from_utf8(key).ok())
                .ok_or_else(|| invalid("Invalid pagination token"))?,
            None => String::new(),
        };
        self.in_pool(&ask.user_pool_id, |pool| {
            let wanted = |user: &User| filter.as_ref().is_none_or(|filter| filter.lets(pool, user));
            let mut found = pool.users_after(&after).filter(|(_, user)| wanted(user));
            let page: Vec<_> = found.by_ref().take(limit.max(1)).collect();
            let more = found.next().is_some();
            let users: Vec<_> = page.iter().map(|(_, user)| listed(user, ask.attributes_to_get.as_deref())).collect();
            let mut answer = json!({ "Users": users });
            if let (true, Some((key, _))) = (more, page.last()) {
                answer["PaginationToken"] = json!(hex::encode(key.as_str()));
            }
            Ok(answer)
        })
    }

    pub(super) fn in_pool<T>(&self, id: &str, read: impl FnOnce(&Pool) -> Result<T, ApiError>) -> Result<T, ApiError> {
        let pools = self.pools();
        read(pools.get(id).ok_or_else(|| pool_not_found(id))?)
    }

    /// Changes a pool and keeps it, if the change succeeds.
    pub(super) fn change_pool<T>(
        &self,
        id: &str,
        change: impl FnOnce(&mut Pool) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let mut pools = self.pools();
        let pool = pools.get_mut(id).ok_or_else(|| pool_not_found(id))?;
        let changed = change(pool)?;
        self.pool_files.put(&pool.id, pool);
        Ok(changed)
    }

    /// Changes a copy of a user and keeps it, if the change succeeds.
    pub(super) fn change_user(
        &self,
        pool: &str,
        name: &str,
        change: impl FnOnce(&Pool, &mut User) -> Result<(), ApiError>,
    ) -> Result<Value, ApiError> {
        let mut pools = self.pools();
        let pool = pools.get_mut(pool).ok_or_else(|| pool_not_found(pool))?;
        let mut user = pool.user(name)?.clone();
        change(pool, &mut user)?;
        user.modified = self.clock.now();
        self.keep(pool, user);
        Ok(json!({}))
    }

    fn keep(&self, pool: &mut Pool, user: User) {
        let stored = StoredUser { pool: pool.id.clone(), user };
        self.user_files.put(&file_key(&pool.id, &stored.user.username), &stored);
        pool.insert(stored.user);
    }

    /// Cognito's own invitation, in its default words.
    fn invite(&self, user: &User, password: &str) {
        let Some(email) = user.attributes.get("email") else { return };
        self.mailbox.take(Mail {
            from: "no-reply@verificationemail.com".to_owned(),
            to: vec![email.clone()],
            subject: "Your temporary password".to_owned(),
            text: Some(format!("Your username is {email} and temporary password is {password}.")),
            ..Mail::default()
        });
    }

    pub(super) fn random_text(&self, length: usize) -> String {
        const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        let letter = || LETTERS[self.entropy.draw(|rng| rng.random_range(0..LETTERS.len()))] as char;
        std::iter::repeat_with(letter).take(length).collect()
    }

    fn random_password(&self, length: usize) -> String {
        format!("Aa0!{}", self.random_text(length.max(12)))
    }
}

fn temporary_until(pool: &Pool, now: Timestamp) -> Option<Timestamp> {
    now.checked_add(SignedDuration::from_hours(24 * pool.policy.temporary_password_validity_days)).ok()
}

fn file_key(pool: &str, username: &str) -> String {
    format!("{pool}/{username}")
}

fn listed(user: &User, only: Option<&[String]>) -> Value {
    let mut described = user.described("Attributes");
    if let (Some(only), Some(attributes)) = (only, described["Attributes"].as_array_mut()) {
        attributes.retain(|attribute| only.iter().any(|name| attribute["Name"] == json!(name)));
    }
    described
}
