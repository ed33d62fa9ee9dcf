//! Which of Glean's fields an attribute may feed, which attributes feed them unless the settings say otherwise, and which
//! fields Crosswalk fills itself (Glean's schemas `EmployeeInfoDefinition` and `TeamInfoDefinition`).

use std::fmt;

/// The fields of a kind that attributes may feed.
pub(super) trait Field: Copy + Ord + fmt::Debug + 'static {
    /// What has these fields, in words.
    const OF: &'static str;
    /// Each field, its name in Glean, and the attributes that feed it by default: the first that has a value wins.
    const FED: &'static [(Self, &'static str, &'static [&'static str])];
    /// Glean's other fields, and why no attribute can feed them.
    const NOT_FED: &'static [(&'static str, &'static str)];
}

/// Of a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PersonField {
    AlsoKnownAs,
    Bio,
    BusinessUnit,
    Department,
    EndDate,
    ManagerEmail,
    ManagerId,
    PhoneNumber,
    PhotoUrl,
    PreferredName,
    ProfileUrl,
    Pronoun,
    StartDate,
    Title,
    Type,
    Address,
    City,
    Country,
    CountryCode,
    DeskLocation,
    Region,
    State,
    Timezone,
    ZipCode,
}

/// Nothing feeds the location by default: Glean asks where somebody works, while the attributes that Keycloak and OpenID
/// Connect have for addresses tell where somebody lives.
impl Field for PersonField {
    const OF: &'static str = "people";
    const FED: &'static [(Self, &'static str, &'static [&'static str])] = &[
        (Self::AlsoKnownAs, "alsoKnownAs", &["alsoKnownAs"]),
        (Self::Bio, "bio", &["bio"]),
        (Self::BusinessUnit, "businessUnit", &["businessUnit"]),
        (Self::Department, "department", &["department"]),
        (Self::EndDate, "endDate", &["endDate"]),
        (Self::ManagerEmail, "managerEmail", &["managerEmail"]),
        (Self::ManagerId, "managerId", &["managerId", "manager"]),
        (Self::PhoneNumber, "phoneNumber", &["phoneNumber"]),
        (Self::PhotoUrl, "photoUrl", &["photoUrl"]),
        (Self::PreferredName, "preferredName", &["preferredName"]),
        (Self::ProfileUrl, "profileUrl", &["profileUrl"]),
        (Self::Pronoun, "pronoun", &["pronoun"]),
        (Self::StartDate, "startDate", &["startDate", "hireDate"]),
        (Self::Title, "title", &["title"]),
        (Self::Type, "type", &["employmentType"]),
        (Self::Address, "structuredLocation.address", &[]),
        (Self::City, "structuredLocation.city", &[]),
        (Self::Country, "structuredLocation.country", &[]),
        (Self::CountryCode, "structuredLocation.countryCode", &[]),
        (Self::DeskLocation, "structuredLocation.deskLocation", &[]),
        (Self::Region, "structuredLocation.region", &[]),
        (Self::State, "structuredLocation.state", &[]),
        (Self::Timezone, "structuredLocation.timezone", &[]),
        (Self::ZipCode, "structuredLocation.zipCode", &[]),
    ];
    const NOT_FED: &'static [(&'static str, &'static str)] = &[
        ("additionalFields", "give the key of each additional field itself"),
        ("datasourceProfiles", "they come from GLEAN_DATASOURCE and the username"),
        ("email", "it is the user's e-mail"),
        ("firstName", "it is the user's first name"),
        ("id", "it is the user's e-mail"),
        ("lastName", "it is the user's last name"),
        ("location", "Glean has deprecated it for `structuredLocation.city` and the like"),
        ("relationships", "they are not exported"),
        ("socialNetworks", "they are not exported"),
        ("status", "it tells whether the user is enabled"),
        ("structuredLocation", "give its parts, such as `structuredLocation.city`"),
        ("teams", "they come from the groups"),
    ];
}

/// Of a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TeamField {
    BusinessUnit,
    Department,
    Description,
    Email,
    ExternalLink,
    PhotoUrl,
}

impl Field for TeamField {
    const OF: &'static str = "teams";
    const FED: &'static [(Self, &'static str, &'static [&'static str])] = &[
        (Self::BusinessUnit, "businessUnit", &["businessUnit"]),
        (Self::Department, "department", &["department"]),
        (Self::Description, "description", &["description"]),
        (Self::Email, "email", &["email"]),
        (Self::ExternalLink, "externalLink", &["externalLink"]),
        (Self::PhotoUrl, "photoUrl", &["photoUrl"]),
    ];
    const NOT_FED: &'static [(&'static str, &'static str)] = &[
        ("additionalFields", "give the key of each additional field itself"),
        ("datasourceProfiles", "they are not exported"),
        ("emails", "give `email`, which becomes the primary one"),
        ("id", "it is the group's id"),
        ("members", "they are the group's members"),
        ("name", "it is the group's; see EXPORT_TEAM_NAME"),
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    fn each_name_stands_once<F: Field>() {
        let names: Vec<_> = F::FED.iter().map(|fed| fed.1).chain(F::NOT_FED.iter().map(|&(name, _)| name)).collect();
        for name in &names {
            assert_eq!(names.iter().filter(|other| other.eq_ignore_ascii_case(name)).count(), 1, "{name}");
        }
        for (index, (field, _, _)) in F::FED.iter().enumerate() {
            assert!(F::FED[..index].iter().all(|(other, _, _)| other != field), "{field:?}");
        }
    }

    #[test]
    fn each_field_stands_once() {
        each_name_stands_once::<PersonField>();
        each_name_stands_once::<TeamField>();
    }

    /// What the meaning of EXPORT_ATTRIBUTES says.
    #[test]
    fn the_defaults_are_as_the_settings_say() {
        for (_, name, attributes) in PersonField::FED {
            let expected: &[&str] = match *name {
                "managerId" => &["managerId", "manager"],
                "startDate" => &["startDate", "hireDate"],
                "type" => &["employmentType"],
                part if part.starts_with("structuredLocation.") => &[],
                same => &[same],
            };
            assert_eq!(*attributes, expected, "{name}");
        }
        for (_, name, attributes) in TeamField::FED {
            assert_eq!(*attributes, [*name]);
        }
    }
}
