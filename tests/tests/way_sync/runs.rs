//! Runs that exclude each other, that break off, and that stand side by side.

use std::time::Duration;

use crosswalk_directory_sync::Ran;
use crosswalk_function_kit::Deadline;
use crosswalk_runs::RunState;

use crate::bed::{Bed, many, refs, request};

#[tokio::test]
async fn of_two_runs_of_one_sync_one_works() {
    let bed = Bed::with_people(&refs(&many(0, 40))).await;
    let (first, second) = (request(), request());
    let (one, two) = (bed.syncer(), bed.syncer());
    let (one, two) =
        tokio::join!(one.sync(&first, Deadline::NONE, &|_| {}), two.sync(&second, Deadline::NONE, &|_| {}));
    let mut busy = 0;
    for synced in [one.unwrap(), two.unwrap()] {
        match synced {
            Ran::Ended(record) => assert_eq!(record.state, RunState::Succeeded),
            Ran::Busy { .. } => busy += 1,
        }
    }
    assert_eq!((busy, bed.accounts().await.len()), (1, 40));
}

#[tokio::test]
async fn a_run_that_dies_half_way_is_gone_on_with_and_adopts_nothing() {
    let bed = Bed::with_people(&refs(&many(0, 60))).await.with("SYNC_ADOPT", "false");
    let request = request();
    {
        let syncer = bed.syncer();
        let working = syncer.sync(&request, Deadline::NONE, &|_| {});
        let some = async {
            while bed.accounts().await.len() < 20 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            _ = working => panic!("it was to die"),
            () = some => {}
        }
    }
    // Its lease has lapsed by then.
    bed.forward(1);
    let record = bed.sync_as(&request).await;
    assert_eq!(record.state, RunState::Succeeded, "what it had made is its own: {:?}", record.reasons);
    assert_eq!(record.counts.read, 60);
    let accounts = bed.accounts().await;
    assert_eq!(accounts.len(), 60);
    assert!(accounts.values().all(|account| account.status == "CONFIRMED"), "each can be logged in to");
    assert_eq!(bed.sync_all().await.counts.unchanged, 60);
}

#[tokio::test]
async fn syncs_stand_side_by_side_and_manage_their_own() {
    let bed = Bed::with_people(&["k1,ada@example.org,ada", "k2,bo@example.org,bo"]).await.with("SYNC_ABSENT_RUNS", "1");
    bed.sync_all().await;
    bed.set_people(&["k7,guest@example.org,guest"]).await;
    let guests = bed.syncer_with(&[("SYNC_NAME", "guests")]);
    for _ in 0..2 {
        let synced = guests.sync(&request(), Deadline::NONE, &|_| {}).await.unwrap();
        assert!(matches!(synced, Ran::Ended(record) if record.state == RunState::Succeeded));
    }
    assert_eq!(bed.enabled().await, ["ada", "bo", "guest"], "the staff's are not the guests' to deactivate");
    // Who is in both is left to the one that has the account.
    bed.set_people(&["k7,guest@example.org,guest", "k8,ada@example.org,ada"]).await;
    let Ran::Ended(record) = guests.sync(&request(), Deadline::NONE, &|_| {}).await.unwrap() else { panic!("busy") };
    assert_eq!((record.counts.conflict, record.counts.unchanged), (1, 1));
    assert!(bed.failed(&record).await[0].contains("sync staff"));
}

#[tokio::test]
async fn another_target_needs_a_sync_of_its_own() {
    let bed = Bed::with_people(&["k1,ada@example.org,ada"]).await;
    bed.sync_all().await;
    let other = bed.syncer_with(&[("COGNITO_IDENTITY_POOL_ID", "us-east-1_AnotherOne")]);
    let Ran::Ended(record) = other.sync(&request(), Deadline::NONE, &|_| {}).await.unwrap() else { panic!("busy") };
    assert_eq!(record.state, RunState::Failed);
    assert!(record.reasons[0].reason.contains("SYNC_NAME"), "{:?}", record.reasons);
}

#[tokio::test]
async fn a_busy_pool_is_waited_for() {
    let bed = Bed::with_people(&refs(&many(0, 5))).await;
    let Some(embedded) = &bed.aws.embedded else { return };
    for operation in ["ListUsers", "AdminCreateUser", "AdminSetUserPassword"] {
        embedded.throttle_cognito(operation, 2);
    }
    let record = bed.sync_all().await;
    assert_eq!(record.counts.created, 5);
    assert!(record.traffic["cognito"].retries >= 6, "{:?}", record.traffic);
}
