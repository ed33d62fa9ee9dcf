//! `crosswalk export`: the users and groups of a Keycloak realm go to Glean, by people-export's own code.

mod progress;
pub(crate) mod summary;

use anyhow::{anyhow, bail};
use aws_config::SdkConfig;
use crosswalk_function_kit::aws::load_config;
use crosswalk_function_kit::secrets::{SecretSource, Secrets};
use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Deadline, Entropy};
use crosswalk_people_export::event::WAY;
use crosswalk_people_export::glean::Mode;
use crosswalk_people_export::{DryRun, ExportRequest, ExportSettings, Exporter, Ran};
use crosswalk_runs::{Place, RunState, run_id};

use crate::args::{ExportArgs, ModeArg};
use crate::kept::Kept;
use crate::progress::Line;
use crate::stop::Stop;
use crate::{Exit, ended, show};

/// Runs it.
///
/// # Errors
/// A setting does not do, the realm cannot be read, the run failed, or another one has the turn.
pub(crate) async fn run(args: &ExportArgs, json: bool, environment: Environment) -> anyhow::Result<Exit> {
    let mut stop = Stop::new()?;
    let kept = Kept::open(WAY, &args.place, args.state.as_deref(), &environment).await?;
    let environment = kept.environment(&environment);
    let settings = ExportSettings::from_env(&environment)?;
    let dry_run = args.dry_run || settings.dry_run;
    let entropy = Entropy::system();
    let request = ExportRequest {
        run_id: run_id::random(WAY, &entropy),
        delivery: "crosswalk export".to_owned(),
        mode: args.mode.map(|mode| match mode {
            ModeArg::Bulk => Mode::Bulk,
            ModeArg::Individual => Mode::Individual,
        }),
        max_users: args.max_users.map(|most| usize::try_from(most).unwrap_or(usize::MAX)),
        allow_removals: args.allow_removals,
    };
    let secrets = secrets(&kept, &settings, &environment).await;
    let place = Place { ledger: kept.ledger()?, files: kept.files()? };
    let exporter = Exporter::new(settings, place, secrets, Clock::system(), entropy);

    let line = Line::new(progress::TEMPLATE);
    let watch = |watched| line.show(|| progress::tell(watched));
    if dry_run {
        let planned = tokio::select! {
            planned = exporter.dry_run(&request, &watch) => planned?,
            () = stop.wanted() => bail!("stopped. A dry run writes nothing, so there is nothing to mend"),
        };
        drop(line);
        let only = request.max_users.or(exporter.settings().max_users);
        return tell_plan(&planned, only, json);
    }
    let exported = tokio::select! {
        exported = exporter.export(&request, Deadline::NONE, &watch) => exported?,
        () = stop.wanted() => return Err(stopped(&kept)),
    };
    drop(line);
    match exported {
        Ran::Ended(record) => ended::tell(&kept, &record, "Not exported", json).await,
        Ran::Busy { run, until } => Err(ended::busy(&run, until, "Glean takes one upload at a time")),
    }
}

fn stopped(kept: &Kept) -> anyhow::Error {
    let turn = ended::turn_of_a_stopped_run(kept);
    anyhow!(
        "stopped. An upload that was under way is left unfinished, so nobody is deleted by it, and the next run begins it \
         anew; what was sent one by one stands.{turn}"
    )
}

/// A secret that Secrets Manager holds needs AWS credentials; no other export without an AWS does.
async fn secrets(kept: &Kept, settings: &ExportSettings, environment: &Environment) -> Secrets {
    let sources = [&settings.keycloak.client_secret, &settings.glean.api_token];
    match kept {
        Kept::Aws { target, .. } => Secrets::new(&target.config),
        Kept::Folder { .. } if sources.iter().any(|source| matches!(source, SecretSource::Id(_))) => {
            Secrets::new(&load_config(environment).await)
        }
        Kept::Folder { .. } => Secrets::new(&SdkConfig::builder().build()),
    }
}

fn tell_plan(planned: &DryRun, only: Option<usize>, json: bool) -> anyhow::Result<Exit> {
    if json {
        show::json(&summary::plan_as_json(planned, only))?;
    } else {
        show::say(&summary::plan(planned))?;
    }
    let good = planned.stopped.is_none() && planned.record.state == RunState::Succeeded;
    Ok(if good { Exit::Done } else { Exit::NotAll })
}
