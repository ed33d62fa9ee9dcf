//! For this crate's tests: a Cognito that answers what a test says, for what no emulator answers (lost answers, codes
//! outside the model, states that only other hands make), and notes each call.

use std::fmt;
use std::sync::{Arc, Mutex};

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_cognitoidentityprovider::Client;
use aws_sdk_cognitoidentityprovider::config::{Credentials, SharedCredentialsProvider};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use crosswalk_function_kit::{Clock, Entropy};
use serde_json::{Value, json};

use crate::{Accounts, AccountsSettings};

/// What Cognito answers.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Json(u16, Value),
    Broken,
}

pub(crate) fn ok(body: Value) -> Answer {
    Answer::Json(200, body)
}

pub(crate) fn error(code: &str) -> Answer {
    error_saying(code, "says Cognito")
}

pub(crate) fn error_saying(code: &str, message: &str) -> Answer {
    Answer::Json(400, json!({ "__type": code, "message": message }))
}

/// A pool that signs in by e-mail, whatever its case.
pub(crate) fn email_pool() -> Answer {
    ok(json!({ "UserPool": {
        "UsernameAttributes": ["email"],
        "UsernameConfiguration": { "CaseSensitive": false },
        "Policies": { "PasswordPolicy": { "MinimumLength": 24 } },
    } }))
}

/// An account in a state.
pub(crate) fn user(status: &str) -> Answer {
    ok(json!({ "Username": "own-id", "UserStatus": status, "Enabled": true }))
}

/// A call that was made.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) operation: String,
    pub(crate) body: Value,
}

type Calls = Arc<Mutex<Vec<Call>>>;

/// The calls that were made.
#[derive(Debug, Clone, Default)]
pub(crate) struct Noted(Calls);

impl Noted {
    pub(crate) fn all(&self) -> Vec<Call> {
        self.0.lock().unwrap().clone()
    }

    pub(crate) fn operations(&self) -> Vec<String> {
        self.all().into_iter().map(|call| call.operation).collect()
    }
}

struct Scripted {
    answer: Box<dyn Fn(&Call) -> Answer + Send + Sync>,
    noted: Noted,
}

impl fmt::Debug for Scripted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scripted")
    }
}

impl HttpConnector for Scripted {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let body = serde_json::from_slice(request.body().bytes().unwrap_or_default()).unwrap();
        let call = Call { operation, body };
        let answer = (self.answer)(&call);
        self.noted.0.lock().unwrap().push(call);
        HttpConnectorFuture::ready(match answer {
            Answer::Json(status, body) => {
                Ok(HttpResponse::new(status.try_into().unwrap(), SdkBody::from(body.to_string())))
            }
            Answer::Broken => Err(ConnectorError::io("the connection broke".into())),
        })
    }
}

/// The accounts of a pool that answers by a function.
pub(crate) fn accounts(answer: impl Fn(&Call) -> Answer + Send + Sync + 'static) -> (Accounts, Noted) {
    let noted = Noted::default();
    let connector = SharedHttpConnector::new(Scripted { answer: Box::new(answer), noted: noted.clone() });
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("key", "secret", None, None, "test")))
        .http_client(http_client_fn(move |_, _| connector.clone()))
        .build();
    let clock = Clock::fixed("2026-11-22T10:00:00Z".parse().unwrap());
    let settings = AccountsSettings::for_pool("us-east-1_Scripted");
    (Accounts::new(&Client::new(&config), settings, clock, Entropy::seeded(1)), noted)
}

/// The accounts of a pool that answers these calls, in this order, and no other.
pub(crate) fn answers<const N: usize>(script: [(&'static str, Answer); N]) -> (Accounts, Noted) {
    let left = Mutex::new(script.into_iter().collect::<std::collections::VecDeque<_>>());
    accounts(move |call| {
        let (operation, answer) = left.lock().unwrap().pop_front().expect("a call that the test does not expect");
        assert_eq!(call.operation, operation);
        answer
    })
}
