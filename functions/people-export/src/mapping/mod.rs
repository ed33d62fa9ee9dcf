//! What Glean is to hold, derived from a realm.

use std::borrow::Cow;
use std::fmt;

use crosswalk_reconcile::Outcome;

use crate::glean::types::{Employee, EmployeeTeam, Team};
use crate::keycloak::Wanted;
use crate::realm::{Group, Realm};
use groups::{Membership, Tree};
use people::Directory;
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
impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Person => "person",
            Self::Team => "team",
        })
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
    pub fn desired(&self, realm: &Realm) -> Desired {
        let (users, groups) = (realm.users.items(), realm.groups.items());
        let mut warnings = Vec::new();
        let (chosen, mut users_left) = people::choose(&self.settings, users);
        let directory = Directory::new(users, &chosen);
        let mut people = Vec::with_capacity(chosen.len());
        for person in &chosen {
            let mut notes = Notes::of(Kind::Person, &person.user.id, &person.user.username, &mut warnings);
            people.push(person::employee(&self.settings, person, &directory, &mut notes));
        }

        let tree = Tree::new(&self.settings.groups, groups);
        let (mut teams, mut groups_left) = (Vec::new(), Vec::new());
        // By id, so that the teams of each person are in this order too.
        let mut by_id: Vec<_> = (0..groups.len()).collect();
        by_id.sort_unstable_by_key(|&place| &groups[place].id);
        for place in by_id {
            match self.team(&tree, place, &groups[place], &directory, &mut warnings) {
                Ok((team, members)) => {
                    for person in members {
                        let (id, name, url) = (team.id.clone(), team.name.clone(), team.external_link.clone());
                        people[person].teams.push(EmployeeTeam { id, name, url });
                    }
                    teams.push(team);
                }
                Err(left_out) => groups_left.push((place, left_out)),
            }
        }

        for left in [&mut users_left, &mut groups_left] {
            left.sort_unstable_by_key(|(place, _)| *place);
        }
        let left_out = users_left.into_iter().chain(groups_left).map(|(_, left_out)| left_out).collect();
        Desired { people, teams, left_out, warnings }
    }

    /// The team of a group and the indexes of its people, or why there is none.
    fn team(
        &self,
        tree: &Tree<'_>,
        place: usize,
        group: &Group,
        directory: &Directory<'_>,
        warnings: &mut Vec<Warning>,
    ) -> Result<(Team, Vec<usize>), LeftOut> {
        let not = |outcome, reason: Cow<'static, str>| LeftOut {
            kind: Kind::Team,
            id: group.id.clone(),
            name: group.path.clone(),
            key: Some(group.id.to_string()),
            outcome,
            reason,
        };
        if tree.is_excluded(place) {
            return Err(not(Outcome::Skipped, format!("{} holds its path", settings::GROUPS_EXCLUDE.name).into()));
        }
        if !self.settings.groups.is_included(&group.path) {
            return Err(not(
                Outcome::Skipped,
                format!("{} does not hold its path", settings::GROUPS_INCLUDE.name).into(),
            ));
        }
        let name = team::name(&self.settings, group)
            .ok_or_else(|| not(Outcome::Rejected, "the group has no name, and Glean needs one".into()))?;
        let Membership { people, strangers } = tree.membership(place, directory);
        let before = warnings.len();
        let mut notes = Notes::of(Kind::Team, &group.id, &group.path, warnings);
        if strangers {
            notes.add(
                "it has members who are not among the realm's users, such as service accounts, or users who were made while \
                 the realm was read: they are left out",
            );
        }
        let team = team::team(&self.settings, group, name, &people, directory, &mut notes);
        if team.members.is_empty() && team.external_link.is_none() {
            warnings.truncate(before);
            return Err(not(
                Outcome::Skipped,
                "nobody in it is exported, and it has no usable externalLink: Glean refuses a team with neither".into(),
            ));
        }
        Ok((team, people))
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
