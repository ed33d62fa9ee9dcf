//! People and teams, as strictly as Glean's specification has them: written from its schemas, not taken from what
//! Crosswalk sends. An unknown field is an error.
//!
//! What the specification only says in words is checked as well: names that "cannot be empty", enumerations that its
//! schema gives as strings, the keys of additional fields. An absent field is `None`; `null` is refused, since no field
//! of the specification is nullable.

use serde::de::{self, Deserialize, Deserializer};

pub use super::texts::{Day, Email, FieldKey, NonEmpty, Uri};

/// `EmployeeInfoDefinition`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields are the specification's")]
pub struct Person {
    pub email: Email,
    pub department: NonEmpty,
    #[serde(default, deserialize_with = "present")]
    pub first_name: Option<NonEmpty>,
    #[serde(default, deserialize_with = "present")]
    pub last_name: Option<NonEmpty>,
    #[serde(default, deserialize_with = "present")]
    pub preferred_name: Option<NonEmpty>,
    #[serde(default, deserialize_with = "present")]
    pub id: Option<NonEmpty>,
    #[serde(default, deserialize_with = "present")]
    pub manager_id: Option<NonEmpty>,
    #[serde(default, deserialize_with = "present")]
    pub manager_email: Option<Email>,
    #[serde(default, deserialize_with = "present")]
    pub title: Option<NonEmpty>,
    #[serde(default, deserialize_with = "present")]
    pub business_unit: Option<NonEmpty>,
    #[serde(default, deserialize_with = "present")]
    pub phone_number: Option<NonEmpty>,
    #[serde(default, deserialize_with = "present")]
    pub photo_url: Option<Uri>,
    #[serde(default, deserialize_with = "present")]
    pub bio: Option<NonEmpty>,
    #[serde(default, deserialize_with = "present")]
    pub pronoun: Option<NonEmpty>,
    #[serde(default, deserialize_with = "present")]
    pub profile_url: Option<NonEmpty>,
    #[serde(default)]
    pub also_known_as: Vec<NonEmpty>,
    #[serde(default, deserialize_with = "present")]
    pub start_date: Option<Day>,
    #[serde(default, deserialize_with = "present")]
    pub end_date: Option<Day>,
    #[serde(default, deserialize_with = "present")]
    pub structured_location: Option<StructuredLocation>,
    #[serde(rename = "type", default)]
    pub employment: Employment,
    #[serde(default)]
    pub status: Status,
    #[serde(default)]
    pub datasource_profiles: Vec<DatasourceProfile>,
    #[serde(default)]
    pub teams: Vec<PersonTeam>,
    #[serde(default)]
    pub relationships: Vec<PersonRelationship>,
    #[serde(default)]
    pub social_networks: Vec<SocialNetwork>,
    #[serde(default)]
    pub additional_fields: Vec<AdditionalField>,
}

/// `status` of a person. `FORMER` is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// Works here; the default.
    #[default]
    Current,
    /// Will work here.
    Future,
    /// Worked here.
    Ex,
}

/// `type` of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Employment {
    /// The default.
    #[default]
    FullTime,
    /// By contract.
    Contractor,
    /// Not at all.
    NonEmployee,
}

/// `StructuredLocation`.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[allow(missing_docs, reason = "the fields are the specification's")]
pub struct StructuredLocation {
    #[serde(deserialize_with = "present")]
    pub desk_location: Option<NonEmpty>,
    #[serde(deserialize_with = "present")]
    pub timezone: Option<NonEmpty>,
    #[serde(deserialize_with = "present")]
    pub address: Option<NonEmpty>,
    #[serde(deserialize_with = "present")]
    pub city: Option<NonEmpty>,
    #[serde(deserialize_with = "present")]
    pub state: Option<NonEmpty>,
    #[serde(deserialize_with = "present")]
    pub region: Option<NonEmpty>,
    #[serde(deserialize_with = "present")]
    pub zip_code: Option<NonEmpty>,
    #[serde(deserialize_with = "present")]
    pub country: Option<NonEmpty>,
    #[serde(deserialize_with = "present")]
    pub country_code: Option<CountryCode>,
}

/// Two or three capitals (ISO 3166).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountryCode(pub String);

/// `DatasourceProfile`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields are the specification's")]
pub struct DatasourceProfile {
    pub datasource: NonEmpty,
    pub handle: NonEmpty,
    #[serde(default, deserialize_with = "present")]
    pub url: Option<NonEmpty>,
    #[serde(default, deserialize_with = "present")]
    pub native_app_url: Option<NonEmpty>,
    #[serde(default, deserialize_with = "present")]
    pub is_user_generated: Option<bool>,
}

/// `EmployeeTeamInfo`. The specification requires nothing of it; a team that cannot be told is refused here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields are the specification's")]
pub struct PersonTeam {
    pub id: NonEmpty,
    pub name: NonEmpty,
    #[serde(default, deserialize_with = "present")]
    pub url: Option<Uri>,
}

/// `EntityRelationship`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields are the specification's")]
pub struct PersonRelationship {
    pub name: RelationshipName,
    pub email: Email,
}

/// `name` of a relationship.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the values are the specification's")]
pub enum RelationshipName {
    ChiefOfStaff,
    ExecutiveAssistant,
}

/// `SocialNetworkDefinition`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields are the specification's")]
pub struct SocialNetwork {
    #[serde(default, deserialize_with = "present")]
    pub name: Option<SocialNetworkName>,
    #[serde(default, deserialize_with = "present")]
    pub profile_name: Option<NonEmpty>,
    #[serde(default, deserialize_with = "present")]
    pub profile_url: Option<NonEmpty>,
}

/// `name` of a social network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the values are the specification's")]
pub enum SocialNetworkName {
    Twitter,
    Linkedin,
}

/// `AdditionalFieldDefinition`. The specification requires nothing of it; a field without key or value is refused here.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields are the specification's")]
pub struct AdditionalField {
    pub key: FieldKey,
    pub value: Vec<FieldValue>,
}

/// "Either a string or HypertextField."
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(untagged)]
pub enum FieldValue {
    /// A string.
    Text(String),
    /// A link.
    Link(Hypertext),
}

/// `HypertextField`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields are the specification's")]
pub struct Hypertext {
    pub anchor: String,
    pub hyperlink: String,
}

/// `TeamInfoDefinition`. One that has neither members nor a link is refused, as third parties have seen it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields are the specification's")]
pub struct Team {
    pub id: NonEmpty,
    pub name: NonEmpty,
    pub members: Vec<TeamMember>,
    #[serde(default, deserialize_with = "present")]
    pub description: Option<NonEmpty>,
    #[serde(default, deserialize_with = "present")]
    pub business_unit: Option<NonEmpty>,
    #[serde(default, deserialize_with = "present")]
    pub department: Option<NonEmpty>,
    #[serde(default, deserialize_with = "present")]
    pub photo_url: Option<Uri>,
    #[serde(default, deserialize_with = "present")]
    pub external_link: Option<Uri>,
    #[serde(default)]
    pub emails: Vec<TeamEmail>,
    #[serde(default)]
    pub datasource_profiles: Vec<DatasourceProfile>,
    #[serde(default)]
    pub additional_fields: Vec<AdditionalField>,
}

/// `TeamMember`, whose field `join_date` is the one in snake_case.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields are the specification's")]
pub struct TeamMember {
    pub email: Email,
    #[serde(default)]
    pub relationship: MemberRelationship,
    #[serde(default, deserialize_with = "present")]
    pub join_date: Option<Day>,
}

/// `relationship` of a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[allow(missing_docs, reason = "the values are the specification's")]
pub enum MemberRelationship {
    #[default]
    Member,
    Manager,
    Lead,
    PointOfContact,
    Other,
}

/// `TeamEmail`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "the fields are the specification's")]
pub struct TeamEmail {
    pub email: Email,
    #[serde(rename = "type")]
    pub purpose: TeamEmailType,
}

/// `type` of a team's address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "UPPERCASE")]
#[allow(missing_docs, reason = "the values are the specification's")]
pub enum TeamEmailType {
    Primary,
    Secondary,
    Oncall,
    Other,
}

/// What stands in the body is there: `null` is no value.
pub(super) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(deserializer: D) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

impl<'de> Deserialize<'de> for CountryCode {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if (2..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_uppercase()) {
            Ok(Self(text))
        } else {
            Err(de::Error::custom("is no ISO 3166 code of two or three capitals"))
        }
    }
}
