//! Wires the function.

use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Entropy, aws, logs};
use crosswalk_labarchives_registration::{Registration, RegistrationSettings, handle, router};
use lambda_http::{lambda_runtime, service_fn};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let environment = Environment::of_process();
    logs::init(&environment);
    let settings = RegistrationSettings::from_env(&environment)?;
    let config = aws::load_config(&environment).await;
    let router = router(Registration::new(&config, settings, Clock::system(), Entropy::system())?);
    // Boxed: the runtime's layers around a handler make a type deeper than the compiler likes.
    Box::pin(lambda_runtime::run(service_fn(|event| handle(router.clone(), event))))
        .await
        .map_err(anyhow::Error::from_boxed)
}
