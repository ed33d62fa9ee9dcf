//! A realm made ready: sorted as Keycloak sorts, looked up by id, each user's JSON made once.

use std::collections::{BTreeMap, HashMap};
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::realm::{RealmSpec, UserSpec};

/// The realm as it is served.
#[derive(Debug)]
pub(super) struct Served {
    pub(super) spec: RealmSpec,
    users: Vec<ServedUser>,
    /// The users that a listing shows, by username; service accounts are not among them.
    listed: Vec<usize>,
    pub(super) groups: Vec<ServedGroup>,
    /// The top-level groups, by name.
    pub(super) top: Vec<usize>,
    group_by_id: HashMap<String, usize>,
}

#[derive(Debug, Default)]
struct ServedUser {
    full: OnceLock<Box<str>>,
    brief: OnceLock<Box<str>>,
}

/// A group as it is served.
#[derive(Debug)]
pub(super) struct ServedGroup {
    id: String,
    name: String,
    path: String,
    parent: Option<String>,
    attributes: BTreeMap<String, Vec<String>>,
    /// By name.
    pub(super) children: Vec<usize>,
    /// By username.
    pub(super) members: Vec<usize>,
}

impl Served {
    pub(super) fn new(spec: RealmSpec) -> Self {
        let by_name: HashMap<&str, usize> =
            spec.users.iter().enumerate().map(|(index, user)| (user.username.as_str(), index)).collect();
        let mut listed: Vec<usize> =
            (0..spec.users.len()).filter(|index| spec.users[*index].service_account_of.is_none()).collect();
        listed.sort_by(|a, b| spec.users[*a].username.cmp(&spec.users[*b].username));

        let mut groups: Vec<ServedGroup> = Vec::new();
        let mut group_by_id: HashMap<String, usize> = HashMap::new();
        let mut top = Vec::new();
        for placed in spec.all_groups() {
            let index = groups.len();
            let mut members: Vec<usize> =
                placed.group.members.iter().filter_map(|name| by_name.get(name.as_str()).copied()).collect();
            members.sort_by(|a, b| spec.users[*a].username.cmp(&spec.users[*b].username));
            members.dedup();
            match placed.parent.as_ref().and_then(|id| group_by_id.get(id)) {
                Some(parent) => groups[*parent].children.push(index),
                None => top.push(index),
            }
            group_by_id.insert(placed.id.clone(), index);
            groups.push(ServedGroup {
                id: placed.id,
                name: placed.group.name.clone(),
                path: placed.path,
                parent: placed.parent,
                attributes: placed.group.attributes.clone(),
                children: Vec::new(),
                members,
            });
        }
        let names: Vec<String> = groups.iter().map(|group| group.name.clone()).collect();
        top.sort_by(|a, b| names[*a].cmp(&names[*b]));
        for group in &mut groups {
            group.children.sort_by(|a, b| names[*a].cmp(&names[*b]));
        }
        let users = spec.users.iter().map(|_| ServedUser::default()).collect();
        Self { users, listed, groups, top, group_by_id, spec }
    }

    /// The users that a listing shows.
    pub(super) fn listed(&self) -> &[usize] {
        &self.listed
    }

    pub(super) fn group(&self, id: &str) -> Option<&ServedGroup> {
        self.group_by_id.get(id).map(|index| &self.groups[*index])
    }

    /// A user's JSON.
    pub(super) fn user_json(&self, index: usize, brief: bool) -> &str {
        let user = &self.users[index];
        let slot = if brief { &user.brief } else { &user.full };
        slot.get_or_init(|| user_value(&self.spec.users[index], brief).to_string().into())
    }

    /// A group's JSON. Since Keycloak 23 `subGroups` is empty unless one searches.
    pub(super) fn group_json(&self, index: usize, brief: bool, count: bool) -> String {
        let group = &self.groups[index];
        let mut value = json!({ "id": group.id, "name": group.name, "path": group.path, "subGroups": [] });
        let access = json!({ "view": true, "viewMembers": true, "manageMembers": false, "manage": false,
            "manageMembership": false });
        let mut set =
            |name: &str, given: Value| value.as_object_mut().map(|fields| fields.insert(name.to_owned(), given));
        set("access", access);
        if let Some(parent) = &group.parent {
            set("parentId", json!(parent));
        }
        if count {
            set("subGroupCount", json!(group.children.len()));
        }
        if !brief {
            set("attributes", json!(group.attributes));
            set("realmRoles", json!([]));
            set("clientRoles", json!({}));
        }
        value.to_string()
    }
}

fn user_value(user: &UserSpec, brief: bool) -> Value {
    let mut value = json!({
        "id": user.id,
        "username": user.username,
        "emailVerified": user.email.is_some(),
        "enabled": user.enabled,
    });
    let mut set = |name: &str, given: Value| value.as_object_mut().map(|fields| fields.insert(name.to_owned(), given));
    // What is not set is absent, not null.
    for (name, text) in [("email", &user.email), ("firstName", &user.first_name), ("lastName", &user.last_name)] {
        if let Some(text) = text {
            set(name, json!(text));
        }
    }
    if let Some(created) = user.created {
        set("createdTimestamp", json!(created.as_millisecond()));
    }
    if !brief {
        if !user.attributes.is_empty() {
            set("attributes", json!(user.attributes));
        }
        if let Some(client) = &user.service_account_of {
            set("serviceAccountClientId", json!(client));
        }
        set("totp", json!(false));
        set("disableableCredentialTypes", json!([]));
        set("requiredActions", json!([]));
        set("notBefore", json!(0));
        set("access", json!({ "manage": false }));
    }
    value
}
