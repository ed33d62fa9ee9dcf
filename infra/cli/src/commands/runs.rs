//! `crosswalk runs`: the latest runs, or one.

use anyhow::{Context as _, bail};
use crosswalk_function_kit::settings::Environment;
use crosswalk_mapping_api::wire;
use crosswalk_runs::files::Files;
use crosswalk_runs::{Ledger, RunRecord};

use crate::args::{ReportArg, RunsArgs};
use crate::kept::{WAYS, folder_ledger, named_folder, usual_folder};
use crate::target::Target;
use crate::{Exit, show};

/// A place that holds runs, and where their reports are, if that is known.
struct Held {
    ledger: Ledger,
    files: Option<Files>,
}

/// Prints them, newest first.
///
/// # Errors
/// The AWS or the folder cannot be read, or no table is named.
pub(crate) async fn run(args: &RunsArgs, json: bool, environment: Environment) -> anyhow::Result<Exit> {
    // Kept until the end: it may be an AWS of this process's own.
    let (_target, places) = open(args, environment).await?;
    let Some(id) = &args.id else {
        let runs = list(&places, args.kind.as_deref(), usize::from(args.limit)).await?;
        if json {
            show::json(&wire::Runs { items: runs.into_iter().map(Into::into).collect() })?;
        } else if runs.is_empty() {
            show::say("no runs yet")?;
        } else {
            let files = places.first().and_then(|place| place.files.as_ref());
            show::say(&show::run_list(&runs, files).to_string())?;
        }
        return Ok(Exit::Done);
    };
    let Some((run, files)) = find(&places, id).await? else {
        show::complain(&format!("there is no run {}; `crosswalk runs` lists the latest ones", show::plain(id)));
        return Ok(Exit::NotAll);
    };
    if let Some(report) = args.report {
        return print_report(files, &run, report).await;
    }
    if json {
        show::json(&wire::Run::from(run))?;
    } else {
        show::say(&show::run(&run, files))?;
    }
    Ok(Exit::Done)
}

/// The folder that is named; else the AWS, and with one of one's own the folders where exports and syncs are kept without being told.
async fn open(args: &RunsArgs, environment: Environment) -> anyhow::Result<(Option<Target>, Vec<Held>)> {
    let folder = |folder: &std::path::Path| Held {
        ledger: folder_ledger(folder),
        files: Some(Files::Folder(folder.to_owned())),
    };
    if let Some(named) = named_folder(&args.place, args.state.as_deref(), &environment) {
        if !named.is_dir() {
            bail!("there is no folder {}; `crosswalk export` and `crosswalk sync` make it", named.display());
        }
        return Ok((None, vec![folder(&named)]));
    }
    let usual: Vec<_> = WAYS.iter().map(|way| usual_folder(way, &args.place)).collect();
    let kept: Vec<_> = usual.iter().filter(|folder| folder.is_dir()).collect();
    // Who only exports or syncs needs no AWS of one's own.
    let alone = || {
        let mut beside = std::fs::read_dir(&args.place.folder.dir).into_iter().flatten().flatten();
        beside.all(|entry| usual.contains(&entry.path()))
    };
    let own = !args.place.aws && environment.get("AWS_ENDPOINT_URL").is_none() && !kept.is_empty();
    let folders = || kept.iter().map(|kept| folder(kept));
    if own && alone() {
        return Ok((None, folders().collect()));
    }
    let target = Target::open(&args.place, environment).await?;
    let mut places = vec![Held { ledger: target.ledger()?, files: target.files() }];
    if own {
        places.extend(folders());
    }
    Ok((Some(target), places))
}

/// The latest of all places.
async fn list(places: &[Held], kind: Option<&str>, limit: usize) -> anyhow::Result<Vec<RunRecord>> {
    let mut runs = Vec::new();
    for place in places {
        runs.extend(place.ledger.list(kind, limit).await?);
    }
    runs.sort_by_key(|run| std::cmp::Reverse(run.started_at));
    runs.truncate(limit);
    Ok(runs)
}

async fn find<'a>(places: &'a [Held], id: &str) -> anyhow::Result<Option<(RunRecord, Option<&'a Files>)>> {
    for place in places {
        if let Some(run) = place.ledger.get(id).await? {
            return Ok(Some((run, place.files.as_ref())));
        }
    }
    Ok(None)
}

/// Prints a report as it is.
async fn print_report(files: Option<&Files>, run: &RunRecord, report: ReportArg) -> anyhow::Result<Exit> {
    let key = match report {
        ReportArg::Succeeded => &run.reports.succeeded,
        ReportArg::Failed => &run.reports.failed,
        ReportArg::Summary => &run.reports.summary,
    };
    let Some(key) = key else {
        show::complain(&format!("the run {} has no such report", run.id));
        return Ok(Exit::NotAll);
    };
    let files = files.context("CROSSWALK_BUCKET is not set: the bucket that holds the reports")?;
    match files {
        // An import's may be far larger than memory.
        Files::Bucket { client, bucket } => {
            let object = client.get_object().bucket(bucket).key(key).send().await;
            let mut body = object.with_context(|| format!("cannot read {files}/{key}"))?.body;
            while let Some(chunk) = body.next().await {
                show::print_bytes(&chunk.with_context(|| format!("{files}/{key} broke off"))?)?;
            }
        }
        Files::Folder(_) => {
            let report = files.get(key).await?.with_context(|| format!("{files}/{key} is gone"))?;
            show::print_bytes(&report)?;
        }
    }
    Ok(Exit::Done)
}
