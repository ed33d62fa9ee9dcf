//! The bodies of the requests, and their reading.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::types::{Email, NonEmpty, Person, Team, present};

/// `BulkIndexEmployeesRequest`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct PeoplePage {
    pub(super) upload_id: NonEmpty,
    #[serde(default)]
    pub(super) is_first_page: bool,
    #[serde(default)]
    pub(super) is_last_page: bool,
    #[serde(default)]
    pub(super) force_restart_upload: bool,
    #[serde(default)]
    pub(super) disable_stale_data_deletion_check: bool,
    pub(super) employees: Vec<Person>,
}

/// `BulkIndexTeamsRequest`, which has no flag for stale data.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct TeamsPage {
    pub(super) upload_id: NonEmpty,
    #[serde(default)]
    pub(super) is_first_page: bool,
    #[serde(default)]
    pub(super) is_last_page: bool,
    #[serde(default)]
    pub(super) force_restart_upload: bool,
    pub(super) teams: Vec<Team>,
}

/// `IndexEmployeeRequest`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IndexPerson {
    pub(super) employee: Person,
    #[serde(default, deserialize_with = "present")]
    #[expect(dead_code, reason = "only its form is checked")]
    version: Option<i64>,
}

/// `DeleteEmployeeRequest`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct DeletePerson {
    pub(super) employee_email: Email,
    #[serde(default, deserialize_with = "present")]
    #[expect(dead_code, reason = "only its form is checked")]
    version: Option<i64>,
}

/// `IndexTeamRequest`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct IndexTeam {
    pub(super) team: Team,
    #[serde(default, deserialize_with = "present")]
    #[expect(dead_code, reason = "only its form is checked")]
    version: Option<i64>,
}

/// `DeleteTeamRequest`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DeleteTeam {
    pub(super) id: NonEmpty,
}

/// Reads a body; the error names the path of what does not read, such as `employees[3].status`.
pub(super) fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    let mut reader = serde_json::Deserializer::from_slice(body);
    let read = serde_path_to_error::deserialize(&mut reader).map_err(|error| error.to_string())?;
    reader.end().map_err(|error| error.to_string())?;
    Ok(read)
}

/// What the specification says in words of a team.
pub(super) fn check_team(team: &Team) -> Result<(), String> {
    if team.members.is_empty() && team.external_link.is_none() {
        return Err(format!("the team {} has neither members nor an externalLink", team.id));
    }
    let mut emails: Vec<&Email> = team.members.iter().map(|member| &member.email).collect();
    emails.sort();
    match emails.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(pair) => Err(format!("the team {} has the member {} twice", team.id, pair[0])),
        None => Ok(()),
    }
}
