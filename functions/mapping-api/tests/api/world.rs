//! A table of a test's own with people in it, and the ways to ask the API about them.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request, StatusCode};
use crosswalk_function_kit::metrics::Metrics;
use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Entropy};
use crosswalk_identifier_store::{Change, IdentifierStore, StoreRequest, Table};
use crosswalk_identity::{Email, ExternalId, Fein, Mark, System, Username};
use crosswalk_local_aws::testbed::Testbed;
use crosswalk_mapping_api::{Api, ApiSettings, Claims, handle, router};
use crosswalk_people::{EMPLOYER_ROLE, Employer, People};
use crosswalk_runs::files::{Files, s3_client};
use crosswalk_runs::{Claim, Counts, Progress, RunRecord, RunState, Runs};
use http_body_util::BodyExt;
use lambda_http::{Context, LambdaEvent};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::audit::audit;

/// What the fixed clock says.
pub(crate) const NOW: &str = "2026-11-22T10:00:00.000Z";
pub(crate) const RUN: &str = "import-0f3c5b8a9d2e4c17a6b0c1d2e3f40516";
pub(crate) const FEIN: &str = "042127847";
/// A username that a path can only hold encoded.
pub(crate) const ODD: &str = "zo\u{eb} x+y@example.org";

pub(crate) struct World {
    pub(crate) bed: Testbed,
    clock: Clock,
    entropy: Entropy,
}

pub(crate) fn username(text: &str) -> Username {
    Username::parse(text).unwrap()
}

pub(crate) fn system(text: &str) -> System {
    System::parse(text).unwrap()
}

impl World {
    /// With nobody in it.
    pub(crate) async fn empty() -> Self {
        let bed = Testbed::start_table_only().await;
        Self { bed, clock: Clock::fixed(NOW.parse().unwrap()), entropy: Entropy::system() }
    }

    /// With nobody in it, and a bucket.
    pub(crate) async fn with_bucket() -> Self {
        let bed = Testbed::start().await;
        Self { bed, clock: Clock::fixed(NOW.parse().unwrap()), entropy: Entropy::system() }
    }

    /// With what the events in `events/` ask for, but the audit.
    pub(crate) async fn peopled() -> Self {
        Self::empty().await.seeded().await
    }

    /// With what the events in `events/` ask for.
    pub(crate) async fn audited() -> Self {
        let world = Self::with_bucket().await.seeded().await;
        let carol = ("carol@example.org".to_owned(), None, Vec::new());
        audit(&world.files(), "mapping-audit-1", &[("nemo", vec![carol])]).await;
        world
    }

    async fn seeded(self) -> Self {
        let world = self;
        world.map("alice@example.org", "nemo", "1001").await;
        world.map("alice@example.org", "labarchives_eln", "a/b?1").await;
        world.map(ODD, "nemo", "2001").await;
        world.map("dora@example.org", "nemo", "4001").await;
        world.map("erin@example.org", "nemo", "5001").await;
        world.map("gina@example.org", "nemo", "6001").await;
        world.map("hank@example.org", "nemo", "7001").await;

        let people = world.people();
        let (alice, fein, mark) = (username("alice@example.org"), Fein::parse(FEIN).unwrap(), Mark::line(RUN, 2));
        let employer =
            Employer { fein: fein.clone(), name: "Example Bakery".into(), fineos_employer_id: Some("E-7".into()) };
        people.put_employer(&employer, &mark).await.unwrap();
        let email = Email::parse("Alice@example.org").unwrap();
        people.ensure_person(&alice, &email, EMPLOYER_ROLE, &mark).await.unwrap();
        people.ensure_link(&alice, &fein, &mark).await.unwrap();
        people.fix_fineos_user_id(&alice, &fein, "user-1", &mark).await.unwrap();
        people.confirm_fineos(&alice, &fein, "web-1", &mark).await.unwrap();
        world.run(RUN, "mappings").await;
        world
    }

    pub(crate) fn table(&self) -> Table {
        Table::new(aws_sdk_dynamodb::Client::new(&self.bed.config), self.bed.names.table.clone())
    }

    pub(crate) fn files(&self) -> Files {
        Files::Bucket { client: s3_client(&self.bed.config), bucket: self.bed.names.bucket.clone() }
    }

    pub(crate) fn store(&self) -> IdentifierStore {
        IdentifierStore::new(self.table(), self.clock.clone(), self.entropy.clone())
    }

    pub(crate) fn people(&self) -> People {
        People::new(self.table(), self.clock.clone(), self.entropy.clone())
    }

    pub(crate) async fn map(&self, name: &str, target: &str, external_id: &str) {
        let request = StoreRequest {
            username: username(name),
            system: system(target),
            external_id: ExternalId::parse(external_id).unwrap(),
            email: Change::Keep,
            notes: Change::Keep,
            mark: Mark::line("seed", 1),
        };
        self.store().store(request).await.unwrap();
    }

    /// A run that has ended partly.
    pub(crate) async fn run(&self, id: &str, kind: &str) {
        let runs = Runs::new(self.table(), self.clock.clone(), self.entropy.clone());
        let mut record = RunRecord::begin(id, kind, "s3://bucket/imports/file.csv", self.clock.now());
        let Claim::Ours { lease, .. } = runs.claim(&record, "delivery").await.unwrap() else { panic!("not ours") };
        record.state = RunState::Partly;
        record.ended_at = Some(self.clock.now());
        record.progress = Progress { rows: 2, bytes: 40, percent: Some(100.0) };
        record.counts = Counts { read: 2, created: 1, conflict: 1, ..Counts::default() };
        runs.end(&lease, &record).await.unwrap();
    }

    /// The API's router over this table.
    pub(crate) fn router(&self, auth: &str) -> Router {
        self.router_over(&self.bed.config, auth)
    }

    pub(crate) fn router_over(&self, config: &aws_config::SdkConfig, auth: &str) -> Router {
        let bucket = &self.bed.names.bucket;
        let bucket = if bucket.is_empty() { None } else { Some(bucket.clone()) };
        let settings = ApiSettings { bucket, ..settings(&self.bed.names.table, auth) };
        router(Api::new(config, settings, self.clock.clone(), self.entropy.clone()))
    }

    /// The API's router over this table, and the lines of its metrics.
    pub(crate) fn measured(&self, config: &aws_config::SdkConfig) -> (Router, Arc<Mutex<Vec<Value>>>) {
        let (metrics, lines) = Metrics::kept("mapping-api");
        let settings = ApiSettings { metrics, ..settings(&self.bed.names.table, "none") };
        (router(Api::new(config, settings, self.clock.clone(), self.entropy.clone())), lines)
    }

    /// The API's router over any table.
    pub(crate) fn router_of(config: &aws_config::SdkConfig, table: &str, auth: &str) -> Router {
        router(Api::new(config, settings(table, auth), Clock::system(), Entropy::system()))
    }
}

fn settings(table: &str, auth: &str) -> ApiSettings {
    let environment = Environment::from_iter([("CROSSWALK_TABLE", table), ("CROSSWALK_AUTH", auth)]);
    ApiSettings::from_env(&environment).unwrap()
}

/// What the API answered.
#[derive(Debug, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).unwrap_or_else(|| panic!("no {name}: {self:?}")).to_str().unwrap()
    }

    /// The detail of a problem, which must have the shape of one.
    #[track_caller]
    pub(crate) fn problem(&self, status: StatusCode) -> &str {
        assert_eq!(self.status, status.as_u16(), "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.body["status"], self.status);
        let kind = self.body["type"].as_str().unwrap();
        assert!(kind.starts_with("urn:crosswalk:problem:"), "{kind}");
        assert!(!self.body["title"].as_str().unwrap().is_empty());
        self.body["detail"].as_str().unwrap()
    }

    #[track_caller]
    pub(crate) fn ok(&self) -> &Value {
        assert_eq!(self.status, 200, "{self:?}");
        assert_eq!(self.header("content-type"), "application/json");
        &self.body
    }
}

/// Asks the router. A body is sent as JSON.
pub(crate) async fn ask(router: &Router, method: &str, path: &str, body: Option<Value>) -> Answer {
    let request = Request::builder().method(method).uri(path);
    let request = match body {
        Some(body) => request.header("content-type", "application/json").body(Body::from(body.to_string())),
        None => request.body(Body::empty()),
    };
    send(router, request.unwrap()).await
}

/// Asks with claims that hold these scopes.
pub(crate) async fn ask_with_scope(router: &Router, method: &str, path: &str, scope: &str) -> Answer {
    let mut request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    request.extensions_mut().insert(Claims::from_iter([("scope", scope)]));
    send(router, request).await
}

pub(crate) async fn send(router: &Router, request: Request<Body>) -> Answer {
    let (parts, body) = router.clone().oneshot(request).await.unwrap().into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Answer { status: parts.status.as_u16(), headers: parts.headers, body: read(&body) }
}

/// Sends an event of API Gateway through Lambda's handler.
pub(crate) async fn invoke(router: &Router, event: &Value) -> Answer {
    invoke_as(router, event, Context::default()).await
}

pub(crate) async fn invoke_as(router: &Router, event: &Value, context: Context) -> Answer {
    let event = LambdaEvent::new(serde_json::from_value(event.clone()).unwrap(), context);
    let response = handle(router.clone(), event).await.unwrap();
    // API Gateway sees the JSON.
    let response = serde_json::to_value(response).unwrap();
    assert_eq!(response["isBase64Encoded"], false);
    let status = u16::try_from(response["statusCode"].as_u64().unwrap()).unwrap();
    let headers = response["headers"].as_object().unwrap().iter();
    let headers = headers.map(|(name, value)| (name.parse().unwrap(), value.as_str().unwrap().parse().unwrap()));
    Answer { status, headers: headers.collect(), body: read(response["body"].as_str().unwrap_or_default().as_bytes()) }
}

fn read(body: &[u8]) -> Value {
    match body {
        [] => Value::Null,
        body => {
            serde_json::from_slice(body).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(body)))
        }
    }
}

/// A mapping as the API shows it, stored by the seed at [`NOW`].
pub(crate) fn mapping(username: &str, system: &str, external_id: &str) -> Value {
    json!({
        "username": username, "system": system, "external_id": external_id, "email": null, "created_at": NOW,
        "last_verified_at": null, "last_seen": null, "notes": null, "stored_by": "seed#1",
    })
}
