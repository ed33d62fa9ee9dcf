//! Uploads: pages, their flags, halving, and what is asked before the last.

use super::*;

const ALL: UploadOptions = UploadOptions { restart: true, force_stale_deletion: true };

fn flags(page: &Value) -> (bool, bool) {
    (page["isFirstPage"].as_bool().unwrap(), page["isLastPage"].as_bool().unwrap())
}

/// A body to the byte, but for the upload's id.
fn shown(request: &Request) -> String {
    let page: Value = request.body_json().unwrap();
    let id = page["uploadId"].as_str().unwrap();
    assert_eq!(id.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
    String::from_utf8_lossy(&request.body).replace(id, "ID")
}

#[tokio::test]
async fn pages_are_as_specified() {
    let stage = Stage::statuses(&[], &[("GLEAN_PAGE_SIZE", "1")]).await;
    stage.glean.upload(Upload::People(&people(3)), ALL, &Turn::kept(), &|_| ()).await.unwrap();
    let requests = stage.requests().await;
    let body = |at: usize| shown(&requests[at]);
    insta::assert_snapshot!(body(0), @r#"{"uploadId":"ID","isFirstPage":true,"isLastPage":false,"forceRestartUpload":true,"employees":[{"email":"person0@example.org","department":"Research","firstName":"Ada","lastName":"Lovelace","status":"CURRENT"}]}"#);
    insta::assert_snapshot!(body(1), @r#"{"uploadId":"ID","isFirstPage":false,"isLastPage":false,"employees":[{"email":"person1@example.org","department":"Research","firstName":"Ada","lastName":"Lovelace","status":"CURRENT"}]}"#);
    insta::assert_snapshot!(body(2), @r#"{"uploadId":"ID","isFirstPage":false,"isLastPage":true,"disableStaleDataDeletionCheck":true,"employees":[{"email":"person2@example.org","department":"Research","firstName":"Ada","lastName":"Lovelace","status":"CURRENT"}]}"#);
    for request in &requests {
        assert_eq!((request.method.as_str(), request.url.path()), ("POST", "/api/index/v1/bulkindexemployees"));
        assert_eq!(request.headers["content-type"], "application/json; charset=UTF-8");
        assert_eq!(request.headers["authorization"], "Bearer hunter2");
    }
}

#[tokio::test]
async fn a_single_page_is_first_and_last() {
    let stage = Stage::statuses(&[], &[]).await;
    stage.upload_people(&people(1)).await.unwrap();
    let requests = stage.requests().await;
    assert_eq!(requests.len(), 1);
    insta::assert_snapshot!(shown(&requests[0]), @r#"{"uploadId":"ID","isFirstPage":true,"isLastPage":true,"employees":[{"email":"person0@example.org","department":"Research","firstName":"Ada","lastName":"Lovelace","status":"CURRENT"}]}"#);
}

#[tokio::test]
async fn pages_of_teams_say_nothing_of_stale_data() {
    let stage = Stage::statuses(&[], &[("GLEAN_PAGE_SIZE", "1")]).await;
    let teams = [team(1), team(2)];
    stage.glean.upload(Upload::Teams(&teams), ALL, &Turn::kept(), &|_| ()).await.unwrap();
    let requests = stage.requests().await;
    assert!(requests.iter().all(|request| request.url.path() == "/api/index/v1/bulkindexteams"));
    let bodies: Vec<_> = requests.iter().map(shown).collect();
    assert_eq!(bodies.len(), 2);
    insta::assert_snapshot!(bodies[0], @r#"{"uploadId":"ID","isFirstPage":true,"isLastPage":false,"forceRestartUpload":true,"teams":[{"id":"team-1","name":"Engines","members":[{"email":"person1@example.org","relationship":"MEMBER"}]}]}"#);
    insta::assert_snapshot!(bodies[1], @r#"{"uploadId":"ID","isFirstPage":false,"isLastPage":true,"teams":[{"id":"team-2","name":"Engines","members":[{"email":"person1@example.org","relationship":"MEMBER"}]}]}"#);
}

#[tokio::test]
async fn pages_keep_to_count_and_bytes() {
    let stage = Stage::statuses(&[], &[("GLEAN_PAGE_SIZE", "7")]).await;
    let sent = Mutex::new(Vec::new());
    let watch = |count| sent.lock().unwrap().push(count);
    let everybody = people(20);
    let all = Upload::People(&everybody);
    stage.glean.upload(all, UploadOptions::default(), &Turn::kept(), &watch).await.unwrap();
    assert_eq!(sent.into_inner().unwrap(), [7, 14, 20]);
    assert_eq!(stage.requests().await.len(), 3);

    let stage = Stage::statuses(&[], &[("GLEAN_PAGE_BYTES", "1024")]).await;
    stage.upload_people(&everybody).await.unwrap();
    let requests = stage.requests().await;
    let lengths: Vec<_> = requests.iter().map(|request| request.body.len()).collect();
    // Each person takes a little over 100 bytes.
    assert!(lengths.iter().all(|length| *length <= 1_024) && lengths[0] > 800, "{lengths:?}");
    let received: Vec<_> = stage.bodies().await.iter().flat_map(emails).collect();
    assert_eq!(received, everybody.iter().map(|person| person.email.clone()).collect::<Vec<_>>());
}

#[tokio::test]
async fn one_that_is_over_a_page_is_sent_alone() {
    let stage = Stage::statuses(&[], &[("GLEAN_PAGE_BYTES", "1024")]).await;
    let mut everybody = people(3);
    everybody[1].bio = Some("b".repeat(2_000));
    stage.upload_people(&everybody).await.unwrap();
    let counts: Vec<_> = stage.bodies().await.iter().map(|page| emails(page).len()).collect();
    assert_eq!(counts, [1, 1, 1]);
}

#[tokio::test]
async fn one_that_no_request_may_hold_is_refused_before_the_first() {
    let stage = Stage::statuses(&[], &[]).await;
    let mut everybody = people(3);
    // Each of these takes six bytes as JSON.
    everybody[1].bio = Some("\u{1}".repeat(6 * 1024 * 1024));
    let Err(SendError::Refused(why)) = stage.upload_people(&everybody).await else { panic!("not refused") };
    assert!(why.starts_with("the person at place 2 of 3 takes") && why.ends_with("nothing was sent"), "{why}");
    assert_eq!(stage.requests().await.len(), 0);
}

#[tokio::test]
async fn nobody_is_no_upload() {
    let stage = Stage::statuses(&[], &[]).await;
    assert!(matches!(stage.upload_people(&[]).await, Err(SendError::Refused(_))));
    assert_eq!(stage.requests().await.len(), 0);
}

#[tokio::test]
async fn an_upload_has_one_id_of_its_own() {
    let stage = Stage::statuses(&[200, 503, 500, 200], &[("GLEAN_PAGE_SIZE", "1")]).await;
    stage.upload_people(&people(2)).await.unwrap();
    stage.upload_people(&people(2)).await.unwrap();
    let bodies = stage.bodies().await;
    let ids: Vec<_> = bodies.iter().map(|page| page["uploadId"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 6);
    assert!(ids[..4].iter().all(|id| *id == ids[0]) && ids[4..].iter().all(|id| *id == ids[4]), "{ids:?}");
    assert_ne!(ids[0], ids[4]);
    // A repeat is the same page to the byte.
    let requests = stage.requests().await;
    assert!(requests[1].body == requests[2].body && requests[2].body == requests[3].body);
}

/// Takes pages of so many at most.
struct AtMost(usize);

impl Respond for AtMost {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let count = emails(&request.body_json().unwrap()).len();
        ResponseTemplate::new(if count > self.0 { 413 } else { 200 })
    }
}

#[tokio::test]
async fn a_page_that_is_too_large_is_halved_and_later_ones_are_smaller_at_once() {
    let stage = Stage::answering(AtMost(3), &[("GLEAN_PAGE_SIZE", "8")]).await;
    let turn = Turn::kept();
    stage.glean.upload(Upload::People(&people(9)), ALL, &turn, &|_| ()).await.unwrap();
    let bodies = stage.bodies().await;
    let pages: Vec<_> = bodies.iter().map(|page| (emails(page).len(), flags(page))).collect();
    let (first, middle, last) = ((true, false), (false, false), (false, true));
    assert_eq!(pages, [(8, first), (4, first), (2, first), (2, middle), (2, middle), (2, middle), (1, last)]);
    // What is bound to the first and to the last page goes with them.
    for page in &bodies {
        assert_eq!(page.get("forceRestartUpload").is_some(), flags(page).0);
        assert_eq!(page.get("disableStaleDataDeletionCheck").is_some(), flags(page).1);
        assert_eq!(page["uploadId"], bodies[0]["uploadId"]);
    }
    let taken: Vec<_> = bodies[2..].iter().flat_map(emails).collect();
    assert_eq!(taken, people(9).into_iter().map(|person| person.email).collect::<Vec<_>>());
    assert_eq!(turn.asked(), 1);
    // A halved page is another request, no repeat.
    assert_eq!((stage.glean.traffic().requests, stage.glean.traffic().retries), (7, 0));
}

#[tokio::test]
async fn a_last_page_that_is_too_large_is_last_no_more() {
    let stage = Stage::answering(AtMost(1), &[]).await;
    stage.glean.upload(Upload::People(&people(2)), ALL, &Turn::kept(), &|_| ()).await.unwrap();
    let pages: Vec<_> = stage.bodies().await.iter().map(|page| (emails(page).len(), flags(page))).collect();
    assert_eq!(pages, [(2, (true, true)), (1, (true, false)), (1, (false, true))]);
}

#[tokio::test]
async fn one_that_is_too_large_alone_is_named_by_its_place() {
    let stage = Stage::answering(AtMost(0), &[("GLEAN_PAGE_SIZE", "2")]).await;
    let Err(SendError::Refused(why)) = stage.upload_people(&people(3)).await else { panic!("not refused") };
    assert!(why.contains("the person at place 1 of 3") && why.contains("413"), "{why}");
    assert!(!why.contains("person0"), "{why}");
    assert_eq!(stage.requests().await.len(), 2);
}

#[tokio::test]
async fn the_turn_is_confirmed_right_before_the_last_page_and_each_repeat_of_it() {
    let stage = Stage::statuses(&[503, 200, 500, 429, 200], &[("GLEAN_PAGE_SIZE", "1")]).await;
    let turn = Turn::kept();
    stage.glean.upload(Upload::People(&people(2)), UploadOptions::default(), &turn, &|_| ()).await.unwrap();
    assert_eq!((turn.asked(), stage.requests().await.len()), (3, 5));
}

#[tokio::test]
async fn who_has_lost_the_turn_sends_nothing_more() {
    // The only page; the last of two; a repeat of the last.
    for (count, answers, yes, requests) in [(1, &[][..], 0, 0), (2, &[], 0, 1), (2, &[200, 503], 1, 2)] {
        let stage = Stage::statuses(answers, &[("GLEAN_PAGE_SIZE", "1")]).await;
        let turn = Turn::lost_after(yes);
        let sent = stage.glean.upload(Upload::People(&people(count)), UploadOptions::default(), &turn, &|_| ()).await;
        assert_eq!(sent, Err(SendError::Stopped("the lease has lapsed".to_owned())));
        assert_eq!(stage.requests().await.len(), requests);
    }
}

/// Fails three requests in ten, and keeps what it takes.
struct Shaky {
    entropy: Entropy,
    taken: Arc<Mutex<Vec<Value>>>,
}

impl Respond for Shaky {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let drawn = self.entropy.uuid().into_bytes();
        if drawn[0] < 77 {
            let statuses = [408, 429, 500, 502, 503, 504];
            return ResponseTemplate::new(statuses[usize::from(drawn[1]) % statuses.len()]);
        }
        self.taken.lock().unwrap().push(request.body_json().unwrap());
        ResponseTemplate::new(200)
    }
}

#[tokio::test]
async fn three_failures_in_ten_still_end_whole() {
    for seed in 0..5 {
        let taken = Arc::new(Mutex::new(Vec::new()));
        let shaky = Shaky { entropy: Entropy::seeded(seed), taken: Arc::clone(&taken) };
        let stage = Stage::answering(shaky, &[("GLEAN_PAGE_SIZE", "3")]).await;
        let everybody = people(100);
        stage.upload_people(&everybody).await.unwrap();
        let taken = taken.lock().unwrap();
        assert_eq!(taken.len(), 34);
        let sent: Vec<_> = taken.iter().flat_map(emails).collect();
        assert_eq!(sent, everybody.into_iter().map(|person| person.email).collect::<Vec<_>>());
        let traffic = stage.glean.traffic();
        assert_eq!(traffic.requests, 34 + traffic.retries);
        assert!(traffic.retries > 0);
    }
}
