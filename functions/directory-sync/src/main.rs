//! Wires the function.

use crosswalk_directory_sync::handler::{self, ThisFunction};
use crosswalk_directory_sync::{SyncSettings, Syncer};
use crosswalk_function_kit::secrets::Secrets;
use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Deadline, Entropy, aws, logs};
use crosswalk_runs::Place;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let environment = Environment::of_process();
    logs::init(&environment);
    let settings = SyncSettings::from_env(&environment)?;
    let config = aws::load_config(&environment).await;
    let (clock, entropy) = (Clock::system(), Entropy::system());
    let place = Place::new(&settings.kept, &config, &clock, &entropy);
    let again = &aws_sdk_lambda::Client::new(&config);
    let secrets = Secrets::new(&config);
    let syncer = &Syncer::new(settings, place, config, secrets, clock.clone(), entropy.clone());
    let (clock, entropy) = (&clock, &entropy);
    let handle = service_fn(async |event: LambdaEvent<Value>| {
        let deadline = Deadline::from_lambda(event.context.deadline, clock.now());
        let again = ThisFunction::new(again.clone(), &event.context.invoked_function_arn);
        handler::handle(syncer, event.payload, entropy, deadline, &again).await.map_err(Error::from)
    });
    // Boxed: the runtime's layers around a handler make a type deeper than the compiler likes.
    Box::pin(lambda_runtime::run(handle)).await.map_err(anyhow::Error::from_boxed)
}
