//! Two people whose e-mails pass to each other.

use crosswalk_directory_sync::step::{Change, What};
use crosswalk_directory_sync::target::cognito::{CognitoSettings, SwapIntent, SwapSide};
use crosswalk_directory_sync::{Field, Step};

use futures::FutureExt;

use crate::world::{World, apply, changing, create, step};

const A: &str = "a@example.org";
const B: &str = "b@example.org";

/// Two accounts, and the steps by which they swap their e-mails.
async fn pair(world: &World) -> ([String; 2], Vec<Step>) {
    let ids = [world.account(A, [("given_name", "Ann")]).await, world.account(B, []).await];
    let side = |key: &str, id: &str, (old, new): (&str, &str), other: &str| Step {
        changes: vec![
            Change { field: Field::Email, old: Some(old.into()), new: new.into() },
            Change { field: Field::GivenName, old: None, new: format!("New {key}").into() },
        ],
        after: vec![other.into()],
        ..step(What::Update, key, Some(id))
    };
    let steps = vec![side("a", &ids[0], (A, B), "b"), side("b", &ids[1], (B, A), "a")];
    (ids, steps)
}

async fn emails(world: &World, ids: &[String; 2]) -> [String; 2] {
    [world.email(&ids[0]).await, world.email(&ids[1]).await]
}

#[tokio::test]
async fn a_swap_is_three_updates_and_its_intent_is_kept_meanwhile() {
    let world = World::start().await;
    let (ids, steps) = pair(&world).await;
    let outcome = apply(&world.target(), vec![steps]).await;
    assert_eq!((outcome.words(), &outcome.result), (vec!["a: done".to_owned(), "b: done".to_owned()], &Ok(())));
    assert_eq!(world.calls.counts(), "AdminUpdateUserAttributes 3, DescribeUserPool 1");
    let stands = [world.stands(&ids[0]).await.unwrap(), world.stands(&ids[1]).await.unwrap()];
    assert_eq!(
        stands,
        [
            "CONFIRMED email=b@example.org email_verified=true given_name=New a",
            "CONFIRMED email=a@example.org email_verified=true given_name=New b"
        ]
    );
    let kept = world.kept.lock().unwrap().clone();
    assert_eq!(kept.len(), 2);
    let side = |id: &str, email: &str| SwapSide { account: id.into(), email: Some(email.into()), username: None };
    let intent = SwapIntent { one: side(&ids[0], B), other: side(&ids[1], A) };
    assert_eq!(kept, [Some(intent.clone()), None]);
    let json = serde_json::to_value(&intent).unwrap();
    assert_eq!(serde_json::from_value::<SwapIntent>(json).unwrap(), intent);
    assert!(!format!("{intent:?}").contains('@'));
}

#[tokio::test]
async fn a_swap_that_crashes_after_any_call_is_completed() {
    for world in [World::start().await, World::start_with_aliases().await] {
        for updates in 0..=3 {
            let mut ids_and_steps = pair_again(&world, updates).await;
            let (ids, steps) = (&ids_and_steps.0, std::mem::take(&mut ids_and_steps.1));
            world.calls.crash_after(updates, "AdminUpdateUserAttributes");
            let outcome = apply(&world.target(), vec![steps]).await;
            assert_eq!(outcome.result.is_err(), updates < 3, "{updates}: {outcome:?}");
            world.calls.restart();
            let kept = std::mem::take(&mut *world.kept.lock().unwrap());
            assert_eq!(kept.len(), if updates < 3 { 1 } else { 2 }, "{updates}");
            let intent = kept[0].clone().unwrap();
            let [a, b] = emails(&world, ids).await;
            let aside = a.starts_with("swap-") && a.ends_with(".invalid");
            assert_eq!(aside, updates == 1 || updates == 2, "{updates}: {a} {b}");
            // Whatever of it was done, and once is twice.
            for _ in 0..2 {
                world.target().complete(&intent).boxed().await.unwrap();
                let expected = [intent.one.email.clone().unwrap(), intent.other.email.clone().unwrap()];
                assert_eq!(emails(&world, ids).await.map(String::into_boxed_str), expected, "{updates}");
            }
            for id in ids {
                let stands = world.stands(id).await.unwrap();
                assert!(stands.contains("email_verified=true"), "{stands}");
                assert_eq!(world.stands(&world.email(id).await).await, Some(stands), "it signs in by its e-mail");
                world.client.admin_delete_user().user_pool_id(&world.pool_id).username(id).send().await.unwrap();
            }
        }
    }
}

/// Where e-mail is an alias, an account's username is no e-mail.
async fn pair_again(world: &World, round: usize) -> ([String; 2], Vec<Step>) {
    if world.pool_id == world.testbed.names.pool_id {
        return pair(world).await;
    }
    let made = apply(&world.target(), vec![vec![create("a", A)], vec![create("b", B)]]).await;
    assert_eq!(made.words(), ["a: done", "b: done"], "{round}");
    let ids = ["a", "b"].map(|key| made.of(key).result.as_ref().unwrap().account.to_string());
    let side = |key: &str, id: &str, (old, new): (&str, &str), other: &str| Step {
        changes: vec![Change { field: Field::Email, old: Some(old.into()), new: new.into() }],
        after: vec![other.into()],
        ..step(What::Update, key, Some(id))
    };
    let steps = vec![side("a", &ids[0], (A, B), "b"), side("b", &ids[1], (B, A), "a")];
    (ids, steps)
}

#[tokio::test]
async fn a_swap_whose_second_call_is_refused_is_undone() {
    let world = World::start().await;
    let (ids, steps) = pair(&world).await;
    // The other account goes away before the swap.
    world.client.admin_delete_user().user_pool_id(&world.pool_id).username(&ids[1]).send().await.unwrap();
    let outcome = apply(&world.target(), vec![steps]).await;
    assert_eq!((outcome.words(), &outcome.result), (vec!["a: failed".to_owned(), "b: failed".to_owned()], &Ok(())));
    assert_eq!(world.email(&ids[0]).await, A);
    assert_eq!(world.kept.lock().unwrap().iter().map(Option::is_some).collect::<Vec<_>>(), [true, false]);
}

#[tokio::test]
async fn a_swap_that_stays_half_done_leaves_its_intent_and_lets_no_other_begin() {
    let world = World::start().await;
    let (ids, steps) = pair(&world).await;
    let two = [world.account("c@example.org", []).await, world.account("d@example.org", []).await];
    let side = |key: &str, id: &str, (old, new): (&str, &str), other: &str| Step {
        changes: vec![Change { field: Field::Email, old: Some(old.into()), new: new.into() }],
        after: vec![other.into()],
        ..step(What::Update, key, Some(id))
    };
    let others = vec![
        side("c", &two[0], ("c@example.org", "d@example.org"), "d"),
        side("d", &two[1], ("d@example.org", "c@example.org"), "c"),
    ];
    // The second update fails, and so does the undoing of the first.
    world.calls.crash_after(1, "AdminUpdateUserAttributes");
    let outcome = apply(&world.target(), vec![steps, others]).await;
    assert_eq!(
        (outcome.words(), outcome.result.is_err()),
        (vec!["a: failed".to_owned(), "b: failed".to_owned()], true)
    );
    world.calls.restart();
    let kept = std::mem::take(&mut *world.kept.lock().unwrap());
    assert_eq!(kept.len(), 1);
    assert_eq!(emails(&world, &two).await, ["c@example.org", "d@example.org"]);
    world.target().complete(kept[0].as_ref().unwrap()).await.unwrap();
    assert_eq!(emails(&world, &ids).await, [B, A]);
}

#[tokio::test]
async fn what_other_hands_changed_meanwhile_is_left_to_the_plan() {
    let world = World::start().await;
    let (ids, _) = pair(&world).await;
    let side = |id: &str, email: &str| SwapSide { account: id.into(), email: Some(email.into()), username: None };
    let intent = SwapIntent { one: side(&ids[0], B), other: side(&ids[1], A) };
    let update = |id: &str, email: &str| changing(step(What::Update, "u", Some(id)), [(Field::Email, email)]);
    let target = world.target();
    // Both hold something else.
    apply(&target, vec![vec![update(&ids[0], "x@example.org")], vec![update(&ids[1], "y@example.org")]]).await;
    target.complete(&intent).await.unwrap();
    assert_eq!(emails(&world, &ids).await, ["x@example.org", "y@example.org"]);
    // The first stepped aside, and a third account has what it was to get.
    apply(&target, vec![vec![update(&ids[0], "swap-0@crosswalk.invalid")], vec![create("c", B)]]).await;
    target.complete(&intent).await.unwrap();
    assert_eq!(emails(&world, &ids).await, ["swap-0@crosswalk.invalid", "y@example.org"]);
    // The other is gone: the first gets its own.
    world.client.admin_delete_user().user_pool_id(&world.pool_id).username(B).send().await.unwrap();
    world.client.admin_delete_user().user_pool_id(&world.pool_id).username(&ids[1]).send().await.unwrap();
    target.complete(&intent).await.unwrap();
    assert_eq!(world.email(&ids[0]).await, B);
    // Nobody is left.
    world.client.admin_delete_user().user_pool_id(&world.pool_id).username(&ids[0]).send().await.unwrap();
    target.complete(&intent).await.unwrap();
}

#[tokio::test]
async fn e_mails_that_do_not_count_as_verified_are_not_swapped() {
    let world = World::start().await;
    let (ids, steps) = pair(&world).await;
    let settings = CognitoSettings { email_verified: false, ..CognitoSettings::default() };
    let outcome = apply(&world.target_of(settings), vec![steps]).await;
    assert_eq!(outcome.words(), ["a: conflict", "b: conflict"]);
    assert!(outcome.reason("a").contains("SYNC_COGNITO_EMAIL_VERIFIED=true"), "{}", outcome.reason("a"));
    assert_eq!(emails(&world, &ids).await, [A, B]);
    assert!(world.kept.lock().unwrap().is_empty());
}

#[tokio::test]
async fn names_of_two_kinds_pass_between_two_people() {
    let world = World::start().await;
    let ids = [
        world.account(A, [("preferred_username", "ann")]).await,
        world.account(B, [("preferred_username", "bea")]).await,
    ];
    let change = |field, old: &str, new: &str| Change { field, old: Some(old.into()), new: new.into() };
    // One takes the other's e-mail, the other the one's username.
    let one = Step {
        changes: vec![change(Field::Email, A, B), change(Field::Username, "ann", "anna")],
        after: vec!["b".into()],
        ..step(What::Update, "a", Some(&ids[0]))
    };
    let other = Step {
        changes: vec![change(Field::Email, B, "bb@example.org"), change(Field::Username, "bea", "ann")],
        after: vec!["a".into()],
        ..step(What::Update, "b", Some(&ids[1]))
    };
    let outcome = apply(&world.target(), vec![vec![one, other]]).await;
    assert_eq!(outcome.words(), ["a: done", "b: done"]);
    let stands = [world.stands(&ids[0]).await.unwrap(), world.stands(&ids[1]).await.unwrap()];
    assert_eq!(
        stands,
        [
            "CONFIRMED email=b@example.org email_verified=true preferred_username=anna",
            "CONFIRMED email=bb@example.org email_verified=true preferred_username=ann"
        ]
    );
}
