//! Employers with their leave administrators.

use axum::Json;
use axum::extract::State;
use crosswalk_identity::Fein;
use crosswalk_people::Link;
use futures::future::try_join;
use futures::stream::{self, StreamExt, TryStreamExt};

use crate::api::Api;
use crate::problem::Problem;
use crate::segments::Segments;
use crate::wire;

/// How many people are read at once: an employer may have thousands.
const AT_ONCE: usize = 32;

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
    let administrators =
        stream::iter(links).map(|link| administrator(&api, link)).buffered(AT_ONCE).try_collect().await?;
    Ok(Json(wire::Employer {
        fein: employer.fein.into(),
        name: employer.name,
        fineos_employer_id: employer.fineos_employer_id,
        administrators,
    }))
}

async fn administrator(api: &Api, link: Link) -> Result<wire::Administrator, Problem> {
    let person = api.people().person(&link.username).await?;
    Ok(wire::Administrator {
        username: link.username.into(),
        email: person.and_then(|person| person.email).map(Into::into),
        fineos_web_id: link.fineos_web_id,
    })
}
