//! Single changes: bodies, places, pace, deletions.

use futures::future::join_all;
use tokio::sync::Barrier;
use tokio::time::Instant;

use super::*;

async fn body_of(change: Change<'_>) -> (String, String) {
    let stage = Stage::statuses(&[], &[]).await;
    stage.glean.change(change, &Turn::kept()).await.unwrap();
    let request = stage.requests().await.remove(0);
    assert_eq!(request.headers["content-type"], "application/json; charset=UTF-8");
    (request.url.path().to_owned(), String::from_utf8(request.body).unwrap())
}

#[tokio::test]
async fn changes_are_as_specified() {
    let (path, body) = body_of(Change::IndexPerson(&person(1))).await;
    assert_eq!(path, "/api/index/v1/indexemployee");
    insta::assert_snapshot!(body, @r#"{"employee":{"email":"person1@example.org","department":"Research","firstName":"Ada","lastName":"Lovelace","status":"CURRENT"}}"#);
    let (path, body) = body_of(Change::DeletePerson("person1@example.org")).await;
    assert_eq!(path, "/api/index/v1/deleteemployee");
    insta::assert_snapshot!(body, @r#"{"employeeEmail":"person1@example.org"}"#);
    let (path, body) = body_of(Change::IndexTeam(&team(1))).await;
    assert_eq!(path, "/api/index/v1/indexteam");
    insta::assert_snapshot!(body, @r#"{"team":{"id":"team-1","name":"Engines","members":[{"email":"person1@example.org","relationship":"MEMBER"}]}}"#);
    let (path, body) = body_of(Change::DeleteTeam("team-1")).await;
    assert_eq!(path, "/api/index/v1/deleteteam");
    insta::assert_snapshot!(body, @r#"{"id":"team-1"}"#);
}

#[tokio::test]
async fn processing_has_no_body_and_is_tried_again() {
    let stage = Stage::statuses(&[429, 503], &[]).await;
    stage.glean.process_all().await.unwrap();
    let requests = stage.requests().await;
    assert_eq!(requests.len(), 3);
    for request in requests {
        assert_eq!(request.url.path(), "/api/index/v1/processallemployeesandteams");
        assert!(request.body.is_empty() && !request.headers.contains_key("content-type"));
        assert_eq!(request.headers["content-length"], "0");
    }
}

#[tokio::test]
async fn deletions_alone_need_the_turn() {
    let stage = Stage::statuses(&[503], &[]).await;
    let turn = Turn::kept();
    stage.glean.change(Change::DeletePerson("person1@example.org"), &turn).await.unwrap();
    assert_eq!((turn.asked(), stage.requests().await.len()), (2, 2));

    let stage = Stage::statuses(&[], &[]).await;
    let lost = Turn::lost_after(0);
    for change in [Change::DeletePerson("person1@example.org"), Change::DeleteTeam("team-1")] {
        let stopped = stage.glean.change(change, &lost).await;
        assert_eq!(stopped, Err(SendError::Stopped("the lease has lapsed".to_owned())));
    }
    assert_eq!((lost.asked(), stage.requests().await.len()), (2, 0));
    stage.glean.change(Change::IndexPerson(&person(1)), &lost).await.unwrap();
    stage.glean.change(Change::IndexTeam(&team(1)), &lost).await.unwrap();
    assert_eq!((lost.asked(), stage.requests().await.len()), (2, 2));
}

#[tokio::test]
async fn who_is_not_there_is_deleted() {
    let stage = Stage::statuses(&[404, 404, 404], &[]).await;
    let turn = Turn::kept();
    assert_eq!(stage.glean.change(Change::DeletePerson("person1@example.org"), &turn).await, Ok(()));
    assert_eq!(stage.glean.change(Change::DeleteTeam("team-1"), &turn).await, Ok(()));
    let indexed = stage.glean.change(Change::IndexTeam(&team(1)), &turn).await;
    assert!(matches!(indexed, Err(SendError::Denied(_))), "{indexed:?}");
}

#[tokio::test]
async fn a_change_that_is_too_large_is_refused() {
    let stage = Stage::statuses(&[413], &[]).await;
    let Err(SendError::Refused(why)) = stage.glean.change(Change::IndexTeam(&team(1)), &Turn::kept()).await else {
        panic!("not refused")
    };
    assert!(why.contains("413"), "{why}");
}

/// Lets nobody through before so many ask at the same time, and notes the most.
struct Together {
    barrier: Barrier,
    now: AtomicUsize,
    most: AtomicUsize,
}

#[async_trait::async_trait]
impl Confirm for Together {
    async fn confirm(&self) -> Result<(), String> {
        let now = self.now.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        self.barrier.wait().await;
        // Whoever else could come in would, before this one goes on.
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        self.now.fetch_sub(1, Ordering::SeqCst);
        Ok(())
    }
}

#[tokio::test]
async fn as_many_as_there_are_connections_are_under_way_at_once() {
    let stage = Stage::statuses(&[], &[("GLEAN_CONNECTIONS", "2")]).await;
    let together = Together { barrier: Barrier::new(2), now: AtomicUsize::new(0), most: AtomicUsize::new(0) };
    let clone = stage.glean.clone();
    let changes = (0..6).map(|at| {
        let glean = if at % 2 == 0 { &stage.glean } else { &clone };
        glean.change(Change::DeleteTeam("team-1"), &together)
    });
    assert!(join_all(changes).await.into_iter().all(|changed| changed.is_ok()));
    assert_eq!((together.most.into_inner(), stage.requests().await.len()), (2, 6));
}

#[tokio::test]
async fn clones_and_runs_share_the_pace() {
    let stage = Stage::statuses(&[], &[("GLEAN_RPS", "10")]).await;
    let clones = [stage.glean.clone(), stage.glean.for_run(Deadline::NONE)];
    let began = Instant::now();
    let (person, turn) = (person(1), Turn::kept());
    let changes = clones.iter().chain(&clones).map(|glean| glean.change(Change::IndexPerson(&person), &turn));
    assert!(join_all(changes).await.into_iter().all(|changed| changed.is_ok()));
    // One goes at once, and each of the others a tenth of a second later.
    assert!(began.elapsed() >= Duration::from_millis(290), "{:?}", began.elapsed());
}

#[tokio::test]
async fn one_failure_leaves_the_others_alone() {
    let stage = Stage::statuses(&[400], &[("GLEAN_CONNECTIONS", "1")]).await;
    let (person, turn) = (person(1), Turn::kept());
    let changes = (0..3).map(|_| stage.glean.change(Change::IndexPerson(&person), &turn));
    let failed: Vec<_> = join_all(changes).await.into_iter().map(|changed| changed.is_err()).collect();
    assert_eq!(failed.iter().filter(|failed| **failed).count(), 1);
    assert_eq!(stage.requests().await.len(), 3);
}
