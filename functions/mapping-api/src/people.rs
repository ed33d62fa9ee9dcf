//! People: one by username, or all of an e-mail.

use axum::Json;
use axum::extract::{RawQuery, State};
use crosswalk_identity::Email;
use crosswalk_people::{Link, Overview};

use crate::api::Api;
use crate::problem::Problem;
use crate::query::Parameters;
use crate::segments::{self, Segments};
use crate::wire;

/// All that is known of a person: e-mail, roles, employers and mappings. One who only has mappings has no e-mail and no
/// roles.
#[utoipa::path(
    get,
    path = "/people/{username}",
    tag = "people",
    params(("username" = String, Path, description = "The person; percent-encoded, case does not matter.")),
    responses(
        (status = 200, description = "The person.", body = wire::PersonDetails),
        (status = 404, description = "Nothing is known of this username.", body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn get_person(
    State(api): State<Api>,
    Segments(username): Segments<String>,
) -> Result<Json<wire::PersonDetails>, Problem> {
    let username = segments::username(&username)?;
    let Some(Overview { person, links, mappings }) = api.people().overview(&username).await? else {
        return Err(Problem::not_found("nothing is known of this username"));
    };
    let names = person.iter().map(|person| &person.username);
    let names = names.chain(mappings.iter().map(|mapping| &mapping.username));
    let shown = names.chain(links.iter().map(|link| &link.username)).next().unwrap_or(&username).to_string();
    let (email, roles) = person.map_or((None, Vec::new()), |person| (person.email, person.roles));
    Ok(Json(wire::PersonDetails {
        username: shown,
        email: email.map(Into::into),
        roles,
        links: with_employers(&api, links).await?,
        identifiers: mappings.into_iter().map(Into::into).collect(),
    }))
}

async fn with_employers(api: &Api, links: Vec<Link>) -> Result<Vec<wire::Link>, Problem> {
    if links.is_empty() {
        return Ok(Vec::new());
    }
    let feins: Vec<_> = links.iter().map(|link| link.fein.clone()).collect();
    let mut employers = api.people().employers(&feins).await?;
    let named = links.into_iter().map(|link| wire::Link {
        employer: employers.remove(&link.fein).map(|employer| employer.name),
        fein: link.fein.into(),
        fineos_web_id: link.fineos_web_id,
    });
    Ok(named.collect())
}

/// The people with an e-mail. It is not unique: there may be none, one or several.
#[utoipa::path(
    get,
    path = "/people",
    tag = "people",
    params(("email" = String, Query, description = "The address; percent-encoded (`+` as `%2B`), case does not matter.")),
    responses((status = 200, description = "The people, by username.", body = wire::People))
)]
pub(crate) async fn find_people(
    State(api): State<Api>,
    RawQuery(query): RawQuery,
) -> Result<Json<wire::People>, Problem> {
    let parameters = Parameters::read(query.as_deref(), &["email"])?;
    let Some(email) = parameters.text("email") else {
        return Err(Problem::invalid("send the query parameter `email`, as in /people?email=alice%40example.org"));
    };
    let email = Email::parse(email)?;
    let people = api.people().people_by_email(&email).await?;
    Ok(Json(wire::People { items: people.into_iter().map(Into::into).collect() }))
}
