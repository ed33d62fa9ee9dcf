//! Groups of a pool, and who is in them.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::pool::Pool;
use super::{Cognito, invalid};
use crate::epoch_seconds;
use crate::json_protocol::ApiError;

/// The most that one page of groups holds.
const MOST_GROUPS: usize = 60;

/// A group.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Group {
    pub(super) name: String,
    description: Option<String>,
    precedence: Option<u32>,
    role: Option<String>,
    created: Timestamp,
}

impl Group {
    fn described(&self, pool: &Pool) -> Value {
        let mut described = json!({
            "GroupName": self.name,
            "UserPoolId": pool.id,
            "CreationDate": epoch_seconds(self.created),
            "LastModifiedDate": epoch_seconds(self.created),
        });
        for (name, value) in [
            ("Description", json!(self.description)),
            ("Precedence", json!(self.precedence)),
            ("RoleArn", json!(self.role)),
        ] {
            if !value.is_null() {
                described[name] = value;
            }
        }
        described
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct CreateGroup {
    user_pool_id: String,
    group_name: String,
    description: Option<String>,
    precedence: Option<u32>,
    role_arn: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListGroups {
    user_pool_id: String,
    limit: Option<usize>,
    next_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AddUserToGroup {
    user_pool_id: String,
    username: String,
    group_name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct ListGroupsForUser {
    user_pool_id: String,
    username: String,
    limit: Option<usize>,
    next_token: Option<String>,
}

impl Cognito {
    pub(super) fn create_group(&self, ask: CreateGroup) -> Result<Value, ApiError> {
        let length = ask.group_name.chars().count();
        if !(1..=128).contains(&length) || ask.group_name.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(invalid(
                "1 validation error detected: Value at 'groupName' failed to satisfy constraint: Member must satisfy \
                 regular expression pattern: [\\p{L}\\p{M}\\p{S}\\p{N}\\p{P}]+, and be 1 to 128 characters long",
            ));
        }
        let group = Group {
            name: ask.group_name,
            description: ask.description,
            precedence: ask.precedence,
            role: ask.role_arn,
            created: self.clock.now(),
        };
        self.change_pool(&ask.user_pool_id, |pool| {
            if pool.groups.iter().any(|known| known.name == group.name) {
                return Err(ApiError::new("GroupExistsException", "A group with the name already exists."));
            }
            let described = group.described(pool);
            pool.groups.push(group);
            pool.groups.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(json!({ "Group": described }))
        })
    }

    pub(super) fn list_groups(&self, ask: &ListGroups) -> Result<Value, ApiError> {
        self.in_pool(&ask.user_pool_id, |pool| page(pool, pool.groups.iter(), ask.limit, ask.next_token.as_deref()))
    }

    /// One who is in the group stays in it.
    pub(super) fn admin_add_user_to_group(&self, ask: &AddUserToGroup) -> Result<Value, ApiError> {
        self.change_user(&ask.user_pool_id, &ask.username, |pool, user| {
            if !pool.groups.iter().any(|group| group.name == ask.group_name) {
                return Err(ApiError::new("ResourceNotFoundException", "Group not found."));
            }
            user.groups.insert(ask.group_name.clone());
            Ok(())
        })
    }

    pub(super) fn admin_list_groups_for_user(&self, ask: &ListGroupsForUser) -> Result<Value, ApiError> {
        self.in_pool(&ask.user_pool_id, |pool| {
            let user = pool.user(&ask.username)?;
            let theirs = pool.groups.iter().filter(|group| user.groups.contains(&group.name));
            page(pool, theirs, ask.limit, ask.next_token.as_deref())
        })
    }
}

/// A page of groups, which are sorted by name.
fn page<'a>(
    pool: &Pool,
    groups: impl Iterator<Item = &'a Group>,
    limit: Option<usize>,
    token: Option<&str>,
) -> Result<Value, ApiError> {
    let limit = limit.unwrap_or(MOST_GROUPS);
    if limit > MOST_GROUPS {
        return Err(invalid("Limit must be 60 at most"));
    }
    let after = match token {
        Some(token) => hex::decode(token)
            .ok()
            .and_then(|name| String::from_utf8(name).ok())
            .ok_or_else(|| invalid("Invalid pagination token"))?,
        None => String::new(),
    };
    let mut rest = groups.filter(|group| group.name > after);
    let page: Vec<_> = rest.by_ref().take(limit.max(1)).collect();
    let more = rest.next().is_some();
    let mut answer = json!({ "Groups": page.iter().map(|group| group.described(pool)).collect::<Vec<_>>() });
    if let (true, Some(last)) = (more, page.last()) {
        answer["NextToken"] = json!(hex::encode(&last.name));
    }
    Ok(answer)
}
