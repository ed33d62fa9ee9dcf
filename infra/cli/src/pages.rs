//! Where the registration pages stand, if no setting says so: a running `up` serves them beside its API.

use std::time::Duration;

use crosswalk_function_kit::http::is_this_machine;
use crosswalk_function_kit::settings::Environment;
use reqwest::{Client, Url};

use crate::target::Target;

/// A file that the pages need, and that everybody gets.
const SERVED: &str = "/registrations/style.css";

/// It is this machine that is asked.
const PATIENCE: Duration = Duration::from_secs(5);

/// The target's settings, with the API's root as `REGISTRATION_URL` where that is not set and a running `up` serves the
/// pages there. In the account they stand where the setting says, whatever API a shell was pointed at.
pub(crate) async fn settings(target: &Target, account: bool) -> Environment {
    let environment = target.environment.clone();
    match (environment.get("REGISTRATION_URL"), environment.get("CROSSWALK_API_URL").map(str::to_owned)) {
        (None, Some(api)) if !account && are_served(&api).await => environment.with("REGISTRATION_URL", &api),
        _ => environment,
    }
}

async fn are_served(api: &str) -> bool {
    let Ok(url) = api.trim_end_matches('/').parse::<Url>().and_then(|url| url.join(SERVED)) else { return false };
    if !is_this_machine(&url) {
        return false;
    }
    let Ok(client) = Client::builder().no_proxy().timeout(PATIENCE).build() else { return false };
    Box::pin(client.get(url).send()).await.is_ok_and(|answer| answer.status().is_success())
}
