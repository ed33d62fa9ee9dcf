use serde_json::{Value, json};

use super::*;
use crate::scripted::{Answer, answers, email_pool, error, error_saying, ok};

fn zoe() -> Attributes {
    Attributes {
        email: Some("zoe@example.org".into()),
        email_verified: Some(true),
        given_name: Some("Zoe".into()),
        family_name: Some("Quill".into()),
        preferred_username: Some("zoe".into()),
    }
}

fn named(attributes: &[(&str, &str)]) -> Vec<Value> {
    attributes.iter().map(|(name, value)| json!({ "Name": name, "Value": value })).collect()
}

/// What AdminGetUser answers of an account that holds these.
fn found(username: &str, status: &str, attributes: &[(&str, &str)]) -> Answer {
    ok(json!({ "Username": username, "UserStatus": status, "Enabled": true, "UserAttributes": named(attributes) }))
}

const ALL: [(&str, &str); 5] = [
    ("email", "zoe@example.org"),
    ("email_verified", "true"),
    ("given_name", "Zoe"),
    ("family_name", "Quill"),
    ("preferred_username", "zoe"),
];

fn made() -> Answer {
    ok(json!({ "User": { "Username": "own-id" } }))
}

fn alias_pool() -> Answer {
    ok(json!({ "UserPool": { "AliasAttributes": ["email", "preferred_username"] } }))
}

fn created() -> Made {
    Made::Created { username: "own-id".to_owned(), later: None }
}

#[tokio::test(start_paused = true)]
async fn an_account_is_created_with_all_that_it_is_to_hold() {
    for invited in [false, true] {
        let (accounts, noted) = answers([("DescribeUserPool", email_pool()), ("AdminCreateUser", made())]);
        assert_eq!(accounts.create(&zoe(), invited).await, Ok(created()));
        let create = &noted.all()[1].body;
        assert_eq!(create["Username"], "zoe@example.org");
        assert_eq!(create["UserAttributes"], json!(named(&ALL)));
        assert_eq!(create["MessageAction"], if invited { Value::Null } else { json!("SUPPRESS") });
        assert_eq!(create["DesiredDeliveryMediums"], json!(["EMAIL"]));
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_was_made_meanwhile_is_another_s_but_our_own_whose_answer_was_lost_is_not() {
    let taken = || error("UsernameExistsException");
    let (accounts, _) = answers([("DescribeUserPool", email_pool()), ("AdminCreateUser", taken())]);
    assert_eq!(accounts.create(&zoe(), false).await, Ok(Made::Taken));
    for (status, attributes, expected) in [
        ("FORCE_CHANGE_PASSWORD", &ALL[..], created()),
        ("CONFIRMED", &ALL[..], Made::Taken),
        ("FORCE_CHANGE_PASSWORD", &ALL[..2], Made::Taken),
    ] {
        let (accounts, _) = answers([
            ("DescribeUserPool", email_pool()),
            ("AdminCreateUser", Answer::Broken),
            ("AdminCreateUser", taken()),
            ("AdminGetUser", found("own-id", status, attributes)),
        ]);
        assert_eq!(accounts.create(&zoe(), false).await, Ok(expected), "{status}");
        let sent = accounts.counter();
        assert_eq!((sent.requests(), sent.retries()), (4, 1));
        assert!(sent.bytes_sent() > 500, "{sent:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_preferred_username_that_signs_in_waits_for_the_account_to_be_confirmed() {
    let (accounts, noted) = answers([
        ("DescribeUserPool", alias_pool()),
        ("AdminCreateUser", ok(json!({}))),
        // Another one's answer is lost, and the name in the pool is ours to know it by.
        ("AdminCreateUser", Answer::Broken),
        ("AdminCreateUser", error("UsernameExistsException")),
        ("AdminGetUser", found("own-id", "FORCE_CHANGE_PASSWORD", &ALL[..4])),
    ]);
    let later = Attributes { preferred_username: Some("zoe".into()), ..Attributes::default() };
    let first = accounts.create(&zoe(), false).await.unwrap();
    let second = accounts.create(&zoe(), false).await.unwrap();
    let calls = noted.all();
    assert_eq!(calls[1].body["UserAttributes"], json!(named(&ALL[..4])));
    let username = calls[1].body["Username"].as_str().unwrap().to_owned();
    assert_eq!(first, Made::Created { username, later: Some(later.clone()) });
    assert_eq!(second, Made::Created { username: "own-id".to_owned(), later: Some(later) });
    assert_eq!(calls[4].body["Username"], calls[2].body["Username"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_account_is_not_sent() {
    let nobody = Attributes { email: None, ..zoe() };
    let (accounts, noted) = answers([("DescribeUserPool", email_pool())]);
    assert!(matches!(accounts.create(&nobody, false).await, Err(AccountError::Refused { .. })));
    let long = Attributes { email: Some(format!("{}@{}.org", "a".repeat(64), "b".repeat(63)).into()), ..zoe() };
    let told = accounts.create(&long, false).await.unwrap_err().to_string();
    assert!(told.contains("128 characters at most"), "{told}");
    assert_eq!(noted.operations(), ["DescribeUserPool"]);
}

#[tokio::test(start_paused = true)]
async fn only_what_is_still_half_made_is_completed() {
    let (accounts, _) = answers([
        ("AdminGetUser", found("own-id", "FORCE_CHANGE_PASSWORD", &ALL)),
        ("DescribeUserPool", email_pool()),
        ("AdminSetUserPassword", ok(json!({}))),
        ("AdminGetUser", found("own-id", "CONFIRMED", &ALL)),
        ("AdminGetUser", error("UserNotFoundException")),
    ]);
    assert_eq!(accounts.complete("own-id").await, Ok(()));
    assert_eq!(accounts.complete("own-id").await, Ok(()));
    assert_eq!(accounts.complete("own-id").await, Err(AccountError::Gone { step: "AdminGetUser" }));
}

#[tokio::test(start_paused = true)]
async fn where_an_e_mail_is_an_alias_it_is_not_taken_from_another_account() {
    let (accounts, noted) = answers([
        ("DescribeUserPool", alias_pool()),
        ("AdminGetUser", found("other-id", "CONFIRMED", &ALL)),
        ("AdminGetUser", error("UserNotFoundException")),
        ("AdminUpdateUserAttributes", ok(json!({}))),
    ]);
    assert_eq!(accounts.update("own-id", &zoe()).await, Err(AccountError::Taken { step: "AdminUpdateUserAttributes" }));
    assert_eq!(accounts.update("own-id", &zoe()).await, Ok(()));
    assert_eq!(noted.all()[3].body["UserAttributes"], json!(named(&ALL)));
}

#[tokio::test(start_paused = true)]
async fn errors_are_told_apart_and_repeat_no_value() {
    let update = "AdminUpdateUserAttributes";
    for (answer, expected) in [
        (error("AliasExistsException"), AccountError::Taken { step: update }),
        (error("UserNotFoundException"), AccountError::Gone { step: update }),
        (
            error_saying("InvalidParameterException", "Zoe Quill <ZOE@example.org> does not do"),
            AccountError::Refused {
                step: update,
                reason: "InvalidParameterException: the value the value <the e-mail> does not do".to_owned(),
                done: &[],
            },
        ),
    ] {
        let (accounts, _) = answers([("DescribeUserPool", email_pool()), (update, answer)]);
        assert_eq!(accounts.update("own-id", &zoe()).await, Err(expected));
    }
    for (answer, part) in [
        (error_saying("ResourceNotFoundException", "Group not found."), "there is no group staff in the user pool"),
        (error_saying("ResourceNotFoundException", "User pool p does not exist."), "COGNITO_IDENTITY_POOL_ID"),
        (error("AccessDeniedException"), "allow this role cognito-idp:AdminAddUserToGroup"),
    ] {
        let (accounts, _) = answers([("AdminAddUserToGroup", answer)]);
        let error = accounts.join("own-id", "staff").await.unwrap_err();
        assert!(error.is_of_pool() && error.to_string().contains(part), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_is_read_to_its_end_or_not_at_all() {
    let user = |name: &str, given: &str| {
        json!({ "Username": name, "UserStatus": "CONFIRMED", "Enabled": true,
            "Attributes": named(&[("sub", name), ("given_name", given), ("family_name", "")]) })
    };
    let page = |users: Vec<Value>, token: Option<&str>| ok(json!({ "Users": users, "PaginationToken": token }));
    let (accounts, noted) = answers([
        ("DescribeUserPool", email_pool()),
        ("ListUsers", page(vec![user("b", "Old"), user("c", "C")], Some("1"))),
        ("ListUsers", error("TooManyRequestsException")),
        // A page may be empty before the end, and an account may move between pages.
        ("ListUsers", page(vec![], Some("2"))),
        ("ListUsers", page(vec![user("a", "A"), user("b", "New")], None)),
        ("ListUsers", page(vec![user("a", "A")], Some("1"))),
        ("ListUsers", page(vec![], Some("1"))),
        ("ListUsers", page(vec![user("a", "A")], Some("1"))),
        ("ListUsers", error("AccessDeniedException")),
    ]);
    let told = std::sync::Mutex::new(Vec::new());
    let list = accounts.list(&|count| told.lock().unwrap().push(count)).await.unwrap();
    let list: Vec<_> = list
        .iter()
        .map(|it| (it.account.username.as_str(), it.attributes.given_name.as_deref(), &it.attributes.family_name))
        .collect();
    assert_eq!(list, [("a", Some("A"), &None), ("b", Some("New"), &None), ("c", Some("C"), &None)]);
    assert_eq!(*told.lock().unwrap(), [2, 2, 4]);
    assert_eq!(noted.all()[4].body["PaginationToken"], "2");
    assert_eq!(noted.all()[1].body, json!({ "UserPoolId": "us-east-1_Scripted", "Limit": 60 }));
    assert!(matches!(accounts.list(&|_| ()).await, Err(AccountError::Busy { .. })), "it goes round in a circle");
    let error = accounts.list(&|_| ()).await.unwrap_err();
    assert!(error.to_string().contains("cognito-idp:ListUsers"), "{error}");
}
