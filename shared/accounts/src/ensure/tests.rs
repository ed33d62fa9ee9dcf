use std::time::Duration;

use crosswalk_function_kit::retry::Retries;
use futures::future::join_all;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::*;
use crate::scripted::{Answer, accounts, answers, email_pool, error, error_saying, ok, user};

fn alice() -> Email {
    Email::parse("Alice@example.org").unwrap()
}

fn at(time: &str) -> Option<Timestamp> {
    Some(time.parse().unwrap())
}

fn made() -> Answer {
    ok(json!({ "User": { "Username": "own-id", "UserStatus": "FORCE_CHANGE_PASSWORD" } }))
}

fn done() -> Answer {
    ok(json!({}))
}

fn accident() -> Answer {
    Answer::Json(500, json!({ "__type": "InternalErrorException", "message": "again, please" }))
}

#[tokio::test(start_paused = true)]
async fn an_absent_account_is_made_quietly_with_a_password_that_nobody_knows() {
    let (accounts, noted) = answers([
        ("DescribeUserPool", email_pool()),
        ("AdminGetUser", error("UserNotFoundException")),
        ("AdminCreateUser", made()),
        ("AdminSetUserPassword", done()),
    ]);
    // Spawned, as a function does: the future must be Send.
    let ensured = tokio::spawn(async move { accounts.ensure(&alice(), None).await }).await.unwrap();
    assert_eq!(ensured, Ok(Ensured::Created));
    let calls = noted.all();
    assert_eq!(calls[1].body["Username"], "alice@example.org");
    let mut create = calls[2].body.clone();
    let temporary = create.as_object_mut().unwrap().remove("TemporaryPassword").unwrap();
    assert_eq!(
        create,
        json!({
            "UserPoolId": "us-east-1_Scripted",
            "Username": "alice@example.org",
            "UserAttributes": [
                { "Name": "email", "Value": "alice@example.org" },
                { "Name": "email_verified", "Value": "true" },
            ],
            "MessageAction": "SUPPRESS",
            "DesiredDeliveryMediums": ["EMAIL"],
        })
    );
    let password = &calls[3].body;
    assert_eq!((&password["Username"], &password["Permanent"]), (&json!("own-id"), &json!(true)));
    for password in [&temporary, &password["Password"]] {
        assert_eq!(password.as_str().map(str::len), Some(24));
    }
    assert_ne!(temporary, password["Password"]);
}

#[tokio::test(start_paused = true)]
async fn a_stuck_account_is_repaired() {
    let (accounts, noted) = answers([
        ("DescribeUserPool", email_pool()),
        ("AdminGetUser", user("FORCE_CHANGE_PASSWORD")),
        ("AdminSetUserPassword", done()),
    ]);
    assert_eq!(accounts.ensure(&alice(), None).await, Ok(Ensured::Repaired));
    assert_eq!(noted.all()[2].body["Username"], "own-id");
}

#[tokio::test(start_paused = true)]
async fn an_invitation_that_holds_is_kept_and_one_that_ended_is_not() {
    let (accounts, noted) = accounts(|call| match call.operation.as_str() {
        "DescribeUserPool" => email_pool(),
        "AdminGetUser" => user("FORCE_CHANGE_PASSWORD"),
        _ => done(),
    });
    let held = at("2026-11-22T10:00:01Z");
    assert_eq!(accounts.plan(&alice(), held).await, Ok(Planned::Unchanged));
    assert_eq!(accounts.ensure(&alice(), held).await, Ok(Ensured::Unchanged));
    assert!(!noted.operations().contains(&"AdminSetUserPassword".to_owned()));
    let ended = at("2026-11-22T10:00:00Z");
    assert_eq!(accounts.plan(&alice(), ended).await, Ok(Planned::Repaired));
    assert_eq!(accounts.ensure(&alice(), ended).await, Ok(Ensured::Repaired));
}

#[tokio::test(start_paused = true)]
async fn every_other_account_is_left_as_it_is() {
    let disabled = ok(json!({ "Username": "own-id", "UserStatus": "FORCE_CHANGE_PASSWORD", "Enabled": false }));
    let others = ["CONFIRMED", "RESET_REQUIRED", "UNCONFIRMED", "EXTERNAL_PROVIDER", "ARCHIVED", "UNKNOWN", "NEW_ONE"];
    let others = others.map(|status| (user(status), Ensured::Unchanged));
    for (answer, expected) in others.into_iter().chain([(disabled, Ensured::Disabled)]) {
        let (accounts, noted) = answers([
            ("DescribeUserPool", email_pool()),
            ("AdminGetUser", answer.clone()),
            ("AdminGetUser", answer.clone()),
        ]);
        assert_eq!(accounts.ensure(&alice(), None).await, Ok(expected), "{answer:?}");
        assert_eq!(accounts.plan(&alice(), None).await, Ok(expected), "{answer:?}");
        assert_eq!(noted.all().len(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn another_makers_account_is_read_again() {
    let (accounts, _) = answers([
        ("DescribeUserPool", email_pool()),
        ("AdminGetUser", error("UserNotFoundException")),
        ("AdminCreateUser", error("UsernameExistsException")),
        ("AdminGetUser", user("CONFIRMED")),
    ]);
    assert_eq!(accounts.ensure(&alice(), None).await, Ok(Ensured::Unchanged));
    let (accounts, _) = answers([
        ("DescribeUserPool", email_pool()),
        ("AdminGetUser", error("UserNotFoundException")),
        ("AdminCreateUser", error("UsernameExistsException")),
        ("AdminGetUser", user("FORCE_CHANGE_PASSWORD")),
        ("AdminSetUserPassword", done()),
    ]);
    assert_eq!(accounts.ensure(&alice(), None).await, Ok(Ensured::Repaired));
}

#[tokio::test(start_paused = true)]
async fn an_account_that_exists_but_is_not_found_is_tried_again_later() {
    let (accounts, _) = answers([
        ("DescribeUserPool", email_pool()),
        ("AdminGetUser", error("UserNotFoundException")),
        ("AdminCreateUser", error("UsernameExistsException")),
        ("AdminGetUser", error("UserNotFoundException")),
    ]);
    assert!(matches!(accounts.ensure(&alice(), None).await, Err(AccountError::Busy { step: CREATE_USER, .. })));
}

#[tokio::test(start_paused = true)]
async fn our_own_account_whose_answer_was_lost_is_created() {
    for lost in [Answer::Broken, accident()] {
        let (accounts, _) = answers([
            ("DescribeUserPool", email_pool()),
            ("AdminGetUser", error("UserNotFoundException")),
            ("AdminCreateUser", lost),
            ("AdminCreateUser", error("UsernameExistsException")),
            ("AdminGetUser", user("FORCE_CHANGE_PASSWORD")),
            ("AdminSetUserPassword", done()),
        ]);
        assert_eq!(accounts.ensure(&alice(), None).await, Ok(Ensured::Created));
    }
}

#[tokio::test(start_paused = true)]
async fn an_alias_pool_gets_a_username_of_our_making() {
    let pool = ok(json!({ "UserPool": { "AliasAttributes": ["preferred_username", "email"] } }));
    let bob = Email::parse("bob@example.org").unwrap();
    let (accounts, noted) = answers([
        ("DescribeUserPool", pool),
        ("AdminGetUser", error("UserNotFoundException")),
        ("AdminCreateUser", ok(json!({}))),
        ("AdminSetUserPassword", done()),
        // The next one's e-mail was taken meanwhile; the code is not in AdminCreateUser's model.
        ("AdminGetUser", error("UserNotFoundException")),
        ("AdminCreateUser", error("AliasExistsException")),
        ("AdminGetUser", user("CONFIRMED")),
    ]);
    assert_eq!(accounts.ensure(&bob, None).await, Ok(Ensured::Created));
    assert_eq!(accounts.ensure(&bob, None).await, Ok(Ensured::Unchanged));
    let calls = noted.all();
    let username = |at: usize| calls[at].body["Username"].as_str().unwrap().to_owned();
    assert_eq!((username(2).len(), username(2).contains('@')), (36, false));
    assert_eq!(username(3), username(2));
    assert_ne!(username(5), username(2));
    assert_eq!(calls[2].body["UserAttributes"][0]["Value"], "bob@example.org");
}

#[tokio::test(start_paused = true)]
async fn a_pool_that_minds_case_is_asked_for_both_spellings() {
    let (accounts, noted) = answers([
        ("DescribeUserPool", ok(json!({ "UserPool": { "UsernameAttributes": ["email"] } }))),
        ("AdminGetUser", error("UserNotFoundException")),
        ("AdminGetUser", user("CONFIRMED")),
    ]);
    assert_eq!(accounts.ensure(&alice(), None).await, Ok(Ensured::Unchanged));
    let asked: Vec<Value> = noted.all().into_iter().skip(1).map(|call| call.body["Username"].clone()).collect();
    assert_eq!(asked, ["alice@example.org", "Alice@example.org"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_transient_is_tried_again_at_every_step() {
    let (accounts, _) = answers([
        ("DescribeUserPool", error("TooManyRequestsException")),
        ("DescribeUserPool", email_pool()),
        ("AdminGetUser", Answer::Broken),
        ("AdminGetUser", error("TooManyRequestsException")),
        ("AdminGetUser", error("UserNotFoundException")),
        ("AdminCreateUser", error("ThrottlingException")),
        ("AdminCreateUser", made()),
        ("AdminSetUserPassword", accident()),
        ("AdminSetUserPassword", error("TooManyRequestsException")),
        ("AdminSetUserPassword", done()),
    ]);
    assert_eq!(accounts.ensure(&alice(), None).await, Ok(Ensured::Created));
}

#[tokio::test(start_paused = true)]
async fn retries_end_and_the_error_names_the_steps() {
    let (accounts, noted) = accounts(|call| match call.operation.as_str() {
        "DescribeUserPool" => email_pool(),
        "AdminGetUser" => error("UserNotFoundException"),
        "AdminCreateUser" => made(),
        _ => error("TooManyRequestsException"),
    });
    let error = accounts.ensure(&alice(), None).await.unwrap_err();
    assert_eq!(error.done(), ["AdminCreateUser"]);
    assert_eq!(
        error.to_string(),
        "Cognito was busy for too long at AdminSetUserPassword (TooManyRequestsException: says Cognito) (after \
         AdminCreateUser, which was done; a repeat goes on from there); drop the row in again"
    );
    assert_eq!(noted.all().len(), 3 + 1 + Retries::default().times);
}

#[tokio::test(start_paused = true)]
async fn what_is_permanent_is_not_tried_again_and_tells_no_e_mail() {
    for (code, busy) in [("InvalidParameterException", false), ("UserLambdaValidationException", false)]
        .into_iter()
        .chain([("LimitExceededException", true)])
    {
        let (accounts, noted) = answers([
            ("DescribeUserPool", email_pool()),
            ("AdminGetUser", error("UserNotFoundException")),
            ("AdminCreateUser", error_saying(code, "alice@example.org or Alice@example.org will not do")),
        ]);
        let error = accounts.ensure(&alice(), None).await.unwrap_err();
        assert_eq!(matches!(error, AccountError::Busy { .. }), busy, "{error}");
        assert_eq!(error.done(), [""; 0]);
        let told = error.to_string();
        assert!(told.contains("AdminCreateUser") && told.contains(code), "{told}");
        assert!(!told.to_lowercase().contains("alice"), "{told}");
        assert_eq!(noted.all().len(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn what_no_row_can_pass_is_the_pools_fault() {
    for (step, code, told) in [
        ("DescribeUserPool", "ResourceNotFoundException", "COGNITO_IDENTITY_POOL_ID"),
        ("DescribeUserPool", "AccessDeniedException", "allow this role cognito-idp:DescribeUserPool"),
        ("AdminGetUser", "NotAuthorizedException", "allow this role cognito-idp:AdminGetUser"),
        ("AdminGetUser", "ResourceNotFoundException", "us-east-1_Scripted"),
        ("AdminCreateUser", "AccessDeniedException", "allow this role cognito-idp:AdminCreateUser"),
        ("AdminSetUserPassword", "AccessDeniedException", "after AdminCreateUser, which was done"),
    ] {
        let (accounts, _) = accounts(move |call| match call.operation.as_str() {
            operation if operation == step => error(code),
            "DescribeUserPool" => email_pool(),
            "AdminGetUser" => error("UserNotFoundException"),
            _ => made(),
        });
        let error = accounts.ensure(&alice(), None).await.unwrap_err();
        assert!(error.is_of_pool() && error.to_string().contains(told), "{step} {code}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_e_mail_too_long_for_cognito_is_refused_unasked() {
    let (accounts, noted) = answers([("DescribeUserPool", email_pool())]);
    let domain = ["a", "b"].map(|letter| letter.repeat(60)).join(".");
    let long = Email::parse(&format!("somebody@{domain}.org")).unwrap();
    let told = accounts.ensure(&long, None).await.unwrap_err().to_string();
    assert!(told.contains("128 characters at most"), "{told}");
    assert_eq!(noted.all().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_pool_is_checked_once_and_a_refusal_is_not_kept_long() {
    let mended = Arc::new(AtomicBool::new(false));
    let now = mended.clone();
    let (accounts, noted) = accounts(move |call| match call.operation.as_str() {
        "DescribeUserPool" if now.load(Ordering::SeqCst) => email_pool(),
        "DescribeUserPool" => error("ResourceNotFoundException"),
        _ => user("CONFIRMED"),
    });
    let email = alice();
    for ensured in join_all((0..50).map(|_| accounts.ensure(&email, None))).await {
        assert!(ensured.unwrap_err().is_of_pool());
    }
    assert_eq!(noted.operations(), ["DescribeUserPool"]);
    mended.store(true, Ordering::SeqCst);
    tokio::time::advance(Duration::from_secs(11)).await;
    for ensured in join_all((0..50).map(|_| accounts.ensure(&email, None))).await {
        assert_eq!(ensured, Ok(Ensured::Unchanged));
    }
    assert_eq!(noted.operations().iter().filter(|operation| *operation == "DescribeUserPool").count(), 2);
}

#[tokio::test(start_paused = true)]
async fn many_at_once_keep_the_pace_of_the_slowest_quota() {
    let (accounts, _) = accounts(|call| match call.operation.as_str() {
        "DescribeUserPool" => email_pool(),
        "AdminGetUser" => error("UserNotFoundException"),
        _ => made(),
    });
    let emails: Vec<Email> = (0..126).map(|n| Email::parse(&format!("p{n}@example.org")).unwrap()).collect();
    let began = Instant::now();
    for ensured in join_all(emails.iter().map(|email| accounts.ensure(email, None))).await {
        assert_eq!(ensured, Ok(Ensured::Created));
    }
    // AdminSetUserPassword has 12.5 a second: 125 after the first.
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(10) && took < Duration::from_millis(10_500), "{took:?}");
}
