//! Whether the function answers.

use axum::Json;

use crate::wire;

/// Whether the function answers. It asks nothing of DynamoDB.
#[utoipa::path(
    get,
    path = "/health",
    tag = "service",
    responses((status = 200, description = "It does.", body = wire::Health))
)]
pub(crate) async fn health() -> Json<wire::Health> {
    Json(wire::Health { status: "ok".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() })
}
