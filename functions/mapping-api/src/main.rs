//! Wires the function.

use std::convert::Infallible;

use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Entropy, aws, logs};
use crosswalk_mapping_api::{Api, ApiSettings, handler, router};
use lambda_http::{Error, Request, service_fn};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let environment = Environment::of_process();
    logs::init(&environment);
    let settings = ApiSettings::from_env(&environment)?;
    let config = aws::load_config(&environment).await;
    let router = router(Api::new(&config, settings, Clock::system(), Entropy::system()));
    lambda_http::run(service_fn(|request: Request| {
        let router = router.clone();
        async move { Ok::<_, Infallible>(handler::handle(router, request).await?) }
    }))
    .await
}
