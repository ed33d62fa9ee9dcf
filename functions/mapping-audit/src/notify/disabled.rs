//! Whose account in the Cognito user pool is disabled.

use crosswalk_accounts::{AccountError, Accounts};

use super::address::Letter;

/// In characters (Cognito's API model).
const LONGEST: usize = 128;

/// The pool, if there is one to ask.
#[derive(Debug, Clone)]
pub(crate) struct Disabled(Option<Pool>);

#[derive(Clone)]
struct Pool(Accounts);

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pool({})", self.0.pool_id())
    }
}

impl Disabled {
    pub(crate) fn new(accounts: Option<Accounts>) -> Self {
        Self(accounts.map(Pool))
    }

    /// Whether an account that one of the usernames or the e-mail signs in with is disabled. One that is not there is not.
    ///
    /// # Errors
    /// The pool does not say.
    pub(crate) async fn any(&self, letter: &Letter) -> Result<bool, AccountError> {
        let Some(Pool(accounts)) = &self.0 else { return Ok(false) };
        let by_email = Box::pin(accounts.find(&letter.email)).await;
        let of_email = match by_email {
            // No account has an e-mail that is too long for one.
            Err(_) if letter.email.key().chars().count() > LONGEST => None,
            by_email => by_email?,
        };
        if of_email.is_some_and(|account| !account.enabled) {
            return Ok(true);
        }
        let usernames = letter.usernames.iter().map(|username| username.as_str());
        for username in usernames.filter(|username| may_be_one(username)) {
            let found = Box::pin(accounts.read(username)).await?;
            if found.is_some_and(|found| !found.account.enabled) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Whether Cognito can have an account of this name: it refuses to look for any other (API model: `[\p{L}\p{M}\p{S}\p{N}\p{P}]+`,
/// of which white space and control characters are no part).
fn may_be_one(username: &str) -> bool {
    username.chars().count() <= LONGEST && !username.chars().any(|c| c.is_whitespace() || c.is_control())
}
