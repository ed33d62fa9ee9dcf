//! Signing in with a password: enough to show that a password works, or must be changed first. The tokens are opaque.

use std::collections::HashMap;
use std::sync::PoisonError;

use serde::Deserialize;
use serde_json::{Value, json};

use super::attributes::listed;
use super::pool::{Pool, Status, User};
use super::{Cognito, invalid};
use crate::json_protocol::ApiError;

/// A sign-in that waits for a new password.
#[derive(Debug)]
pub(super) struct Session {
    pool: String,
    username: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct InitiateAuth {
    /// Given by AdminInitiateAuth only.
    user_pool_id: Option<String>,
    client_id: String,
    auth_flow: String,
    #[serde(default)]
    auth_parameters: HashMap<String, String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RespondToChallenge {
    challenge_name: String,
    session: Option<String>,
    #[serde(default)]
    challenge_responses: HashMap<String, String>,
}

fn not_authorized(message: &str) -> ApiError {
    ApiError::new("NotAuthorizedException", message)
}

impl Cognito {
    pub(super) fn initiate_auth(&self, ask: &InitiateAuth) -> Result<Value, ApiError> {
        let parameter = |name: &str| {
            ask.auth_parameters.get(name).ok_or_else(|| invalid(format!("Missing required parameter {name}")))
        };
        let pools = self.pools();
        let pool = pools
            .values()
            .find(|pool| {
                ask.user_pool_id.as_ref().is_none_or(|id| *id == pool.id)
                    && pool.clients.iter().any(|client| client.id == ask.client_id)
            })
            .ok_or_else(|| {
                let message = format!("User pool client {} does not exist.", ask.client_id);
                ApiError::new("ResourceNotFoundException", message)
            })?;
        check_flow(pool, ask)?;
        let user = pool.user(parameter("USERNAME")?)?;
        if !user.password.is(parameter("PASSWORD")?) {
            return Err(not_authorized("Incorrect username or password."));
        }
        if !user.enabled {
            return Err(not_authorized("User is disabled."));
        }
        match user.status {
            Status::Confirmed => Ok(self.signed_in()),
            Status::ForceChangePassword => {
                if user.password_until.is_some_and(|until| until < self.clock.now()) {
                    return Err(not_authorized(
                        "Temporary password has expired and must be reset by an administrator.",
                    ));
                }
                Ok(self.demand_new_password(pool, user))
            }
        }
    }

    fn signed_in(&self) -> Value {
        json!({ "ChallengeParameters": {}, "AuthenticationResult": {
            "AccessToken": self.random_text(40),
            "IdToken": self.random_text(40),
            "RefreshToken": self.random_text(40),
            "TokenType": "Bearer",
            "ExpiresIn": 3600,
        }})
    }

    fn demand_new_password(&self, pool: &Pool, user: &User) -> Value {
        let session = self.random_text(40);
        let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.insert(session.clone(), Session { pool: pool.id.clone(), username: user.username.clone() });
        json!({
            "ChallengeName": "NEW_PASSWORD_REQUIRED",
            "Session": session,
            "ChallengeParameters": {
                "USER_ID_FOR_SRP": user.username,
                "requiredAttributes": "[]",
                "userAttributes": json!(listed(&user.sub, &user.attributes)).to_string(),
            },
        })
    }

    pub(super) fn respond_to_challenge(&self, ask: &RespondToChallenge) -> Result<Value, ApiError> {
        if ask.challenge_name != "NEW_PASSWORD_REQUIRED" {
            return Err(invalid("The embedded Cognito knows the challenge NEW_PASSWORD_REQUIRED only"));
        }
        let password = ask.challenge_responses.get("NEW_PASSWORD");
        let password = password.ok_or_else(|| invalid("Missing required parameter NEW_PASSWORD"))?;
        let session = {
            let mut sessions = self.sessions.lock().unwrap_or_else(PoisonError::into_inner);
            ask.session.as_ref().and_then(|session| sessions.remove(session))
        };
        let session = session.ok_or_else(|| not_authorized("Invalid session for the user."))?;
        self.change_user(&session.pool, &session.username, |pool, user| {
            pool.policy.check(password)?;
            self.set_password(pool, user, password, true);
            Ok(())
        })?;
        Ok(self.signed_in())
    }
}

/// Each flow must be allowed by the client; the `ADMIN_` ones need the pool's id, and so AWS credentials.
fn check_flow(pool: &Pool, ask: &InitiateAuth) -> Result<(), ApiError> {
    let admin = ask.user_pool_id.is_some();
    let known = match ask.auth_flow.as_str() {
        "ADMIN_USER_PASSWORD_AUTH" | "ADMIN_NO_SRP_AUTH" => admin,
        "USER_PASSWORD_AUTH" => true,
        _ => false,
    };
    if !known {
        return Err(invalid("Initiate Auth method not supported."));
    }
    let allowed = pool
        .clients
        .iter()
        .filter(|client| client.id == ask.client_id)
        .any(|client| client.flows.iter().any(|flow| flow.strip_prefix("ALLOW_").unwrap_or(flow) == ask.auth_flow));
    if !allowed {
        return Err(invalid("Auth flow not enabled for this client"));
    }
    Ok(())
}
