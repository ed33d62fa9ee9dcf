//! Cognito through the real client.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test as tests do")]

use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cognitoidentityprovider::operation::admin_create_user::builders::AdminCreateUserFluentBuilder;
use aws_sdk_cognitoidentityprovider::types::{
    AliasAttributeType, AttributeType, AuthFlowType, ChallengeNameType, ExplicitAuthFlowsType, MessageActionType,
    UserAttributeUpdateSettingsType, UserStatusType, UsernameAttributeType, VerifiedAttributeType,
};
use crosswalk_local_aws::provision::{Names, provision};
use crosswalk_local_aws::{LocalAws, Storage};

const TEMPORARY: &str = "Temporary-1-password";
const OWN: &str = "Own-2-password";

struct Bed {
    aws: LocalAws,
    client: Client,
    pool: String,
}

async fn bed() -> Bed {
    let aws = LocalAws::start(Storage::Memory, 0).unwrap();
    let config = aws.sdk_config();
    let pool = provision(&config, &Names::default()).await.unwrap().pool_id;
    Bed { aws, client: Client::new(&config), pool }
}

impl Bed {
    fn create(&self, email: &str) -> AdminCreateUserFluentBuilder {
        let create = self.client.admin_create_user().user_pool_id(&self.pool).username(email);
        create.message_action(MessageActionType::Suppress).temporary_password(TEMPORARY)
    }

    async fn set_password(&self, name: &str, password: &str, permanent: bool) -> String {
        let set = self.client.admin_set_user_password().user_pool_id(&self.pool).username(name);
        code(set.password(password).permanent(permanent).send().await)
    }
}

fn code<T, E: ProvideErrorMetadata + std::fmt::Debug>(answer: Result<T, SdkError<E>>) -> String {
    match answer {
        Ok(_) => "ok".to_owned(),
        Err(error) => error.code().unwrap_or("none").to_owned(),
    }
}

fn attribute<'a>(attributes: &'a [AttributeType], name: &str) -> Option<&'a str> {
    attributes.iter().find(|attribute| attribute.name() == name)?.value()
}

#[tokio::test]
async fn an_account_begins_with_a_password_that_must_be_changed() {
    let bed = bed().await;
    let created = bed.create("Zoe@example.org").send().await.unwrap().user.unwrap();
    let username = created.username().unwrap();
    assert_ne!(username, "Zoe@example.org", "the pool makes up the username");
    assert_eq!(created.user_status(), Some(&UserStatusType::ForceChangePassword));
    assert_eq!(attribute(created.attributes(), "email"), Some("Zoe@example.org"));

    // Found by e-mail, whatever the case, and by username.
    for name in ["zoe@EXAMPLE.org", username] {
        let found = bed.client.admin_get_user().user_pool_id(&bed.pool).username(name).send().await.unwrap();
        assert_eq!(found.username(), username);
        assert_eq!(attribute(found.user_attributes(), "sub"), Some(username));
    }
    assert_eq!(bed.set_password("zoe@example.org", OWN, true).await, "ok");
    let found = bed.client.admin_get_user().user_pool_id(&bed.pool).username(username).send().await.unwrap();
    assert_eq!(found.user_status(), Some(&UserStatusType::Confirmed));
    let since = found.user_create_date().unwrap().secs();
    assert!(since > 1_700_000_000, "{since}");
}

#[tokio::test]
async fn rules_are_refused_by_their_modelled_names() {
    let bed = bed().await;
    bed.create("zoe@example.org").send().await.unwrap();
    let again = bed.create("ZOE@example.org").send().await.unwrap_err().into_service_error();
    assert!(again.is_username_exists_exception(), "{again:?}");
    let weak = bed.create("b@example.org").temporary_password("password").send().await;
    assert!(weak.unwrap_err().into_service_error().is_invalid_password_exception());
    assert_eq!(bed.set_password("zoe@example.org", "Sh0rt!", true).await, "InvalidPasswordException");
    let no_email = bed.create("not-an-email").send().await.unwrap_err().into_service_error();
    assert!(no_email.is_invalid_parameter_exception(), "{no_email:?}");
    let custom = AttributeType::builder().name("custom:fein").value("1").build().unwrap();
    let custom = bed.create("c@example.org").user_attributes(custom).send().await.unwrap_err().into_service_error();
    assert!(custom.is_invalid_parameter_exception(), "{custom:?}");

    let unknown = bed.client.admin_get_user().user_pool_id(&bed.pool).username("nobody@example.org").send().await;
    assert!(unknown.unwrap_err().into_service_error().is_user_not_found_exception());
    let pool = bed.client.admin_get_user().user_pool_id("us-east-1_nothere").username("a").send().await;
    assert!(pool.unwrap_err().into_service_error().is_resource_not_found_exception());
    assert_eq!(bed.set_password("nobody@example.org", OWN, true).await, "UserNotFoundException");
}

#[tokio::test]
async fn of_two_that_create_one_account_one_wins() {
    let bed = bed().await;
    for round in 0..20 {
        let email = format!("race{round}@example.org");
        let (a, b) = futures::join!(bed.create(&email).send(), bed.create(&email.to_uppercase()).send());
        let mut codes = [code(a), code(b)];
        codes.sort();
        assert_eq!(codes, ["UsernameExistsException", "ok"]);
    }
}

#[tokio::test]
async fn passwords_sign_in() {
    let bed = bed().await;
    let client = bed.client.create_user_pool_client().user_pool_id(&bed.pool).client_name("test");
    let client = client
        .explicit_auth_flows(ExplicitAuthFlowsType::AllowAdminUserPasswordAuth)
        .explicit_auth_flows(ExplicitAuthFlowsType::AllowUserPasswordAuth)
        .send()
        .await
        .unwrap();
    let client = client.user_pool_client.unwrap().client_id.unwrap();
    bed.create("zoe@example.org").send().await.unwrap();
    let sign_in = |password: &str| {
        let ask = bed.client.admin_initiate_auth().user_pool_id(&bed.pool).client_id(&client);
        let ask = ask.auth_flow(AuthFlowType::AdminUserPasswordAuth).auth_parameters("USERNAME", "Zoe@example.org");
        ask.auth_parameters("PASSWORD", password).send()
    };
    let demanded = sign_in(TEMPORARY).await.unwrap();
    assert_eq!(demanded.challenge_name(), Some(&ChallengeNameType::NewPasswordRequired));
    assert_eq!(code(sign_in("Wrong-3-password").await), "NotAuthorizedException");
    assert_eq!(code(sign_in("").await), "NotAuthorizedException");

    assert_eq!(bed.set_password("zoe@example.org", OWN, true).await, "ok");
    assert!(sign_in(OWN).await.unwrap().authentication_result.unwrap().access_token.is_some());
    assert_eq!(code(sign_in(TEMPORARY).await), "NotAuthorizedException");

    let user = |name: &str| (bed.pool.clone(), name.to_owned());
    let (pool, name) = user("zoe@example.org");
    bed.client.admin_disable_user().user_pool_id(&pool).username(&name).send().await.unwrap();
    assert_eq!(code(sign_in(OWN).await), "NotAuthorizedException");
    bed.client.admin_enable_user().user_pool_id(&pool).username(&name).send().await.unwrap();
    assert_eq!(code(sign_in(OWN).await), "ok");
    bed.client.admin_delete_user().user_pool_id(&pool).username(&name).send().await.unwrap();
    assert_eq!(code(sign_in(OWN).await), "UserNotFoundException");
    assert_eq!(code(bed.create("zoe@example.org").send().await), "ok");
    let answered = bed.client.initiate_auth().client_id(&client).auth_flow(AuthFlowType::UserPasswordAuth);
    let answered = answered.auth_parameters("USERNAME", "zoe@example.org").auth_parameters("PASSWORD", TEMPORARY);
    let session = answered.send().await.unwrap().session.unwrap();
    let respond = bed.client.respond_to_auth_challenge().client_id(&client).session(session);
    let respond = respond.challenge_name(ChallengeNameType::NewPasswordRequired);
    let respond = respond.challenge_responses("USERNAME", "zoe@example.org").challenge_responses("NEW_PASSWORD", OWN);
    assert!(respond.send().await.unwrap().authentication_result.is_some());
    assert!(sign_in(OWN).await.unwrap().authentication_result.is_some());
}

#[tokio::test]
async fn users_are_listed_by_page_and_filter() {
    let bed = bed().await;
    for at in 0..65 {
        bed.create(&format!("user{at:02}@example.org")).send().await.unwrap();
    }
    let mut emails = Vec::new();
    let mut pages = bed.client.list_users().user_pool_id(&bed.pool).into_paginator().send();
    let mut sizes = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        sizes.push(page.users().len());
        emails.extend(page.users().iter().filter_map(|it| attribute(it.attributes(), "email").map(str::to_owned)));
    }
    assert_eq!(sizes, [60, 5]);
    emails.sort();
    emails.dedup();
    assert_eq!(emails.len(), 65);

    let count = |filter: &str| {
        let ask = bed.client.list_users().user_pool_id(&bed.pool).filter(filter).send();
        async { ask.await.unwrap().users().len() }
    };
    assert_eq!(count("email = \"USER07@example.org\"").await, 1);
    assert_eq!(count("email ^= \"user0\"").await, 10);
    assert_eq!(count("cognito:user_status = \"CONFIRMED\"").await, 0);
    let too_many = bed.client.list_users().user_pool_id(&bed.pool).limit(61).send().await;
    assert_eq!(code(too_many), "InvalidParameterException");
    let custom = bed.client.list_users().user_pool_id(&bed.pool).filter("custom:fein = \"1\"").send().await;
    assert_eq!(code(custom), "InvalidParameterException");
}

/// Attributes of these names and values.
fn attributes<const N: usize>(given: [(&str, &str); N]) -> Option<Vec<AttributeType>> {
    Some(given.map(|(name, value)| AttributeType::builder().name(name).value(value).build().unwrap()).into())
}

impl Bed {
    async fn update<const N: usize>(&self, name: &str, given: [(&str, &str); N]) -> String {
        let update = self.client.admin_update_user_attributes().user_pool_id(&self.pool).username(name);
        code(update.set_user_attributes(attributes(given)).send().await)
    }

    /// Who signs in with this name: their e-mail, and whether it is verified.
    async fn who(&self, name: &str) -> Option<(String, String)> {
        let found = self.client.admin_get_user().user_pool_id(&self.pool).username(name).send().await.ok()?;
        let value = |name| attribute(found.user_attributes(), name).unwrap_or_default().to_owned();
        Some((value("email"), value("email_verified")))
    }
}

#[tokio::test]
async fn attributes_change_and_an_email_in_use_does_not() {
    let bed = bed().await;
    bed.create("a@example.org").send().await.unwrap();
    bed.create("b@example.org").send().await.unwrap();
    let verified = |email| [("email", email), ("email_verified", "true")];
    assert_eq!(bed.update("a@example.org", verified("B@example.org")).await, "AliasExistsException");
    assert_eq!(bed.update("a@example.org", verified("c@example.org")).await, "ok");
    assert_eq!(bed.update("a@example.org", verified("d@example.org")).await, "UserNotFoundException");
    assert_eq!(code(bed.create("a@example.org").send().await), "ok");
    assert_eq!(bed.update("a@example.org", [("given_name", "Ann")]).await, "ok");
    assert_eq!(bed.update("a@example.org", [("given_name", "")]).await, "ok");
    let found = bed.client.admin_get_user().user_pool_id(&bed.pool).username("a@example.org").send().await.unwrap();
    assert_eq!(attribute(found.user_attributes(), "given_name"), None);
}

#[tokio::test]
async fn an_email_that_is_not_verified_does_not_sign_in() {
    let bed = bed().await;
    bed.create("a@example.org").set_user_attributes(attributes([("email_verified", "true")])).send().await.unwrap();
    assert_eq!(bed.update("a@example.org", [("email", "new@example.org")]).await, "ok");
    assert_eq!(bed.who("new@example.org").await, None);
    let unproven = Some(("new@example.org".to_owned(), "false".to_owned()));
    assert_eq!(bed.who("a@example.org").await, unproven);
    assert_eq!(code(bed.create("a@example.org").send().await), "UsernameExistsException");
    assert_eq!(bed.update("a@example.org", [("email_verified", "true")]).await, "ok");
    assert_eq!(bed.who("a@example.org").await, None);
    assert!(bed.who("new@example.org").await.is_some());

    // A pool may keep it out altogether until then.
    let pool = bed.client.create_user_pool().pool_name("proofs").username_attributes(UsernameAttributeType::Email);
    let before = UserAttributeUpdateSettingsType::builder();
    let before = before.attributes_require_verification_before_update(VerifiedAttributeType::Email).build();
    let pool = pool.user_attribute_update_settings(before).send().await.unwrap().user_pool.unwrap().id.unwrap();
    let bed = Bed { pool, ..bed };
    bed.create("a@example.org").set_user_attributes(attributes([("email_verified", "true")])).send().await.unwrap();
    assert_eq!(bed.update("a@example.org", [("email", "new@example.org")]).await, "ok");
    assert_eq!(bed.who("a@example.org").await, Some(("a@example.org".to_owned(), "true".to_owned())));
    assert_eq!(bed.update("a@example.org", [("email", "new@example.org"), ("email_verified", "true")]).await, "ok");
    assert_eq!(bed.who("new@example.org").await, Some(("new@example.org".to_owned(), "true".to_owned())));
}

#[tokio::test]
async fn an_alias_moves_to_whoever_verifies_it_last() {
    let bed = bed().await;
    let pool = bed.client.create_user_pool().pool_name("aliases").alias_attributes(AliasAttributeType::Email);
    let pool = pool.send().await.unwrap().user_pool.unwrap().id.unwrap();
    let bed = Bed { pool, ..bed };
    let verified = |email| [("email", email), ("email_verified", "true")];
    for (name, email) in [("ann", "a@example.org"), ("bea", "b@example.org")] {
        bed.create(name).set_user_attributes(attributes(verified(email))).send().await.unwrap();
    }
    let again = bed.create("cleo").set_user_attributes(attributes(verified("a@example.org"))).send().await;
    assert_eq!(code(again), "UsernameExistsException");
    // Two may hold it, unverified.
    assert_eq!(bed.update("bea", [("email", "a@example.org")]).await, "ok");
    assert_eq!(bed.who("ann").await, Some(("a@example.org".to_owned(), "true".to_owned())));
    assert_eq!(bed.update("bea", [("email_verified", "true")]).await, "ok");
    assert_eq!(bed.who("ann").await, Some(("a@example.org".to_owned(), "false".to_owned())));
    let owner = bed.client.admin_get_user().user_pool_id(&bed.pool).username("a@example.org").send().await.unwrap();
    assert_eq!(owner.username(), "bea");
}

#[tokio::test]
async fn groups_are_made_once_and_joined_by_those_who_stand() {
    let bed = bed().await;
    let group = |name: &str| bed.client.create_group().user_pool_id(&bed.pool).group_name(name).send();
    for name in ["staff", "guests", "readers"] {
        assert_eq!(code(group(name).await), "ok");
    }
    assert_eq!(code(group("staff").await), "GroupExistsException");
    assert_eq!(code(group("two words").await), "InvalidParameterException");
    bed.create("zoe@example.org").send().await.unwrap();
    let join = |name: &str, group: &str| {
        let join = bed.client.admin_add_user_to_group().user_pool_id(&bed.pool);
        join.username(name).group_name(group).send()
    };
    for name in ["staff", "guests", "staff"] {
        assert_eq!(code(join("zoe@example.org", name).await), "ok");
    }
    assert_eq!(code(join("zoe@example.org", "nobody").await), "ResourceNotFoundException");
    assert_eq!(code(join("nobody@example.org", "staff").await), "UserNotFoundException");
    let list = bed.client.admin_list_groups_for_user().user_pool_id(&bed.pool).username("zoe@example.org");
    let mut pages = list.limit(1).into_paginator().send();
    let mut theirs = Vec::new();
    while let Some(page) = pages.next().await {
        theirs.push(page.unwrap().groups()[0].group_name().unwrap().to_owned());
    }
    assert_eq!(theirs, ["guests", "staff"]);
    let all = bed.client.list_groups().user_pool_id(&bed.pool).limit(2).send().await.unwrap();
    assert_eq!((all.groups().len(), all.next_token().is_some()), (2, true));
}

#[tokio::test]
async fn calls_are_throttled_on_demand() {
    let bed = bed().await;
    let config = aws_sdk_cognitoidentityprovider::config::Builder::from(&bed.aws.sdk_config())
        .retry_config(aws_sdk_cognitoidentityprovider::config::retry::RetryConfig::disabled());
    let client = Client::from_conf(config.build());
    let get = || client.admin_get_user().user_pool_id(&bed.pool).username("a@example.org").send();
    bed.aws.throttle_cognito("AdminGetUser", 2);
    let codes = [code(get().await), code(get().await), code(get().await)];
    assert_eq!(codes, ["TooManyRequestsException", "TooManyRequestsException", "UserNotFoundException"]);

    // From another process.
    let url = format!("{}/_crosswalk/faults", bed.aws.endpoint());
    let fault = serde_json::json!({ "operation": "AdminGetUser", "times": 1 });
    reqwest::Client::new().post(url).json(&fault).send().await.unwrap().error_for_status().unwrap();
    let error = get().await.unwrap_err().into_service_error();
    assert!(error.is_too_many_requests_exception(), "{error:?}");
}

#[tokio::test]
async fn an_invitation_that_is_not_suppressed_is_a_mail() {
    let bed = bed().await;
    let create = bed.client.admin_create_user().user_pool_id(&bed.pool).username("zoe@example.org");
    create.temporary_password(TEMPORARY).send().await.unwrap();
    bed.create("quiet@example.org").send().await.unwrap();
    let mails = crosswalk_local_aws::mails(bed.aws.endpoint()).await.unwrap();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to, ["zoe@example.org"]);
    assert!(mails[0].text.as_ref().unwrap().contains(TEMPORARY));
}

#[tokio::test]
async fn the_pool_is_as_described() {
    let bed = bed().await;
    let pool = bed.client.describe_user_pool().user_pool_id(&bed.pool).send().await.unwrap().user_pool.unwrap();
    let signs_in_by: Vec<_> = pool.username_attributes().iter().map(|it| it.as_str()).collect();
    assert_eq!(signs_in_by, ["email"]);
    assert!(!pool.username_configuration().unwrap().case_sensitive());
    let policy = pool.policies().unwrap().password_policy().unwrap();
    assert_eq!((policy.minimum_length(), policy.require_symbols()), (Some(12), true));
}
