//! Accounts that are managed one by one: made with more than an e-mail, changed, disabled, deleted.

use aws_sdk_cognitoidentityprovider::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use crosswalk_function_kit::aws;
use crosswalk_identity::Email;

use crate::attributes::{Attributes, Listed};
use crate::ensure::{Accounts, Creation};
use crate::errors::{
    ADD_TO_GROUP, AccountError, CREATE_USER, DELETE_USER, DISABLE_USER, ENABLE_USER, GET_USER, UPDATE_USER, failure,
};
use crate::find::{Account, AccountState};
use crate::pool::Usernames;

/// What the creation of an account came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Made {
    /// It stands, in FORCE_CHANGE_PASSWORD.
    Created {
        /// The pool's own name for it.
        username: String,
        /// What could not be given yet: where people sign in by preferred_username, an account has none before it is
        /// confirmed. To be set by [`Accounts::update`] then.
        later: Option<Attributes>,
    },
    /// Another account has the e-mail.
    Taken,
}

impl Accounts {
    /// Creates an account with these attributes, an e-mail among them: suppressed, so that it needs
    /// [`Self::give_password`] next; or `invited`: Cognito mails a temporary password, and nothing more is to be done.
    ///
    /// # Errors
    /// The pool does not do, it refuses this account, or it was busy for longer than the retries last.
    pub async fn create(&self, attributes: &Attributes, invited: bool) -> Result<Made, AccountError> {
        let pool = self.pool().await?;
        let refused = |reason: &str| AccountError::Refused { step: CREATE_USER, reason: reason.to_owned(), done: &[] };
        let email = attributes.email.as_deref().ok_or_else(|| refused("an account needs an e-mail"))?;
        let email = Email::parse(email).map_err(|_| refused("its e-mail is none"))?;
        let _turn = self.0.making.turn(email.key()).await;
        let mut first = attributes.clone();
        let mut later = None;
        if pool.preferred_username_signs_in
            && let Some(username) = first.preferred_username.take()
        {
            later = Some(Attributes { preferred_username: Some(username), ..Attributes::default() });
        }
        match self.make(pool, &first, &email, invited).await? {
            Creation::Made(username) => Ok(Made::Created { username, later }),
            Creation::Exists { perhaps_ours: false, .. } => Ok(Made::Taken),
            // An earlier attempt's answer was lost. What stands is ours if it is what we asked for, untouched.
            Creation::Exists { perhaps_ours: true, asked } => match self.read(&asked).await? {
                Some(found) if is_as_made(&found, &first) => {
                    Ok(Made::Created { username: found.account.username, later })
                }
                _ => Ok(Made::Taken),
            },
        }
    }

    /// Gives an account that was created a permanent random password that nobody knows: its person sets their own by
    /// "forgot password", which FORCE_CHANGE_PASSWORD refuses.
    ///
    /// # Errors
    /// The pool does not do, the account is gone, or it was busy for longer than the retries last.
    pub async fn give_password(&self, username: &str) -> Result<(), AccountError> {
        let pool = self.pool().await?;
        self.set_password(pool, username, &[], &[username]).await
    }

    /// The same for one that an earlier run left half made, if it still is: a list may be old. Not for one that was
    /// invited: its temporary password would end.
    ///
    /// # Errors
    /// As [`Self::give_password`].
    pub async fn complete(&self, username: &str) -> Result<(), AccountError> {
        let found = self.read(username).await?.ok_or(AccountError::Gone { step: GET_USER })?;
        match found.account.state {
            AccountState::ForceChangePassword => self.give_password(username).await,
            _ => Ok(()),
        }
    }

    /// An account by the pool's own name for it, or by a name that it signs in with.
    ///
    /// # Errors
    /// AdminGetUser fails.
    pub async fn read(&self, username: &str) -> Result<Option<Listed>, AccountError> {
        let pool_id = &self.0.pool_id;
        let request = self.0.client.admin_get_user().user_pool_id(pool_id).username(username);
        let answer = self.call(Some(&self.0.paces.get_user), || request.clone().send()).await;
        match answer {
            Ok(user) => {
                let state = AccountState::from(user.user_status.as_ref());
                let account = Account { state, enabled: user.enabled, username: user.username };
                Ok(Some(Listed { account, attributes: Attributes::of(user.user_attributes.unwrap_or_default()) }))
            }
            Err(error) if aws::code(&error) == Some("UserNotFoundException") => Ok(None),
            Err(error) => Err(failure(GET_USER, &[], pool_id, &[username], &error)),
        }
    }

    /// Changes attributes; what is `None` stays. A changed e-mail that is not said to be verified is no more, and some pools
    /// keep the former one until its person proves the new one ([`Self::keeps_unproven_emails_out`]).
    ///
    /// # Errors
    /// [`AccountError::Taken`] if another account has the e-mail or username, [`AccountError::Gone`] if there is no such
    /// account; else as [`Self::create`].
    pub async fn update(&self, username: &str, changes: &Attributes) -> Result<(), AccountError> {
        let pool = self.pool().await?;
        if let (Usernames::Made, Some(email)) = (pool.usernames, changes.email.as_deref()) {
            // Where e-mail is an alias, a verified one is not refused but taken away from the account that has it
            // (boto3's issue 3213).
            let owner = self.read(email).await?;
            if owner.is_some_and(|owner| owner.account.username != username) {
                return Err(AccountError::Taken { step: UPDATE_USER });
            }
        }
        let request = self.0.client.admin_update_user_attributes().user_pool_id(&self.0.pool_id).username(username);
        let request = request.set_user_attributes(Some(changes.to_send(UPDATE_USER)?));
        let answer = self.call(Some(&self.0.paces.update_user), || request.clone().send()).await;
        let mut personal = changes.values();
        personal.push(username);
        answer.map(|_| ()).map_err(|error| self.of_account(UPDATE_USER, &personal, &error))
    }

    /// Nobody can log in with it any more.
    ///
    /// # Errors
    /// [`AccountError::Gone`] if there is no such account; else as [`Self::create`].
    pub async fn disable(&self, username: &str) -> Result<(), AccountError> {
        let request = self.0.client.admin_disable_user().user_pool_id(&self.0.pool_id).username(username);
        let answer = self.call(Some(&self.0.paces.update_user), || request.clone().send()).await;
        answer.map(|_| ()).map_err(|error| self.of_account(DISABLE_USER, &[username], &error))
    }

    /// Its person can log in again.
    ///
    /// # Errors
    /// As [`Self::disable`].
    pub async fn enable(&self, username: &str) -> Result<(), AccountError> {
        let request = self.0.client.admin_enable_user().user_pool_id(&self.0.pool_id).username(username);
        let answer = self.call(Some(&self.0.paces.update_user), || request.clone().send()).await;
        answer.map(|_| ()).map_err(|error| self.of_account(ENABLE_USER, &[username], &error))
    }

    /// It is gone for good.
    ///
    /// # Errors
    /// As [`Self::disable`].
    pub async fn delete(&self, username: &str) -> Result<(), AccountError> {
        let request = self.0.client.admin_delete_user().user_pool_id(&self.0.pool_id).username(username);
        let answer = self.call(Some(&self.0.paces.update_user), || request.clone().send()).await;
        answer.map(|_| ()).map_err(|error| self.of_account(DELETE_USER, &[username], &error))
    }

    /// Adds an account to a group; one that is in it stays in it.
    ///
    /// # Errors
    /// As [`Self::disable`]; a group that is not there is the pool's fault.
    pub async fn join(&self, username: &str, group: &str) -> Result<(), AccountError> {
        let pool_id = &self.0.pool_id;
        let request = self.0.client.admin_add_user_to_group().user_pool_id(pool_id);
        let request = request.username(username).group_name(group);
        let answer = self.call(Some(&self.0.paces.update_user), || request.clone().send()).await;
        answer.map(|_| ()).map_err(|error| {
            let SdkError::ServiceError(answer) = &error else {
                return self.of_account(ADD_TO_GROUP, &[username], &error);
            };
            // One code for both: "Group not found." and "User pool … does not exist."
            let no_group = answer.err().code() == Some("ResourceNotFoundException")
                && answer.err().message().is_some_and(|message| message.starts_with("Group"));
            if no_group {
                return AccountError::Pool(format!(
                    "{ADD_TO_GROUP}: there is no group {group} in the user pool {pool_id}: make it there, or name one \
                     that stands"
                ));
            }
            self.of_account(ADD_TO_GROUP, &[username], &error)
        })
    }

    /// Whether the pool keeps an account's former e-mail until the new one is proven
    /// (AttributesRequireVerificationBeforeUpdate), unless the change says that it is verified.
    ///
    /// # Errors
    /// The pool does not do.
    pub async fn keeps_unproven_emails_out(&self) -> Result<bool, AccountError> {
        Ok(self.pool().await?.keeps_unproven_emails_out)
    }

    fn of_account<E>(&self, step: &'static str, personal: &[&str], error: &SdkError<E, HttpResponse>) -> AccountError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        match aws::code(error) {
            Some("UserNotFoundException") => AccountError::Gone { step },
            Some("AliasExistsException" | "UsernameExistsException") => AccountError::Taken { step },
            _ => failure(step, &[], &self.0.pool_id, personal, error),
        }
    }
}

/// Nobody has touched it since it was made with these attributes.
fn is_as_made(found: &Listed, asked: &Attributes) -> bool {
    let Account { state, enabled, .. } = found.account;
    state == AccountState::ForceChangePassword && enabled && found.attributes == *asked
}

#[cfg(test)]
mod tests;
