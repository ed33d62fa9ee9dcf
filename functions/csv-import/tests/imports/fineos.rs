//! Registration, against a stand-in FINEOS that answers as its documentation has it.

use std::time::Duration;

use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Deadline};
use crosswalk_identity::Username;
use crosswalk_runs::{RunRecord, RunState};
use wiremock::matchers::{basic_auth, body_string_contains, header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::bench::{Bench, EMPLOYERS, deliver, deliver_within, fein, told};

const REGISTER: &str = "/services/rest/externalUserProvisioningService/createOrUpdateEmployerViewpointUser";
const CONFIRMED: &str = "<r xmlns=\"http://www.fineos.com/x\"><errorCode/></r>";
const ONE: &str = "fein,email\n847847847,bruce@example.org\n";

/// The stand-in, which gives out tokens.
async fn stand_in() -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("POST"))
        .and(path("/oauth2/token"))
        .and(basic_auth("us", "secret"))
        .and(body_string_contains("grant_type=client_credentials&scope=service-gateway%2Fall"))
        .respond_with(
            ResponseTemplate::new(200)
                .set_body_string(r#"{"access_token":"t0","expires_in":3600,"token_type":"Bearer"}"#),
        )
        .mount(&server)
        .await;
    server
}

fn environment(bench: &Bench, server: &MockServer) -> Environment {
    bench
        .environment()
        .with("FINEOS_REGISTRATION", "true")
        .with("FINEOS_CLIENT_INTEGRATION_SERVICES_API_URL", &format!("{}/services/", server.uri()))
        .with("FINEOS_CLIENT_OAUTH2_URL", &format!("{}/oauth2/token", server.uri()))
        .with("FINEOS_CLIENT_OAUTH2_CLIENT_ID", "us")
        .with("FINEOS_CLIENT_OAUTH2_CLIENT_SECRET", "secret")
}

async fn import(bench: &Bench, server: &MockServer, text: &str) -> RunRecord {
    let importer = bench.importer_with(&environment(bench, server), Clock::system());
    deliver(&importer, bench.put("imports/leave-admins/a.csv", text).await).await
}

async fn bench() -> Bench {
    let bench = Bench::start().await;
    bench.drop_in("imports/employers/a.csv", EMPLOYERS).await;
    bench
}

/// The userIDs that the stand-in was sent, in order.
async fn user_ids(server: &MockServer) -> Vec<String> {
    let requests = server.received_requests().await.unwrap();
    let bodies = requests.iter().filter(|request| request.url.path() == REGISTER).map(|request| {
        let body = String::from_utf8(request.body.clone()).unwrap();
        body.split("<userID>").nth(1).unwrap().split("</userID>").next().unwrap().to_owned()
    });
    bodies.collect()
}

async fn web_id(bench: &Bench) -> Option<String> {
    let link = bench.people().link(&Username::parse("bruce@example.org").unwrap(), &fein("847847847")).await.unwrap();
    link.unwrap().fineos_web_id
}

#[tokio::test]
async fn each_link_is_registered_once_with_one_token() {
    let (bench, server) = (bench().await, stand_in().await);
    Mock::given(method("POST"))
        .and(path(REGISTER))
        .and(header("authorization", "Bearer t0"))
        .and(header("userid", "CONTENT"))
        .and(header("content-type", "application/xml; charset=utf-8"))
        .respond_with(ResponseTemplate::new(200).set_body_string(CONFIRMED))
        .expect(5)
        .mount(&server)
        .await;
    let run = import(&bench, &server, crate::bench::LEAVE_ADMINS).await;
    assert_eq!((run.state, run.counts.created), (RunState::Succeeded, 5));
    let sent = user_ids(&server).await;
    assert!(sent.iter().all(|id| id.starts_with("pfml_leave_admin_")));
    let kept = web_id(&bench).await.unwrap();
    assert!(sent.contains(&kept));
    let tokens = server.received_requests().await.unwrap().iter().filter(|r| r.url.path() == "/oauth2/token").count();
    assert_eq!(tokens, 1);
    assert_eq!((run.traffic["fineos"].requests, run.traffic["fineos"].retries), (6, 0));
    // Stored successes: no further call.
    let again = import(&bench, &server, crate::bench::LEAVE_ADMINS).await;
    assert_eq!(again.counts.unchanged, 5);
    assert_eq!(again.traffic.keys().collect::<Vec<_>>(), ["cognito", "dynamodb", "s3"]);
    server.verify().await;
}

#[tokio::test]
async fn a_failed_registration_names_the_steps_done_and_keeps_its_user_id() {
    let (bench, server) = (bench().await, stand_in().await);
    let refusal = "<r><errorCode>1000</errorCode><errorMessage>bruce@example.org is bad</errorMessage></r>";
    let refused = Mock::given(method("POST")).and(path(REGISTER));
    let refused =
        refused.respond_with(ResponseTemplate::new(200).set_body_string(refusal)).mount_as_scoped(&server).await;
    let run = import(&bench, &server, ONE).await;
    assert_eq!((run.state, run.counts.failed), (RunState::Partly, 1));
    let reason = &told(&bench.failed(&run).await)[0].2;
    for part in ["error code 1000", "account", "person and role", "link"] {
        assert!(reason.contains(part), "{reason}");
    }
    assert!(!reason.contains('@'), "{reason}");
    assert_eq!(web_id(&bench).await, None);
    drop(refused);

    let confirmed = "<r><result><userId>web-77</userId></result></r>";
    Mock::given(method("POST"))
        .and(path(REGISTER))
        .respond_with(ResponseTemplate::new(200).set_body_string(confirmed))
        .mount(&server)
        .await;
    let run = import(&bench, &server, ONE).await;
    assert_eq!((run.state, run.counts.updated), (RunState::Succeeded, 1));
    let sent = user_ids(&server).await;
    assert_eq!(sent[0], sent[1]);
    assert_eq!(web_id(&bench).await.as_deref(), Some("web-77"));
}

#[tokio::test]
async fn what_is_unavailable_is_tried_again_and_a_stale_token_is_renewed() {
    let (bench, server) = (bench().await, stand_in().await);
    let answer = |status: u16| ResponseTemplate::new(status);
    Mock::given(method("POST")).and(path(REGISTER)).respond_with(answer(503)).up_to_n_times(1).mount(&server).await;
    Mock::given(method("POST")).and(path(REGISTER)).respond_with(answer(401)).up_to_n_times(1).mount(&server).await;
    let confirmed = ResponseTemplate::new(200).set_body_string(CONFIRMED);
    Mock::given(method("POST")).and(path(REGISTER)).respond_with(confirmed).mount(&server).await;
    let run = import(&bench, &server, ONE).await;
    assert_eq!(run.counts.created, 1);
    let sent = user_ids(&server).await;
    assert_eq!(sent.len(), 3);
    assert!(sent.iter().all(|id| *id == sent[0]));
    let tokens = server.received_requests().await.unwrap().iter().filter(|r| r.url.path() == "/oauth2/token").count();
    assert_eq!(tokens, 2);
    // The second token, and two of the three registrations.
    let (traffic, requests) = (run.traffic["fineos"], server.received_requests().await.unwrap());
    assert_eq!((traffic.requests, traffic.retries), (5, 3));
    assert_eq!(traffic.bytes_sent, requests.iter().map(|request| request.body.len() as u64).sum::<u64>());
}

#[tokio::test]
async fn wrong_credentials_fail_the_row_and_say_which_setting() {
    let (bench, server) = (bench().await, MockServer::start().await);
    Mock::given(path("/oauth2/token")).respond_with(ResponseTemplate::new(401)).mount(&server).await;
    let run = import(&bench, &server, ONE).await;
    assert_eq!(run.counts.failed, 1);
    assert!(run.reasons[0].reason.contains("FINEOS_CLIENT_OAUTH2_CLIENT_ID"), "{:?}", run.reasons);
}

#[tokio::test]
async fn an_employer_without_an_id_there_fails_the_row_before_anything_is_made() {
    let (bench, server) = (bench().await, stand_in().await);
    bench.drop_in("imports/employers/b.csv", "fein,name\n5,No id\n").await;
    let run = import(&bench, &server, "fein,email\n5,nobody@example.org\n").await;
    assert_eq!(run.counts.failed, 1);
    assert!(run.reasons[0].reason.contains("fineos_employer_id"), "{:?}", run.reasons);
    assert!(bench.accounts().await.is_empty());
}

#[tokio::test]
async fn forced_it_is_registered_again_under_the_same_user_id() {
    let (bench, server) = (bench().await, stand_in().await);
    let confirmed = ResponseTemplate::new(200).set_body_string(CONFIRMED);
    Mock::given(method("POST")).and(path(REGISTER)).respond_with(confirmed).mount(&server).await;
    import(&bench, &server, ONE).await;
    let importer = bench.importer_with(&environment(&bench, &server), Clock::system());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.csv");
    std::fs::write(&file, ONE).unwrap();
    let request = crosswalk_csv_import::ImportRequest {
        run_id: "import-forced".to_owned(),
        kind: crosswalk_csv_import::Kind::LeaveAdmins,
        source: crosswalk_csv_import::Source::File(file),
        delivery: "test".to_owned(),
        force_registration: true,
    };
    let ended = importer.import(request, crosswalk_function_kit::Deadline::NONE, &|_, _| {}).await.unwrap();
    let crosswalk_csv_import::Ended::Ended(run) = ended else { panic!("{ended:?}") };
    assert_eq!((run.state, run.counts.updated), (RunState::Succeeded, 1));
    let sent = user_ids(&server).await;
    assert_eq!((sent.len(), &sent[0]), (2, &sent[1]));
}

/// A stand-in that answers a registration only after so long.
async fn slow_stand_in(delay: Duration) -> MockServer {
    let server = stand_in().await;
    let confirmed = ResponseTemplate::new(200).set_body_string(CONFIRMED).set_delay(delay);
    Mock::given(method("POST")).and(path(REGISTER)).respond_with(confirmed).mount(&server).await;
    server
}

#[tokio::test]
async fn near_the_deadline_rows_under_way_are_given_up_and_the_rest_skipped() {
    let (bench, server) = (bench().await, slow_stand_in(Duration::from_secs(25)).await);
    let text = "fein,email\n847847847,bruce@example.org\n111111111,bruce@example.org\nx,y\n";
    let event = bench.put("imports/leave-admins/a.csv", text).await;
    let importer = bench.importer_with(&environment(&bench, &server), Clock::system());
    let importing = deliver_within(&importer, event, Deadline::within(Duration::from_secs(4)));
    let run = tokio::time::timeout(Duration::from_secs(15), importing).await.unwrap();
    assert_eq!((run.state, run.counts.failed, run.counts.skipped, run.counts.rejected), (RunState::Partly, 1, 1, 1));
    let failed = told(&bench.failed(&run).await);
    assert!(failed[0].2.contains("time ran out") && failed[1].2.contains("not reached"), "{failed:?}");

    // What was done stays, and a repeat of the rows goes on from there.
    assert_eq!(bench.accounts().await.len(), 1);
}

#[tokio::test]
async fn a_worker_that_lost_its_lease_stops_and_writes_no_end() {
    let (bench, server) = (bench().await, slow_stand_in(Duration::from_secs(28)).await);
    let event = bench.put("imports/leave-admins/a.csv", ONE).await;
    let importer = bench.importer_with(&environment(&bench, &server), Clock::system());
    let importing = deliver(&importer, event);
    let other_worker = async {
        let id = loop {
            let runs = bench.runs().list(Some("leave-admins"), 1).await.unwrap();
            if let Some(run) = runs.first() {
                break run.id.clone();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        let lease = crate::deliveries::fence_off(&bench, &id).await;
        // The first worker finds out when it renews, in at most 15 seconds, and then waits for the new one's result.
        tokio::time::sleep(Duration::from_secs(17)).await;
        assert!(bench.keys().await.iter().all(|key| !key.starts_with(&format!("reports/{id}"))));
        let mut record = bench.runs().get(&id).await.unwrap().unwrap();
        record.state = RunState::Partly;
        bench.runs().end(&lease, &record).await.unwrap();
        id
    };
    let (run, id) = tokio::join!(importing, other_worker);
    assert_eq!((run.id, run.state, run.counts.read), (id.clone(), RunState::Partly, 0));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(bench.keys().await.iter().all(|key| !key.starts_with(&format!("reports/{id}"))));
}
