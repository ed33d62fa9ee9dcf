//! Each kind of step, and how they follow each other.

use std::collections::HashSet;
use std::time::Duration;

use aws_sdk_cognitoidentityprovider::types::{
    UserAttributeUpdateSettingsType, UsernameAttributeType, VerifiedAttributeType,
};
use crosswalk_directory_sync::Field;
use crosswalk_directory_sync::step::{What, Why};
use crosswalk_directory_sync::target::cognito::CognitoSettings;
use crosswalk_function_kit::Deadline;
use futures::FutureExt;

use crate::world::{World, apply, apply_until, changing, create, step};

const ALL: [(Field, &str); 4] = [
    (Field::Email, "zoe@example.org"),
    (Field::Username, "zoe"),
    (Field::GivenName, "Zoe"),
    (Field::FamilyName, "Quill"),
];
const DEACTIVATE: What = What::Deactivate { why: Why::Absent };

#[tokio::test]
async fn an_account_is_created_quietly_with_a_password_that_nobody_knows() {
    let world = World::start().await;
    let target = world.target();
    let outcome = apply(&target, vec![vec![changing(step(What::Create, "z", None), ALL)]]).await;
    assert_eq!((outcome.words(), &outcome.result), (vec!["z: done".to_owned()], &Ok(())));
    assert_eq!(world.calls.counts(), "AdminCreateUser 1, AdminSetUserPassword 1, DescribeUserPool 1");
    let expected = "CONFIRMED email=zoe@example.org email_verified=true family_name=Quill given_name=Zoe \
                    preferred_username=zoe";
    assert_eq!(world.stands("zoe@example.org").await.as_deref(), Some(expected));
    assert_eq!(world.stands(&outcome.of("z").result.as_ref().unwrap().account).await.as_deref(), Some(expected));

    let listed = target.accounts(&|_| ()).await.unwrap();
    assert_eq!(listed.len(), 1);
    let field = |field| listed[0].fields.get(field);
    assert_eq!(ALL.map(|(name, _)| field(name)), ALL.map(|(_, value)| Some(value)));
    assert!(listed[0].active && !listed[0].unfinished);
    let traffic = target.traffic();
    assert_eq!((traffic.requests, traffic.retries), (4, 0));
    assert!(traffic.bytes_sent > 300);
    // A repeat is a conflict, and changes nothing.
    let again = apply(&target, vec![vec![create("z", "zoe@example.org")]]).await;
    assert_eq!(again.words(), ["z: conflict"]);
    assert!(again.reason("z").contains("the next run sees it"), "{}", again.reason("z"));
}

#[tokio::test]
async fn one_who_is_invited_gets_a_mail_and_is_left_to_take_it() {
    let world = World::start().await;
    let target = world.target_of(CognitoSettings { invite: true, ..CognitoSettings::default() });
    assert_eq!(apply(&target, vec![vec![create("z", "zoe@example.org")]]).await.words(), ["z: done"]);
    assert_eq!(world.calls.counts(), "AdminCreateUser 1, DescribeUserPool 1");
    assert!(world.stands("zoe@example.org").await.unwrap().starts_with("FORCE_CHANGE_PASSWORD"));
    assert!(!target.accounts(&|_| ()).await.unwrap()[0].unfinished);
    if let Some(embedded) = &world.testbed.embedded {
        let mails = crosswalk_local_aws::mails(embedded.endpoint()).await.unwrap();
        assert_eq!(mails.into_iter().map(|mail| mail.to).collect::<Vec<_>>(), [["zoe@example.org"]]);
    }
    // Without invitations, the same account is half made.
    assert!(world.target().accounts(&|_| ()).await.unwrap()[0].unfinished);
}

#[tokio::test]
async fn a_creation_that_breaks_off_is_told_with_its_account_and_completed() {
    let world = World::start().await;
    world.group("staff").await;
    let settings = CognitoSettings { groups: vec!["staff".to_owned()], ..CognitoSettings::default() };
    world.calls.crash_after(0, "AdminSetUserPassword");
    let outcome = apply(&world.target_of(settings.clone()), vec![vec![create("z", "zoe@example.org")]]).await;
    world.calls.restart();
    assert_eq!((outcome.words(), outcome.result.is_err()), (vec!["z: failed".to_owned()], true));
    assert!(outcome.reason("z").contains("AdminSetUserPassword"), "{}", outcome.reason("z"));
    let account = outcome.of("z").result.as_ref().unwrap_err().account.clone().unwrap();
    assert!(world.stands(&account).await.unwrap().starts_with("FORCE_CHANGE_PASSWORD"));

    let target = world.target_of(settings);
    assert!(target.accounts(&|_| ()).await.unwrap()[0].unfinished);
    world.calls.order();
    let complete = changing(step(What::Complete, "z", Some(&account)), [(Field::GivenName, "Zoe")]);
    for expected in ["AdminSetUserPassword 1, AdminUpdateUserAttributes 1", "AdminUpdateUserAttributes 1"] {
        assert_eq!(apply(&target, vec![vec![complete.clone()]]).await.words(), ["z: done"]);
        assert_eq!(world.calls.counts(), format!("AdminAddUserToGroup 1, AdminGetUser 1, {expected}"));
    }
    let stands = world.stands(&account).await.unwrap();
    assert_eq!(stands, "CONFIRMED email=zoe@example.org email_verified=true given_name=Zoe");
}

#[tokio::test]
async fn updates_disabling_enabling_and_deleting_are_one_call_each() {
    let world = World::start().await;
    let id = world.account("zoe@example.org", []).await;
    let target = world.target();
    let changes = [(Field::Email, "quill@example.org"), (Field::GivenName, "Zoe"), (Field::Username, "zq")];
    let update = changing(step(What::Update, "z", Some(&id)), changes);
    assert_eq!(apply(&target, vec![vec![update]]).await.words(), ["z: done"]);
    assert_eq!(world.calls.counts(), "AdminUpdateUserAttributes 1, DescribeUserPool 1");
    let stands = "email=quill@example.org email_verified=true given_name=Zoe preferred_username=zq";
    assert_eq!(world.stands("quill@example.org").await, Some(format!("CONFIRMED {stands}")));

    let deactivate = crosswalk_directory_sync::Step { active: Some(false), ..step(DEACTIVATE, "z", Some(&id)) };
    assert_eq!(apply(&target, vec![vec![deactivate]]).await.words(), ["z: done"]);
    assert_eq!(world.calls.counts(), "AdminDisableUser 1");
    assert_eq!(world.stands(&id).await, Some(format!("CONFIRMED disabled {stands}")));
    assert!(!target.accounts(&|_| ()).await.unwrap()[0].active);
    world.calls.order();

    let reactivate = crosswalk_directory_sync::Step { active: Some(true), ..step(What::Update, "z", Some(&id)) };
    assert_eq!(apply(&target, vec![vec![reactivate]]).await.words(), ["z: done"]);
    assert_eq!(world.calls.counts(), "AdminEnableUser 1");
    assert_eq!(world.stands(&id).await, Some(format!("CONFIRMED {stands}")));

    // An account that may log in is not deleted.
    let outcome = apply(&target, vec![vec![step(What::Delete, "z", Some(&id))]]).await;
    assert!(outcome.reason("z").contains("activated"), "{}", outcome.reason("z"));
    assert_eq!(world.calls.counts(), "AdminGetUser 1");
    apply(&target, vec![vec![step(DEACTIVATE, "z", Some(&id))]]).await;
    world.calls.order();

    // What is gone is not there to be removed, and not to be changed.
    for warned in [false, true] {
        let outcome = apply(&target, vec![vec![step(What::Delete, "z", Some(&id))]]).await;
        assert_eq!(outcome.of("z").result.as_ref().unwrap().warning.is_some(), warned);
        assert_eq!(world.calls.counts(), "AdminDeleteUser 1, AdminGetUser 1");
    }
    assert_eq!(world.stands(&id).await, None);
    assert_eq!(apply(&target, vec![vec![step(DEACTIVATE, "z", Some(&id))]]).await.words(), ["z: done"]);
    let update = changing(step(What::Update, "z", Some(&id)), [(Field::GivenName, "Zoe")]);
    let outcome = apply(&target, vec![vec![update]]).await;
    assert_eq!(outcome.words(), ["z: failed"]);
    assert!(outcome.reason("z").contains("gone"), "{}", outcome.reason("z"));
}

#[tokio::test]
async fn groups_are_joined_by_who_comes_under_management() {
    let world = World::start().await;
    world.group("staff").await;
    world.group("readers").await;
    let groups = vec!["staff".to_owned(), "readers".to_owned()];
    let target = world.target_of(CognitoSettings { groups, ..CognitoSettings::default() });
    let ids = [world.account("a@example.org", []).await, world.account("b@example.org", []).await];
    let updated = world.account("c@example.org", []).await;
    let outcome = apply(
        &target,
        vec![
            vec![step(What::Adopt, "a", Some(&ids[0]))],
            vec![step(What::Rekey { from: "x".into() }, "b", Some(&ids[1]))],
            vec![changing(step(What::Update, "c", Some(&updated)), [(Field::GivenName, "Cleo")])],
            vec![create("d", "d@example.org")],
        ],
    )
    .await;
    assert_eq!(outcome.words(), ["a: done", "b: done", "c: done", "d: done"]);
    for name in ["a@example.org", "b@example.org", "d@example.org"] {
        assert_eq!(world.groups_of(name).await, ["readers", "staff"], "{name}");
    }
    assert!(world.groups_of("c@example.org").await.is_empty());
}

#[tokio::test]
async fn a_group_that_is_missing_ends_the_run_and_its_account_is_completed_later() {
    let world = World::start().await;
    let settings = CognitoSettings { groups: vec!["staff".to_owned()], ..CognitoSettings::default() };
    let target = world.target_of(settings);
    let deactivated = world.account("d@example.org", []).await;
    let bundles = vec![vec![create("z", "zoe@example.org")], vec![step(DEACTIVATE, "d", Some(&deactivated))]];
    let outcome = apply(&target, bundles).await;
    let told = outcome.result.as_ref().unwrap_err().to_string();
    assert!(told.contains("AdminAddUserToGroup") && told.contains("staff"), "{told}");
    assert!(told.contains("SYNC_COGNITO_GROUPS"), "{told}");
    assert_eq!(outcome.words(), ["z: failed"]);
    assert!(outcome.of("z").result.as_ref().unwrap_err().account.is_some());
    // Half made, so that the next run completes it, groups and all.
    assert!(target.accounts(&|_| ()).await.unwrap().iter().any(|account| account.unfinished));
}

#[tokio::test]
async fn names_that_are_taken_are_conflicts_and_stop_nobody_else() {
    let world = World::start().await;
    let a = world.account("a@example.org", []).await;
    world.account("b@example.org", []).await;
    let c = world.account("c@example.org", []).await;
    let outcome = apply(
        &world.target(),
        vec![
            vec![changing(step(What::Update, "a", Some(&a)), [(Field::Email, "b@example.org")])],
            vec![changing(step(What::Update, "c", Some(&c)), [(Field::GivenName, "Cleo")])],
            vec![create("d", "B@example.org")],
            vec![create("e", "e@example.org")],
        ],
    )
    .await;
    assert_eq!(outcome.words(), ["a: conflict", "c: done", "d: conflict", "e: done"]);
    for key in ["a", "d"] {
        assert!(!outcome.reason(key).contains("@example.org"), "{}", outcome.reason(key));
    }
}

#[tokio::test]
async fn in_a_pool_of_aliases_no_e_mail_is_taken_away_from_another_account() {
    let world = World::start_with_aliases().await;
    let target = world.target();
    let outcome =
        apply(&target, vec![vec![changing(step(What::Create, "z", None), ALL)], vec![create("a", "a@example.org")]])
            .await;
    assert_eq!(outcome.words(), ["a: done", "z: done"]);
    let stands = world.stands("zoe@example.org").await.unwrap();
    assert!(stands.starts_with("CONFIRMED") && stands.ends_with("preferred_username=zoe"), "{stands}");
    let a = outcome.of("a").result.as_ref().unwrap().account.clone();
    let update = |email| vec![vec![changing(step(What::Update, "a", Some(&a)), [(Field::Email, email)])]];
    assert_eq!(apply(&target, update("zoe@example.org")).await.words(), ["a: conflict"]);
    assert_eq!(world.stands("zoe@example.org").await, Some(stands));
    assert_eq!(apply(&target, update("b@example.org")).await.words(), ["a: done"]);
    assert_eq!(world.email("b@example.org").await, "b@example.org");
    assert_eq!(apply(&target, vec![vec![create("y", "zoe@example.org")]]).await.words(), ["y: conflict"]);
}

#[tokio::test]
async fn an_e_mail_that_does_not_count_as_verified_waits_for_its_proof() {
    let world = World::start().await;
    let id = world.account("a@example.org", []).await;
    let settings = CognitoSettings { email_verified: false, ..CognitoSettings::default() };
    let update = changing(step(What::Update, "a", Some(&id)), [(Field::Email, "b@example.org")]);
    assert_eq!(apply(&world.target_of(settings.clone()), vec![vec![update]]).await.words(), ["a: done"]);
    assert_eq!(world.stands(&id).await.as_deref(), Some("CONFIRMED email=b@example.org email_verified=false"));

    // A pool that keeps the former one instead would be changed by every run.
    let pool = world.client.create_user_pool().pool_name("proofs").username_attributes(UsernameAttributeType::Email);
    let before = UserAttributeUpdateSettingsType::builder()
        .attributes_require_verification_before_update(VerifiedAttributeType::Email)
        .build();
    let pool = pool.auto_verified_attributes(VerifiedAttributeType::Email).user_attribute_update_settings(before);
    let pool_id = pool.send().await.unwrap().user_pool.unwrap().id.unwrap();
    let world = World { pool_id, ..world };
    let told = world.target_of(settings).accounts(&|_| ()).await.unwrap_err().to_string();
    assert!(told.contains("SYNC_COGNITO_EMAIL_VERIFIED=true"), "{told}");
    assert_eq!(world.target().accounts(&|_| ()).await.unwrap(), []);
}

#[tokio::test]
async fn one_kind_ends_before_the_next_begins() {
    let world = World::start().await;
    let mut bundles = Vec::new();
    for at in 0..12 {
        let [update, disable, delete] = ["u", "d", "x"].map(|letter| format!("{letter}{at}@example.org"));
        let (update, disable, delete) =
            (world.account(&update, []).await, world.account(&disable, []).await, world.account(&delete, []).await);
        // Only who may not log in is deleted.
        let gone = step(DEACTIVATE, &format!("x{at}"), Some(&delete));
        assert!(apply(&world.target(), vec![vec![gone]]).await.done[0].result.is_ok());
        bundles.push(vec![step(What::Delete, &format!("x{at}"), Some(&delete))]);
        bundles.push(vec![step(DEACTIVATE, &format!("d{at}"), Some(&disable))]);
        bundles.push(vec![create(&format!("c{at}"), &format!("c{at}@example.org"))]);
        let update = step(What::Update, &format!("u{at}"), Some(&update));
        bundles.push(vec![changing(update, [(Field::GivenName, "Una")])]);
    }
    world.calls.order();
    let outcome = apply(&world.target(), bundles).await;
    assert_eq!(outcome.done.len(), 48);
    assert!(outcome.done.iter().all(|done| done.result.is_ok()));
    let mut kinds: Vec<_> = outcome.done.iter().map(|done| done.step.key[..1].to_owned()).collect();
    kinds.dedup();
    assert_eq!(kinds, ["u", "c", "d", "x"]);
    let order = world.calls.order();
    let place = |operation: &str| {
        let mut places = order.iter().enumerate().filter(|(_, it)| *it == operation).map(|(at, _)| at);
        let first = places.next().unwrap();
        (first, places.next_back().unwrap())
    };
    assert!(place("AdminUpdateUserAttributes").1 < place("AdminCreateUser").0);
    assert!(place("AdminSetUserPassword").1 < place("AdminDisableUser").0);
    assert!(place("AdminDisableUser").1 < place("AdminDeleteUser").0);
}

#[tokio::test]
async fn names_are_freed_before_they_are_taken_and_who_waits_in_vain_is_told() {
    let world = World::start().await;
    let a = world.account("a@example.org", []).await;
    let b = world.account("b@example.org", []).await;
    let after = |step, key: &str| crosswalk_directory_sync::Step { after: vec![key.into()], ..step };
    let update = |key, id: &str, email| changing(step(What::Update, key, Some(id)), [(Field::Email, email)]);
    let chain = vec![
        update("a", &a, "new@example.org"),
        after(update("b", &b, "a@example.org"), "a"),
        after(create("c", "b@example.org"), "b"),
    ];
    let outcome = apply(&world.target(), vec![chain]).await;
    assert_eq!(outcome.words(), ["a: done", "b: done", "c: done"]);
    assert_eq!((world.email(&a).await, world.email(&b).await), ("new@example.org".into(), "a@example.org".into()));

    let chain = vec![
        update("a", &a, "B@example.org"),
        after(changing(step(What::Update, "b", Some(&b)), [(Field::Username, "bea")]), "a"),
        after(create("d", "d@example.org"), "b"),
    ];
    let outcome = apply(&world.target(), vec![chain]).await;
    assert_eq!(outcome.words(), ["a: conflict", "b: conflict", "d: conflict"]);
    assert!(outcome.reason("d").contains("was to give up"), "{}", outcome.reason("d"));
    assert_eq!(world.stands("d@example.org").await, None);
}

#[tokio::test]
async fn throttled_calls_are_repeated_and_counted() {
    let world = World::start().await;
    let Some(embedded) = &world.testbed.embedded else { return };
    for operation in ["ListUsers", "AdminCreateUser", "AdminUpdateUserAttributes", "AdminDisableUser"] {
        embedded.throttle_cognito(operation, 2);
    }
    let id = world.account("a@example.org", []).await;
    let target = world.target();
    let outcome = apply(
        &target,
        vec![
            vec![changing(step(What::Update, "a", Some(&id)), [(Field::GivenName, "Ann")])],
            vec![step(DEACTIVATE, "d", Some(&id))],
        ],
    )
    .await;
    assert_eq!(outcome.words(), ["a: done", "d: done"]);
    assert_eq!(target.accounts(&|_| ()).await.unwrap().len(), 1);
    let traffic = target.traffic();
    // The account was made past the target, which took AdminCreateUser's two.
    assert_eq!((traffic.requests, traffic.retries), (4 + 6, 6));
}

#[tokio::test]
async fn nothing_is_begun_when_the_deadline_is_near_and_what_is_begun_is_told() {
    let world = World::start().await;
    let mut bundles = Vec::new();
    for at in 0..150 {
        let id = world.account(&format!("p{at}@example.org"), []).await;
        bundles.push(vec![changing(step(What::Update, &format!("p{at}"), Some(&id)), [(Field::GivenName, "Pat")])]);
    }
    bundles.push(vec![create("c", "c@example.org")]);
    let target = world.target_with(CognitoSettings::default(), |settings| settings.quotas.user_update = 100.0);
    let near = apply_until(&target, bundles.clone(), Deadline::within(Duration::ZERO)).await;
    assert_eq!((near.done.len(), near.result), (0, Ok(())));
    assert_eq!(world.calls.counts(), "");

    // 64 are begun at once, which is more than the time is for.
    let outcome = apply_until(&target, bundles, Deadline::within(Duration::from_millis(300))).await;
    assert_eq!(outcome.result, Ok(()));
    let told: HashSet<_> = outcome.done.iter().map(|done| done.step.key.to_string()).collect();
    assert!((1..150).contains(&told.len()) && !told.contains("c"), "{}", told.len());
    for at in 0..150 {
        let changed = world.stands(&format!("p{at}@example.org")).await.unwrap().contains("given_name=Pat");
        assert_eq!(changed, told.contains(&format!("p{at}")), "p{at}");
    }
}

#[tokio::test]
async fn a_pool_is_listed_page_by_page() {
    let world = World::start().await;
    for at in 0..130 {
        world.account(&format!("p{at}@example.org"), []).await;
    }
    let told = std::sync::Mutex::new(Vec::new());
    let accounts = world.target().accounts(&|count| told.lock().unwrap().push(count)).boxed().await.unwrap();
    assert_eq!(*told.lock().unwrap(), [60, 120, 130]);
    assert_eq!(world.calls.counts(), "DescribeUserPool 1, ListUsers 3");
    let emails: HashSet<_> = accounts.iter().filter_map(|account| account.fields.email.clone()).collect();
    assert_eq!(emails.len(), 130);
}

#[tokio::test]
async fn a_pool_that_is_not_there_is_said_so() {
    let world = World::start().await;
    let world = World { pool_id: "us-east-1_NotThere0".to_owned(), ..world };
    let told = world.target().accounts(&|_| ()).await.unwrap_err().to_string();
    assert!(told.contains("there is no user pool us-east-1_NotThere0"), "{told}");
    let outcome = apply(&world.target(), vec![vec![create("z", "zoe@example.org")]]).await;
    assert!(outcome.result.is_err());
    assert_eq!(outcome.words(), ["z: failed"]);
}
