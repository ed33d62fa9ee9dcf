//! Employers with their leave administrators.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use crosswalk_identity::Fein;
use futures::future::try_join;

use crate::api::Api;
use crate::problem::Problem;
use crate::segments::Segments;
use crate::wire;

/// An employer with its leave administrators.
#[utoipa::path(
    get,
    path = "/employers/{fein}",
    tag = "employers",
    params(("fein" = String, Path, description = "The employer's number: 9 digits; dashes and leading zeros may be left out.", example = "042127847")),
    responses(
        (status = 200, description = "The employer.", body = wire::Employer),
        (status = 404, description = "No employer has this FEIN.", body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn get_employer(
    State(api): State<Api>,
    Segments(fein): Segments<String>,
) -> Result<Json<wire::Employer>, Problem> {
    let fein = Fein::parse(&fein)?;
    let (employer, links) = try_join(api.people().employer(&fein), api.people().administrators(&fein)).await?;
    let Some(employer) = employer else {
        return Err(Problem::not_found("no employer has this FEIN; import it as a file of kind `employers` first"));
    };
    let usernames: Vec<_> = links.iter().map(|link| link.username.clone()).collect();
    let mut people = if usernames.is_empty() { BTreeMap::new() } else { api.people().persons(&usernames).await? };
    let administrators = links.into_iter().map(|link| {
        let person = people.remove(&link.username);
        // The person's own spelling; a link has that of the row that made it.
        let username = person.as_ref().map_or(link.username, |person| person.username.clone());
        wire::Administrator {
            username: username.into(),
            email: person.and_then(|person| person.email).map(Into::into),
            fineos_web_id: link.fineos_web_id,
        }
    });
    Ok(Json(wire::Employer {
        fein: employer.fein.into(),
        name: employer.name,
        fineos_employer_id: employer.fineos_employer_id,
        administrators: administrators.collect(),
    }))
}
