//! The realm as it is known without the export: from Keycloak's realm file, or made here. What Glean is to hold is derived
//! from it in a way of its own.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::Context as _;
use crosswalk_stand_ins::glean::types::{self, FieldValue};
use crosswalk_stand_ins::keycloak::{GroupSpec, RealmSpec, UserSpec};
use jiff::Timestamp;
use serde_json::{Value, json};

pub(crate) type Attributes = BTreeMap<String, Vec<String>>;

/// A realm's people and groups.
#[derive(Debug, Clone, Default)]
pub(crate) struct Company {
    /// By username.
    pub(crate) people: BTreeMap<String, Person>,
    /// Parents before their children.
    pub(crate) groups: Vec<Group>,
}

#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) email: Option<String>,
    pub(crate) first_name: String,
    pub(crate) last_name: String,
    pub(crate) enabled: bool,
    pub(crate) created: Timestamp,
    pub(crate) attributes: Attributes,
    pub(crate) service_account_of: Option<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) path: String,
    pub(crate) parent: Option<String>,
    pub(crate) attributes: Attributes,
    /// Usernames.
    pub(crate) members: BTreeSet<String>,
}

/// What Glean is to hold: people by e-mail, teams by id, in the form that [`held_person`] and [`held_team`] give what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Held {
    pub(crate) people: BTreeMap<String, Value>,
    pub(crate) teams: BTreeMap<String, Value>,
}

/// Whom a team holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Members {
    Direct,
    /// The members of all groups below it too.
    Nested,
}

impl Company {
    /// Reads the file that Keycloak was given.
    pub(crate) fn from_realm_file(file: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        let realm: Value = serde_json::from_str(&text)?;
        let mut company = Self::default();
        company.add_groups(&realm["groups"], None)?;
        for user in realm["users"].as_array().context("no users")? {
            let username = text_of(&user["username"])?;
            for path in user["groups"].as_array().into_iter().flatten() {
                company.group_mut(path.as_str().context("no path")?).members.insert(username.clone());
            }
            let service_account_of = user["serviceAccountClientId"].as_str().map(str::to_owned);
            let person = Person {
                // Keycloak gives service accounts an id of its own making.
                id: user["id"].as_str().unwrap_or(&username).to_owned(),
                // Keycloak keeps it so.
                email: user["email"].as_str().map(str::to_lowercase),
                first_name: user["firstName"].as_str().unwrap_or_default().to_owned(),
                last_name: user["lastName"].as_str().unwrap_or_default().to_owned(),
                enabled: user["enabled"].as_bool().context("no enabled")?,
                created: Timestamp::from_millisecond(user["createdTimestamp"].as_i64().unwrap_or_default())?,
                attributes: attributes_of(&user["attributes"])?,
                service_account_of,
            };
            company.people.insert(username, person);
        }
        Ok(company)
    }

    fn add_groups(&mut self, groups: &Value, parent: Option<&(String, String)>) -> anyhow::Result<()> {
        for group in groups.as_array().context("no groups")? {
            let (id, name) = (text_of(&group["id"])?, text_of(&group["name"])?);
            let path = format!("{}/{name}", parent.map_or("", |(_, path)| path));
            self.groups.push(Group {
                id: id.clone(),
                name,
                path: path.clone(),
                parent: parent.map(|(id, _)| id.clone()),
                attributes: attributes_of(&group["attributes"])?,
                members: BTreeSet::new(),
            });
            self.add_groups(&group["subGroups"], Some(&(id, path)))?;
        }
        Ok(())
    }

    /// A small one with the same kinds of people and groups as the realm file's.
    pub(crate) fn small() -> Self {
        let mut company = Self::default();
        for number in 0..120_i64 {
            let attribute = |name: &str, value: String| (name.to_owned(), vec![value]);
            let mut attributes = Attributes::from([attribute("title", format!("Title {}", number % 4))]);
            attributes.extend([attribute("costCentre", format!("CC-{}", number % 13))]);
            if number % 30 != 13 {
                attributes.extend([attribute("department", format!("Department {}", number % 5))]);
            }
            if number % 3 == 0 {
                attributes.extend([attribute("startDate", format!("2020-01-{:02}", number % 28 + 1))]);
            }
            if number % 10 != 0 {
                attributes.extend([attribute("managerEmail", format!("user{:06}@example.org", number - number % 10))]);
            }
            let person = Person {
                id: format!("id-of-{number:06}"),
                email: (number % 50 != 7).then(|| format!("user{number:06}@example.org")),
                first_name: "Chloé".to_owned(),
                last_name: format!("O'Connor {number}"),
                enabled: number % 40 != 11,
                created: Timestamp::constant(1_549_166_706 + 21_600 * number, 0),
                attributes,
                service_account_of: None,
            };
            company.people.insert(format!("user{number:06}"), person);
        }
        let mut export = company.people["user000000"].clone();
        export.id = "id-of-export".to_owned();
        export.email = None;
        export.service_account_of = Some("export".to_owned());
        company.people.insert("service-account-export".to_owned(), export);

        let mut paths =
            vec!["/everyone", "/empty", "/nobody with an e-mail", "/research|development", "/wide", "/company"];
        paths.extend(["/company/division", "/company/division/department", "/company/division/department/team"]);
        let parts: Vec<String> = (0..23).map(|number| format!("/wide/part {number:02}")).collect();
        paths.extend(parts.iter().map(String::as_str));
        for (number, path) in paths.iter().enumerate() {
            let (above, name) = path.rsplit_once('/').unwrap_or_default();
            let parent = company.groups.iter().find(|group| group.path == above).map(|group| group.id.clone());
            // A slash within a name looks in the path like one between names.
            let (name, path) = (name.replace('|', "/"), path.replace('|', "/"));
            let members = company.people.iter().enumerate().filter(|(index, (_, person))| match path.as_str() {
                "/everyone" => index % 7 != 0,
                "/empty" => false,
                "/nobody with an e-mail" => person.email.is_none(),
                "/company" => index % 11 == 0 || person.service_account_of.is_some(),
                _ => index % 11 == number % 11,
            });
            let members = members.map(|(_, (username, _))| username.clone()).collect();
            let attributes = Attributes::from([("description".to_owned(), vec![format!("The group {name}")])]);
            company.groups.push(Group { id: format!("group-{number}"), name, path, parent, attributes, members });
        }
        company
    }

    /// The same for the stand-in.
    pub(crate) fn to_spec(&self) -> RealmSpec {
        let mut spec = RealmSpec::new("example");
        spec.client_id = "export".to_owned();
        spec.client_secret = "export-secret".to_owned();
        for (username, person) in &self.people {
            spec = spec.user(UserSpec {
                id: person.id.clone(),
                email: person.email.clone(),
                first_name: Some(person.first_name.clone()).filter(|name| !name.is_empty()),
                last_name: Some(person.last_name.clone()).filter(|name| !name.is_empty()),
                enabled: person.enabled,
                created: Some(person.created),
                attributes: person.attributes.clone(),
                service_account_of: person.service_account_of.clone(),
                ..UserSpec::new(username)
            });
        }
        spec.groups = self.specs_below(None);
        spec
    }

    fn specs_below(&self, parent: Option<&str>) -> Vec<GroupSpec> {
        let below = self.groups.iter().filter(|group| group.parent.as_deref() == parent);
        below
            .map(|group| GroupSpec {
                id: Some(group.id.clone()),
                name: group.name.clone(),
                attributes: group.attributes.clone(),
                members: group.members.iter().cloned().collect(),
                children: self.specs_below(Some(&group.id)),
            })
            .collect()
    }

    /// Those whom a listing of users shows.
    pub(crate) fn listed(&self) -> impl Iterator<Item = (&String, &Person)> {
        self.people.iter().filter(|(_, person)| person.service_account_of.is_none())
    }

    pub(crate) fn group_mut(&mut self, path: &str) -> &mut Group {
        let found = self.groups.iter_mut().find(|group| group.path == path);
        found.unwrap_or_else(|| panic!("there is no group {path}"))
    }

    /// What Glean is to hold: everybody with an e-mail and a department, and each group that has such a member.
    pub(crate) fn expected(&self, members: Members) -> Held {
        let mut teams_of: BTreeMap<&str, BTreeSet<(&str, &str)>> = BTreeMap::new();
        let mut held = Held::default();
        for group in &self.groups {
            let is_below =
                |other: &&Group| other.id == group.id || (members == Members::Nested && self.is_below(other, group));
            let usernames = self.groups.iter().filter(is_below).flat_map(|group| &group.members);
            let emails: BTreeSet<String> = usernames
                .filter(|username| self.is_exported(username))
                .inspect(|username| {
                    teams_of.entry(username).or_default().insert((&group.id, &group.name));
                })
                .filter_map(|username| self.people[username].email.as_ref().map(|email| email.to_lowercase()))
                .collect();
            if !emails.is_empty() {
                let description = group.attributes.get("description").and_then(|values| values.first());
                let team = json!({ "id": group.id, "name": group.name, "description": description, "members": emails });
                held.teams.insert(group.id.clone(), team);
            }
        }
        for (username, person) in self.listed().filter(|(username, _)| self.is_exported(username)) {
            let attribute = |name: &str| person.attributes.get(name).and_then(|values| values.first());
            let created = person.created.to_zoned(jiff::tz::TimeZone::UTC).date().to_string();
            let email = person.email.as_ref().map(|email| email.to_lowercase()).unwrap_or_default();
            let expected = json!({
                "email": email,
                "department": attribute("department"),
                "firstName": person.first_name,
                "lastName": person.last_name,
                "title": attribute("title"),
                "businessUnit": attribute("businessUnit"),
                "managerEmail": attribute("managerEmail"),
                "startDate": attribute("startDate").unwrap_or(&created),
                "status": if person.enabled { "CURRENT" } else { "EX" },
                "handle": username,
                "costcentre": person.attributes.get("costCentre"),
                "teams": teams_of.remove(username.as_str()).unwrap_or_default(),
            });
            held.people.insert(email, expected);
        }
        held
    }

    fn is_exported(&self, username: &str) -> bool {
        let person = &self.people[username];
        person.service_account_of.is_none() && person.email.is_some() && person.attributes.contains_key("department")
    }

    fn is_below(&self, group: &Group, above: &Group) -> bool {
        let parent = |group: &Group| self.groups.iter().find(|other| group.parent.as_ref() == Some(&other.id));
        parent(group).is_some_and(|parent| parent.id == above.id || self.is_below(parent, above))
    }
}

/// What a person that Glean holds has of what [`Company::expected`] says.
pub(crate) fn held_person(person: &types::Person) -> Value {
    let text = |text: &Option<types::NonEmpty>| text.as_ref().map(|text| text.as_str().to_owned());
    let cost_centre = person.additional_fields.iter().find(|field| field.key == "costcentre");
    let cost_centre: Option<Vec<&String>> = cost_centre.map(|field| {
        let texts = field.value.iter().map(|value| match value {
            FieldValue::Text(text) => text,
            FieldValue::Link(_) => panic!("no link was sent"),
        });
        texts.collect()
    });
    let teams: BTreeSet<(&str, &str)> =
        person.teams.iter().map(|team| (team.id.as_str(), team.name.as_str())).collect();
    json!({
        "email": person.email.as_str(),
        "department": person.department.as_str(),
        "firstName": text(&person.first_name),
        "lastName": text(&person.last_name),
        "title": text(&person.title),
        "businessUnit": text(&person.business_unit),
        "managerEmail": person.manager_email.as_ref().map(|email| email.as_str()),
        "startDate": person.start_date.as_ref().map(|day| day.as_str()),
        "status": match person.status {
            types::Status::Current => "CURRENT",
            types::Status::Future => "FUTURE",
            types::Status::Ex => "EX",
        },
        "handle": person.datasource_profiles.first().map(|profile| profile.handle.as_str()),
        "costcentre": cost_centre,
        "teams": teams,
    })
}

/// What a team that Glean holds has of what [`Company::expected`] says.
pub(crate) fn held_team(team: &types::Team) -> Value {
    let members: BTreeSet<&str> = team.members.iter().map(|member| member.email.as_str()).collect();
    json!({
        "id": team.id.as_str(),
        "name": team.name.as_str(),
        "description": team.description.as_ref().map(|text| text.as_str()),
        "members": members,
    })
}

fn text_of(value: &Value) -> anyhow::Result<String> {
    value.as_str().map(str::to_owned).with_context(|| format!("not a text: {value}"))
}

fn attributes_of(value: &Value) -> anyhow::Result<Attributes> {
    if value.is_null() { Ok(Attributes::new()) } else { Ok(serde_json::from_value(value.clone())?) }
}
