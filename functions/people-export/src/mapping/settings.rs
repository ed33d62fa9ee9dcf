//! The settings of the mapping.

use crosswalk_function_kit::settings::{Environment, Reader, Setting, SettingsError};

use super::attributes::Feeds;
use super::fields::{Field, PersonField, TeamField};
use super::groups::Patterns;

const DATASOURCE: Setting = Setting::optional(
    "GLEAN_DATASOURCE",
    "the data source in Glean under which people carry their Keycloak username as a profile; without it they carry none",
);
const ATTRIBUTES: Setting = Setting::optional(
    "EXPORT_ATTRIBUTES",
    "which attributes of a user feed which of Glean's fields of a person, as a JSON object such as \
     `{\"title\": \"jobTitle\", \"startDate\": [\"hired\", \"joined\"], \"bio\": null, \"structuredLocation.city\": \"office\", \
     \"languages\": \"speaks\"}`: of several attributes the first with a usable value wins; null or [] switches a field off; \
     a key of lowercase letters that is no field becomes an additional field; what is not named keeps its default, the \
     attribute of the field's name, but startDate: startDate, hireDate; managerId: managerId, manager (a user's id, username \
     or e-mail); type: employmentType; and nothing for structuredLocation",
);
const TEAM_ATTRIBUTES: Setting = Setting::optional(
    "EXPORT_TEAM_ATTRIBUTES",
    "the same for the attributes of a group and a team's businessUnit, department, description, email, externalLink, photoUrl \
     and additional fields",
);
pub(super) const DEFAULT_DEPARTMENT: Setting = Setting::optional(
    "EXPORT_DEFAULT_DEPARTMENT",
    "the department of people who have none, as Glean needs one; without it they are rejected",
);
pub(super) const DISABLED_USERS: Setting = Setting::with_default(
    "EXPORT_DISABLED_USERS",
    "ex",
    "disabled users: `ex` exports them as former employees, `skip` leaves them out",
);
const TEAM_MEMBERS: Setting = Setting::with_default(
    "EXPORT_TEAM_MEMBERS",
    "direct",
    "who is in a team: `direct` is the group's own members, `nested` is those of the groups below it too, whether these \
     become teams or not, save those that EXPORT_GROUPS_EXCLUDE shuts out",
);
const TEAM_NAME: Setting =
    Setting::with_default("EXPORT_TEAM_NAME", "name", "a team's name: the group's `name`, or its whole `path`");
pub(super) const GROUPS_INCLUDE: Setting = Setting::optional(
    "EXPORT_GROUPS_INCLUDE",
    "the groups that become teams, as comma-separated patterns of whole paths: `/a` is that group alone, `/a/*` those right \
     below it, `/a/**` it and all below it, and `\\` takes a character as it is; all groups without it",
);
pub(super) const GROUPS_EXCLUDE: Setting = Setting::optional(
    "EXPORT_GROUPS_EXCLUDE",
    "the groups that do not become teams, in the same form; it goes before EXPORT_GROUPS_INCLUDE",
);

/// What is read from the environment.
pub const SETTINGS: &[Setting] = &[
    DATASOURCE,
    ATTRIBUTES,
    TEAM_ATTRIBUTES,
    DEFAULT_DEPARTMENT,
    DISABLED_USERS,
    TEAM_MEMBERS,
    TEAM_NAME,
    GROUPS_INCLUDE,
    GROUPS_EXCLUDE,
];

/// How users become people and groups become teams.
#[derive(Debug, Clone)]
pub struct MappingSettings {
    /// `GLEAN_DATASOURCE`.
    pub(super) datasource: Option<String>,
    /// `EXPORT_ATTRIBUTES`.
    pub(super) people: Feeds<PersonField>,
    /// `EXPORT_TEAM_ATTRIBUTES`.
    pub(super) teams: Feeds<TeamField>,
    /// `EXPORT_DEFAULT_DEPARTMENT`.
    pub(super) default_department: Option<String>,
    /// `EXPORT_DISABLED_USERS`.
    pub(super) disabled: Disabled,
    /// Which groups become teams, and how.
    pub(super) groups: GroupSettings,
}

/// Which groups become teams, and how.
#[derive(Debug, Clone)]
pub(super) struct GroupSettings {
    /// `EXPORT_TEAM_MEMBERS`.
    pub(super) members: Members,
    /// `EXPORT_TEAM_NAME`.
    pub(super) name: TeamName,
    /// `EXPORT_GROUPS_INCLUDE`; all groups without it.
    include: Option<Patterns>,
    /// `EXPORT_GROUPS_EXCLUDE`.
    exclude: Option<Patterns>,
}

/// What becomes of disabled users.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disabled {
    /// Former employees.
    Ex,
    /// Nothing.
    Skip,
}

/// Who is in a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Members {
    /// The group's own members.
    Direct,
    /// Those of the groups below it too.
    Nested,
}

/// What a team is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TeamName {
    /// The last part of the path.
    Name,
    /// The whole path.
    Path,
}

/// What the patterns make of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Choice {
    /// It becomes a team.
    Team,
    /// `EXPORT_GROUPS_EXCLUDE` shuts it out; nobody is in a team by it, not even in the team of a group above it.
    Excluded,
    /// `EXPORT_GROUPS_INCLUDE` does not hold it.
    NotIncluded,
}

impl GroupSettings {
    /// Whether the group with this path becomes a team.
    pub(super) fn choose(&self, path: &str) -> Choice {
        if self.exclude.as_ref().is_some_and(|patterns| patterns.match_path(path)) {
            Choice::Excluded
        } else if self.include.as_ref().is_none_or(|patterns| patterns.match_path(path)) {
            Choice::Team
        } else {
            Choice::NotIncluded
        }
    }
}

impl MappingSettings {
    /// Reads the environment; `EXPORT_ATTRIBUTES` is checked against Glean's field names.
    ///
    /// # Errors
    /// Everything that does not read, together.
    pub fn from_env(environment: &Environment) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(environment);
        let datasource = reader.text(&DATASOURCE);
        let people = feeds::<PersonField>(&mut reader, &ATTRIBUTES);
        let teams = feeds::<TeamField>(&mut reader, &TEAM_ATTRIBUTES);
        let default_department = reader.text(&DEFAULT_DEPARTMENT);
        let unfed = people.as_ref().is_some_and(|feeds| feeds.of(PersonField::Department).is_empty());
        if unfed && default_department.is_none() {
            reader.problem(format!(
                "{} feeds department from no attribute and {} is not set, so that everybody would be rejected",
                ATTRIBUTES.name, DEFAULT_DEPARTMENT.name
            ));
        }
        let disabled = choice(&mut reader, &DISABLED_USERS, [("ex", Disabled::Ex), ("skip", Disabled::Skip)]);
        let members = choice(&mut reader, &TEAM_MEMBERS, [("direct", Members::Direct), ("nested", Members::Nested)]);
        let name = choice(&mut reader, &TEAM_NAME, [("name", TeamName::Name), ("path", TeamName::Path)]);
        let include = patterns(&mut reader, &GROUPS_INCLUDE);
        let exclude = patterns(&mut reader, &GROUPS_EXCLUDE);
        let build = || {
            Some(Self {
                datasource,
                people: people?,
                teams: teams?,
                default_department,
                disabled: disabled?,
                groups: GroupSettings { members: members?, name: name?, include, exclude },
            })
        };
        reader.finish(build())
    }
}

fn feeds<F: Field>(reader: &mut Reader<'_>, setting: &Setting) -> Option<Feeds<F>> {
    let Some(json) = reader.text(setting) else { return Some(Feeds::default()) };
    told(reader, setting, Feeds::parse(&json))
}

fn patterns(reader: &mut Reader<'_>, setting: &Setting) -> Option<Patterns> {
    let given = reader.text(setting)?;
    told(reader, setting, Patterns::parse(&given))
}

fn told<T>(reader: &mut Reader<'_>, setting: &Setting, parsed: Result<T, Vec<String>>) -> Option<T> {
    parsed.map_err(|problems| problems.iter().for_each(|it| reader.problem(format!("{}: {it}", setting.name)))).ok()
}

fn choice<T>(reader: &mut Reader<'_>, setting: &Setting, [one, other]: [(&str, T); 2]) -> Option<T> {
    let given = reader.text(setting)?.to_ascii_lowercase();
    match given {
        given if given == one.0 => Some(one.1),
        given if given == other.0 => Some(other.1),
        _ => {
            reader.problem(format!("{} must be `{}` or `{}`. {}", setting.name, one.0, other.0, setting.meaning));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<MappingSettings, SettingsError> {
        MappingSettings::from_env(&pairs.iter().copied().collect())
    }

    #[test]
    fn nothing_is_required() {
        let settings = read(&[]).unwrap();
        assert_eq!(settings.people, Feeds::default());
        assert_eq!(settings.disabled, Disabled::Ex);
        assert_eq!((settings.groups.members, settings.groups.name), (Members::Direct, TeamName::Name));
        assert_eq!(settings.groups.choose("/a"), Choice::Team);
        assert!(settings.datasource.is_none() && settings.default_department.is_none());
    }

    #[test]
    fn choices_are_read_whatever_their_case() {
        let settings = read(&[
            ("EXPORT_DISABLED_USERS", "SKIP"),
            ("EXPORT_TEAM_MEMBERS", "Nested"),
            ("EXPORT_TEAM_NAME", "path"),
            ("EXPORT_GROUPS_INCLUDE", "/a/**"),
            ("EXPORT_GROUPS_EXCLUDE", "/a/b"),
        ])
        .unwrap();
        assert_eq!(settings.disabled, Disabled::Skip);
        assert_eq!((settings.groups.members, settings.groups.name), (Members::Nested, TeamName::Path));
        let choices = ["/a", "/b", "/a/b", "/a/b/c"].map(|path| settings.groups.choose(path));
        assert_eq!(choices, [Choice::Team, Choice::NotIncluded, Choice::Excluded, Choice::Team]);
    }

    #[test]
    fn what_is_wrong_is_told_together() {
        let told = read(&[
            ("EXPORT_ATTRIBUTES", r#"{"email": "mail", "Titel": "title"}"#),
            ("EXPORT_TEAM_ATTRIBUTES", "[]"),
            ("EXPORT_DISABLED_USERS", "former"),
            ("EXPORT_TEAM_MEMBERS", "all"),
            ("EXPORT_TEAM_NAME", "id"),
            ("EXPORT_GROUPS_INCLUDE", "a"),
            ("EXPORT_GROUPS_EXCLUDE", "/{a"),
        ])
        .unwrap_err()
        .to_string();
        for part in [
            "EXPORT_ATTRIBUTES: `email` cannot be fed",
            "EXPORT_ATTRIBUTES: Glean's people have no field `Titel` that an attribute can feed; the nearest is `title`",
            "EXPORT_TEAM_ATTRIBUTES: it does not read",
            "EXPORT_DISABLED_USERS must be `ex` or `skip`",
            "EXPORT_TEAM_MEMBERS must be",
            "EXPORT_TEAM_NAME must be",
            "EXPORT_GROUPS_INCLUDE: `a` matches no path",
            "EXPORT_GROUPS_EXCLUDE: `/{a` does not read",
        ] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }

    #[test]
    fn somebody_must_be_able_to_have_a_department() {
        let off = ("EXPORT_ATTRIBUTES", r#"{"department": null}"#);
        let told = read(&[off]).unwrap_err().to_string();
        assert!(told.contains("EXPORT_DEFAULT_DEPARTMENT is not set"), "{told}");
        assert!(read(&[off, ("EXPORT_DEFAULT_DEPARTMENT", "Staff")]).is_ok());
    }
}
