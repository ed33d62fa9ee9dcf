//! Wires the function.

use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Deadline, Entropy, aws, logs};
use crosswalk_mapping_audit::{AuditSettings, Auditor, handler};
use crosswalk_runs::Place;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let environment = Environment::of_process();
    logs::init(&environment);
    let settings = AuditSettings::from_env(&environment)?;
    let config = aws::load_config(&environment).await;
    let (clock, entropy) = (Clock::system(), Entropy::system());
    let place = Place::new(&settings.kept, &config, &clock, &entropy);
    let auditor = &Auditor::new(settings, place, &config, clock.clone(), entropy.clone());
    let (clock, entropy) = (&clock, &entropy);
    let handle = service_fn(async |event: LambdaEvent<Value>| {
        let deadline = Deadline::from_lambda(event.context.deadline, clock.now());
        handler::handle(auditor, event.payload, entropy, deadline).await.map_err(Error::from)
    });
    // Boxed: the runtime's layers around a handler make a type deeper than the compiler likes.
    Box::pin(lambda_runtime::run(handle)).await.map_err(anyhow::Error::from_boxed)
}
