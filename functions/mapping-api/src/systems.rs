//! A system's mappings: reverse lookup, listing, moves and swaps.

use axum::extract::{RawQuery, State};
use axum::{Extension, Json};
use crosswalk_http_edge::RequestId;
use crosswalk_identifier_store::Moved;
use crosswalk_identity::ExternalId;

use crate::api::Api;
use crate::body::JsonBody;
use crate::problem::Problem;
use crate::query::Parameters;
use crate::segments::{self, Segments};
use crate::wire;

/// With `external_id`, the one mapping that holds it; without, all mappings of the system, a page at a time.
///
/// The reverse lookup is strongly consistent; the listing is eventually consistent, and sorted in no way that means
/// anything.
#[utoipa::path(
    get,
    path = "/systems/{system}/identifiers",
    tag = "systems",
    params(
        ("system" = String, Path, description = "A known system."),
        ("external_id" = Option<String>, Query, description = "The id to look up; percent-encoded (`+` as `%2B`), exact. Not together with `cursor` or `limit`."),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before."),
        ("limit" = Option<u16>, Query, description = "The most items of the page; 100 if it is left out.", minimum = 1, maximum = 1000)
    ),
    responses(
        (status = 200, description = "The mapping, or the page.", body = wire::Found),
        (status = 404, description = "Nobody holds the external id, or the system is not known; then the known ones are named.", body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn find_identifiers(
    State(api): State<Api>,
    Segments(system): Segments<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<wire::Found>, Problem> {
    let system = segments::system(api.systems(), &system)?;
    let parameters = Parameters::read(query.as_deref(), &["external_id", "cursor", "limit"])?;
    let (external_id, cursor) = (parameters.text("external_id"), parameters.text("cursor"));
    let Some(external_id) = external_id else {
        let page = api.store().list_system(&system, cursor, parameters.limit()?).await?;
        return Ok(Json(wire::Found::Page(page.into())));
    };
    if cursor.is_some() || parameters.text("limit").is_some() {
        return Err(Problem::invalid(
            "send either `external_id`, for the one mapping that holds it, or `cursor` and `limit`, for a page of all; \
             not both",
        ));
    }
    let external_id = ExternalId::parse(external_id)?;
    match api.store().get_by_external_id(&system, &external_id).await? {
        Some(mapping) => Ok(Json(wire::Found::One(mapping.into()))),
        None => Err(nobody_holds_it()),
    }
}

/// Passes an external id from one person to another, in one transaction.
#[utoipa::path(
    post,
    path = "/systems/{system}/moves",
    tag = "systems",
    params(("system" = String, Path, description = "A known system.")),
    request_body = wire::Move,
    responses(
        (status = 200, description = "It was moved; the mapping as it stands now.", body = wire::Mappings),
        (status = 404, description = "Nobody holds the external id, or the system is not known; then the known ones are named.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "`from` does not hold it (`owner` does), or `to` (then the `owner`) has another; nothing was changed.", body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn move_identifier(
    State(api): State<Api>,
    Extension(request_id): Extension<RequestId>,
    Segments(system): Segments<String>,
    JsonBody(wire::Move { external_id, from, to }): JsonBody<wire::Move>,
) -> Result<Json<wire::Mappings>, Problem> {
    let system = segments::system(api.systems(), &system)?;
    if from == to {
        return Err(Problem::invalid("`from` and `to` are the same person; name two"));
    }
    match api.store().move_to(&system, &external_id, &from, &to, request_id.mark()).await? {
        Moved::Done(mappings) => Ok(Json(mappings.into())),
        Moved::NotFound => Err(nobody_holds_it()),
        Moved::Conflict { owner } if owner == to => {
            let held = api.store().get(&to, &system).await?.is_some_and(|mapping| mapping.external_id == external_id);
            let detail = if held {
                "`to` holds this external id already; there is nothing to move"
            } else {
                "`to` has another external id in this system; delete that mapping first, or exchange the two by `swaps`"
            };
            Err(Problem::conflict(detail, &owner))
        }
        Moved::Conflict { owner } => {
            Err(Problem::conflict("`from` does not hold the external id, `owner` does", &owner))
        }
    }
}

/// Exchanges the external ids of two people, in one transaction.
#[utoipa::path(
    post,
    path = "/systems/{system}/swaps",
    tag = "systems",
    params(("system" = String, Path, description = "A known system.")),
    request_body = wire::Swap,
    responses(
        (status = 200, description = "They were exchanged; both mappings as they stand now.", body = wire::Mappings),
        (status = 404, description = "One of the two has no mapping there, or the system is not known; then the known ones are named.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Another (`owner`) got in between; nothing was changed.", body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn swap_identifiers(
    State(api): State<Api>,
    Extension(request_id): Extension<RequestId>,
    Segments(system): Segments<String>,
    JsonBody(wire::Swap { a, b }): JsonBody<wire::Swap>,
) -> Result<Json<wire::Mappings>, Problem> {
    let system = segments::system(api.systems(), &system)?;
    if a == b {
        return Err(Problem::invalid("`a` and `b` are the same person; name two"));
    }
    match api.store().swap(&system, &a, &b, request_id.mark()).await? {
        Moved::Done(mappings) => Ok(Json(mappings.into())),
        Moved::NotFound => {
            Err(Problem::not_found("one of the two has no mapping in this system; move the other's instead"))
        }
        Moved::Conflict { owner } => Err(Problem::conflict("`owner` holds one of the external ids", &owner)),
    }
}

fn nobody_holds_it() -> Problem {
    Problem::not_found("nobody holds this external id in this system")
}
