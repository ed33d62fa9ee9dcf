//! A group as Glean's `TeamInfoDefinition`.

use super::Notes;
use super::fields::TeamField;
use super::settings::{MappingSettings, TeamName};
use crate::glean::types::{Relationship, Team, TeamEmail, TeamEmailType, TeamMember};
use crate::realm::Group;

/// The team's name; none if it is blank.
pub(super) fn name<'r>(settings: &MappingSettings, group: &'r Group) -> Option<&'r str> {
    let name = match settings.groups.name {
        TeamName::Name => &group.name,
        TeamName::Path => &group.path,
    };
    Some(name.trim()).filter(|name| !name.is_empty())
}

/// The team of this name with the members of these e-mails.
pub(super) fn team(
    settings: &MappingSettings,
    group: &Group,
    name: &str,
    members: impl Iterator<Item = String>,
    notes: &mut Notes<'_>,
) -> Team {
    let values = settings.teams.read(&group.attributes);
    let email = values.email(TeamField::Email, notes);
    Team {
        id: group.id.to_string(),
        name: name.to_owned(),
        members: members.map(|email| TeamMember { email, relationship: Relationship::Member }).collect(),
        description: values.text(TeamField::Description),
        business_unit: values.text(TeamField::BusinessUnit),
        department: values.text(TeamField::Department),
        photo_url: values.url(TeamField::PhotoUrl, notes),
        external_link: values.url(TeamField::ExternalLink, notes),
        emails: email.into_iter().map(|email| TeamEmail { email, purpose: TeamEmailType::Primary }).collect(),
        additional_fields: values.additional(),
    }
}
