//! What Glean is to hold, derived from a realm.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crosswalk_reconcile::Outcome;

use crate::glean::types::{Employee, EmployeeTeam, Team};
use crate::keycloak::Wanted;
use crate::realm::{Group, Realm};
use groups::{Membership, Tree};
use managers::Manager;
use people::{Chosen, Directory};
use settings::Choice;
pub use settings::{MappingSettings, SETTINGS};

mod attributes;
mod fields;
mod groups;
#[cfg(test)]
mod laws;
mod managers;
mod names;
mod people;
mod person;
mod settings;
mod team;
#[cfg(test)]
mod tests;

/// What Glean is to hold, and what became of the rest.
#[derive(Debug, Default)]
pub struct Desired {
    /// People, sorted by e-mail; e-mails are lowercased and different.
    pub people: Vec<Employee>,
    /// Teams, sorted by id.
    pub teams: Vec<Team>,
    /// Users and groups that are not exported, users first, in the realm's order.
    pub left_out: Vec<LeftOut>,
    /// What is exported and may surprise: a name that Glean filters, a manager who is not in the realm, … People by e-mail,
    /// then teams by id.
    pub warnings: Vec<Warning>,
}

/// A user or a group of the realm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A user; a person in Glean.
    Person,
    /// A group; a team in Glean.
    Team,
}

/// The word, as in JSON.
impl Kind {
    /// The word, as in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Team => "team",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a user or a group is not exported.
#[derive(Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Which.
    pub kind: Kind,
    /// Keycloak's id.
    pub id: Box<str>,
    /// The username, or the group's path: for the report and the terminal, not for logs.
    pub name: String,
    /// What Glean would know it by: the lowercased e-mail, or the group's id. None without an e-mail.
    pub key: Option<String>,
    /// Rejected, conflict or skipped.
    pub outcome: Outcome,
    /// Why, and what to do; without personal data.
    pub reason: Cow<'static, str>,
}

/// Something to know about what is exported.
#[derive(Clone, PartialEq, Eq)]
pub struct Warning {
    /// Of which.
    pub kind: Kind,
    /// Keycloak's id.
    pub id: Box<str>,
    /// The username, or the group's path.
    pub name: String,
    /// What, and what to do; without personal data.
    pub text: Cow<'static, str>,
}

/// Takes the warnings about one user or group.
struct Notes<'a> {
    kind: Kind,
    id: &'a str,
    name: &'a str,
    warnings: &'a mut Vec<Warning>,
}

impl<'a> Notes<'a> {
    fn of(kind: Kind, id: &'a str, name: &'a str, warnings: &'a mut Vec<Warning>) -> Self {
        Self { kind, id, name, warnings }
    }

    fn add(&mut self, text: impl Into<Cow<'static, str>>) {
        let Self { kind, id, name, .. } = *self;
        self.warnings.push(Warning { kind, id: id.into(), name: name.to_owned(), text: text.into() });
    }
}

/// How users become people and groups become teams.
#[derive(Debug, Clone)]
pub struct Mapping {
    settings: MappingSettings,
}

impl Mapping {
    /// With settings that were checked when they were read.
    pub fn new(settings: MappingSettings) -> Self {
        Self { settings }
    }

    /// The attributes that are needed.
    pub fn wanted(&self) -> Wanted {
        Wanted { user_attributes: self.settings.people.wanted(), group_attributes: self.settings.teams.wanted() }
    }

    /// Each user and each group of the realm ends in exactly one of people, teams and left out.
    ///
    /// Users go as people come, and ids of members before that: a small function has no room for both of a large realm.
    pub fn desired(&self, realm: Realm) -> Desired {
        let (chosen, users_left) = people::choose(&self.settings, realm.users.into_items());
        let mut groups = realm.groups.into_items();
        let directory = Directory::new(&chosen, &users_left);
        let managers: Vec<_> = chosen.iter().map(|one| managers::manager(&self.settings, one, &directory)).collect();
        let memberships = Tree::new(&self.settings.groups, &groups).memberships(&directory);
        drop(directory);
        groups.iter_mut().for_each(|group| group.members = Vec::new());

        let mut desired = Desired { left_out: users_left, ..Desired::default() };
        desired.people = self.people(chosen, managers, &mut desired.warnings);
        self.add_teams(&mut desired, &groups, &memberships);
        desired
    }

    /// The people, in no team yet.
    fn people(
        &self,
        chosen: Vec<Chosen>,
        managers: Vec<(Manager, Vec<String>)>,
        warnings: &mut Vec<Warning>,
    ) -> Vec<Employee> {
        let mut people = Vec::with_capacity(chosen.len());
        let mut links = Vec::new();
        for (one, (manager, notes_on_manager)) in chosen.into_iter().zip(managers) {
            let (id, name) = (one.user.id.clone(), one.user.username.clone());
            let mut notes = Notes::of(Kind::Person, &id, &name, warnings);
            notes_on_manager.into_iter().for_each(|note| notes.add(note));
            let mut person = person::employee(&self.settings, one, &mut notes);
            match manager {
                Manager::None => {}
                Manager::Exported(manager) => links.push((people.len(), manager)),
                Manager::Other(email) => person.manager_email = Some(email),
            }
            people.push(person);
        }
        for (person, manager) in links {
            let email = people[manager].email.clone();
            people[person].manager_email = Some(email.clone());
            people[person].manager_id = Some(email);
        }
        people
    }

    /// Adds the teams, also to their people, and the groups that are left out.
    fn add_teams(&self, desired: &mut Desired, groups: &[Group], memberships: &[Membership]) {
        let Desired { people, teams, left_out, warnings } = desired;
        let mut groups_left = Vec::new();
        // By id, so that the teams of each person are in this order too.
        let mut by_id: Vec<_> = (0..groups.len()).collect();
        by_id.sort_unstable_by_key(|&place| &groups[place].id);
        for place in by_id {
            match self.team(&groups[place], &memberships[place], people, warnings) {
                Ok(team) => {
                    let (id, name, url) = (team.id.clone(), team.name.clone(), team.external_link.clone());
                    let shown = Arc::new(EmployeeTeam { id, name, url });
                    for &person in &memberships[place].people {
                        people[person].teams.push(Arc::clone(&shown));
                    }
                    teams.push(team);
                }
                Err(left_out) => groups_left.push((place, left_out)),
            }
        }
        groups_left.sort_unstable_by_key(|(place, _)| *place);
        left_out.extend(groups_left.into_iter().map(|(_, left_out)| left_out));
    }

    /// The team of a group, or why there is none.
    fn team(
        &self,
        group: &Group,
        membership: &Membership,
        people: &[Employee],
        warnings: &mut Vec<Warning>,
    ) -> Result<Team, LeftOut> {
        let not = |outcome, reason: Cow<'static, str>| LeftOut {
            kind: Kind::Team,
            id: group.id.clone(),
            name: group.path.clone(),
            key: Some(group.id.to_string()),
            outcome,
            reason,
        };
        match self.settings.groups.choose(&group.path) {
            Choice::Team => {}
            Choice::Excluded => {
                return Err(not(Outcome::Skipped, format!("{} holds its path", settings::GROUPS_EXCLUDE.name).into()));
            }
            Choice::NotIncluded => {
                let reason = format!("{} does not hold its path", settings::GROUPS_INCLUDE.name);
                return Err(not(Outcome::Skipped, reason.into()));
            }
        }
        let name = team::name(&self.settings, group)
            .ok_or_else(|| not(Outcome::Rejected, "the group has no name, and Glean needs one".into()))?;
        let before = warnings.len();
        let mut notes = Notes::of(Kind::Team, &group.id, &group.path, warnings);
        if membership.strangers {
            notes.add(
                "it has members who are not among the realm's users, such as service accounts, or users who were made while \
                 the realm was read: they are left out",
            );
        }
        let members = membership.people.iter().map(|&person| people[person].email.clone());
        let team = team::team(&self.settings, group, name, members, &mut notes);
        if team.members.is_empty() && team.external_link.is_none() {
            warnings.truncate(before);
            return Err(not(
                Outcome::Skipped,
                "nobody in it is exported, and it has no usable externalLink: Glean refuses a team with neither".into(),
            ));
        }
        Ok(team)
    }
}

impl fmt::Debug for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LeftOut({:?} {}, {}: {})", self.kind, self.id, self.outcome, self.reason)
    }
}

impl fmt::Debug for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Warning({:?} {}: {})", self.kind, self.id, self.text)
    }
}
