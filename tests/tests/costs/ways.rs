//! The ways that cost something, driven as Lambda drives them.

use std::fmt::Write as _;
use std::ops::Range;

use axum::Router;
use crosswalk_csv_import::handler;
use crosswalk_function_kit::secrets::Secrets;
use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Deadline, Entropy};
use crosswalk_local_aws::testbed::Testbed;
use crosswalk_mapping_api::{Api, ApiSettings};
use crosswalk_people_export::{ExportSettings, Exporter};
use crosswalk_runs::Place;
use crosswalk_stand_ins::glean::GleanStandIn;
use crosswalk_stand_ins::keycloak::{KeycloakStandIn, RealmSpec};
use crosswalk_tests::{environment, importer, in_sqs, s3_client, s3_event};
use serde_json::json;

use crate::meter::{Meter, Reading};

/// A file of mappings of these people, who have these numbers at NEMO.
pub(crate) fn mappings(people: Range<u32>) -> String {
    let mut file = String::from("username,external_id,email,notes\n");
    for n in people {
        let _ = writeln!(file, "person{n}@example.org,{n},person{n}@example.org,badge {n}");
    }
    file
}

/// A file of these leave administrators, all of one employer.
pub(crate) fn leave_admins(people: Range<u32>) -> String {
    let mut file = String::from("fein,email\n");
    for n in people {
        let _ = writeln!(file, "111111111,person{n}@example.org");
    }
    file
}

/// One file, put into the bucket and imported by one invocation. Cognito's paces are left out, which no unit depends on.
pub(crate) async fn import(meter: &Meter, bed: &Testbed, key: &str, body: String) -> Reading {
    let put = s3_client(bed).put_object().bucket(&bed.names.bucket).key(key).body(body.into_bytes().into());
    put.send().await.unwrap();
    let event = in_sqs(&s3_event(bed, key, "0001").await, "message");
    let fast =
        ["USER_READ", "USER_CREATION", "SET_PASSWORD"].into_iter().fold(environment(bed), |environment, quota| {
            environment.with(&format!("CROSSWALK_COGNITO_{quota}_RPS"), "5000")
        });
    let importer = importer(bed, &fast, Clock::system()).unwrap();
    meter.read();
    let answer = handler::handle(&importer, event, Deadline::NONE).await.unwrap();
    assert_eq!(answer, json!({ "batchItemFailures": [] }));
    meter.read()
}

/// One request to the API.
pub(crate) async fn lookup(meter: &Meter, bed: &Testbed, path: &str) -> Reading {
    let settings = ApiSettings::from_env(&environment(bed)).unwrap();
    let router: Router =
        crosswalk_mapping_api::router(Api::new(&bed.config, settings, Clock::system(), Entropy::system()));
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}{path}", listener.local_addr().unwrap());
    let served = tokio::spawn(async move { axum::serve(listener, router).await });
    meter.read();
    let answer = reqwest::get(url).await.unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    let used = meter.read();
    served.abort();
    used
}

/// Exports of a realm that nothing changes in, by a schedule's event each: what the last one used.
pub(crate) async fn export(meter: &Meter, bed: &Testbed) -> Reading {
    let keycloak = KeycloakStandIn::start(RealmSpec::sample(50, 5, 2)).unwrap();
    let glean = GleanStandIn::start("stand-in-token").unwrap();
    let mut environment = Environment::from_iter([
        ("CROSSWALK_TABLE", bed.names.table.as_str()),
        ("CROSSWALK_BUCKET", &bed.names.bucket),
    ]);
    for (name, value) in keycloak.settings().into_iter().chain(glean.settings()) {
        environment = environment.with(name, &value);
    }
    let (clock, entropy) = (Clock::system(), Entropy::system());
    let mut used = Reading::default();
    for hour in ["03", "04"] {
        let settings = ExportSettings::from_env(&environment).unwrap();
        let place = Place::new(&settings.kept, &bed.config, &clock, &entropy);
        let exporter = Exporter::new(settings, place, Secrets::new(&bed.config), clock.clone(), entropy.clone());
        let event =
            json!({ "schedule": "arn:aws:scheduler:::export", "scheduled_at": format!("2026-11-22T{hour}:00:00Z") });
        meter.read();
        let handled = crosswalk_people_export::handler::handle(&exporter, event, &entropy, Deadline::NONE);
        let answer = Box::pin(handled).await.unwrap();
        assert_eq!(answer["run"]["state"], "succeeded", "{answer}");
        used = meter.read();
    }
    used
}
