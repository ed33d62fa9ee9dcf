//! Between the SDKs and their AWS, at the HTTP layer: counts the calls, and asks DynamoDB what each of them costs.
//!
//! The embedded DynamoDB tells what the real one's documentation says: two write units for each begun KB of a transaction's
//! item, one of an index's, and a read unit also for an item that is not there. (Amazon's DynamoDB Local 3.1.0 does not:
//! it tells 6 units for a transaction that puts 100 items, and none for a batch of absent ones.)

use std::fmt;
use std::sync::{Arc, Mutex};

use aws_config::SdkConfig;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::byte_stream::ByteStream;
use crosswalk_local_aws::testbed::Testbed;
use serde_json::{Value, json};

/// What was used.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Usage {
    /// DynamoDB's write request units, of the table and its index.
    pub(crate) writes: f64,
    /// Its read request units.
    pub(crate) reads: f64,
    /// Calls of DynamoDB.
    pub(crate) dynamodb: f64,
    /// Calls of S3.
    pub(crate) s3: f64,
    /// Calls of Cognito.
    pub(crate) cognito: f64,
}

/// What was used since the last asking.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Reading {
    /// For the work.
    pub(crate) work: Usage,
    /// For run records and turns, whose leases are renewed every few seconds.
    pub(crate) leases: Usage,
}

/// Counts all that goes through.
#[derive(Clone)]
pub(crate) struct Meter {
    inner: SharedHttpClient,
    reading: Arc<Mutex<Reading>>,
}

impl Meter {
    /// A testbed whose SDK clients are metered.
    pub(crate) async fn testbed() -> (Self, Testbed) {
        let mut bed = Testbed::start().await;
        let inner = aws_smithy_http_client::Builder::new().build_http();
        let meter = Self { inner, reading: Arc::default() };
        bed.config = meter.around(&bed.config);
        (meter, bed)
    }

    fn around(&self, config: &SdkConfig) -> SdkConfig {
        config.to_builder().http_client(SharedHttpClient::new(self.clone())).build()
    }

    /// What was used since the last asking.
    pub(crate) fn read(&self) -> Reading {
        std::mem::take(&mut self.reading.lock().unwrap())
    }

    fn count(&self, count: impl FnOnce(&mut Reading)) {
        count(&mut self.reading.lock().unwrap());
    }
}

impl fmt::Debug for Meter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Meter")
    }
}

impl HttpClient for Meter {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Metered { meter: self.clone(), inner })
    }
}

#[derive(Debug)]
struct Metered {
    meter: Meter,
    inner: SharedHttpConnector,
}

impl HttpConnector for Metered {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (meter, inner) = (self.meter.clone(), self.inner.clone());
        let target = request.headers().get("x-amz-target").unwrap_or_default().to_owned();
        HttpConnectorFuture::new(async move {
            let operation = match target.split_once('.') {
                Some(("DynamoDB_20120810", operation)) => operation,
                Some(("AWSCognitoIdentityProviderService", _)) => {
                    meter.count(|reading| reading.work.cognito += 1.0);
                    return inner.call(request).await;
                }
                Some((service, operation)) => panic!("{service}'s {operation} is not metered"),
                None => {
                    meter.count(|reading| reading.work.s3 += 1.0);
                    return inner.call(request).await;
                }
            };
            let (request, is_of_lease) = asking(request);
            let answer = inner.call(request).await?;
            let status = answer.status();
            let read = ByteStream::new(answer.into_body()).collect().await;
            let read = read.map_err(|error| ConnectorError::io(error.into()))?.into_bytes();
            let body: Value = serde_json::from_slice(&read).unwrap();
            // A refused write costs too, and does not say how much: none is expected where costs are told.
            assert!(status.is_success(), "{operation}: {body}");
            let units = units(&body);
            meter.count(|reading| {
                let usage = if is_of_lease { &mut reading.leases } else { &mut reading.work };
                usage.dynamodb += 1.0;
                match operation {
                    "BatchGetItem" | "GetItem" | "Query" | "Scan" | "TransactGetItems" => usage.reads += units,
                    _ => usage.writes += units,
                }
            });
            let mut answer = HttpResponse::new(status, SdkBody::from(read));
            answer.headers_mut().insert("content-type", "application/x-amz-json-1.0");
            Ok(answer)
        })
    }
}

/// What a call's answer says that it cost.
fn units(answer: &Value) -> f64 {
    let of_table = |table: &Value| table["CapacityUnits"].as_f64().unwrap();
    match &answer["ConsumedCapacity"] {
        Value::Array(tables) => tables.iter().map(of_table).sum(),
        table => of_table(table),
    }
}

/// The request, which now asks what it costs; and whether it is about a run's record or turn. (DynamoDB's signatures are
/// checked neither here nor there.)
fn asking(mut request: HttpRequest) -> (HttpRequest, bool) {
    let mut body: Value = serde_json::from_slice(request.body().bytes().unwrap()).unwrap();
    body["ReturnConsumedCapacity"] = json!("TOTAL");
    let key = ["/Key/pk/S", "/Item/pk/S"].iter().find_map(|path| body.pointer(path)?.as_str()).unwrap_or_default();
    let is_of_lease = key.starts_with("RUN#") || key.starts_with("TURN#");
    let bytes = serde_json::to_vec(&body).unwrap();
    request.headers_mut().insert("content-length", bytes.len().to_string());
    *request.body_mut() = SdkBody::from(bytes);
    (request, is_of_lease)
}
