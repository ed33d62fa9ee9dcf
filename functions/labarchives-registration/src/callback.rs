//! Coming back from LabArchives: state, cookie and token together, then code for id, and the mapping.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::http::header::SET_COOKIE;
use axum::response::Response;
use crosswalk_identifier_store::{Change, StoreRequest, Stored};
use crosswalk_identity::{ExternalId, Mark};
use crosswalk_invitations::{Invitation, Token, TokenHash};
use secrecy::SecretString;

use crate::attempts::Attempt;
use crate::cookie::{self, Held};
use crate::labarchives::Code;
use crate::link;
use crate::pages::Outcome;
use crate::registration::Shared;

/// The remark on the mapping.
const NOTES: &str = "registered by its owner";
/// The longest parameter that is taken: neither an e-mail nor a code is longer.
const MOST_BYTES: usize = 2048;

/// What is known when an outcome is told.
struct Told {
    outcome: Outcome,
    /// The personal link's token, where the person may begin again and has shown to be who began.
    way_back: Option<Token>,
    /// The browser's state is used up.
    clears: bool,
}

impl From<Outcome> for Told {
    fn from(outcome: Outcome) -> Self {
        Self { outcome, way_back: None, clears: false }
    }
}

/// Answers a person who comes back.
pub(crate) async fn take(
    State(shared): State<Arc<Shared>>,
    state: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let told = match Token::parse(&link::given(state)) {
        None => Outcome::NotThisBrowser.into(),
        Some(state) => {
            let told = Box::pin(come_back(&shared, &state, &query.unwrap_or_default(), &headers)).await;
            tracing::info!(attempt = ?state.hash(), outcome = told.outcome.name(), "somebody came back");
            told
        }
    };
    let mut response = shared.end(told.outcome, told.way_back.as_ref());
    if told.clears {
        response.headers_mut().extend(cookie::clear().map(|cookie| (SET_COOKIE, cookie)));
    }
    response
}

async fn come_back(shared: &Shared, state: &Token, query: &str, headers: &HeaderMap) -> Told {
    let hash = state.hash();
    let attempt = match shared.attempts.find(&hash).await {
        Ok(Some(attempt)) => attempt,
        Ok(None) => return Outcome::NotThisBrowser.into(),
        Err(error) => return Outcome::from(error).into(),
    };
    let held = cookie::held(headers, &hash);
    if held == Held::Other || (held == Held::Nothing && !attempt.is_done()) {
        return Outcome::NotThisBrowser.into();
    }
    let outcome = match held {
        Held::This => match continued(shared, &hash, &attempt, query).await {
            Ok(outcome) | Err(outcome) => outcome,
        },
        // Whoever loads the last page again has no cookie any more. They are told that all is done, and nothing else.
        _ => return again(shared, &attempt).await.into(),
    };
    let may_begin_again = matches!(
        outcome,
        Outcome::Cancelled
            | Outcome::EndedAttempt
            | Outcome::TakenAttempt
            | Outcome::Incomplete
            | Outcome::TakenAccount
            | Outcome::SignInRefused
            | Outcome::Unavailable
            | Outcome::Misconfigured
            | Outcome::Busy
            | Outcome::Failed
    );
    let way_back = if may_begin_again { attempt.way_back(state) } else { None };
    // One that is told of another's work leaves the cookie for that one; all others are the attempt's end.
    Told { outcome, way_back, clears: outcome != Outcome::TakenAttempt }
}

async fn again(shared: &Shared, attempt: &Attempt) -> Outcome {
    let Some(token) = attempt.invitation() else { return Outcome::Failed };
    match shared.invitations.find(&token).await {
        Ok(Some(invitation)) if invitation.spent_at.is_some() => Outcome::UsedLink,
        Ok(_) => Outcome::NotThisBrowser,
        Err(error) => error.into(),
    }
}

/// From a browser that began this attempt.
async fn continued(shared: &Shared, state: &TokenHash, attempt: &Attempt, query: &str) -> Result<Outcome, Outcome> {
    let token = attempt.invitation().ok_or(Outcome::Failed)?;
    let invitation = shared.invitations.find(&token).await?.ok_or(Outcome::EndedLink)?;
    if attempt.is_done() {
        let is_linked = invitation.spent_at.is_some();
        return Ok(if is_linked { Outcome::DoneAlready } else { Outcome::TakenAttempt });
    }
    link::check(shared, &invitation)?;
    if attempt.has_ended(shared.clock.now()) {
        return Err(Outcome::EndedAttempt);
    }
    let code = code(query)?;
    if !shared.attempts.claim(state).await? {
        return Err(Outcome::TakenAttempt);
    }
    let uid = shared.labarchives.exchange(&code).await?;
    store(shared, state, &token, &invitation, uid).await
}

/// Stores the mapping, and spends the invitation.
async fn store(
    shared: &Shared,
    state: &TokenHash,
    token: &TokenHash,
    invitation: &Invitation,
    external_id: ExternalId,
) -> Result<Outcome, Outcome> {
    let request = StoreRequest {
        username: invitation.username.clone(),
        system: invitation.system.clone(),
        external_id,
        // LabArchives' e-mail of the person came by the browser: it proves nothing.
        email: Change::Keep,
        notes: Change::Set(NOTES.to_owned()),
        mark: Mark::request(state.as_str()),
    };
    match shared.store.store(request).await? {
        Stored::Created(_) | Stored::Updated { .. } | Stored::Verified(_) => {}
        Stored::Conflict { owner } if owner == invitation.username => return Err(Outcome::OtherAccount),
        Stored::Conflict { .. } => return Err(Outcome::TakenAccount),
    }
    // The mapping stands. A link that could not be spent leads to the same account or to a conflict until it ends.
    if let Err(error) = shared.invitations.spend(token).await {
        tracing::error!(%error, attempt = ?state, "the account is linked, but its invitation is not spent");
    }
    Ok(Outcome::Linked)
}

/// What LabArchives sends people back with. Of a parameter that comes twice it is not known which is theirs.
fn code(query: &str) -> Result<Code, Outcome> {
    let (mut auth_code, mut email, mut error) = (None, None, false);
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let place = match &*name {
            "auth_code" => &mut auth_code,
            "email" => &mut email,
            "error" => {
                error = true;
                continue;
            }
            _ => continue,
        };
        let is_fit = !value.trim().is_empty() && value.len() <= MOST_BYTES && !value.chars().any(char::is_control);
        if !is_fit || place.replace(SecretString::from(value.into_owned())).is_some() {
            return Err(Outcome::Incomplete);
        }
    }
    if error {
        return Err(Outcome::Cancelled);
    }
    auth_code.zip(email).map(|(auth_code, email)| Code { auth_code, email }).ok_or(Outcome::Incomplete)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    #[test]
    fn a_code_comes_with_its_email_once() {
        let good = code("auth_code=a%2Bb+c&email=zoe%2Bx%40example.org&other=1").unwrap();
        assert_eq!((good.auth_code.expose_secret(), good.email.expose_secret()), ("a+b c", "zoe+x@example.org"));
        let long = format!("auth_code={}&email=zoe@example.org", "a".repeat(MOST_BYTES + 1));
        for query in [
            "",
            "auth_code=a",
            "email=zoe@example.org",
            "auth_code=&email=zoe@example.org",
            "auth_code=a&auth_code=b&email=zoe@example.org",
            "auth_code=a&email=zoe@example.org&email=eve@example.org",
            "auth_code=a%0d%0aX:1&email=zoe@example.org",
            &long,
        ] {
            assert_eq!(code(query).map(|_| ()), Err(Outcome::Incomplete), "{query}");
        }
        for query in ["error=denied", "error", "error=&auth_code=a&email=b"] {
            assert_eq!(code(query).map(|_| ()), Err(Outcome::Cancelled), "{query}");
        }
    }

    proptest! {
        #[test]
        fn what_is_taken_can_be_sent_on(query in "((auth_code|email|error|x)?=?[ -~é]{0,6}(%0[ad]|%[0-9]{2}|&)?){0,6}") {
            if let Ok(code) = code(&query) {
                for text in [code.auth_code.expose_secret(), code.email.expose_secret()] {
                    prop_assert!(!text.trim().is_empty() && !text.chars().any(char::is_control), "{}", query);
                }
                prop_assert!(!query.split('&').any(|pair| pair == "error" || pair.starts_with("error=")), "{}", query);
            }
        }
    }
}
