//! Makes sure that an account stands.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::config::retry::RetryConfig;
use aws_sdk_cognitoidentityprovider::error::SdkError;
use aws_sdk_cognitoidentityprovider::types::{DeliveryMediumType, MessageActionType};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use crosswalk_function_kit::traffic::Counter;
use crosswalk_function_kit::{Clock, Entropy, aws};
use crosswalk_identity::Email;
use jiff::Timestamp;
use secrecy::ExposeSecret;

use crate::attributes::Attributes;
use crate::errors::{AccountError, CREATE_USER, SET_PASSWORD, failure};
use crate::find::{Account, AccountState, LONGEST_USERNAME, too_long};
use crate::one_at_a_time::OneAtATime;
use crate::password::random_password;
use crate::pool::{Pool, PoolCheck, Usernames};
use crate::quota::{AccountsSettings, Paces};

/// What making sure of an account did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ensured {
    /// It was absent.
    Created,
    /// It was stuck in FORCE_CHANGE_PASSWORD and got a permanent password.
    Repaired,
    /// It stood.
    Unchanged,
    /// It stands, and an administrator disabled it: nobody can log in with it. It was left as it is.
    Disabled,
}

/// What `ensure` would do, from reads alone.
pub type Planned = Ensured;

/// The accounts of one pool. Clones share the client, the paces and the check of the pool.
#[derive(Clone)]
pub struct Accounts(pub(crate) Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) client: Client,
    settings: AccountsSettings,
    pub(crate) pool_id: String,
    pub(crate) paces: Paces,
    pub(crate) pool: PoolCheck,
    pub(crate) making: OneAtATime,
    pub(crate) counter: Counter,
    clock: Clock,
    entropy: Entropy,
}

/// What AdminCreateUser came to.
pub(crate) enum Creation {
    /// The account stands, under this username, without a permanent password.
    Made(String),
    /// Somebody else's call was first; or one of ours, whose answer was lost. It was asked for under this username.
    Exists { perhaps_ours: bool, asked: String },
}

impl Accounts {
    /// Over a pool; nothing is called yet. The client's own retries are turned off: each attempt takes its place in the
    /// pace.
    pub fn new(client: &Client, settings: AccountsSettings, clock: Clock, entropy: Entropy) -> Self {
        let counter = Counter::default();
        let config = client.config().to_builder().retry_config(RetryConfig::disabled()).interceptor(counter.clone());
        Self(Arc::new(Shared {
            client: Client::from_conf(config.build()),
            paces: settings.paces(),
            pool_id: settings.pool_id.clone(),
            settings,
            pool: PoolCheck::default(),
            making: OneAtATime::default(),
            counter,
            clock,
            entropy,
        }))
    }

    /// The pool's id.
    pub fn pool_id(&self) -> &str {
        &self.0.pool_id
    }

    /// How many accounts may be worked on at once, so that each gets its places in the paces within so many seconds: 0 where
    /// the pace is slower than that.
    pub fn calls_within(&self, seconds: f64) -> usize {
        self.0.settings.calls_within(seconds)
    }

    /// The randomness that names are made of.
    pub fn entropy(&self) -> &Entropy {
        &self.0.entropy
    }

    /// Makes sure that a login with this e-mail stands: AdminGetUser; if absent AdminCreateUser (suppressed) and
    /// AdminSetUserPassword (permanent, random, known to nobody). An account in FORCE_CHANGE_PASSWORD is repaired unless
    /// `invited_until` lies in the future; any other is left as it is, password included, and so is one that is disabled.
    ///
    /// # Errors
    /// The pool does not do, it refuses this account, or it was busy for longer than the retries last. A repeat goes on
    /// from where this one ended.
    pub async fn ensure(&self, email: &Email, invited_until: Option<Timestamp>) -> Result<Ensured, AccountError> {
        let pool = self.pool().await?;
        let _turn = self.0.making.turn(email.key()).await;
        if let Some(account) = self.find_in(pool, email).await? {
            return self.repair(pool, email, &account, invited_until).await;
        }
        let attributes =
            Attributes { email: Some(email.key().into()), email_verified: Some(true), ..Attributes::default() };
        match self.make(pool, &attributes, email, false).await? {
            Creation::Made(username) => {
                self.set_password(pool, &username, &[CREATE_USER], &[email.as_str()]).await?;
                Ok(Ensured::Created)
            }
            Creation::Exists { perhaps_ours, .. } => {
                let account = self.find_in(pool, email).await?.ok_or_else(|| AccountError::Busy {
                    step: CREATE_USER,
                    reason: "the account is said to exist, but is not found yet".to_owned(),
                    done: &[],
                })?;
                match self.repair(pool, email, &account, invited_until).await? {
                    Ensured::Repaired if perhaps_ours => Ok(Ensured::Created),
                    ensured => Ok(ensured),
                }
            }
        }
    }

    /// What `ensure` would do (dry run).
    ///
    /// # Errors
    /// The pool does not do, or AdminGetUser fails.
    pub async fn plan(&self, email: &Email, invited_until: Option<Timestamp>) -> Result<Planned, AccountError> {
        Ok(match self.find(email).await? {
            None => Planned::Created,
            Some(account) if !account.enabled => Planned::Disabled,
            Some(account) if self.is_stuck(&account, invited_until) => Planned::Repaired,
            Some(_) => Planned::Unchanged,
        })
    }

    /// In FORCE_CHANGE_PASSWORD with nobody holding the temporary password.
    fn is_stuck(&self, account: &Account, invited_until: Option<Timestamp>) -> bool {
        let invited = invited_until.is_some_and(|until| until > self.0.clock.now());
        account.state == AccountState::ForceChangePassword && !invited
    }

    async fn repair(
        &self,
        pool: Pool,
        email: &Email,
        account: &Account,
        invited_until: Option<Timestamp>,
    ) -> Result<Ensured, AccountError> {
        if !account.enabled {
            // Not ours to repair: if it is stuck too, the next run after it was enabled sees that.
            return Ok(Ensured::Disabled);
        }
        if !self.is_stuck(account, invited_until) {
            return Ok(Ensured::Unchanged);
        }
        self.set_password(pool, &account.username, &[], &[email.as_str()]).await?;
        Ok(Ensured::Repaired)
    }

    /// AdminCreateUser: suppressed, or with an invitation. `attributes` hold the e-mail in its key form.
    pub(crate) async fn make(
        &self,
        pool: Pool,
        attributes: &Attributes,
        email: &Email,
        invited: bool,
    ) -> Result<Creation, AccountError> {
        let pool_id = &self.0.pool_id;
        let username = match pool.usernames {
            Usernames::Email => email.key().to_owned(),
            Usernames::Made => self.0.entropy.uuid().to_string(),
        };
        if username.chars().count() > LONGEST_USERNAME {
            return Err(too_long(CREATE_USER));
        }
        // Of ours, as what is made without one may not fit a strict policy (ministack) or is no password at all (pools
        // that also sign in by one-time codes). Nobody but one who is invited sees it.
        let temporary = random_password(pool.password, &self.0.entropy);
        let request = self
            .0
            .client
            .admin_create_user()
            .user_pool_id(pool_id)
            .username(&username)
            .set_message_action((!invited).then_some(MessageActionType::Suppress))
            .desired_delivery_mediums(DeliveryMediumType::Email)
            .set_user_attributes(Some(attributes.to_send(CREATE_USER)?));
        let answer_lost = AtomicBool::new(false);
        let answer = self
            .call(Some(&self.0.paces.create_user), async || {
                let request = request.clone().temporary_password(temporary.expose_secret());
                let answer = request.send().await;
                if answer.as_ref().is_err_and(may_have_been_done) {
                    answer_lost.store(true, Ordering::Relaxed);
                }
                answer
            })
            .await;
        match answer {
            Ok(made) => {
                let own = made.user.and_then(|user| user.username);
                Ok(Creation::Made(own.unwrap_or(username)))
            }
            // The second one is the alias pool's, and not in the operation's model.
            Err(error) if matches!(aws::code(&error), Some("UsernameExistsException" | "AliasExistsException")) => {
                Ok(Creation::Exists { perhaps_ours: answer_lost.into_inner(), asked: username })
            }
            Err(error) => Err(failure(CREATE_USER, &[], pool_id, &attributes.values(), &error)),
        }
    }

    /// AdminSetUserPassword: permanent, random, known to nobody. `personal` is what no error may repeat.
    pub(crate) async fn set_password(
        &self,
        pool: Pool,
        username: &str,
        done: &'static [&'static str],
        personal: &[&str],
    ) -> Result<(), AccountError> {
        let pool_id = &self.0.pool_id;
        let password = random_password(pool.password, &self.0.entropy);
        let answer = self
            .call(Some(&self.0.paces.set_password), || {
                let request = self.0.client.admin_set_user_password().user_pool_id(pool_id).username(username);
                request.password(password.expose_secret()).permanent(true).send()
            })
            .await;
        answer.map(|_| ()).map_err(|error| failure(SET_PASSWORD, done, pool_id, personal, &error))
    }
}

/// Whether a failed call may have had its effect: no answer, or one that speaks of an accident.
fn may_have_been_done<E>(error: &SdkError<E, HttpResponse>) -> bool {
    match error {
        SdkError::ServiceError(answer) => answer.raw().status().is_server_error(),
        SdkError::ConstructionFailure(_) => false,
        _ => true,
    }
}

impl fmt::Debug for Accounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Accounts({}, {:?})", self.0.pool_id, self.0.paces)
    }
}

#[cfg(test)]
mod tests;
