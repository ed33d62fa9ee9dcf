//! The pool: whether it does, and what of it the other steps need to know.

use std::time::Duration;

use aws_sdk_cognitoidentityprovider::types::{
    AliasAttributeType, UserPoolType, UsernameAttributeType, VerifiedAttributeType,
};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::ensure::Accounts;
use crate::errors::{AccountError, DESCRIBE_POOL, failure};
use crate::password::PasswordLength;

/// How long a pool that does not do is taken for that, so that a thousand rows at once ask once. Short, as a function's
/// process outlives the run, and the pool may be mended before the next.
const REFUSAL_KEPT: Duration = Duration::from_secs(10);

/// What was found in the pool's description.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pool {
    /// How an account's username is chosen.
    pub(crate) usernames: Usernames,
    /// Whether `Alice@example.org` and `alice@example.org` are two accounts. So it is in a pool that was made without saying.
    pub(crate) case_sensitive: bool,
    /// How long passwords are to be.
    pub(crate) password: PasswordLength,
    /// Whether preferred_username is an alias. An account that is not confirmed is then refused one.
    pub(crate) preferred_username_signs_in: bool,
    /// Whether a changed e-mail waits for its proof.
    pub(crate) keeps_unproven_emails_out: bool,
}

/// How an account's username is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Usernames {
    /// The pool signs in by e-mail: the e-mail is given, and the pool makes an id of its own.
    Email,
    /// E-mail is an alias: the username is ours to make, must not look like an e-mail, and never changes.
    Made,
}

/// The check, made once per process.
#[derive(Debug, Default)]
pub(crate) struct PoolCheck(Mutex<Option<Checked>>);

#[derive(Debug)]
enum Checked {
    Well(Pool),
    Refused(Instant, AccountError),
}

impl Accounts {
    /// The pool, checked with the first call.
    pub(crate) async fn pool(&self) -> Result<Pool, AccountError> {
        let mut checked = self.0.pool.0.lock().await;
        match &*checked {
            Some(Checked::Well(pool)) => return Ok(*pool),
            Some(Checked::Refused(at, error)) if at.elapsed() < REFUSAL_KEPT => return Err(error.clone()),
            _ => {}
        }
        let found = self.describe().await;
        *checked = Some(match &found {
            Ok(pool) => Checked::Well(*pool),
            Err(error) => Checked::Refused(Instant::now(), error.clone()),
        });
        found
    }

    async fn describe(&self) -> Result<Pool, AccountError> {
        let pool_id = &self.0.pool_id;
        let request = self.0.client.describe_user_pool().user_pool_id(pool_id);
        let answer = self.call(None, || request.clone().send()).await;
        let answer = answer.map_err(|error| failure(DESCRIBE_POOL, &[], pool_id, &[], &error))?;
        let pool = answer.user_pool.ok_or_else(|| {
            AccountError::Pool(format!("{DESCRIBE_POOL} told nothing of the user pool {pool_id}; try again"))
        })?;
        read(pool_id, &pool)
    }
}

fn read(pool_id: &str, pool: &UserPoolType) -> Result<Pool, AccountError> {
    let usernames = if pool.username_attributes().contains(&UsernameAttributeType::Email) {
        Usernames::Email
    } else if pool.alias_attributes().contains(&AliasAttributeType::Email) {
        Usernames::Made
    } else {
        return Err(AccountError::Pool(format!(
            "the user pool {pool_id} does not sign in by e-mail, so nobody could log in to an account that is made for \
             an e-mail. How a pool signs in is fixed when it is made: make one with e-mail as a sign-in option (username \
             attribute or alias), and set COGNITO_IDENTITY_POOL_ID to its id"
        )));
    };
    let policy = pool.policies().and_then(|policies| policies.password_policy());
    Ok(Pool {
        usernames,
        case_sensitive: pool.username_configuration().is_none_or(|configuration| configuration.case_sensitive()),
        password: PasswordLength::of_policy(policy),
        preferred_username_signs_in: pool.alias_attributes().contains(&AliasAttributeType::PreferredUsername),
        keeps_unproven_emails_out: pool.user_attribute_update_settings().is_some_and(|settings| {
            settings.attributes_require_verification_before_update().contains(&VerifiedAttributeType::Email)
        }),
    })
}

#[cfg(test)]
mod tests {
    use aws_sdk_cognitoidentityprovider::types::{
        PasswordPolicyType, UserAttributeUpdateSettingsType, UserPoolPolicyType, UsernameConfigurationType,
    };

    use super::*;

    #[test]
    fn sign_in_case_and_password_length_are_read() {
        let policy = PasswordPolicyType::builder().minimum_length(40).build();
        let pool = UserPoolType::builder()
            .username_attributes(UsernameAttributeType::PhoneNumber)
            .username_attributes(UsernameAttributeType::Email)
            .username_configuration(UsernameConfigurationType::builder().case_sensitive(false).build().unwrap())
            .user_attribute_update_settings(
                UserAttributeUpdateSettingsType::builder()
                    .attributes_require_verification_before_update(VerifiedAttributeType::Email)
                    .build(),
            )
            .policies(UserPoolPolicyType::builder().password_policy(policy.clone()).build())
            .build();
        let expected = Pool {
            usernames: Usernames::Email,
            case_sensitive: false,
            password: PasswordLength::of_policy(Some(&policy)),
            preferred_username_signs_in: false,
            keeps_unproven_emails_out: true,
        };
        assert_eq!(read("p_1", &pool), Ok(expected));
        let pool = UserPoolType::builder()
            .alias_attributes(AliasAttributeType::Email)
            .alias_attributes(AliasAttributeType::PreferredUsername)
            .build();
        let expected = Pool {
            usernames: Usernames::Made,
            case_sensitive: true,
            password: PasswordLength::of_policy(None),
            preferred_username_signs_in: true,
            keeps_unproven_emails_out: false,
        };
        assert_eq!(read("p_1", &pool), Ok(expected));
    }

    #[test]
    fn a_pool_without_e_mail_sign_in_is_refused() {
        for pool in [
            UserPoolType::builder().build(),
            UserPoolType::builder().username_attributes(UsernameAttributeType::PhoneNumber).build(),
            UserPoolType::builder().alias_attributes(AliasAttributeType::PreferredUsername).build(),
        ] {
            let Err(AccountError::Pool(told)) = read("p_1", &pool) else { panic!("taken") };
            assert!(told.contains("p_1") && told.contains("COGNITO_IDENTITY_POOL_ID"), "{told}");
        }
    }
}
