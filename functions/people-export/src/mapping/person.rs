//! A user as Glean's `EmployeeInfoDefinition`.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::Offset;

use super::Notes;
use super::attributes::Values;
use super::fields::PersonField;
use super::names::filtered_for;
use super::people::Chosen;
use super::settings::MappingSettings;
use crate::glean::types::{DatasourceProfile, Employee, Employment, Status, StructuredLocation};
use crate::realm::User;

/// The person, in no team and without a manager yet.
pub(super) fn employee(
    settings: &MappingSettings,
    Chosen { email, department, user }: Chosen,
    notes: &mut Notes<'_>,
) -> Employee {
    let values = settings.people.read(&user.attributes);
    let status = if user.enabled { Status::Current } else { Status::Ex };
    Employee {
        id: Some(email.clone()),
        email,
        department,
        first_name: name(user.first_name.as_deref(), "first", notes),
        last_name: name(user.last_name.as_deref(), "last", notes),
        preferred_name: values.text(PersonField::PreferredName),
        manager_id: None,
        manager_email: None,
        title: values.text(PersonField::Title),
        business_unit: values.text(PersonField::BusinessUnit),
        phone_number: values.text(PersonField::PhoneNumber),
        photo_url: values.url(PersonField::PhotoUrl, notes),
        bio: values.text(PersonField::Bio),
        pronoun: values.text(PersonField::Pronoun),
        profile_url: values.url(PersonField::ProfileUrl, notes),
        also_known_as: values.all(PersonField::AlsoKnownAs),
        start_date: start_date(&values, user.created_at, notes),
        // Glean: "if a former employee, the last date of employment".
        end_date: if status == Status::Ex { values.read(PersonField::EndDate, notes, NO_DATE, date) } else { None },
        structured_location: location(&values, notes),
        employment: values.read(PersonField::Type, notes, "none of FULL_TIME, CONTRACTOR and NON_EMPLOYEE", employment),
        status,
        datasource_profiles: profile(settings, &user).into_iter().collect(),
        teams: Vec::new(),
        additional_fields: values.additional(),
    }
}

fn name(given: Option<&str>, which: &'static str, notes: &mut Notes<'_>) -> Option<String> {
    let Some(name) = given.map(str::trim).filter(|name| !name.is_empty()) else {
        notes.add(format!("the user has no {which} name, which Glean asks of everybody"));
        return None;
    };
    if let Some(word) = filtered_for(name) {
        notes.add(format!(
            "Glean filters this name silently, as the {which} name holds `{word}`: rename the user, or change the redlist in \
             Glean's people settings"
        ));
    }
    Some(name.to_owned())
}

const NO_DATE: &str = "no date such as 2024-12-31";

/// By attribute, else the day on which the user was made.
fn start_date(values: &Values<'_, PersonField>, created_at: Option<Timestamp>, notes: &mut Notes<'_>) -> Option<Date> {
    let given = values.read(PersonField::StartDate, notes, NO_DATE, date);
    given.or_else(|| Some(Offset::UTC.to_datetime(created_at?).date()))
}

/// `YYYY-MM-DD`, or the date of a date and time, as it is written: whoever gives an offset means the day in that place.
fn date(given: &str) -> Option<Date> {
    let day = given.get(..10)?;
    let shaped = day.bytes().enumerate().all(|(at, byte)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    let sound =
        shaped && (given.len() == 10 || given.parse::<DateTime>().is_ok() || given.parse::<Timestamp>().is_ok());
    if sound { day.parse().ok() } else { None }
}

fn employment(given: &str) -> Option<Employment> {
    let letters: String = given.chars().filter(|c| c.is_alphanumeric()).collect();
    match letters.to_ascii_uppercase().as_str() {
        "FULLTIME" => Some(Employment::FullTime),
        "CONTRACTOR" => Some(Employment::Contractor),
        "NONEMPLOYEE" => Some(Employment::NonEmployee),
        _ => None,
    }
}

fn location(values: &Values<'_, PersonField>, notes: &mut Notes<'_>) -> Option<Box<StructuredLocation>> {
    let location = StructuredLocation {
        desk_location: values.text(PersonField::DeskLocation),
        timezone: values.text(PersonField::Timezone),
        address: values.text(PersonField::Address),
        city: values.text(PersonField::City),
        state: values.text(PersonField::State),
        region: values.text(PersonField::Region),
        zip_code: values.text(PersonField::ZipCode),
        country: values.text(PersonField::Country),
        country_code: values.read(
            PersonField::CountryCode,
            notes,
            "no country code of two or three letters",
            |given| {
                let sound = matches!(given.len(), 2 | 3) && given.bytes().all(|byte| byte.is_ascii_alphabetic());
                sound.then(|| given.to_ascii_uppercase())
            },
        ),
    };
    (location != StructuredLocation::default()).then(|| Box::new(location))
}

fn profile(settings: &MappingSettings, user: &User) -> Option<DatasourceProfile> {
    let handle = user.username.trim();
    let datasource = settings.datasource.clone().filter(|_| !handle.is_empty())?;
    Some(DatasourceProfile { datasource, handle: handle.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_taken_from_dates_and_times() {
        for (given, expected) in [
            ("2024-02-29", Some("2024-02-29")),
            ("2024-12-31T23:30:00-05:00", Some("2024-12-31")),
            ("2024-12-31T23:30:00Z", Some("2024-12-31")),
            ("2024-12-31T23:30:00.123", Some("2024-12-31")),
            ("2024-12-31 23:30", Some("2024-12-31")),
            ("2023-02-29", None),
            ("2024-12-31T25:00:00Z", None),
            ("2024-12-31x", None),
            ("2024-12-310", None),
            ("20241231", None),
            ("31.12.2024", None),
            ("12/31/2024", None),
            ("2024-W01-1", None),
            ("1735603200000", None),
            ("2024-1-1", None),
            ("2024-12-3\u{e9}", None),
            ("", None),
        ] {
            assert_eq!(date(given).map(|date| date.to_string()).as_deref(), expected, "{given}");
        }
    }

    #[test]
    fn employment_is_read_whatever_its_spelling() {
        for (given, expected) in [
            ("FULL_TIME", Some(Employment::FullTime)),
            ("full-time", Some(Employment::FullTime)),
            ("Full time", Some(Employment::FullTime)),
            ("contractor", Some(Employment::Contractor)),
            ("NonEmployee", Some(Employment::NonEmployee)),
            ("part-time", None),
            ("", None),
        ] {
            assert_eq!(employment(given), expected, "{given}");
        }
    }
}
