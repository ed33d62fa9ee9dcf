//! A person's mappings: list, look up, store, delete.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use crosswalk_http_edge::{RequestId, SEGMENT};
use crosswalk_identifier_store::{Change, StoreRequest, Stored};
use crosswalk_identity::{Mapping, System};
use percent_encoding::utf8_percent_encode;

use crate::api::Api;
use crate::body::JsonBody;
use crate::problem::Problem;
use crate::segments::{self, Segments};
use crate::wire;

/// The mappings of a person, by system. Nobody's are an empty list.
#[utoipa::path(
    get,
    path = "/people/{username}/identifiers",
    tag = "identifiers",
    params(("username" = String, Path, description = "The person; percent-encoded, case does not matter.")),
    responses((status = 200, description = "The mappings.", body = wire::Mappings))
)]
pub(crate) async fn list_identifiers(
    State(api): State<Api>,
    Segments(username): Segments<String>,
) -> Result<Json<wire::Mappings>, Problem> {
    let username = segments::username(&username)?;
    Ok(Json(api.store().list(&username).await?.into()))
}

/// The mapping of a person in a system.
#[utoipa::path(
    get,
    path = "/people/{username}/identifiers/{system}",
    tag = "identifiers",
    params(
        ("username" = String, Path, description = "The person; percent-encoded, case does not matter."),
        ("system" = String, Path, description = "A known system.")
    ),
    responses(
        (status = 200, description = "The mapping.", body = wire::Mapping),
        (status = 404, description = "The person has no mapping there, or the system is not known; then the known ones are named.", body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn get_identifier(
    State(api): State<Api>,
    Segments((username, system)): Segments<(String, String)>,
) -> Result<Json<wire::Mapping>, Problem> {
    let username = segments::username(&username)?;
    let system = segments::system(api.systems(), &system)?;
    match api.store().get(&username, &system).await? {
        Some(mapping) => Ok(Json(mapping.into())),
        None => Err(no_mapping(&system)),
    }
}

/// Makes the mapping so. E-mail and notes are kept where they are absent, cleared where they are null.
#[utoipa::path(
    put,
    path = "/people/{username}/identifiers/{system}",
    tag = "identifiers",
    params(
        ("username" = String, Path, description = "The person; percent-encoded, case does not matter."),
        ("system" = String, Path, description = "A known system.")
    ),
    request_body = wire::PutMapping,
    responses(
        (status = 200, description = "It stood before, and is now so: updated, or verified where nothing differed.", body = wire::Mapping),
        (status = 201, description = "It was created.", body = wire::Mapping, headers(("location" = String, description = "Its path."))),
        (status = 404, description = "The system is not known; the known ones are named.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The external id belongs to `owner`; nothing was changed.", body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn put_identifier(
    State(api): State<Api>,
    Extension(request_id): Extension<RequestId>,
    Segments((username, system)): Segments<(String, String)>,
    JsonBody(put): JsonBody<wire::PutMapping>,
) -> Result<Response, Problem> {
    let username = segments::username(&username)?;
    let system = segments::system(api.systems(), &system)?;
    let wire::PutMapping { external_id, email, notes } = put;
    if matches!(&notes, Change::Set(notes) if notes.trim().is_empty()) {
        return Err(Problem::invalid("`notes` is empty; send null to clear it, or leave it out to keep it"));
    }
    let request = StoreRequest { username, system, external_id, email, notes, mark: request_id.mark() };
    match api.store().store(request).await? {
        Stored::Created(mapping) => {
            let location = path_of(&mapping);
            Ok((StatusCode::CREATED, [(LOCATION, location)], Json(wire::Mapping::from(mapping))).into_response())
        }
        Stored::Updated { mapping, .. } | Stored::Verified(mapping) => {
            Ok(Json(wire::Mapping::from(mapping)).into_response())
        }
        Stored::Conflict { owner } => Err(Problem::conflict(
            "the external id belongs to `owner`; POST it to this system's `moves` to pass it on",
            &owner,
        )),
    }
}

/// Deletes the mapping; its external id is free again.
#[utoipa::path(
    delete,
    path = "/people/{username}/identifiers/{system}",
    tag = "identifiers",
    params(
        ("username" = String, Path, description = "The person; percent-encoded, case does not matter."),
        ("system" = String, Path, description = "A known system.")
    ),
    responses(
        (status = 204, description = "It was deleted."),
        (status = 404, description = "The person has no mapping there, or the system is not known; then the known ones are named.", body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn delete_identifier(
    State(api): State<Api>,
    Segments((username, system)): Segments<(String, String)>,
) -> Result<StatusCode, Problem> {
    let username = segments::username(&username)?;
    let system = segments::system(api.systems(), &system)?;
    match api.store().delete(&username, &system).await? {
        Some(_) => Ok(StatusCode::NO_CONTENT),
        None => Err(no_mapping(&system)),
    }
}

fn no_mapping(system: &System) -> Problem {
    Problem::not_found(format!("the person has no mapping in the system `{system}`"))
}

fn path_of(mapping: &Mapping) -> String {
    let username = utf8_percent_encode(mapping.username.as_str(), SEGMENT);
    format!("/people/{username}/identifiers/{}", mapping.system)
}
