//! Every kind of request that the export sends to Glean, with every field that it can fill. With `CROSSWALK_TEST_REQUESTS`
//! they are written to that file, a JSON object a line, for Glean's own models to parse (`tests/peers/run glean-models`).
//! Here the stand-in for Glean parses them, with types of its own.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::response::{IntoResponse as _, Response};
use crosswalk_function_kit::secrets::Secrets;
use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Deadline, Entropy};
use crosswalk_people_export::glean::Mode;
use crosswalk_people_export::{ExportRequest, ExportSettings, Exporter, Ran};
use crosswalk_runs::Place;
use crosswalk_runs::{RunRecord, RunState};
use crosswalk_stand_ins::glean::{Fault, Faults, GleanStandIn, On, Rule};
use crosswalk_stand_ins::keycloak::{GroupSpec, KeycloakStandIn, RealmSpec, UserSpec};
use serde_json::{Value, json};
use tempfile::TempDir;

const PERSON_ATTRIBUTES: &str = r#"{
    "structuredLocation.address": "office", "structuredLocation.city": "city", "structuredLocation.country": "country",
    "structuredLocation.countryCode": "countryCode", "structuredLocation.deskLocation": "desk",
    "structuredLocation.region": "region", "structuredLocation.state": "state", "structuredLocation.timezone": "timezone",
    "structuredLocation.zipCode": "zip", "languages": "languages"
}"#;
const TEAM_ATTRIBUTES: &str = r#"{"channels": "channels"}"#;

/// What each field of a person's and a team's is sent in, as dotted names.
const FIELDS: &[&str] = &[
    "employees.additionalFields.key",
    "employees.additionalFields.value",
    "employees.alsoKnownAs",
    "employees.bio",
    "employees.businessUnit",
    "employees.datasourceProfiles.datasource",
    "employees.datasourceProfiles.handle",
    "employees.department",
    "employees.email",
    "employees.endDate",
    "employees.firstName",
    "employees.id",
    "employees.lastName",
    "employees.managerEmail",
    "employees.managerId",
    "employees.phoneNumber",
    "employees.photoUrl",
    "employees.preferredName",
    "employees.profileUrl",
    "employees.pronoun",
    "employees.startDate",
    "employees.status",
    "employees.structuredLocation.address",
    "employees.structuredLocation.city",
    "employees.structuredLocation.country",
    "employees.structuredLocation.countryCode",
    "employees.structuredLocation.deskLocation",
    "employees.structuredLocation.region",
    "employees.structuredLocation.state",
    "employees.structuredLocation.timezone",
    "employees.structuredLocation.zipCode",
    "employees.teams.id",
    "employees.teams.name",
    "employees.teams.url",
    "employees.title",
    "employees.type",
    "teams.additionalFields.key",
    "teams.additionalFields.value",
    "teams.businessUnit",
    "teams.department",
    "teams.description",
    "teams.emails.email",
    "teams.emails.type",
    "teams.externalLink",
    "teams.id",
    "teams.members.email",
    "teams.members.relationship",
    "teams.name",
    "teams.photoUrl",
];

/// Stands before Glean and keeps what is sent to it.
#[derive(Clone)]
struct Recorder {
    glean: Arc<GleanStandIn>,
    http: reqwest::Client,
    requests: Arc<Mutex<Vec<(String, Value)>>>,
}

impl Recorder {
    async fn start() -> (Self, String) {
        let recorder = Self {
            glean: Arc::new(GleanStandIn::start("stand-in-token").unwrap()),
            http: reqwest::Client::new(),
            requests: Arc::default(),
        };
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(record).with_state(recorder.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (recorder, url)
    }

    fn requests(&self) -> Vec<(String, Value)> {
        self.requests.lock().unwrap().clone()
    }
}

async fn record(State(recorder): State<Recorder>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 1 << 24).await.unwrap();
    let path = parts.uri.path().to_owned();
    let json = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() };
    recorder.requests.lock().unwrap().push((path.clone(), json));
    let mut request = recorder.http.post(format!("{}{path}", recorder.glean.url())).body(body);
    for name in [AUTHORIZATION, CONTENT_TYPE] {
        if let Some(value) = parts.headers.get(&name) {
            request = request.header(name, value);
        }
    }
    let answer = request.send().await.unwrap();
    (answer.status(), answer.bytes().await.unwrap()).into_response()
}

/// A realm whose first person and first team fill every field.
fn realm() -> RealmSpec {
    let mut realm = RealmSpec::new("people");
    for number in 0..6 {
        let username = format!("person{number}");
        let mut user = UserSpec::new(&username)
            .email(&format!("{username}@example.org"))
            .name("Zoë", "O'Connor")
            .attribute("department", "Research & Development");
        user.enabled = number != 1;
        realm = realm.user(user);
    }
    let person = realm.user_mut("person0").unwrap();
    for (name, value) in [
        ("alsoKnownAs", "Zo"),
        ("bio", "Says \"hello\",\nand more: ¡olé! 🎈"),
        ("businessUnit", "Laboratories"),
        ("employmentType", "CONTRACTOR"),
        ("endDate", "2031-12-31"),
        ("startDate", "2020-02-29"),
        ("managerEmail", "person2@example.org"),
        ("managerId", "person2"),
        ("phoneNumber", "+41 44 000 00 00"),
        ("photoUrl", "https://example.org/zoë 0.png"),
        ("preferredName", "Zo"),
        ("profileUrl", "https://example.org/people/0"),
        ("pronoun", "she/her"),
        ("title", "Scientist"),
        ("office", "1 Example Street"),
        ("city", "Zürich"),
        ("country", "Switzerland"),
        ("countryCode", "CH"),
        ("desk", "4.01"),
        ("region", "EMEA"),
        ("state", "ZH"),
        ("timezone", "UTC+1"),
        ("zip", "8001"),
        ("languages", "English"),
        ("languages", "Deutsch"),
    ] {
        person.attributes.entry(name.to_owned()).or_default().push(value.to_owned());
    }
    // An end that Glean is to know is a former person's.
    person.enabled = false;
    realm
        .group(
            GroupSpec::new("research")
                .attribute("businessUnit", "Laboratories")
                .attribute("department", "Research")
                .attribute("description", "They look for things")
                .attribute("email", "research@example.org")
                .attribute("externalLink", "https://example.org/research")
                .attribute("photoUrl", "https://example.org/research.png")
                .attribute("channels", "#research")
                .members(["person0", "person1", "person2", "person3"]),
        )
        .group(GroupSpec::new("finance").members(["person3", "person4", "person5"]))
        .group(GroupSpec::new("people").members(["person5"]))
}

async fn export(environment: &Environment, mode: Mode, allow_removals: bool) -> RunRecord {
    let settings = ExportSettings::from_env(environment).unwrap();
    let (clock, entropy) = (Clock::system(), Entropy::system());
    let config = aws_config::SdkConfig::builder().build();
    let place = Place::new(&settings.kept, &config, &clock, &entropy);
    let run_id = format!("people-export-{}", entropy.uuid());
    let request =
        ExportRequest { run_id, delivery: "test".to_owned(), mode: Some(mode), max_users: None, allow_removals };
    let exporter = Exporter::new(settings, place, Secrets::new(&config), clock, entropy);
    match exporter.export(&request, Deadline::NONE, &|_| {}).await.unwrap() {
        Ran::Ended(record) => record,
        Ran::Busy { run, .. } => panic!("{run} has the turn"),
    }
}

/// The names of what a value holds, dotted.
fn fields_of(value: &Value, place: &str, fields: &mut BTreeSet<String>) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                fields_of(value, &format!("{place}.{name}"), fields);
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            items.iter().for_each(|item| fields_of(item, place, fields));
        }
        _ => {
            fields.insert(place.trim_start_matches('.').to_owned());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_and_every_kind_of_request_is_as_glean_has_it() {
    let keycloak = KeycloakStandIn::start(realm()).unwrap();
    let (recorder, url) = Recorder::start().await;
    let folder = TempDir::new().unwrap();
    let mut environment: Environment = [
        ("GLEAN_API_URL", url.as_str()),
        ("GLEAN_API_TOKEN", "stand-in-token"),
        ("GLEAN_DATASOURCE", "keycloak"),
        ("GLEAN_PAGE_SIZE", "2"),
        ("GLEAN_RPS", "100"),
        ("EXPORT_ATTRIBUTES", PERSON_ATTRIBUTES),
        ("EXPORT_TEAM_ATTRIBUTES", TEAM_ATTRIBUTES),
        ("CROSSWALK_STATE_DIR", folder.path().to_str().unwrap()),
    ]
    .into_iter()
    .collect();
    for (name, value) in keycloak.settings() {
        environment = environment.with(name, &value);
    }

    // An upload that is left unfinished, and one that begins anew.
    let broken = Rule::new(Fault::Status(403), On::path("bulkindexteams").last_page());
    recorder.glean.fail(Faults { rules: vec![broken.times(1)], ..Faults::default() });
    assert_eq!(export(&environment, Mode::Bulk, false).await.state, RunState::Failed);
    recorder.glean.fail(Faults::default());
    assert_eq!(export(&environment, Mode::Bulk, false).await.state, RunState::Succeeded);
    assert_eq!((recorder.glean.people().len(), recorder.glean.teams().len()), (6, 3));

    // So many are deleted that Glean has to be forced to it.
    keycloak.change(|realm| ["person4", "person5"].iter().for_each(|username| realm.remove_user(username)));
    assert_eq!(export(&environment, Mode::Bulk, true).await.state, RunState::Succeeded);
    assert_eq!((recorder.glean.people().len(), recorder.glean.teams().len()), (4, 2));

    // One by one: changed, new and deleted.
    keycloak.change(|realm| {
        realm.user_mut("person0").unwrap().attributes.insert("title".to_owned(), vec!["Lead".to_owned()]);
        realm.remove_user("person3");
    });
    assert_eq!(export(&environment, Mode::Individual, true).await.state, RunState::Succeeded);
    assert_eq!((recorder.glean.people().len(), recorder.glean.teams().len()), (3, 1));
    assert_eq!(recorder.glean.violations(), Vec::<String>::new());
    assert_eq!(recorder.glean.disagreements(), Vec::<String>::new());

    let requests = recorder.requests();
    let paths: BTreeSet<&str> = requests.iter().filter_map(|(path, _)| path.strip_prefix("/api/index/v1/")).collect();
    let all = [
        "bulkindexemployees",
        "bulkindexteams",
        "deleteemployee",
        "deleteteam",
        "indexemployee",
        "indexteam",
        "processallemployeesandteams",
    ];
    assert_eq!(paths, BTreeSet::from(all));
    for flag in ["isFirstPage", "isLastPage", "forceRestartUpload", "disableStaleDataDeletionCheck"] {
        assert!(requests.iter().any(|(_, body)| body[flag] == true), "{flag} is never set");
    }
    let mut fields = BTreeSet::new();
    for (_, body) in &requests {
        for kind in ["employees", "teams"] {
            fields_of(&body[kind], kind, &mut fields);
        }
    }
    fields.retain(|name| name.contains('.') || name == "employees" || name == "teams");
    fields.remove("employees");
    fields.remove("teams");
    assert_eq!(fields, FIELDS.iter().map(|&name| name.to_owned()).collect());

    if let Some(file) = Environment::of_process().get("CROSSWALK_TEST_REQUESTS") {
        let mut file = std::fs::File::create(file).unwrap();
        for (path, body) in &requests {
            writeln!(file, "{}", json!({ "path": path, "body": body })).unwrap();
        }
        println!("{} requests are recorded", requests.len());
    } else {
        println!("{} requests, parsed by the stand-in alone: CROSSWALK_TEST_REQUESTS names no file", requests.len());
    }
}
