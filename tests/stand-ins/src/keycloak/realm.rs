//! A realm to serve: a small builder, and what the server makes of it.

use std::collections::BTreeMap;

use jiff::Timestamp;

/// A realm, as a test describes it.
#[derive(Debug, Clone, PartialEq)]
pub struct RealmSpec {
    /// Its name.
    pub name: String,
    /// The client that may read it.
    pub client_id: String,
    /// The client's secret.
    pub client_secret: String,
    /// How long a token lives, in seconds; 300, as Keycloak has it.
    pub token_seconds: u64,
    /// Its users, service accounts included, in any order.
    pub users: Vec<UserSpec>,
    /// Its top-level groups, in any order.
    pub groups: Vec<GroupSpec>,
}

/// A user of the realm.
#[derive(Debug, Clone, PartialEq)]
pub struct UserSpec {
    /// The id: made of the username, so that it stays the same in every realm.
    pub id: String,
    /// The username; lowercase, as Keycloak keeps it.
    pub username: String,
    /// The e-mail, exactly as given: one from a directory may have capitals.
    pub email: Option<String>,
    /// The first name.
    pub first_name: Option<String>,
    /// The last name.
    pub last_name: Option<String>,
    /// Whether the user may log in.
    pub enabled: bool,
    /// When the user was made; `createdTimestamp` is absent without one.
    pub created: Option<Timestamp>,
    /// Attributes, each with its values.
    pub attributes: BTreeMap<String, Vec<String>>,
    /// The client whose service account it is. A listing leaves service accounts out; a group's members do not.
    pub service_account_of: Option<String>,
}

/// A group of the realm.
#[derive(Debug, Clone, PartialEq)]
pub struct GroupSpec {
    /// The id; without one it is made of the path.
    pub id: Option<String>,
    /// The last part of the path.
    pub name: String,
    /// Attributes, each with its values.
    pub attributes: BTreeMap<String, Vec<String>>,
    /// The usernames of its direct members. One whom the realm does not know is no member.
    pub members: Vec<String>,
    /// The groups below it.
    pub children: Vec<GroupSpec>,
}

impl RealmSpec {
    /// An empty realm, with the client `crosswalk` and the secret `stand-in-secret`.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            client_id: "crosswalk".to_owned(),
            client_secret: "stand-in-secret".to_owned(),
            token_seconds: 300,
            users: Vec::new(),
            groups: Vec::new(),
        }
    }

    /// With a user more.
    #[must_use]
    pub fn user(mut self, user: UserSpec) -> Self {
        self.users.push(user);
        self
    }

    /// With a top-level group more.
    #[must_use]
    pub fn group(mut self, group: GroupSpec) -> Self {
        self.groups.push(group);
        self
    }

    /// With tokens that live so many seconds.
    #[must_use]
    pub fn token_seconds(mut self, seconds: u64) -> Self {
        self.token_seconds = seconds;
        self
    }

    /// A realm of `people` users (`person00000@example.org`, …, each with a department and a title, and a manager but for
    /// the first) in `groups` groups, of which one in ten stands at the top with the nine that follow below it, and about
    /// `memberships` memberships, spread evenly. The same numbers make the same realm.
    pub fn sample(people: usize, groups: usize, memberships: usize) -> Self {
        const DEPARTMENTS: [&str; 5] = ["Engineering", "Finance", "People", "Research", "Support"];
        let username = |n: usize| format!("person{n:05}");
        let users = (0..people).map(|n| {
            let user = UserSpec::new(&username(n))
                .email(&format!("{}@example.org", username(n)))
                .name(&format!("First{n}"), &format!("Last{n}"))
                .attribute("department", DEPARTMENTS[n % DEPARTMENTS.len()])
                .attribute("title", "Engineer");
            if n == 0 { user } else { user.attribute("manager", &format!("{}@example.org", username((n - 1) / 10))) }
        });
        let each = memberships.checked_div(groups).unwrap_or(0).min(people);
        let mut realm = Self { users: users.collect(), ..Self::new("sample") };
        for n in 0..groups {
            let first = n * people / groups;
            let group = GroupSpec::new(&format!("group{n:05}"))
                .attribute("description", &format!("The group {n}"))
                .members((0..each).map(|member| username((first + member) % people)));
            match realm.groups.last_mut() {
                Some(parent) if n % 10 != 0 => parent.children.push(group),
                _ => realm.groups.push(group),
            }
        }
        realm
    }

    /// The user of this name.
    pub fn user_mut(&mut self, username: &str) -> Option<&mut UserSpec> {
        self.users.iter_mut().find(|user| user.username == username)
    }

    /// The group at this path, such as `/engineering/platform`.
    pub fn group_mut(&mut self, path: &str) -> Option<&mut GroupSpec> {
        let mut parts = path.trim_start_matches('/').split('/');
        let first = parts.next()?;
        let mut group = self.groups.iter_mut().find(|group| group.name == first)?;
        for part in parts {
            group = group.children.iter_mut().find(|group| group.name == part)?;
        }
        Some(group)
    }

    /// Takes the user of this name out of the realm and of its groups.
    pub fn remove_user(&mut self, username: &str) {
        self.users.retain(|user| user.username != username);
    }

    /// Every group, parents before their children, with its id and path.
    pub fn all_groups(&self) -> Vec<PlacedGroup<'_>> {
        fn place<'a>(group: &'a GroupSpec, above: &str, parent: Option<&str>, placed: &mut Vec<PlacedGroup<'a>>) {
            let path = format!("{above}/{}", group.name);
            let id = group.id.clone().unwrap_or_else(|| id_of("group", &path));
            placed.push(PlacedGroup { id: id.clone(), path: path.clone(), parent: parent.map(str::to_owned), group });
            for child in &group.children {
                place(child, &path, Some(&id), placed);
            }
        }
        let mut placed = Vec::new();
        for group in &self.groups {
            place(group, "", None, &mut placed);
        }
        placed
    }
}

/// A group in its place.
#[derive(Debug, Clone, PartialEq)]
pub struct PlacedGroup<'a> {
    /// The id.
    pub id: String,
    /// The whole path.
    pub path: String,
    /// The id of the group above it.
    pub parent: Option<String>,
    /// The group.
    pub group: &'a GroupSpec,
}

impl UserSpec {
    /// An enabled user without anything else, made on 2024-03-01.
    pub fn new(username: &str) -> Self {
        let username = username.to_lowercase();
        Self {
            id: id_of("user", &username),
            username,
            email: None,
            first_name: None,
            last_name: None,
            enabled: true,
            created: Timestamp::from_second(1_709_280_000).ok(),
            attributes: BTreeMap::new(),
            service_account_of: None,
        }
    }

    /// The service account of a client.
    pub fn service_account(client_id: &str) -> Self {
        let service_account_of = Some(client_id.to_owned());
        Self { service_account_of, ..Self::new(&format!("service-account-{client_id}")) }
    }

    /// With this e-mail.
    #[must_use]
    pub fn email(mut self, email: &str) -> Self {
        self.email = Some(email.to_owned());
        self
    }

    /// With these names.
    #[must_use]
    pub fn name(mut self, first: &str, last: &str) -> Self {
        self.first_name = Some(first.to_owned());
        self.last_name = Some(last.to_owned());
        self
    }

    /// With a value more of an attribute.
    #[must_use]
    pub fn attribute(mut self, name: &str, value: &str) -> Self {
        self.attributes.entry(name.to_owned()).or_default().push(value.to_owned());
        self
    }

    /// Made at this time.
    #[must_use]
    pub fn created(mut self, at: Timestamp) -> Self {
        self.created = Some(at);
        self
    }

    /// Disabled.
    #[must_use]
    pub fn disabled(mut self) -> Self {
        self.enabled = false;
        self
    }
}

impl GroupSpec {
    /// A group without anything else.
    pub fn new(name: &str) -> Self {
        Self { id: None, name: name.to_owned(), attributes: BTreeMap::new(), members: Vec::new(), children: Vec::new() }
    }

    /// With a value more of an attribute.
    #[must_use]
    pub fn attribute(mut self, name: &str, value: &str) -> Self {
        self.attributes.entry(name.to_owned()).or_default().push(value.to_owned());
        self
    }

    /// With these members more.
    #[must_use]
    pub fn members<T: Into<String>>(mut self, usernames: impl IntoIterator<Item = T>) -> Self {
        self.members.extend(usernames.into_iter().map(Into::into));
        self
    }

    /// With a group more below it.
    #[must_use]
    pub fn child(mut self, group: GroupSpec) -> Self {
        self.children.push(group);
        self
    }
}

/// A UUID that is the same for the same name.
fn id_of(kind: &str, name: &str) -> String {
    // FNV-1a, twice from different beginnings.
    let hash = |mut hash: u64| {
        for byte in kind.bytes().chain([0]).chain(name.bytes()) {
            hash = (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        hash
    };
    let (high, low) = (hash(0xcbf2_9ce4_8422_2325), hash(0x9ae1_6a3b_2f90_404f));
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        low >> 52,
        low & 0xffff_ffff_ffff
    )
}
