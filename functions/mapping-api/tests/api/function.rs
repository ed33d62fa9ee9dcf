//! The program itself, as Lambda runs it: its settings, and an event that the runtime API hands out.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderName, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use crosswalk_local_aws::{ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY};
use serde_json::Value;
use tokio::process::Command;
use tokio::sync::{Mutex, mpsc};

use crate::lambda::event;
use crate::world::{World, mapping};

const ID: &str = "8f5e1c3a-0000-4000-8000-000000000002";

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mapping-api"));
    command.env_clear().kill_on_drop(true).stdin(Stdio::null());
    command
}

#[tokio::test]
async fn it_does_not_start_without_its_settings() {
    let output = program().env("CROSSWALK_AUTH", "off").output().await.unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8_lossy(&output.stderr);
    for name in ["CROSSWALK_TABLE is not set", "CROSSWALK_AUTH does not read"] {
        assert!(said.contains(name), "{said}");
    }
}

/// One event to hand out, then none; where the answer goes.
type Handed = (Mutex<Option<Value>>, mpsc::Sender<Value>);

async fn next(State(handed): State<Arc<Handed>>) -> ([(HeaderName, &'static str); 3], Json<Value>) {
    let Some(event) = handed.0.lock().await.take() else { return std::future::pending().await };
    let headers = [
        (HeaderName::from_static("lambda-runtime-aws-request-id"), ID),
        (HeaderName::from_static("lambda-runtime-deadline-ms"), "600000"),
        (HeaderName::from_static("lambda-runtime-invoked-function-arn"), "arn:aws:lambda:us-east-1:0:function:api"),
    ];
    (headers, Json(event))
}

async fn take(State(handed): State<Arc<Handed>>, Path(id): Path<String>, answer: Bytes) -> StatusCode {
    assert_eq!(id, ID);
    handed.1.send(serde_json::from_slice(&answer).unwrap()).await.unwrap();
    StatusCode::ACCEPTED
}

#[tokio::test]
async fn it_answers_what_the_runtime_hands_out() {
    let world = World::peopled().await;
    let (sender, mut answers) = mpsc::channel(1);
    let handed = Arc::new((Mutex::new(Some(event("get-identifier-odd-username"))), sender));
    let runtime = Router::new()
        .route("/2018-06-01/runtime/invocation/next", get(next))
        .route("/2018-06-01/runtime/invocation/{id}/response", post(take))
        .with_state(handed);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(axum::serve(listener, runtime).into_future());

    let endpoint = world.bed.config.endpoint_url().unwrap();
    let mut function = program()
        .env("AWS_LAMBDA_RUNTIME_API", address.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", "mapping-api")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        .env("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256")
        .env("AWS_ENDPOINT_URL", endpoint)
        .env("AWS_REGION", REGION)
        .env("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID)
        .env("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY)
        .env("CROSSWALK_TABLE", &world.bed.names.table)
        .spawn()
        .unwrap();
    let answer = tokio::select! {
        answer = answers.recv() => answer.unwrap(),
        ended = function.wait() => panic!("the function ended: {ended:?}"),
        () = tokio::time::sleep(Duration::from_secs(60)) => panic!("the function does not answer"),
    };
    function.kill().await.unwrap();
    server.abort();
    assert_eq!((answer["statusCode"].as_u64(), answer["headers"]["x-request-id"].as_str()), (Some(200), Some(ID)));
    let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!(body, mapping(crate::world::ODD, "nemo", "2001"));
}
