//! Wires the function.

use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Entropy, aws, logs};
use crosswalk_mapping_api::{Api, ApiSettings, AuthMode, handle, router};
use lambda_http::{lambda_runtime, service_fn};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let environment = Environment::of_process();
    logs::init(&environment);
    let settings = ApiSettings::from_env(&environment)?;
    if settings.auth == AuthMode::None {
        tracing::warn!("CROSSWALK_AUTH=none: requests without claims are let in; for local use only");
    }
    let config = aws::load_config(&environment).await;
    let router = router(Api::new(&config, settings, Clock::system(), Entropy::system()));
    lambda_runtime::run(service_fn(|event| handle(router.clone(), event))).await.map_err(anyhow::Error::from_boxed)
}
