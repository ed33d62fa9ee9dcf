//! `crosswalk runs`: the latest runs, or one.

use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Entropy};
use crosswalk_mapping_api::wire;
use crosswalk_runs::Runs;

use crate::args::RunsArgs;
use crate::target::Target;
use crate::{Exit, show};

/// Prints them, newest first.
///
/// # Errors
/// The AWS cannot be reached, or no table is named.
pub(crate) async fn run(args: &RunsArgs, json: bool, environment: Environment) -> anyhow::Result<Exit> {
    let target = Target::open(&args.place, environment).await?;
    let runs = Runs::new(target.table()?, Clock::system(), Entropy::system());
    let Some(id) = &args.id else {
        let runs = runs.list(args.kind.as_deref(), usize::from(args.limit)).await?;
        if json {
            show::json(&wire::Runs { items: runs.into_iter().map(Into::into).collect() })?;
        } else if runs.is_empty() {
            show::say("no runs yet")?;
        } else {
            show::say(&show::run_list(&runs).to_string())?;
        }
        return Ok(Exit::Done);
    };
    let Some(run) = runs.get(id).await? else {
        show::complain(&format!("there is no run {}; `crosswalk runs` lists the latest ones", show::plain(id)));
        return Ok(Exit::NotAll);
    };
    if json {
        show::json(&wire::Run::from(run))?;
    } else {
        show::say(&show::run(&run, target.bucket()))?;
    }
    Ok(Exit::Done)
}
