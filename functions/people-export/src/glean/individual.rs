//! The individual way: one request a change.

use bytes::Bytes;
use serde::Serialize;

use super::answer::Endpoint;
use super::client::{Request, Untaken};
use super::types::{Employee, Team};
use super::{Change, Confirm, Glean, SendError};

/// `IndexEmployeeRequest`. No versions are sent: a run's lease keeps others out.
#[derive(Serialize)]
struct IndexEmployee<'a> {
    employee: &'a Employee,
}

/// `DeleteEmployeeRequest`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeleteEmployee<'a> {
    employee_email: &'a str,
}

/// `IndexTeamRequest`.
#[derive(Serialize)]
struct IndexTeam<'a> {
    team: &'a Team,
}

/// `DeleteTeamRequest`.
#[derive(Serialize)]
struct DeleteTeam<'a> {
    id: &'a str,
}

/// Makes one change, within the connections and the pace.
pub(super) async fn change(glean: &Glean, change: Change<'_>, confirm: &dyn Confirm) -> Result<(), SendError> {
    let (endpoint, body) = match change {
        Change::IndexPerson(employee) => (Endpoint::IndexPerson, json(&IndexEmployee { employee })?),
        Change::DeletePerson(employee_email) => (Endpoint::DeletePerson, json(&DeleteEmployee { employee_email })?),
        Change::IndexTeam(team) => (Endpoint::IndexTeam, json(&IndexTeam { team })?),
        Change::DeleteTeam(id) => (Endpoint::DeleteTeam, json(&DeleteTeam { id })?),
    };
    let people = match change {
        Change::IndexPerson(employee) => std::slice::from_ref(employee),
        _ => &[],
    };
    let confirm = matches!(change, Change::DeletePerson(_) | Change::DeleteTeam(_)).then_some(confirm);
    send(glean, &Request { endpoint, body, people, confirm }).await
}

/// Has Glean process what was sent.
pub(super) async fn process_all(glean: &Glean) -> Result<(), SendError> {
    send(glean, &Request { endpoint: Endpoint::ProcessAll, body: Bytes::new(), people: &[], confirm: None }).await
}

async fn send(glean: &Glean, request: &Request<'_>) -> Result<(), SendError> {
    // Closed never; without a place it would go on all the same.
    let _place = glean.client.places.acquire().await;
    glean.post(request).await.map_err(|untaken| match untaken {
        Untaken::TooLarge(what) => SendError::Refused(what),
        Untaken::Error(error) => error,
    })
}

fn json(body: &impl Serialize) -> Result<Bytes, SendError> {
    match serde_json::to_vec(body) {
        Ok(body) => Ok(body.into()),
        Err(error) => Err(SendError::Refused(format!("a change cannot be written as JSON: {error}"))),
    }
}
