//! A personal link: what it shows, and what its button begins.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::{LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use crosswalk_invitations::{Invitation, Token, Tried};

use crate::cookie;
use crate::pages::{self, Outcome};
use crate::registration::Shared;

/// Shows who is about to link what. Mail scanners fetch links too, so that nothing is written.
pub(crate) async fn show(State(shared): State<Arc<Shared>>, token: Result<Path<String>, PathRejection>) -> Response {
    match Box::pin(look(&shared, &given(token))).await {
        Ok((invitation, is_linked)) => pages::invitation(&invitation, is_linked, shared.contact.as_deref()),
        Err(outcome) => shared.end(outcome, None),
    }
}

async fn look(shared: &Shared, given: &str) -> Result<(Invitation, bool), Outcome> {
    let (_, invitation) = holding(shared, given).await?;
    let mapping = shared.store.get(&invitation.username, &invitation.system).await?;
    Ok((invitation, mapping.is_some()))
}

/// Begins an attempt, and sends the browser to LabArchives. Whom the link names may have an account linked already: to sign
/// in with it again confirms it.
pub(crate) async fn begin(
    State(shared): State<Arc<Shared>>,
    token: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Response {
    if !shared.shield.lets_in(&headers) {
        return shared.end(Outcome::ForeignButton, None);
    }
    match Box::pin(depart(&shared, &given(token))).await {
        Ok(response) => response,
        Err(outcome) => shared.end(outcome, None),
    }
}

async fn depart(shared: &Shared, given: &str) -> Result<Response, Outcome> {
    let (token, _) = holding(shared, given).await?;
    match shared.invitations.try_once(&token.hash()).await? {
        Tried::Counted => {}
        Tried::TooOften => return Err(Outcome::TriedTooOften),
        Tried::Spent => return Err(Outcome::UsedLink),
        Tried::Unknown => return Err(Outcome::UnknownLink),
    }
    let state = shared.attempts.begin(&token).await?;
    // The state is in the path: what LabArchives makes of a redirect_uri that has a query already is not documented.
    let back = shared.pages.at(&format!("/registrations/callback/{}", state.expose()));
    let there = shared.labarchives.sign_in(&back).await?;
    // Neither is ever refused: an address is encoded, and a state is letters and digits.
    let location = HeaderValue::try_from(String::from(there)).ok();
    let (Some(location), Some(cookie)) = (location, cookie::set(&state)) else { return Err(Outcome::Failed) };
    tracing::info!(attempt = ?state.hash(), "a registration begins");
    Ok((StatusCode::SEE_OTHER, [(LOCATION, location), (SET_COOKIE, cookie)]).into_response())
}

/// A path's segment; an empty one where it does not decode to text.
pub(crate) fn given(segment: Result<Path<String>, PathRejection>) -> String {
    segment.map(|Path(segment)| segment).unwrap_or_default()
}

/// The invitation of a link, if it can still be used here.
async fn holding(shared: &Shared, given: &str) -> Result<(Token, Invitation), Outcome> {
    let token = Token::parse(given).ok_or(Outcome::UnknownLink)?;
    let invitation = shared.invitations.find(&token.hash()).await?.ok_or(Outcome::UnknownLink)?;
    check(shared, &invitation)?;
    Ok((token, invitation))
}

/// Whether an invitation can still be used here.
pub(crate) fn check(shared: &Shared, invitation: &Invitation) -> Result<(), Outcome> {
    if invitation.system != shared.system {
        return Err(Outcome::OtherSystem);
    }
    if invitation.spent_at.is_some() {
        return Err(Outcome::UsedLink);
    }
    if invitation.has_ended(shared.clock.now()) {
        return Err(Outcome::EndedLink);
    }
    Ok(())
}
