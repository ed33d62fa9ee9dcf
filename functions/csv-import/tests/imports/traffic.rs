//! The calls that a run's record tells of are those that left, broken ones and their repeats included.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use crosswalk_csv_import::{ImportRequest, ImportSettings, Importer, Kind, Source};
use crosswalk_function_kit::metrics::Metrics;
use crosswalk_function_kit::{Clock, Entropy};
use crosswalk_runs::{RunRecord, RunState};

use crate::bench::{Bench, EMPLOYERS, LEAVE_ADMINS, deliver};

/// One request that left.
#[derive(Debug, Clone)]
struct Sent {
    target: &'static str,
    operation: String,
    broken: bool,
    bytes: u64,
}

/// Of each target: requests, how many of them repeated a broken one, and the bytes of their bodies.
type Told = BTreeMap<String, (u64, u64, u64)>;

/// An HTTP client around the real one, which breaks off one request of each operation.
#[derive(Debug, Clone)]
struct Wire {
    inner: SharedHttpClient,
    sent: Arc<Mutex<Vec<Sent>>>,
}

impl Wire {
    fn over() -> Self {
        Self { inner: aws_smithy_http_client::Builder::new().build_http(), sent: Arc::default() }
    }

    fn importer(&self, bench: &Bench, metrics: Metrics) -> Importer {
        let config = bench.testbed.config.to_builder().http_client(SharedHttpClient::new(self.clone())).build();
        let settings = ImportSettings { metrics, ..ImportSettings::from_env(&bench.environment()).unwrap() };
        Importer::new(&config, settings, Clock::system(), Entropy::system())
    }

    fn sent(&self) -> Vec<Sent> {
        std::mem::take(&mut self.sent.lock().unwrap())
    }

    /// Whether this request is to be broken off.
    fn meets(&self, request: &HttpRequest) -> bool {
        let operation = request.headers().get("x-amz-target").unwrap_or("S3");
        let target = match operation.split('_').next() {
            Some("DynamoDB") => "dynamodb",
            Some("S3") => "s3",
            _ => "cognito",
        };
        let operation = format!("{operation} {}", request.method());
        let bytes = request.body().content_length().unwrap_or(0);
        let mut all = self.sent.lock().unwrap();
        let broken = !all.iter().any(|sent| sent.operation == operation);
        all.push(Sent { target, operation, broken, bytes });
        broken
    }
}

impl HttpClient for Wire {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector {
            wire: self.clone(),
            inner: self.inner.http_connector(settings, components),
        })
    }
}

#[derive(Debug)]
struct Connector {
    wire: Wire,
    inner: SharedHttpConnector,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        if self.wire.meets(&request) {
            return HttpConnectorFuture::ready(Err(ConnectorError::io("broken".into())));
        }
        self.inner.call(request)
    }
}

fn told(run: &RunRecord) -> Told {
    run.traffic.iter().map(|(target, t)| (target.clone(), (t.requests, t.retries, t.bytes_sent))).collect()
}

fn summed(sent: &[Sent]) -> Told {
    let mut told = Told::new();
    for Sent { target, broken, bytes, .. } in sent {
        let of = told.entry((*target).to_owned()).or_default();
        *of = (of.0 + 1, of.1 + u64::from(*broken), of.2 + bytes);
    }
    told
}

#[tokio::test]
async fn a_record_tells_what_left_but_its_own_writing() {
    let bench = Bench::start().await;
    for (key, body, targets) in [
        ("imports/employers/a.csv", EMPLOYERS, 2),
        ("imports/leave-admins/a.csv", LEAVE_ADMINS, 3),
        ("imports/mappings/nemo/a.csv", "username,external_id\nada,1\ngrace,2\nlinus,1\n", 2),
    ] {
        let wire = Wire::over();
        let (metrics, lines) = Metrics::kept("csv-import");
        let run = deliver(&wire.importer(&bench, metrics), bench.put(key, body).await).await;
        // The record's own writing is last: its summary, and the end of the run.
        let mut sent = wire.sent();
        sent.truncate(sent.iter().rposition(|sent| sent.operation == "S3 PUT").unwrap());
        let told = told(&run);
        assert_eq!((told.len(), &told), (targets, &summed(&sent)), "{key}: {sent:?}");
        assert!(told.values().all(|(_, retries, _)| *retries > 0), "{key}: {told:?}");
        let lines = lines.lock().unwrap();
        let calls = lines.iter().filter(|line| line.get("Target").is_some());
        let calls: Vec<_> = calls
            .map(|line| (line["Target"].as_str().unwrap(), line["Calls"].as_u64(), line["Retries"].as_u64()))
            .collect();
        let expected: Vec<_> = told.iter().map(|(target, t)| (target.as_str(), Some(t.0), Some(t.1))).collect();
        assert_eq!(calls, expected, "{key}");
    }
}

/// Each run's own calls, though both share a process, its paces and its connections.
#[tokio::test]
async fn runs_side_by_side_tell_their_own() {
    let bench = Bench::start().await;
    bench.drop_in("imports/employers/e.csv", EMPLOYERS).await;
    let many: String = (0..20).map(|n| format!("847847847,person{n}@example.org\n")).collect();
    let (one, two) = (
        bench.put("imports/leave-admins/one.csv", "fein,email\n111111111,ada@example.org\n").await,
        bench.put("imports/leave-admins/two.csv", format!("fein,email\n{many}")).await,
    );
    let importer = bench.importer();
    let (one, two) = tokio::join!(deliver(&importer, one), deliver(&importer, two));
    let calls = |run: &RunRecord| run.traffic["cognito"].requests;
    // Whether somebody stands, their creation, their password; and once the pool, for the process.
    assert_eq!(calls(&one) + calls(&two), 3 + 20 * 3 + 1);
    assert!((3..=4).contains(&calls(&one)), "{}", calls(&one));
}

#[tokio::test]
async fn a_dry_run_tells_its_reads() {
    let bench = Bench::start().await;
    bench.drop_in("imports/employers/e.csv", EMPLOYERS).await;
    let key = "imports/leave-admins/a.csv";
    bench.put(key, LEAVE_ADMINS).await;
    let bucket = bench.testbed.names.bucket.clone();
    let request = ImportRequest {
        run_id: "import-dry".to_owned(),
        kind: Kind::LeaveAdmins,
        source: Source::Object { bucket, key: key.to_owned(), version: None },
        delivery: "test".to_owned(),
        force_registration: false,
    };
    let wire = Wire::over();
    let run = wire.importer(&bench, Metrics::none()).dry_run(request, &|_| {}).await.unwrap();
    assert_eq!((run.state, run.counts.created), (RunState::Succeeded, 5));
    assert_eq!(told(&run), summed(&wire.sent()));
}
