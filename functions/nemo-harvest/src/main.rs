//! Wires the function.

use crosswalk_function_kit::secrets::Secrets;
use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Deadline, Entropy, aws, logs};
use crosswalk_nemo_harvest::{HarvestSettings, Harvester, handler};
use crosswalk_runs::Place;
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let environment = Environment::of_process();
    logs::init(&environment);
    let settings = HarvestSettings::from_env(&environment)?;
    let config = aws::load_config(&environment).await;
    let (clock, entropy) = (Clock::system(), Entropy::system());
    let place = Place::new(&settings.kept, &config, &clock, &entropy);
    let secrets = Secrets::new(&config);
    let harvester = &Harvester::new(settings, place, &config, secrets, clock.clone(), entropy.clone())?;
    let (clock, entropy) = (&clock, &entropy);
    let handle = service_fn(async |event: LambdaEvent<Value>| {
        let deadline = Deadline::from_lambda(event.context.deadline, clock.now());
        handler::handle(harvester, event.payload, entropy, deadline).await.map_err(Error::from)
    });
    // Boxed: the runtime's layers around a handler make a type deeper than the compiler likes.
    Box::pin(lambda_runtime::run(handle)).await.map_err(anyhow::Error::from_boxed)
}
