//! A worker for the test that measures one: takes an event on standard input and audits, as the Lambda function would, in a
//! process of its own. The AWS and the settings come from the environment.

use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Deadline, Entropy};
use crosswalk_local_aws::sdk_config_for;
use crosswalk_mapping_audit::{AuditSettings, Auditor, handler};
use crosswalk_runs::Place;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let environment = Environment::of_process();
    let endpoint = environment.get("AWS_ENDPOINT_URL").ok_or_else(|| anyhow::anyhow!("AWS_ENDPOINT_URL is not set"))?;
    let settings = AuditSettings::from_env(&environment)?;
    let (config, clock, entropy) = (sdk_config_for(endpoint), Clock::system(), Entropy::system());
    let place = Place::new(&settings.kept, &config, &clock, &entropy);
    let auditor = Auditor::new(settings, place, &config, clock, entropy.clone());
    let event = serde_json::from_reader(std::io::stdin())?;
    let answer = handler::handle(&auditor, event, &entropy, Deadline::NONE).await?;
    println!("{answer}");
    // The peak of this process's memory, for the test that compares two tables.
    let status = tokio::fs::read_to_string("/proc/self/status").await?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    println!("{}", peak.trim().trim_end_matches(" kB"));
    Ok(())
}
