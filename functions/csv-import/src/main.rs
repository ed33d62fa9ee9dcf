//! Wires the function.

use crosswalk_csv_import::{ImportSettings, Importer, handler};
use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Deadline, Entropy, aws, logs};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::Value;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let environment = Environment::of_process();
    logs::init(&environment);
    let settings = ImportSettings::from_env(&environment)?;
    let config = aws::load_config(&environment).await;
    let clock = Clock::system();
    let importer = &Importer::new(&config, settings, clock.clone(), Entropy::system());
    let clock = &clock;
    let handle = service_fn(async |event: LambdaEvent<Value>| {
        let deadline = Deadline::from_lambda(event.context.deadline, clock.now());
        handler::handle(importer, event.payload, deadline).await.map_err(Error::from)
    });
    // Boxed: the runtime's layers around a handler make a type deeper than the compiler likes.
    Box::pin(lambda_runtime::run(handle)).await.map_err(anyhow::Error::from_boxed)
}
