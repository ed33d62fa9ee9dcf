//! Runs: what was imported, exported, synced, harvested or audited when, and how it went; readable while it runs.

use axum::Json;
use axum::extract::{RawQuery, State};

use crate::api::Api;
use crate::problem::Problem;
use crate::query::Parameters;
use crate::segments::Segments;
use crate::wire;

/// The latest runs, newest first; eventually consistent.
#[utoipa::path(
    get,
    path = "/runs",
    tag = "runs",
    params(
        ("kind" = Option<String>, Query, description = "Only runs of this kind: `leave-admins`, `mappings`, `employers`, or `import` for files whose kind is not known; `people-export`, `directory-sync`, `nemo-harvest`, `mapping-audit`, `migration`."),
        ("limit" = Option<u16>, Query, description = "The most items; 100 if it is left out.", minimum = 1, maximum = 1000)
    ),
    responses((status = 200, description = "The runs.", body = wire::Runs))
)]
pub(crate) async fn list_runs(State(api): State<Api>, RawQuery(query): RawQuery) -> Result<Json<wire::Runs>, Problem> {
    let parameters = Parameters::read(query.as_deref(), &["kind", "limit"])?;
    let kind = parameters.text("kind").map(str::trim);
    if kind == Some("") {
        return Err(Problem::invalid("`kind` is empty; send one such as `mappings`, or leave it out for all runs"));
    }
    let records = api.runs().list(kind, parameters.limit()?).await?;
    Ok(Json(wire::Runs { items: records.into_iter().map(Into::into).collect() }))
}

/// One run.
#[utoipa::path(
    get,
    path = "/runs/{id}",
    tag = "runs",
    params(("id" = String, Path, description = "The run's id.")),
    responses(
        (status = 200, description = "The run.", body = wire::Run),
        (status = 404, description = "There is no such run.", body = Problem, content_type = "application/problem+json")
    )
)]
pub(crate) async fn get_run(
    State(api): State<Api>,
    Segments(id): Segments<String>,
) -> Result<Json<wire::Run>, Problem> {
    match api.runs().get(&id).await? {
        Some(record) => Ok(Json(record.into())),
        None => Err(Problem::not_found("there is no run of this id; GET /runs lists the latest")),
    }
}
