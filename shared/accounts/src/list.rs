//! All accounts of the pool.

use aws_sdk_cognitoidentityprovider::types::UserType;

use crate::attributes::{Attributes, Listed};
use crate::ensure::Accounts;
use crate::errors::{AccountError, LIST_USERS, failure};
use crate::find::{Account, AccountState};

/// The most that a page holds (API reference).
const PAGE: i32 = 60;

impl Accounts {
    /// All accounts that stand, by their usernames. Pages may be short or empty, so the token is followed to its end; `read`
    /// is told how many have come so far. What other hands change meanwhile may be missed: ListUsers is eventually
    /// consistent.
    ///
    /// # Errors
    /// The pool does not do, or ListUsers fails: there is no part of a list.
    pub async fn list(&self, read: &(dyn Fn(u64) + Send + Sync)) -> Result<Vec<Listed>, AccountError> {
        self.pool().await?;
        let pool_id = &self.0.pool_id;
        let mut accounts: Vec<Listed> = Vec::new();
        let mut token: Option<String> = None;
        loop {
            // Without AttributesToGet: with it, a single account that lacks one of them fails the page (API reference).
            let request = self.0.client.list_users().user_pool_id(pool_id).limit(PAGE);
            let request = request.set_pagination_token(token.clone());
            let page = self.call(Some(&self.0.paces.list_users), || request.clone().send()).await;
            let page = page.map_err(|error| failure(LIST_USERS, &[], pool_id, &[], &error))?;
            for user in page.users.unwrap_or_default() {
                accounts.push(listed(user)?);
            }
            read(accounts.len().try_into().unwrap_or(u64::MAX));
            let next = page.pagination_token.filter(|next| !next.is_empty());
            if next.is_none() {
                break;
            }
            if next == token {
                return Err(unsound("it answered with the same page's token again"));
            }
            token = next;
        }
        // An account that moves between pages while they are read comes twice; the later one is the fresher.
        accounts.sort_by(|a, b| a.account.username.cmp(&b.account.username));
        accounts.dedup_by(|later, kept| {
            let same = later.account.username == kept.account.username;
            if same {
                std::mem::swap(later, kept);
            }
            same
        });
        Ok(accounts)
    }
}

fn listed(user: UserType) -> Result<Listed, AccountError> {
    let state = AccountState::from(user.user_status.as_ref());
    let username = user.username.ok_or_else(|| unsound("it answered with an account that has no username"))?;
    let account = Account { username, state, enabled: user.enabled };
    Ok(Listed { account, attributes: Attributes::of(user.attributes.unwrap_or_default()) })
}

fn unsound(reason: &str) -> AccountError {
    AccountError::Busy { step: LIST_USERS, reason: reason.to_owned(), done: &[] }
}
