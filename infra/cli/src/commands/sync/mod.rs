//! `crosswalk sync`: the people of a directory or a database get their accounts, by directory-sync's own code.

mod progress;
mod summary;

use anyhow::bail;
use aws_config::SdkConfig;
use crosswalk_directory_sync::event::WAY;
use crosswalk_directory_sync::{Ran, SyncRequest, SyncSettings, Syncer};
use crosswalk_function_kit::aws::load_config;
use crosswalk_function_kit::secrets::Secrets;
use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Deadline, Entropy};
use crosswalk_runs::{Place, RunState, run_id};

use crate::args::SyncArgs;
use crate::kept::Kept;
use crate::progress::Line;
use crate::stop::Stop;
use crate::{Exit, ended, show};

/// Runs it.
///
/// # Errors
/// A setting does not do, a side cannot be read, the run failed, or another one has the turn.
pub(crate) async fn run(args: &SyncArgs, json: bool, environment: Environment) -> anyhow::Result<Exit> {
    let mut stop = Stop::new()?;
    let kept = Kept::open(WAY, &args.place, args.state.as_deref(), &environment).await?;
    let environment = kept.environment(&environment);
    let settings = SyncSettings::from_env(&environment)?;
    let dry_run = args.dry_run || settings.dry_run;
    let config = config(&kept, &settings, &environment).await?;
    let entropy = Entropy::system();
    let request = SyncRequest {
        run_id: run_id::random(WAY, &entropy),
        delivery: "crosswalk sync".to_owned(),
        leg: 1,
        allow_removals: args.allow_removals,
        plan_hash: args.plan_hash.clone(),
    };
    let place = Place { ledger: kept.ledger()?, files: kept.files()? };
    let secrets = Secrets::new(&config);
    let syncer = Syncer::new(settings, place, config, secrets, Clock::system(), entropy);

    let line = Line::new(progress::TEMPLATE);
    let watch = |watched| line.show(|| progress::tell(watched));
    if dry_run {
        let planned = tokio::select! {
            planned = syncer.dry_run(&request, Deadline::NONE, &watch) => planned?,
            () = stop.wanted() => bail!("stopped. A dry run writes nothing, so there is nothing to mend"),
        };
        drop(line);
        if json {
            show::json(&summary::plan_as_json(&planned))?;
        } else {
            show::say(&summary::plan(&planned, args.allow_removals))?;
        }
        let good = planned.stopped.is_none() && planned.record.state == RunState::Succeeded;
        return Ok(if good { Exit::Done } else { Exit::NotAll });
    }
    let synced = tokio::select! {
        synced = syncer.sync(&request, Deadline::NONE, &watch) => synced?,
        () = stop.wanted() => bail!(
            "stopped. Each account is as it was or as it should be; what was done and not noted, the next run finds.{}",
            ended::turn_of_a_stopped_run(&kept)
        ),
    };
    drop(line);
    match synced {
        Ran::Ended(record) => ended::tell(&kept, &record, "Not as the source has it", json).await,
        Ran::Busy { run, until } => Err(ended::busy(&run, until, "a sync runs once at a time")),
    }
}

/// How an AWS is reached, if the sync needs one beside the place that keeps its runs.
async fn config(kept: &Kept, settings: &SyncSettings, environment: &Environment) -> anyhow::Result<SdkConfig> {
    match kept {
        Kept::Aws { target, .. } => Ok(target.config.clone()),
        Kept::Folder { .. } if !settings.needs_aws() => Ok(SdkConfig::builder().build()),
        // Never a real account by accident.
        Kept::Folder { .. } if settings.writes_to_aws() && environment.get("AWS_ENDPOINT_URL").is_none() => {
            bail!(
                "the settings name a target in AWS (a user pool, or the mappings' table), but no AWS: for your real account \
                 add --aws; for a `crosswalk up`, first eval \"$(crosswalk env)\""
            )
        }
        Kept::Folder { .. } => Ok(load_config(environment).await),
    }
}
