//! Cognito user pools: the operations that Crosswalk and its tests call, by Cognito's rules (API reference of Amazon
//! Cognito user pools; the messages are the service's own).

mod attributes;
mod filter;
mod groups;
mod operations;
mod password;
mod pool;
mod sign_in;

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crosswalk_function_kit::{Clock, Entropy};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::drawer::Drawer;
use crate::json_protocol::ApiError;
use crate::mailbox::Mailbox;
use pool::{Pool, StoredUser};

/// The service.
#[derive(Debug)]
pub(crate) struct Cognito {
    clock: Clock,
    entropy: Entropy,
    mailbox: Arc<Mailbox>,
    pools: Mutex<BTreeMap<String, Pool>>,
    pool_files: Drawer,
    user_files: Drawer,
    /// Operation → how many of its next calls are throttled.
    throttled: Mutex<HashMap<String, u32>>,
    sessions: Mutex<HashMap<String, sign_in::Session>>,
}

impl Cognito {
    /// Reads what the folder holds, if there is one.
    pub(crate) fn open(
        folder: Option<&Path>,
        clock: Clock,
        entropy: Entropy,
        mailbox: Arc<Mailbox>,
    ) -> anyhow::Result<Self> {
        let pool_files = Drawer::below(folder, "pools")?;
        let user_files = Drawer::below(folder, "users")?;
        let mut pools: BTreeMap<String, Pool> =
            pool_files.load::<Pool>()?.into_iter().map(|pool| (pool.id.clone(), pool)).collect();
        for StoredUser { pool, user } in user_files.load::<StoredUser>()? {
            if let Some(pool) = pools.get_mut(&pool) {
                pool.insert(user);
            }
        }
        Ok(Self {
            clock,
            entropy,
            mailbox,
            pools: Mutex::new(pools),
            pool_files,
            user_files,
            throttled: Mutex::default(),
            sessions: Mutex::default(),
        })
    }

    fn pools(&self) -> MutexGuard<'_, BTreeMap<String, Pool>> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the next `times` calls of an operation answer TooManyRequestsException.
    pub(crate) fn throttle(&self, operation: &str, times: u32) {
        let mut throttled = self.throttled.lock().unwrap_or_else(PoisonError::into_inner);
        throttled.insert(operation.to_owned(), times);
    }

    fn is_throttled(&self, operation: &str) -> bool {
        let mut throttled = self.throttled.lock().unwrap_or_else(PoisonError::into_inner);
        match throttled.get_mut(operation) {
            Some(left) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        }
    }

    /// Answers an operation.
    pub(crate) fn answer(&self, operation: &str, body: &[u8]) -> Result<Value, ApiError> {
        if self.is_throttled(operation) {
            return Err(ApiError::new("TooManyRequestsException", "Rate exceeded"));
        }
        match operation {
            "CreateUserPool" => self.create_user_pool(input(body)?),
            "DescribeUserPool" => self.describe_user_pool(&input(body)?),
            "ListUserPools" => self.list_user_pools(&input(body)?),
            "DeleteUserPool" => self.delete_user_pool(&input(body)?),
            "CreateUserPoolClient" => self.create_user_pool_client(input(body)?),
            "AdminCreateUser" => self.admin_create_user(input(body)?),
            "AdminGetUser" => self.admin_get_user(&input(body)?),
            "AdminSetUserPassword" => self.admin_set_user_password(&input(body)?),
            "AdminUpdateUserAttributes" => self.admin_update_user_attributes(input(body)?),
            "AdminDisableUser" => self.admin_enable_user(&input(body)?, false),
            "AdminEnableUser" => self.admin_enable_user(&input(body)?, true),
            "AdminDeleteUser" => self.admin_delete_user(&input(body)?),
            "CreateGroup" => self.create_group(input(body)?),
            "ListGroups" => self.list_groups(&input(body)?),
            "AdminAddUserToGroup" => self.admin_add_user_to_group(&input(body)?),
            "AdminListGroupsForUser" => self.admin_list_groups_for_user(&input(body)?),
            "ListUsers" => self.list_users(&input(body)?),
            "AdminInitiateAuth" | "InitiateAuth" => self.initiate_auth(&input(body)?),
            "AdminRespondToAuthChallenge" | "RespondToAuthChallenge" => self.respond_to_challenge(&input(body)?),
            _ => Err(ApiError::new(
                "UnknownOperationException",
                format!("The embedded Cognito does not have {operation}"),
            )),
        }
    }
}

fn input<T: DeserializeOwned>(body: &[u8]) -> Result<T, ApiError> {
    serde_json::from_slice(body).map_err(|error| ApiError::new("SerializationException", error.to_string()))
}

/// Cognito's name for a bad value.
fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new("InvalidParameterException", message)
}
