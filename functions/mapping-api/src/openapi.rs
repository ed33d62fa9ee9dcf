//! The routes and their description, made from one list.

use axum::Json;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Ref, Response, ResponseBuilder,
};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::auth::{READ, WRITE};
use crate::{audit, employers, health, identifiers, people, problem, runs, systems};

/// The routes that need a scope.
pub(crate) fn guarded_routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(people::find_people))
        .routes(routes!(people::get_person))
        .routes(routes!(identifiers::list_identifiers))
        .routes(routes!(identifiers::get_identifier, identifiers::put_identifier, identifiers::delete_identifier))
        .routes(routes!(systems::find_identifiers))
        .routes(routes!(systems::move_identifier))
        .routes(routes!(systems::swap_identifiers))
        .routes(routes!(employers::get_employer))
        .routes(routes!(runs::list_runs))
        .routes(routes!(runs::get_run))
        .routes(routes!(audit::missing))
}

/// The routes that are open.
pub(crate) fn open_routes() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(health::health)).routes(routes!(get_openapi))
}

/// This description.
#[utoipa::path(
    get,
    path = "/openapi.json",
    tag = "service",
    responses((status = 200, description = "An OpenAPI 3.1 document.", body = serde_json::Value))
)]
async fn get_openapi() -> Json<OpenApi> {
    Json(openapi())
}

const SCHEME: &str = "jwt";

const DESCRIPTION: &str = "\
Who is NEMO user 12345? People, and the ids under which outside systems know them.

Usernames and e-mails are compared without regard to case; external ids are exact. An external id never stands in a path: \
it travels in the query or the body. Times are RFC 3339 in UTC, absent values null. Fields may be added later: ignore what \
you don't know. What you send is read strictly: unknown fields and parameters are refused.";

/// The API's description, from the code.
pub fn openapi() -> OpenApi {
    let mut guarded = guarded_routes().into_openapi();
    for item in guarded.paths.paths.values_mut() {
        guard(item);
    }
    let info = InfoBuilder::new()
        .title("Crosswalk")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(DESCRIPTION))
        .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()));
    let mut openapi = OpenApiBuilder::new().info(info.build()).build();
    openapi.merge(guarded);
    openapi.merge(open_routes().into_openapi());
    let mut scheme = Http::new(HttpAuthScheme::Bearer);
    scheme.bearer_format = Some("JWT".to_owned());
    scheme.description = Some(format!("A token whose `scope` claim holds `{READ}` or `{WRITE}`."));
    openapi.components.get_or_insert_default().add_security_scheme(SCHEME, SecurityScheme::Http(scheme));
    openapi
}

fn guard(item: &mut PathItem) {
    let PathItem { get, put, post, delete, .. } = item;
    for (operation, scope) in [(get, READ), (put, WRITE), (post, WRITE), (delete, WRITE)] {
        if let Some(operation) = operation {
            operation.security = Some(vec![SecurityRequirement::new(SCHEME, [scope])]);
            add_refusals(operation, scope);
        }
    }
}

/// What any guarded operation may answer, unless it says so in words of its own.
fn add_refusals(operation: &mut Operation, scope: &str) {
    let mut refusals = vec![
        ("400", "The request is not valid; `detail` says what to send.".to_owned()),
        ("401", "No authorizer has checked the request's token.".to_owned()),
        ("403", format!("The token lacks the scope `{scope}`.")),
        ("500", "Something failed here; the log has the reason under the request's id.".to_owned()),
        ("503", "DynamoDB was busy for too long; send the same request again after `Retry-After` seconds.".to_owned()),
    ];
    if operation.request_body.is_some() {
        refusals.push(("413", "The body is over 64 KiB.".to_owned()));
        refusals.push(("415", "The body is not sent as `application/json`.".to_owned()));
    }
    for (status, description) in refusals {
        operation.responses.responses.entry(status.to_owned()).or_insert_with(|| refusal(description).into());
    }
}

fn refusal(description: String) -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new().description(description).content(problem::MEDIA_TYPE, content).build()
}
