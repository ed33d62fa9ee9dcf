//! The same against a pool that answers by itself: the embedded AWS's, or another emulator's (`CROSSWALK_TEST_ENDPOINT`).
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::config::interceptors::BeforeTransmitInterceptorContextRef;
use aws_sdk_cognitoidentityprovider::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_cognitoidentityprovider::error::BoxError;
use aws_sdk_cognitoidentityprovider::operation::admin_get_user::AdminGetUserOutput;
use aws_sdk_cognitoidentityprovider::types::{
    AttributeType, AuthFlowType, ExplicitAuthFlowsType, MessageActionType, UserStatusType, UsernameAttributeType,
    VerifiedAttributeType,
};
use crosswalk_accounts::{AccountError, AccountState, Accounts, AccountsSettings, Ensured, Planned};
use crosswalk_function_kit::{Clock, Entropy};
use crosswalk_identity::Email;
use crosswalk_local_aws::testbed::Testbed;
use futures::future::join_all;
use jiff::Timestamp;

const NOW: &str = "2026-11-22T10:00:00Z";

/// Counts the requests that go out, by operation.
#[derive(Debug, Clone, Default)]
struct Counts(Arc<Mutex<BTreeMap<String, u32>>>);

impl Intercept for Counts {
    fn name(&self) -> &'static str {
        "Counts"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let target = context.request().headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        *self.0.lock().unwrap().entry(operation).or_default() += 1;
        Ok(())
    }
}

impl Counts {
    /// The counts since the last call of this, as `AdminGetUser 1, DescribeUserPool 1`.
    fn take(&self) -> String {
        let counts = std::mem::take(&mut *self.0.lock().unwrap());
        counts.into_iter().map(|(operation, count)| format!("{operation} {count}")).collect::<Vec<_>>().join(", ")
    }
}

/// A pool, and what a test needs to look at it past `Accounts`.
struct World {
    testbed: Testbed,
    client: Client,
    counts: Counts,
    accounts: Accounts,
}

impl World {
    async fn start() -> Self {
        let testbed = Testbed::start().await;
        let client = Client::new(&testbed.config);
        let pool_id = testbed.names.pool_id.clone();
        let (accounts, counts) = accounts_of(&testbed, &pool_id);
        Self { testbed, client, counts, accounts }
    }

    async fn get(&self, email: &str) -> AdminGetUserOutput {
        let request = self.client.admin_get_user().user_pool_id(&self.testbed.names.pool_id);
        request.username(email).send().await.unwrap()
    }

    /// Makes an account as an administrator would by hand.
    async fn make(&self, email: &str) {
        let attribute = |name, value| AttributeType::builder().name(name).value(value).build().unwrap();
        let request = self.client.admin_create_user().user_pool_id(&self.testbed.names.pool_id);
        request
            .username(email)
            .user_attributes(attribute("email", email))
            .user_attributes(attribute("email_verified", "true"))
            .message_action(MessageActionType::Suppress)
            .send()
            .await
            .unwrap();
    }

    /// An app client's id, for signing in by password.
    async fn app_client(&self) -> String {
        let request = self.client.create_user_pool_client().user_pool_id(&self.testbed.names.pool_id);
        let request = request.client_name("tests").explicit_auth_flows(ExplicitAuthFlowsType::AllowUserPasswordAuth);
        request.send().await.unwrap().user_pool_client.unwrap().client_id.unwrap()
    }

    async fn signs_in(&self, app_client: &str, email: &str, password: &str) -> bool {
        let request = self.client.initiate_auth().client_id(app_client).auth_flow(AuthFlowType::UserPasswordAuth);
        let request = request.auth_parameters("USERNAME", email).auth_parameters("PASSWORD", password);
        request.send().await.is_ok_and(|answer| answer.authentication_result.is_some())
    }

    async fn set_password(&self, email: &str, password: &str) {
        let request = self.client.admin_set_user_password().user_pool_id(&self.testbed.names.pool_id);
        request.username(email).password(password).permanent(true).send().await.unwrap();
    }
}

/// With quotas that no test waits for.
fn accounts_of(testbed: &Testbed, pool_id: &str) -> (Accounts, Counts) {
    let counts = Counts::default();
    let config = aws_sdk_cognitoidentityprovider::config::Builder::from(&testbed.config);
    let client = Client::from_conf(config.interceptor(counts.clone()).build());
    let mut settings = AccountsSettings::for_pool(pool_id);
    settings.quotas.user_read = 10_000.0;
    settings.quotas.user_creation = 10_000.0;
    settings.quotas.set_password = 10_000.0;
    let clock = Clock::fixed(NOW.parse().unwrap());
    (Accounts::new(&client, settings, clock, Entropy::system()), counts)
}

fn email(text: &str) -> Email {
    Email::parse(text).unwrap()
}

fn attribute<'a>(user: &'a AdminGetUserOutput, name: &str) -> Option<&'a str> {
    user.user_attributes().iter().find(|attribute| attribute.name() == name).and_then(AttributeType::value)
}

#[tokio::test]
async fn an_absent_account_is_made_and_then_left() {
    let world = World::start().await;
    let carol = email("carol@example.org");
    assert_eq!(world.accounts.plan(&carol, None).await, Ok(Planned::Created));
    assert_eq!(world.counts.take(), "AdminGetUser 1, DescribeUserPool 1");
    assert_eq!(world.accounts.find(&carol).await, Ok(None));
    world.counts.take();

    assert_eq!(world.accounts.ensure(&carol, None).await, Ok(Ensured::Created));
    assert_eq!(world.counts.take(), "AdminCreateUser 1, AdminGetUser 1, AdminSetUserPassword 1");
    let user = world.get("carol@example.org").await;
    assert_eq!(user.user_status(), Some(&UserStatusType::Confirmed));
    assert_eq!(attribute(&user, "email"), Some("carol@example.org"));
    assert_eq!(attribute(&user, "email_verified"), Some("true"));

    assert_eq!(world.accounts.plan(&carol, None).await, Ok(Planned::Unchanged));
    assert_eq!(world.accounts.ensure(&carol, None).await, Ok(Ensured::Unchanged));
    assert_eq!(world.counts.take(), "AdminGetUser 2");
    let found = world.accounts.find(&carol).await.unwrap().unwrap();
    assert_eq!((found.state, found.enabled), (AccountState::Confirmed, true));
}

#[tokio::test]
async fn another_spelling_is_the_same_account() {
    let world = World::start().await;
    assert_eq!(world.accounts.ensure(&email("Dora.Maar@Example.org"), None).await, Ok(Ensured::Created));
    for spelling in ["dora.maar@example.org", "DORA.MAAR@EXAMPLE.ORG", "Dora.Maar@Example.org"] {
        assert_eq!(world.accounts.ensure(&email(spelling), None).await, Ok(Ensured::Unchanged), "{spelling}");
    }
}

#[tokio::test]
async fn a_stuck_account_is_repaired_unless_it_was_invited() {
    let world = World::start().await;
    world.make("erin@example.org").await;
    let erin = email("erin@example.org");
    let tomorrow: Timestamp = "2026-11-23T10:00:00Z".parse().unwrap();
    assert_eq!(world.accounts.plan(&erin, Some(tomorrow)).await, Ok(Planned::Unchanged));
    assert_eq!(world.accounts.ensure(&erin, Some(tomorrow)).await, Ok(Ensured::Unchanged));
    let state = world.accounts.find(&erin).await.unwrap().unwrap().state;
    assert_eq!(state, AccountState::ForceChangePassword);

    let yesterday: Timestamp = "2026-11-21T10:00:00Z".parse().unwrap();
    assert_eq!(world.accounts.plan(&erin, Some(yesterday)).await, Ok(Planned::Repaired));
    world.counts.take();
    assert_eq!(world.accounts.ensure(&erin, Some(yesterday)).await, Ok(Ensured::Repaired));
    assert_eq!(world.counts.take(), "AdminGetUser 1, AdminSetUserPassword 1");
    assert_eq!(world.get("erin@example.org").await.user_status(), Some(&UserStatusType::Confirmed));
    assert_eq!(world.accounts.ensure(&erin, None).await, Ok(Ensured::Unchanged));
}

#[tokio::test]
async fn a_confirmed_account_is_not_touched() {
    let world = World::start().await;
    world.make("frank@example.org").await;
    world.set_password("frank@example.org", "Known-to-Frank-0nly").await;
    let app_client = world.app_client().await;
    assert!(world.signs_in(&app_client, "frank@example.org", "Known-to-Frank-0nly").await);
    let before = world.get("frank@example.org").await;
    assert_eq!(world.accounts.ensure(&email("Frank@example.org"), None).await, Ok(Ensured::Unchanged));
    assert_eq!(world.counts.take(), "AdminGetUser 1, DescribeUserPool 1");
    let after = world.get("frank@example.org").await;
    assert_eq!(after.user_last_modified_date(), before.user_last_modified_date());
    assert_eq!(after.user_status(), Some(&UserStatusType::Confirmed));
    assert!(world.signs_in(&app_client, "frank@example.org", "Known-to-Frank-0nly").await);
    assert!(!world.signs_in(&app_client, "frank@example.org", "Another-Passw0rd").await);
}

#[tokio::test]
async fn a_disabled_account_is_not_touched() {
    let world = World::start().await;
    world.make("grace@example.org").await;
    let request = world.client.admin_disable_user().user_pool_id(&world.testbed.names.pool_id);
    request.username("grace@example.org").send().await.unwrap();
    assert_eq!(world.accounts.ensure(&email("grace@example.org"), None).await, Ok(Ensured::Disabled));
    let found = world.accounts.find(&email("grace@example.org")).await.unwrap().unwrap();
    assert_eq!((found.state, found.enabled), (AccountState::ForceChangePassword, false));
}

#[tokio::test]
async fn many_at_once_for_one_e_mail_make_one_account() {
    let world = World::start().await;
    let heidi = email("heidi@example.org");
    let ensured = join_all((0..20).map(|_| world.accounts.ensure(&heidi, None))).await;
    let created = ensured.iter().filter(|ensured| **ensured == Ok(Ensured::Created)).count();
    let unchanged = ensured.iter().filter(|ensured| **ensured == Ok(Ensured::Unchanged)).count();
    assert_eq!((created, unchanged), (1, 19));
    assert_eq!(world.counts.take(), "AdminCreateUser 1, AdminGetUser 20, AdminSetUserPassword 1, DescribeUserPool 1");
}

#[tokio::test]
async fn two_processes_at_once_end_with_one_account() {
    let world = World::start().await;
    let (other, _) = accounts_of(&world.testbed, &world.testbed.names.pool_id);
    let emails: Vec<Email> = (0..20).map(|n| email(&format!("ivan{n}@example.org"))).collect();
    let both = |accounts: Accounts| {
        let emails = &emails;
        async move { join_all(emails.iter().map(|email| accounts.ensure(email, None))).await }
    };
    let (here, there) = futures::future::join(both(world.accounts.clone()), both(other)).await;
    for (email, (here, there)) in emails.iter().zip(here.into_iter().zip(there)) {
        // On an emulator that lets both make it, both say so; what counts is that neither fails and the account stands.
        assert!(here.is_ok() && there.is_ok(), "{here:?} {there:?}");
        assert_eq!(world.get(email.as_str()).await.user_status(), Some(&UserStatusType::Confirmed));
    }
}

#[tokio::test]
async fn throttling_is_tried_again() {
    let world = World::start().await;
    // Only the embedded AWS throttles on demand; `ensure/tests.rs` has the same with a scripted Cognito.
    let Some(embedded) = &world.testbed.embedded else { return };
    embedded.throttle_cognito("AdminGetUser", 2);
    embedded.throttle_cognito("AdminCreateUser", 1);
    embedded.throttle_cognito("AdminSetUserPassword", 3);
    assert_eq!(world.accounts.ensure(&email("judy@example.org"), None).await, Ok(Ensured::Created));
    assert_eq!(world.counts.take(), "AdminCreateUser 2, AdminGetUser 3, AdminSetUserPassword 4, DescribeUserPool 1");
}

#[tokio::test]
async fn a_pool_that_does_not_sign_in_by_e_mail_is_refused() {
    let testbed = Testbed::start().await;
    let client = Client::new(&testbed.config);
    let request = client.create_user_pool().pool_name("crosswalk-by-phone");
    let pool = request.username_attributes(UsernameAttributeType::PhoneNumber).send().await.unwrap().user_pool.unwrap();
    let (accounts, counts) = accounts_of(&testbed, pool.id().unwrap());
    for _ in 0..3 {
        let Err(AccountError::Pool(told)) = accounts.ensure(&email("kim@example.org"), None).await else {
            panic!("taken");
        };
        assert!(told.contains("does not sign in by e-mail") && told.contains(pool.id().unwrap()), "{told}");
    }
    assert_eq!(counts.take(), "DescribeUserPool 1");
}

#[tokio::test]
async fn a_pool_of_one_s_own_policy_gets_passwords_that_it_takes() {
    use aws_sdk_cognitoidentityprovider::types::{PasswordPolicyType, UserPoolPolicyType};

    let testbed = Testbed::start().await;
    let policy = PasswordPolicyType::builder()
        .minimum_length(60)
        .require_lowercase(true)
        .require_uppercase(true)
        .require_numbers(true)
        .require_symbols(true)
        .build();
    let pool = Client::new(&testbed.config)
        .create_user_pool()
        .pool_name("crosswalk-long-passwords")
        .policies(UserPoolPolicyType::builder().password_policy(policy).build())
        .username_attributes(UsernameAttributeType::Email)
        .auto_verified_attributes(VerifiedAttributeType::Email)
        .send()
        .await
        .unwrap();
    let (accounts, _) = accounts_of(&testbed, pool.user_pool.unwrap().id().unwrap());
    assert_eq!(accounts.ensure(&email("lou@example.org"), None).await, Ok(Ensured::Created));
}

#[tokio::test]
async fn a_pool_that_is_not_there_is_said_so() {
    let testbed = Testbed::start().await;
    let (accounts, _) = accounts_of(&testbed, "us-east-1_NotThere0");
    let Err(AccountError::Pool(told)) = accounts.plan(&email("mia@example.org"), None).await else { panic!("there") };
    assert!(told.contains("there is no user pool us-east-1_NotThere0"), "{told}");
}
