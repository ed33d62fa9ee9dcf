//! People and teams as Glean's Indexing API has them (its OpenAPI document, schemas `EmployeeInfoDefinition` and
//! `TeamInfoDefinition`). A field that is not set is not sent.

use std::sync::Arc;

use jiff::civil::Date;
use serde::{Serialize, Serializer};

/// `EmployeeInfoDefinition`. `location` is left out: it is deprecated for `structuredLocation`.
#[derive(Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Employee {
    /// Required; lowercased here.
    pub email: String,
    /// Required.
    pub department: String,
    /// Must not be empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<String>,
    /// Must not be empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_name: Option<String>,
    /// A nickname.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub preferred_name: Option<String>,
    /// Only for links by `managerId`; the e-mail here.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The `id` of the manager.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manager_id: Option<String>,
    /// The e-mail of the manager.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manager_email: Option<String>,
    /// The role's title.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The highest organisational unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub business_unit: Option<String>,
    /// The phone number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phone_number: Option<String>,
    /// A URI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub photo_url: Option<String>,
    /// A short biography.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bio: Option<String>,
    /// Such as "she/her".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pronoun: Option<String>,
    /// The company's page about the person.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile_url: Option<String>,
    /// Other names.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub also_known_as: Vec<String>,
    /// `YYYY-MM-DD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub start_date: Option<Date>,
    /// `YYYY-MM-DD`; of a former employee.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_date: Option<Date>,
    /// Where the person is. Boxed, as most have none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub structured_location: Option<Box<StructuredLocation>>,
    /// Glean's default is `FULL_TIME`.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub employment: Option<Employment>,
    /// Glean's default is `CURRENT`; always sent here.
    pub status: Status,
    /// The person in other systems.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub datasource_profiles: Vec<DatasourceProfile>,
    /// The person's teams; agrees with the teams' members.
    #[serde(skip_serializing_if = "Vec::is_empty", serialize_with = "shared")]
    pub teams: Vec<Arc<EmployeeTeam>>,
    /// What has no field of its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub additional_fields: Vec<AdditionalField>,
}

/// Whether somebody works here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub enum Status {
    /// Works here.
    #[default]
    #[serde(rename = "CURRENT")]
    Current,
    /// Will work here.
    #[serde(rename = "FUTURE")]
    Future,
    /// Worked here.
    #[serde(rename = "EX")]
    Ex,
}

/// How somebody is employed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Employment {
    /// The default.
    #[serde(rename = "FULL_TIME")]
    FullTime,
    /// By contract.
    #[serde(rename = "CONTRACTOR")]
    Contractor,
    /// Not at all.
    #[serde(rename = "NON_EMPLOYEE")]
    NonEmployee,
}

/// `StructuredLocation`.
#[derive(Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StructuredLocation {
    /// Desk number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desk_location: Option<String>,
    /// Time zone, UTC form.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Office address or name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// City.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
    /// State code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// Region.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// ZIP code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zip_code: Option<String>,
    /// Country.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// ISO 3166-1 alpha-2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country_code: Option<String>,
}

/// `DatasourceProfile`.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DatasourceProfile {
    /// The data source.
    pub datasource: String,
    /// The name there.
    pub handle: String,
}

/// `EmployeeTeamInfo`.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct EmployeeTeam {
    /// The team's id.
    pub id: String,
    /// The team's name.
    pub name: String,
    /// The team's page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

/// `AdditionalFieldDefinition`.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct AdditionalField {
    /// Lowercase letters only.
    pub key: String,
    /// Its values.
    pub value: Vec<String>,
}

/// `TeamInfoDefinition`.
#[derive(Clone, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Team {
    /// Required: the group's id.
    pub id: String,
    /// Required.
    pub name: String,
    /// Required, and never empty unless there is a link.
    pub members: Vec<TeamMember>,
    /// The description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The highest organisational unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub business_unit: Option<String>,
    /// The department.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    /// A URI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub photo_url: Option<String>,
    /// A URI: the team's page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_link: Option<String>,
    /// Addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub emails: Vec<TeamEmail>,
    /// What has no field of its own.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub additional_fields: Vec<AdditionalField>,
}

/// `TeamMember`, in snake_case as the specification has it.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct TeamMember {
    /// The person's e-mail.
    pub email: String,
    /// Always `MEMBER`: Keycloak knows no other.
    pub relationship: Relationship,
}

/// A member's part in the team.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Relationship {
    /// A member.
    #[serde(rename = "MEMBER")]
    Member,
}

/// `TeamEmail`.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct TeamEmail {
    /// The address.
    pub email: String,
    /// What it is for.
    #[serde(rename = "type")]
    pub purpose: TeamEmailType,
}

/// What a team's address is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum TeamEmailType {
    /// The main one.
    #[serde(rename = "PRIMARY")]
    Primary,
}

/// A team is told once, whoever is in it.
fn shared<S: Serializer>(teams: &[Arc<EmployeeTeam>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(teams.iter().map(|team| &**team))
}

/// Masked: e-mails and names are personal.
impl std::fmt::Debug for Employee {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Employee({})", crosswalk_identity::mask(&self.email))
    }
}

impl std::fmt::Debug for Team {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Team({}, {} members)", self.id, self.members.len())
    }
}

impl std::fmt::Debug for StructuredLocation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("StructuredLocation(***)")
    }
}

impl std::fmt::Debug for DatasourceProfile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DatasourceProfile({}, {})", self.datasource, crosswalk_identity::mask(&self.handle))
    }
}

impl std::fmt::Debug for EmployeeTeam {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EmployeeTeam({})", self.id)
    }
}

/// The values may be anything.
impl std::fmt::Debug for AdditionalField {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AdditionalField({}, {} values)", self.key, self.value.len())
    }
}

impl std::fmt::Debug for TeamMember {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TeamMember({}, {:?})", crosswalk_identity::mask(&self.email), self.relationship)
    }
}

impl std::fmt::Debug for TeamEmail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TeamEmail({}, {:?})", crosswalk_identity::mask(&self.email), self.purpose)
    }
}
