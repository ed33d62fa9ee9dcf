//! `POST /registrations`: a person who is signed in to another application makes their own link.

use std::sync::Arc;

use axum::Extension;
use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use crosswalk_http_edge::Claims;
use crosswalk_identity::{Username, times};
use crosswalk_invitations::InvitedBy;
use serde::{Deserialize, Serialize};

use crate::problem::Problem;
use crate::registration::Shared;

/// The most bytes of a body.
pub(crate) const MOST_BYTES: usize = 4 * 1024;

/// What may be asked for. Whose link it is says the token alone: a username is refused, not ignored.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    system: Option<String>,
}

/// A personal link.
#[derive(Debug, Serialize)]
struct Invited {
    url: String,
    username: String,
    system: String,
    ends_at: String,
}

pub(crate) async fn invite(
    State(shared): State<Arc<Shared>>,
    claims: Option<Extension<Claims>>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Problem> {
    let Some(Extension(claims)) = claims else { return Err(Problem::no_claims()) };
    let claim = &shared.username_claim;
    let username = claims.get(claim).and_then(|given| Username::parse(given).ok());
    let username = username.ok_or_else(|| Problem::no_person(claim))?;
    let body = body.map_err(|rejection| match rejection.status() {
        StatusCode::PAYLOAD_TOO_LARGE => Problem::too_large(),
        _ => Problem::invalid("the body broke off before its end; send the request again"),
    })?;
    let wanted = read(&body)?;
    let system = &shared.system;
    if wanted.system.is_some_and(|wanted| wanted != system.as_str()) {
        return Err(Problem::invalid(format!("people register themselves at `{system}` alone; leave `system` out")));
    }
    let made = Box::pin(shared.invitations.invite(&username, system, shared.lasts, InvitedBy::Person));
    let (token, invitation) = made.await?;
    tracing::info!(invitation = ?token.hash(), "a person made a personal link");
    let invited = Invited {
        url: shared.pages.link(&token).into(),
        username: invitation.username.as_str().to_owned(),
        system: invitation.system.as_str().to_owned(),
        ends_at: times::text(invitation.ends_at),
    };
    Ok((StatusCode::CREATED, Json(invited)).into_response())
}

fn read(body: &[u8]) -> Result<Wanted, Problem> {
    match body.trim_ascii().first() {
        None => Ok(Wanted::default()),
        // serde would take an array for an object, its items for the fields in their order.
        Some(b'{') => serde_json::from_slice(body).map_err(|error| {
            // Its text may repeat what was sent; its place does not.
            let at = error.column();
            Problem::invalid(format!("the body does not read at column {at}: it may hold `system`, and nothing else"))
        }),
        Some(_) => Err(Problem::invalid("the body must be a JSON object, or empty")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_may_name_the_system_and_nobody() {
        assert_eq!(read(b" ").unwrap().system, None);
        assert_eq!(read(b"{}").unwrap().system, None);
        assert_eq!(read(br#"{"system":"labarchives_eln"}"#).unwrap().system.as_deref(), Some("labarchives_eln"));
        for body in [r#"{"username":"zoe"}"#, r#"["labarchives_eln"]"#, "{", "null", r#"{"system":5}"#, "zoe"] {
            let problem = format!("{:?}", read(body.as_bytes()).unwrap_err());
            assert!(!problem.contains("zoe"), "{problem}");
        }
    }
}
