//! `crosswalk runs`: the latest runs, or one.

use anyhow::Context as _;
use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Entropy};
use crosswalk_mapping_api::wire;
use crosswalk_runs::{RunRecord, Runs};

use crate::args::{ReportArg, RunsArgs};
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
            show::say(&show::run_list(&runs, target.bucket()).to_string())?;
        }
        return Ok(Exit::Done);
    };
    let Some(run) = runs.get(id).await? else {
        show::complain(&format!("there is no run {}; `crosswalk runs` lists the latest ones", show::plain(id)));
        return Ok(Exit::NotAll);
    };
    if let Some(report) = args.report {
        return print_report(&target, &run, report).await;
    }
    if json {
        show::json(&wire::Run::from(run))?;
    } else {
        show::say(&show::run(&run, target.bucket()))?;
    }
    Ok(Exit::Done)
}

/// Prints a report as it is: it may be far larger than memory.
async fn print_report(target: &Target, run: &RunRecord, report: ReportArg) -> anyhow::Result<Exit> {
    let key = match report {
        ReportArg::Succeeded => &run.reports.succeeded,
        ReportArg::Failed => &run.reports.failed,
        ReportArg::Summary => &run.reports.summary,
    };
    let Some(key) = key else {
        show::complain(&format!("the run {} has no such report", run.id));
        return Ok(Exit::NotAll);
    };
    let bucket = target.bucket().context("CROSSWALK_BUCKET is not set: the bucket that holds the reports")?;
    let s3 = target.s3();
    let object = s3.get_object().bucket(bucket).key(key).send().await;
    let mut body = object.with_context(|| format!("cannot read s3://{bucket}/{key}"))?.body;
    while let Some(chunk) = body.next().await {
        show::print_bytes(&chunk.with_context(|| format!("s3://{bucket}/{key} broke off"))?)?;
    }
    Ok(Exit::Done)
}
