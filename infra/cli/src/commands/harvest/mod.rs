//! `crosswalk harvest`: NEMO's users become mappings, by nemo-harvest's own code.

mod progress;
mod summary;

use anyhow::bail;
use crosswalk_function_kit::secrets::Secrets;
use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Deadline, Entropy};
use crosswalk_nemo_harvest::event::WAY;
use crosswalk_nemo_harvest::{HarvestRequest, HarvestSettings, Harvester, Ran};
use crosswalk_runs::{Place, RunState, run_id};

use crate::args::HarvestArgs;
use crate::kept::Kept;
use crate::progress::Line;
use crate::stop::Stop;
use crate::target::Target;
use crate::{Exit, ended, show};

/// Runs it. Its mappings stand in an AWS, so that is where its runs and its state are, as an import's.
///
/// # Errors
/// A setting does not do, NEMO cannot be read, the run failed, or another one has the turn.
pub(crate) async fn run(args: &HarvestArgs, json: bool, environment: Environment) -> anyhow::Result<Exit> {
    let mut stop = Stop::new()?;
    let target = Target::open(&args.place, environment).await?;
    let settings = HarvestSettings::from_env(&target.environment)?;
    let dry_run = args.dry_run || settings.dry_run;
    let (clock, entropy) = (Clock::system(), Entropy::system());
    let request = HarvestRequest { run_id: run_id::random(WAY, &entropy), delivery: "crosswalk harvest".to_owned() };
    let place = Place::new(&settings.kept, &target.config, &clock, &entropy);
    let secrets = Secrets::new(&target.config);
    let harvester = Harvester::new(settings, place, &target.config, secrets, clock, entropy)?;
    let kept = Kept::Aws { target: Box::new(target), account: args.place.aws };

    let line = Line::new(progress::TEMPLATE);
    let watch = |watched| line.show(|| progress::tell(watched));
    if dry_run {
        let planned = tokio::select! {
            planned = harvester.dry_run(&request, Deadline::NONE, &watch) => planned?,
            () = stop.wanted() => bail!("stopped. A dry run writes nothing, so there is nothing to mend"),
        };
        drop(line);
        if json {
            show::json(&summary::plan_as_json(&planned))?;
        } else {
            show::say(&summary::plan(&planned))?;
        }
        return Ok(if planned.record.state == RunState::Succeeded { Exit::Done } else { Exit::NotAll });
    }
    let harvested = tokio::select! {
        harvested = harvester.harvest(&request, Deadline::NONE, &watch) => harvested?,
        () = stop.wanted() => bail!(
            "stopped. Each mapping is as it was or as it should be; what was stored and not noted, the next run finds.{}",
            ended::turn_of_a_stopped_run(&kept)
        ),
    };
    drop(line);
    match harvested {
        Ran::Ended(record) => ended::tell(&kept, &record, "Not stored", json).await,
        Ran::Busy { run, until } => Err(ended::busy(&run, until, "a harvest of one system runs once at a time")),
    }
}
