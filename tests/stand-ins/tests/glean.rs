//! The stand-in for Glean, asked over HTTP.
#![allow(clippy::unwrap_used, reason = "integration tests")]

use crosswalk_stand_ins::glean::types::Status;
use crosswalk_stand_ins::glean::{Fault, Faults, GleanStandIn, On, Random, Rule, When};
use serde_json::{Value, json};

struct Client {
    http: reqwest::Client,
    url: String,
}

impl Client {
    fn new(glean: &GleanStandIn) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { http, url: format!("{}/api/index/v1", glean.url()) }
    }

    fn request(&self, path: &str, body: &Value) -> reqwest::RequestBuilder {
        let request = self.http.post(format!("{}/{path}", self.url)).bearer_auth("token");
        if body.is_null() { request } else { request.json(body) }
    }

    /// The status, and the text.
    async fn post(&self, path: &str, body: &Value) -> (u16, String) {
        let answer = self.request(path, body).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn status(&self, path: &str, body: &Value) -> u16 {
        self.post(path, body).await.0
    }
}

fn start() -> (GleanStandIn, Client) {
    let glean = GleanStandIn::start("token").unwrap();
    let client = Client::new(&glean);
    (glean, client)
}

fn person(name: &str) -> Value {
    json!({ "email": format!("{name}@example.org"), "department": "Research" })
}

fn people(id: &str, first: bool, last: bool, names: &[&str]) -> Value {
    let employees: Vec<Value> = names.iter().map(|name| person(name)).collect();
    json!({ "uploadId": id, "isFirstPage": first, "isLastPage": last, "employees": employees })
}

fn team(id: &str, members: &[&str]) -> Value {
    let members: Vec<Value> = members.iter().map(|name| json!({ "email": format!("{name}@example.org") })).collect();
    json!({ "id": id, "name": format!("Team {id}"), "members": members })
}

fn with(mut value: Value, field: &str, to: Value) -> Value {
    value[field] = to;
    value
}

#[tokio::test]
async fn people_and_teams_are_taken_in_bulk_and_one_by_one() {
    let (glean, client) = start();
    assert_eq!(client.status("bulkindexemployees", &people("1", true, false, &["ada", "bob"])).await, 200);
    assert!(glean.people().is_empty(), "not before the last page");
    assert_eq!(glean.unfinished(), (Some("1".to_owned()), None));
    assert_eq!(client.status("bulkindexemployees", &people("1", false, true, &["cy"])).await, 200);
    let in_team = with(person("ada"), "teams", json!([{ "id": "t", "name": "Team t" }]));
    assert_eq!(client.status("indexemployee", &json!({ "employee": in_team, "version": 1 })).await, 200);
    assert_eq!(client.status("deleteemployee", &json!({ "employeeEmail": "Bob@example.org" })).await, 200);
    assert_eq!(client.status("deleteemployee", &json!({ "employeeEmail": "bob@example.org" })).await, 200);
    assert_eq!(glean.people().into_keys().collect::<Vec<_>>(), ["ada@example.org", "cy@example.org"]);
    assert_eq!(glean.people()["ada@example.org"].status, Status::Current, "the default");

    let teams = json!({ "uploadId": "2", "isFirstPage": true, "isLastPage": true, "teams": [team("t", &["ada"])] });
    assert_eq!(client.status("bulkindexteams", &teams).await, 200);
    assert!(glean.disagreements().is_empty(), "{:?}", glean.disagreements());
    assert_eq!(client.status("indexteam", &json!({ "team": team("u", &["cy"]) })).await, 200);
    assert_eq!(glean.disagreements(), ["only the team says that cy@example.org is in u"]);
    assert_eq!(client.status("deleteteam", &json!({ "id": "u" })).await, 200);
    assert_eq!(glean.teams().into_keys().collect::<Vec<_>>(), ["t"]);
    assert_eq!(client.status("processallemployeesandteams", &Value::Null).await, 200);
    assert_eq!((glean.processed(), glean.violations()), (1, Vec::new()));
    let log = glean.log();
    assert_eq!((log.len(), log[0].items, log[0].first, log[0].last, log[0].status), (9, 2, true, false, Some(200)));
    assert_eq!((log[1].upload_id.as_deref(), log[1].last), (Some("1"), true));
}

#[tokio::test]
async fn bodies_are_read_strictly() {
    let (glean, client) = start();
    let page = |person: Value| json!({ "uploadId": "1", "isFirstPage": true, "employees": [person] });
    let cases = [
        (page(with(person("ada"), "status", json!("FORMER"))), "employees[0].status: unknown variant `FORMER`"),
        (page(with(person("ada"), "type", json!("INTERN"))), "employees[0].type: unknown variant `INTERN`"),
        (page(with(person("ada"), "customProperties", json!({}))), "unknown field `customProperties`"),
        (page(with(person("ada"), "email", json!("ada"))), "employees[0].email: is no e-mail address"),
        (page(json!({ "email": "ada@example.org" })), "employees[0]: missing field `department`"),
        (page(with(person("ada"), "firstName", json!(""))), "employees[0].firstName: is empty"),
        (page(with(person("ada"), "lastName", json!(null))), "employees[0].lastName: invalid type: null"),
        (page(with(person("ada"), "startDate", json!("2024-02-30"))), "employees[0].startDate: is no date"),
        (page(with(person("ada"), "startDate", json!("2024-03-01T00:00:00Z"))), "employees[0].startDate: is no date"),
        (page(with(person("ada"), "photoUrl", json!("ada.png"))), "employees[0].photoUrl: is no absolute URI"),
        (page(with(person("ada"), "additionalFields", json!([{ "key": "costCentre", "value": ["1"] }]))), "lowercase"),
        (
            page(with(person("ada"), "structuredLocation", json!({ "countryCode": "us" }))),
            "countryCode: is no ISO 3166",
        ),
        (json!({ "isFirstPage": true, "employees": [person("ada")] }), "missing field `uploadId`"),
        (json!({ "uploadId": "1", "isFirstPage": true }), "missing field `employees`"),
        (with(people("1", true, true, &["ada"]), "teams", json!([])), "unknown field `teams`"),
        (people("1", true, true, &[]), "page is empty"),
        (people("1", true, true, &["ada", "ada"]), "twice in one upload"),
    ];
    for (number, (body, expected)) in cases.into_iter().enumerate() {
        let (status, text) = client.post("bulkindexemployees", &body).await;
        assert_eq!(status, 400, "{body}");
        assert!(text.contains(expected), "{text} has no {expected}");
        assert_eq!(glean.violations().len(), number + 1, "{text}");
        assert!(glean.violations()[number].ends_with(&text));
    }
    assert!(glean.people().is_empty());
}

#[tokio::test]
async fn teams_are_read_strictly() {
    let (glean, client) = start();
    let page = |team: Value| json!({ "uploadId": "1", "isFirstPage": true, "teams": [team] });
    let member = |field: &str, value: &str| json!([{ "email": "ada@example.org", field: value }]);
    for (team, expected) in [
        (team("t", &[]), "neither members nor an externalLink"),
        (team("t", &["ada", "bob", "ada"]), "twice"),
        (json!({ "id": "t", "name": "T" }), "missing field `members`"),
        (
            with(team("t", &["ada"]), "members", member("relationship", "BOSS")),
            "members[0].relationship: unknown variant",
        ),
        (with(team("t", &["ada"]), "members", member("joinDate", "2024-03-01")), "unknown field `joinDate`"),
        (with(team("t", &["ada"]), "emails", json!([{ "email": "t@example.org" }])), "missing field `type`"),
        (with(team("t", &["ada"]), "externalLink", json!("/t")), "externalLink: is no absolute URI"),
    ] {
        let (status, text) = client.post("bulkindexteams", &page(team)).await;
        assert!(status == 400 && text.contains(expected), "{status}: {text} has no {expected}");
    }
    let flag = with(page(team("t", &["ada"])), "disableStaleDataDeletionCheck", json!(true));
    assert_eq!(client.status("bulkindexteams", &flag).await, 400, "only for people");
    let linked = with(team("t", &[]), "externalLink", json!("https://example.org/t"));
    assert_eq!(client.status("indexteam", &json!({ "team": linked })).await, 200);
    assert_eq!((glean.violations().len(), glean.teams().len()), (8, 1));
}

#[tokio::test]
async fn the_edges_of_http_are_checked() {
    let (glean, client) = start();
    let body = people("1", true, true, &["ada"]);
    let url = format!("{}/bulkindexemployees", client.url);
    let sent = client.http.post(&url).bearer_auth("wrong").json(&body).send().await.unwrap();
    assert_eq!(sent.status().as_u16(), 401);
    let sent = client.http.post(&url).bearer_auth("token").body(body.to_string()).send().await.unwrap();
    assert_eq!(sent.status().as_u16(), 415);
    assert_eq!(client.http.get(&url).bearer_auth("token").send().await.unwrap().status().as_u16(), 404);
    assert_eq!(client.status("bulkindexteam", &body).await, 404);
    assert_eq!(client.status("processallemployeesandteams", &json!({})).await, 400);
    assert_eq!((glean.people().len(), glean.violations().len()), (0, 4));
}

#[tokio::test]
async fn two_uploads_at_once_are_refused_unless_forced() {
    let (glean, client) = start();
    assert_eq!(client.status("bulkindexemployees", &people("1", true, false, &["ada"])).await, 200);
    assert_eq!(client.status("bulkindexemployees", &people("2", true, true, &["bob"])).await, 409);
    let forced = with(people("3", true, true, &["cy"]), "forceRestartUpload", json!(true));
    assert_eq!(client.status("bulkindexemployees", &forced).await, 200);
    assert_eq!(client.status("bulkindexemployees", &people("1", false, true, &["ada"])).await, 409);
    assert_eq!(glean.people().into_keys().collect::<Vec<_>>(), ["cy@example.org"]);
    assert!(glean.violations().is_empty(), "409 is of the time, not of the request");
}

#[tokio::test]
async fn faults_strike_whom_they_are_meant_for() {
    let (glean, client) = start();
    glean.fail(Faults::rules([
        Rule::new(Fault::Throttle(Some(7)), On::path("bulkindexemployees").last_page()).times(1),
        Rule::new(Fault::Warn, On::path("indexemployee")).times(1),
        Rule::new(Fault::Status(503), On::path("indexemployee")).skip(1).times(1),
    ]));
    let page = people("1", true, true, &["ada"]);
    let throttled = client.request("bulkindexemployees", &page).send().await.unwrap();
    assert_eq!((throttled.status().as_u16(), &throttled.headers()["retry-after"]), (429, &"7".parse().unwrap()));
    assert!(glean.people().is_empty());
    assert_eq!(client.status("bulkindexemployees", &page).await, 200);
    let index = json!({ "employee": person("bob") });
    let (status, text) = client.post("indexemployee", &index).await;
    assert!(status == 400 && text.contains("uploaded successfully"), "{status} {text}");
    assert!(glean.people().contains_key("bob@example.org"));
    assert_eq!(client.status("indexemployee", &index).await, 200, "skipped");
    assert_eq!(client.status("indexemployee", &index).await, 503);
    assert_eq!(client.status("indexemployee", &index).await, 200);

    glean.fail(Faults {
        max_bytes: Some(150),
        gone: vec!["bulkindexteams"],
        deprecated: Some("x"),
        ..Faults::default()
    });
    assert_eq!(client.status("bulkindexemployees", &people("2", true, true, &["ada", "bob", "cy"])).await, 413);
    let small = client.request("bulkindexemployees", &people("2", true, true, &["ada"])).send().await.unwrap();
    assert_eq!((small.status().as_u16(), &small.headers()["x-glean-deprecated"]), (200, &"x".parse().unwrap()));
    assert_eq!(client.status("bulkindexteams", &json!({ "uploadId": "3", "teams": [] })).await, 410);
    assert!(glean.violations().is_empty());
}

#[tokio::test]
async fn answers_are_lost_before_or_after_the_request_was_taken() {
    let (glean, client) = start();
    glean.fail(Faults::rules([Rule::new(Fault::BreakBefore, On::ALL).times(1), Rule::new(Fault::BreakAfter, On::ALL)]));
    let index = |name| json!({ "employee": person(name) });
    assert!(client.request("indexemployee", &index("ada")).send().await.is_err());
    assert!(glean.people().is_empty());
    assert!(client.request("indexemployee", &index("ada")).send().await.is_err());
    assert_eq!(glean.people().len(), 1);
    assert!(glean.log().iter().all(|entry| entry.status.is_none()));
}

#[tokio::test]
async fn random_failures_are_a_share_and_repeatable() {
    let mut draws = Vec::new();
    for _ in 0..2 {
        let (glean, client) = start();
        glean.fail(Faults { random: Some(Random::new(0.3, 42).of(vec![Fault::Status(503)])), ..Faults::default() });
        for _ in 0..200 {
            client.status("processallemployeesandteams", &Value::Null).await;
        }
        draws.push(glean.log().into_iter().map(|entry| entry.status.unwrap()).collect::<Vec<_>>());
        assert_eq!(draws[0].iter().filter(|status| **status == 200).count() as u64, glean.processed());
    }
    assert_eq!(draws[0], draws[1]);
    let failed = draws[0].iter().filter(|status| **status == 503).count();
    assert!((40..=80).contains(&failed), "{failed} of 200");
}

#[tokio::test]
async fn a_held_request_waits_and_dies_with_its_client() {
    let (glean, client) = start();
    let index = |name: &str| json!({ "employee": person(name) });
    let hold = glean.hold(On::path("indexemployee"), When::BeforeTaken);
    let waiting = tokio::spawn(client.request("indexemployee", &index("ada")).send());
    hold.reached().await;
    assert_eq!((hold.held(), glean.people().len(), glean.most_at_once()), (1, 0, 1));
    assert_eq!(client.status("processallemployeesandteams", &Value::Null).await, 200, "others go on");
    hold.release();
    assert_eq!(waiting.await.unwrap().unwrap().status().as_u16(), 200);
    assert_eq!(glean.people().len(), 1);

    let hold = glean.hold(On::path("indexemployee"), When::BeforeTaken);
    let waiting = tokio::spawn(client.request("indexemployee", &index("bob")).send());
    hold.reached().await;
    waiting.abort();
    assert!(waiting.await.is_err());
    // The server learns of it in its own time; then nothing is under way.
    while glean.under_way() > 0 {
        tokio::task::yield_now().await;
    }
    hold.release();
    assert_eq!(glean.people().len(), 1, "never taken");

    let hold = glean.hold(On::path("indexemployee"), When::BeforeAnswered);
    let waiting = tokio::spawn(client.request("indexemployee", &index("bob")).send());
    hold.reached().await;
    assert_eq!(glean.people().len(), 2, "taken, not answered");
    drop(hold);
    assert_eq!(waiting.await.unwrap().unwrap().status().as_u16(), 200);
}
