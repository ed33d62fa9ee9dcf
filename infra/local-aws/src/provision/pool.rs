use anyhow::Context as _;
use aws_config::SdkConfig;
use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::types::{
    AdminCreateUserConfigType, PasswordPolicyType, UserPoolPolicyType, UsernameAttributeType, UsernameConfigurationType,
};

use crate::description::POOL;

/// The id of the pool with this name, which is made if there is none. Pools may share a name; the first one is taken.
///
/// # Errors
/// A call that failed, by name.
pub(super) async fn provision_pool(config: &SdkConfig, name: &str) -> anyhow::Result<String> {
    let client = Client::new(config);
    let mut pools = client.list_user_pools().max_results(60).into_paginator().items().send();
    while let Some(pool) = pools.next().await {
        let pool = pool.map_err(|error| error.into_service_error()).context("ListUserPools")?;
        if let (Some(found), Some(id)) = (pool.name, pool.id)
            && found == name
        {
            return Ok(id);
        }
    }
    let policy = PasswordPolicyType::builder()
        .minimum_length(POOL.password_length)
        .require_uppercase(true)
        .require_lowercase(true)
        .require_numbers(true)
        .require_symbols(true)
        .temporary_password_validity_days(POOL.temporary_password_days)
        .build();
    let created = client
        .create_user_pool()
        .pool_name(name)
        .username_attributes(UsernameAttributeType::from(POOL.sign_in_attribute))
        .username_configuration(UsernameConfigurationType::builder().case_sensitive(POOL.case_sensitive).build()?)
        .policies(UserPoolPolicyType::builder().password_policy(policy).build())
        .admin_create_user_config(AdminCreateUserConfigType::builder().allow_admin_create_user_only(true).build())
        .send()
        .await
        .map_err(|error| error.into_service_error())
        .with_context(|| format!("CreateUserPool {name}"))?;
    created.user_pool.and_then(|pool| pool.id).with_context(|| format!("CreateUserPool {name} gave no id"))
}
