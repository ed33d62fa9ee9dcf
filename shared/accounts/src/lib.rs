//! Accounts in a Cognito user pool: made sure of, inside the pool's quotas.
//!
//! [`Accounts::ensure`] makes sure that a login with an e-mail stands; [`Accounts::plan`] tells what it would do, from reads
//! alone. For a sync, [`Accounts::list`] reads all accounts, and the others make, change, disable and delete them one by one.
//! The pool is checked once per process, with the first call that needs it. Every operation has its own pace, as
//! each falls under a quota of its own; the SDK's own retries are off, because they would go past the pace.

mod attributes;
mod calls;
mod ensure;
mod errors;
mod find;
mod list;
mod manage;
mod one_at_a_time;
mod password;
mod pool;
mod quota;
#[cfg(test)]
mod scripted;

pub use attributes::{Attributes, Listed};
pub use ensure::{Accounts, Ensured, Planned};
pub use errors::AccountError;
pub use find::{Account, AccountState};
pub use manage::Made;
pub use quota::{AccountsSettings, Quotas, SETTINGS};
