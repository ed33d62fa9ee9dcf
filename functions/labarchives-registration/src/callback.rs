//! Coming back from LabArchives: state, cookie and token together, then code for id, and the mapping.

use std::sync::Arc;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::http::header::SET_COOKIE;
use axum::response::Response;
use crosswalk_identifier_store::{Change, StoreRequest, Stored};
use crosswalk_identity::Mark;
use crosswalk_invitations::{Invitation, Token, TokenHash};
use secrecy::SecretString;

use crate::attempts::Attempt;
use crate::cookie::{self, Held};
use crate::labarchives::{Code, ExchangeError};
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
    if held == Held::Nothing {
        // Whoever loads the last page again has no cookie any more. They are told that all is done, and nothing else.
        return again(shared, &attempt).await.into();
    }
    let (outcome, clears) = match claimed(shared, &hash, &attempt, query).await {
        Ok(claimed) => (link_up(shared, &hash, claimed).await.unwrap_or_else(|outcome| outcome), true),
        // One that is told of another's work leaves the cookie for that one; one that our table had no time for comes once
        // more. All others are the attempt's end.
        Err(outcome) => (outcome, !matches!(outcome, Outcome::TakenAttempt | Outcome::Busy | Outcome::Failed)),
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
    Told { outcome, way_back, clears }
}

async fn again(shared: &Shared, attempt: &Attempt) -> Outcome {
    let Some(token) = attempt.invitation() else { return Outcome::Failed };
    match shared.invitations.find(&token).await {
        Ok(Some(invitation)) if invitation.spent_at.is_some() => Outcome::UsedLink,
        Ok(_) => Outcome::NotThisBrowser,
        Err(error) => error.into(),
    }
}

/// An attempt that this call has taken.
struct Claimed {
    token: TokenHash,
    invitation: Invitation,
    code: Code,
}

/// Takes the attempt, for a browser that began it.
async fn claimed(shared: &Shared, state: &TokenHash, attempt: &Attempt, query: &str) -> Result<Claimed, Outcome> {
    let token = attempt.invitation().ok_or(Outcome::Failed)?;
    let invitation = shared.invitations.find(&token).await?.ok_or(Outcome::EndedLink)?;
    if attempt.is_done() {
        let is_linked = invitation.spent_at.is_some();
        return Err(if is_linked { Outcome::DoneAlready } else { Outcome::TakenAttempt });
    }
    link::check(shared, &invitation)?;
    if attempt.has_ended(shared.clock.now()) {
        return Err(Outcome::EndedAttempt);
    }
    let code = code(query)?;
    if !shared.attempts.claim(state).await? {
        return Err(Outcome::TakenAttempt);
    }
    Ok(Claimed { token, invitation, code })
}

/// Exchanges the code, stores the mapping, and spends the invitation.
async fn link_up(shared: &Shared, state: &TokenHash, claimed: Claimed) -> Result<Outcome, Outcome> {
    let Claimed { token, invitation, code } = claimed;
    let external_id = shared.labarchives.exchange(&code).await?;
    let standing = shared.store.get(&invitation.username, &invitation.system).await?;
    let request = StoreRequest {
        username: invitation.username.clone(),
        system: invitation.system.clone(),
        external_id,
        // LabArchives' e-mail of the person came by the browser: it proves nothing.
        email: Change::Keep,
        // Who confirms a mapping that somebody else has stored is not who made it.
        notes: if standing.is_some() { Change::Keep } else { Change::Set(NOTES.to_owned()) },
        mark: Mark::request(state.as_str()),
    };
    match shared.store.store(request).await? {
        Stored::Created(_) | Stored::Updated { .. } | Stored::Verified(_) => {}
        Stored::Conflict { owner } if owner == invitation.username => return Err(Outcome::OtherAccount),
        Stored::Conflict { .. } => return Err(Outcome::TakenAccount),
    }
    // The mapping stands. A link that could not be spent leads to the same account or to a conflict until it ends.
    if let Err(error) = shared.invitations.spend(&token).await {
        tracing::error!(%error, attempt = ?state, "the account is linked, but its invitation is not spent");
    }
    Ok(Outcome::Linked)
}

/// What LabArchives sends people back with. Of a parameter that comes twice it is not known which is theirs.
fn code(query: &str) -> Result<Code, Outcome> {
    let (mut auth_code, mut email, mut refusal) = (None, None, None);
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let place = match &*name {
            "auth_code" => &mut auth_code,
            "email" => &mut email,
            "error" => {
                refusal = Some(refusal.flatten().or_else(|| ExchangeError::named_in(&value)));
                continue;
            }
            _ => continue,
        };
        let is_fit = !value.trim().is_empty() && value.len() <= MOST_BYTES && !value.chars().any(char::is_control);
        if !is_fit || place.replace(SecretString::from(value.into_owned())).is_some() {
            return Err(Outcome::Incomplete);
        }
    }
    if let Some(refusal) = refusal {
        return Err(refusal.map_or(Outcome::Cancelled, Outcome::from));
    }
    auth_code.zip(email).map(|(auth_code, email)| Code { auth_code, email }).ok_or(Outcome::Incomplete)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;

    use aws_sdk_dynamodb::config::interceptors::{
        BeforeDeserializationInterceptorContextMut, BeforeTransmitInterceptorContextMut,
    };
    use aws_sdk_dynamodb::config::{ConfigBag, Intercept, RuntimeComponents};
    use aws_sdk_dynamodb::error::BoxError;
    use axum::http::HeaderValue;
    use axum::http::header::COOKIE;
    use crosswalk_function_kit::retry::Retries;
    use crosswalk_function_kit::settings::Environment;
    use crosswalk_function_kit::{Clock, Entropy};
    use crosswalk_identifier_store::{Calls, Table};
    use crosswalk_identity::{System, Username};
    use crosswalk_invitations::InvitedBy;
    use crosswalk_local_aws::testbed::Testbed;
    use crosswalk_stand_ins::labarchives::{AccountSpec, LabArchivesStandIn};
    use jiff::SignedDuration;
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;
    use crate::attempts::Attempts;
    use crate::{Registration, RegistrationSettings};

    /// A table that takes no claims for now.
    #[derive(Debug, Clone, Default)]
    struct Throttled(Arc<AtomicBool>);

    impl Intercept for Throttled {
        fn name(&self) -> &'static str {
            "Throttled"
        }

        fn modify_before_transmit(
            &self,
            context: &mut BeforeTransmitInterceptorContextMut<'_>,
            _components: &RuntimeComponents,
            _config: &mut ConfigBag,
        ) -> Result<(), BoxError> {
            let headers = context.request_mut().headers_mut();
            if self.0.load(Ordering::SeqCst) && headers.get("x-amz-target").is_some_and(|it| it.ends_with("UpdateItem"))
            {
                // Nothing is written then.
                headers.insert("x-amz-target", "DynamoDB_20120810.Nothing");
            }
            Ok(())
        }

        fn modify_before_deserialization(
            &self,
            context: &mut BeforeDeserializationInterceptorContextMut<'_>,
            _components: &RuntimeComponents,
            _config: &mut ConfigBag,
        ) -> Result<(), BoxError> {
            let response = context.response_mut();
            if self.0.load(Ordering::SeqCst) && !response.status().is_success() {
                let refusal = r#"{"__type":"com.amazonaws.dynamodb.v20120810#ThrottlingException","message":"slow"}"#;
                *response.body_mut() = refusal.into();
            }
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_table_that_was_busy_is_asked_again_by_a_reload() {
        let bed = Testbed::start_table_only().await;
        let labarchives = LabArchivesStandIn::start(vec![AccountSpec::new("zoe")]).unwrap();
        let environment =
            [("REGISTRATION_URL", "https://crosswalk.example.org"), ("CROSSWALK_TABLE", bed.names.table.as_str())]
                .map(|(name, value)| (name, value.to_owned()));
        let environment = Environment::from_iter(environment.into_iter().chain(labarchives.settings()));
        let settings = RegistrationSettings::from_env(&environment).unwrap();
        let (clock, entropy) = (Clock::system(), Entropy::system());
        let mut registration = Registration::new(&bed.config, settings, clock.clone(), entropy.clone()).unwrap();
        let shared = registration.shared_mut();
        let throttled = Throttled::default();
        let config = aws_sdk_dynamodb::config::Builder::from(&bed.config).interceptor(throttled.clone()).build();
        let table = Table::new(aws_sdk_dynamodb::Client::from_conf(config), &bed.names.table);
        let retries = Retries { first: Duration::ZERO, longest: Duration::ZERO, times: 1 };
        shared.attempts = Attempts::over(Calls::new(table, entropy.clone()).with_retries(retries), clock, entropy);

        let (zoe, system) = (Username::parse("zoe").unwrap(), System::parse("labarchives_eln").unwrap());
        let day = SignedDuration::from_hours(24);
        let (token, _) = shared.invitations.invite(&zoe, &system, day, InvitedBy::Administrator).await.unwrap();
        let state = shared.attempts.begin(&token).await.unwrap();
        let cookie = HeaderValue::try_from(format!("{}={}", cookie::NAME, state.expose())).unwrap();
        let headers = HeaderMap::from_iter([(COOKIE, cookie)]);
        let query = "auth_code=guessed&email=zoe@example.org";
        throttled.0.store(true, Ordering::SeqCst);
        let told = come_back(shared, &state, query, &headers).await;
        assert_eq!((told.outcome, told.clears, told.way_back.is_some()), (Outcome::Busy, false, true));
        assert_eq!(labarchives.take_counts().asked, 0);
        throttled.0.store(false, Ordering::SeqCst);
        let told = come_back(shared, &state, query, &headers).await;
        assert_eq!((told.outcome, told.clears), (Outcome::SignInRefused, true));
        assert_eq!(labarchives.take_counts().asked, 1);
    }

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
        for query in
            ["error=denied", "error", "error=&auth_code=a&email=b", "error=4999", "error=14520", "x=4520&error="]
        {
            assert_eq!(code(query).map(|_| ()), Err(Outcome::Cancelled), "{query}");
        }
        for (query, outcome) in [
            ("error=4506", Outcome::Misconfigured),
            ("error=The+signature+is+invalid+(4520)", Outcome::Misconfigured),
            ("error=4514&auth_code=a&email=zoe@example.org", Outcome::SignInRefused),
            ("error=code%3D4533%3A+session+timeout&error=x", Outcome::SignInRefused),
            ("error&error=4514", Outcome::SignInRefused),
        ] {
            assert_eq!(code(query).map(|_| ()), Err(outcome), "{query}");
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
