//! `crosswalk import`: each file is a run of its own, by csv-import's own code.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;

use anyhow::{Context as _, anyhow, bail};
use crosswalk_csv_import::{Ended, ImportRequest, ImportSettings, Importer, Kind, RowResult, Source, check};
use crosswalk_function_kit::settings::Environment;
use crosswalk_function_kit::{Clock, Deadline, Entropy};
use crosswalk_mapping_api::wire;
use crosswalk_runs::{Counts, Progress, RunRecord, RunState};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use crate::args::{ImportArgs, KindArg};
use crate::commands::reports::{FailedRow, failed_rows};
use crate::stop::Stop;
use crate::target::{Target, systems};
use crate::{Exit, show};

/// How many rows that were not imported are shown with their reasons; the others are counted.
const SHOWN: usize = 20;

/// Runs it.
///
/// # Errors
/// A file is not there, the system is not known, the AWS cannot be reached, or a setting does not do.
pub(crate) async fn run(args: &ImportArgs, json: bool, environment: Environment) -> anyhow::Result<Exit> {
    let kind = kind(args, &environment)?;
    if args.force_registration && kind != Kind::LeaveAdmins {
        bail!("--force-registration goes with --kind leave-admins only");
    }
    let sources = args.files.iter().map(|file| source(file)).collect::<anyhow::Result<Vec<_>>>()?;
    if args.check {
        return check_files(&sources, &kind, json);
    }
    let target = Target::open(&args.place, environment).await?;
    let entropy = Entropy::system();
    let settings = ImportSettings::from_env(&target.environment)?;
    let importer = Importer::new(&target.config, settings, Clock::system(), entropy.clone());
    let mut stop = Stop::new()?;
    let mut ended = Vec::new();
    let mut broke = None;
    for source in sources {
        let request = ImportRequest {
            run_id: entropy.uuid().to_string(),
            kind: kind.clone(),
            source: source.clone(),
            delivery: "crosswalk import".to_owned(),
            force_registration: args.force_registration,
        };
        let name = name(&source);
        let work = async {
            if args.dry_run {
                dry_run(&importer, request, &name, json).await
            } else {
                import(&importer, request, &name).await
            }
        };
        let result = tokio::select! {
            result = work => result,
            () = stop.wanted() => {
                Err(anyhow!("stopped. The rows that were stored stand; import the file again for the others"))
            }
        };
        match result.with_context(|| name) {
            Ok(record) => ended.push(record),
            Err(error) => {
                broke = Some(error);
                break;
            }
        }
    }
    // What was done before something broke is told first: it is stored.
    if json {
        let runs: Vec<wire::Run> = ended.iter().cloned().map(Into::into).collect();
        show::json(&runs)?;
    } else {
        summary(&target, &ended).await?;
    }
    match broke {
        Some(error) => Err(error),
        None => Ok(exit(ended.iter().all(|run| run.state == RunState::Succeeded))),
    }
}

fn exit(all: bool) -> Exit {
    if all { Exit::Done } else { Exit::NotAll }
}

fn kind(args: &ImportArgs, environment: &Environment) -> anyhow::Result<Kind> {
    match (args.kind, args.system.as_deref()) {
        (KindArg::Mappings, Some(name)) => Ok(Kind::Mappings(systems(environment)?.get(name)?)),
        (KindArg::Mappings, None) => bail!("--kind mappings needs --system: whose external ids are these?"),
        (_, Some(_)) => bail!("--system goes with --kind mappings only"),
        (KindArg::LeaveAdmins, None) => Ok(Kind::LeaveAdmins),
        (KindArg::Employers, None) => Ok(Kind::Employers),
    }
}

/// A file that is there, or an object that may be.
fn source(given: &str) -> anyhow::Result<Source> {
    if let Some(rest) = given.strip_prefix("s3://") {
        return match rest.split_once('/') {
            Some((bucket, key)) if !bucket.is_empty() && !key.is_empty() => {
                Ok(Source::Object { bucket: bucket.to_owned(), key: key.to_owned(), version: None })
            }
            _ => bail!("`{given}` names no object; write s3://bucket/key"),
        };
    }
    let path = PathBuf::from(given);
    // All files are looked at before the first is imported.
    let file = File::open(&path).with_context(|| format!("cannot read {given}"))?;
    if file.metadata().is_ok_and(|about| about.is_dir()) {
        bail!("{given} is a folder; name the files in it");
    }
    Ok(Source::File(path))
}

fn name(source: &Source) -> String {
    match source {
        Source::File(path) => path.display().to_string(),
        Source::Object { bucket, key, .. } => format!("s3://{bucket}/{key}"),
    }
}

async fn import(importer: &Importer, request: ImportRequest, name: &str) -> anyhow::Result<RunRecord> {
    let bar = bar(name);
    let watch = |progress: &Progress, counts: &Counts| {
        move_bar(&bar, progress.percent, progress.rows, counts.unsuccessful());
    };
    let ended = importer.import(request, Deadline::NONE, &watch).await;
    bar.finish_and_clear();
    match ended? {
        Ended::Ended(record) => Ok(record),
        Ended::Alive(record) => bail!("another worker is at the run {}", record.id),
    }
}

async fn dry_run(importer: &Importer, request: ImportRequest, name: &str, json: bool) -> anyhow::Result<RunRecord> {
    let broken = Mutex::new(None);
    let row = |row: &RowResult| {
        if !json && let Err(error) = show::say(&row_line(name, row)) {
            *broken.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
        }
    };
    let record = importer.dry_run(request, &row).await?;
    match broken.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(record),
    }
}

fn row_line(name: &str, row: &RowResult) -> String {
    let reason = if row.reason.is_empty() { String::new() } else { format!(": {}", show::plain(&row.reason)) };
    format!("{name}:{} {}{reason}", row.line, row.outcome.as_str())
}

/// Looks at the files alone.
fn check_files(sources: &[Source], kind: &Kind, json: bool) -> anyhow::Result<Exit> {
    let mut all = true;
    let mut checked = Vec::new();
    for source in sources {
        let Source::File(path) = source else {
            bail!("{} is an object; --check looks at files alone and reads no AWS. Use --dry-run", name(source));
        };
        let name = name(source);
        let file = File::open(path).with_context(|| format!("cannot read {name}"))?;
        let size = file.metadata().map(|about| about.len()).unwrap_or(0);
        let bar = bar(&name);
        let mut bad = Bad::default();
        let counts = check(
            file,
            kind,
            |row| bad.add(row),
            |bytes, rows| {
                #[expect(clippy::cast_precision_loss, reason = "a bar's position")]
                let percent = (size > 0).then(|| 100.0 * bytes as f64 / size as f64);
                move_bar(&bar, percent, rows, 0);
            },
        );
        bar.finish_and_clear();
        let error = counts.as_ref().err().map(ToString::to_string);
        let counts = counts.unwrap_or_default();
        all &= error.is_none() && counts.unsuccessful() == 0;
        if json {
            checked.push(json!({ "source": name, "kind": kind.to_string(), "counts": counts, "error": error,
                "rows": bad.shown, "more": bad.more }));
            continue;
        }
        match error {
            Some(error) => show::say(&format!("{name}: {error}"))?,
            None if bad.shown.is_empty() => show::say(&format!("{name}: all {} rows can be read", counts.read))?,
            None => {
                let bad_rows = counts.unsuccessful();
                show::say(&format!("{name}: {bad_rows} of {} rows would be rejected", counts.read))?;
                show::say(&failed_table(&name, &bad.shown))?;
                if bad.more > 0 {
                    show::say(&format!("and {} more", bad.more))?;
                }
            }
        }
    }
    if json {
        show::json(&checked)?;
    }
    Ok(exit(all))
}

/// The first rows that will not do, and how many more there are.
#[derive(Default)]
struct Bad {
    shown: Vec<FailedRow>,
    more: u64,
}

impl Bad {
    fn add(&mut self, row: &RowResult) {
        if row.outcome.is_success() {
            return;
        }
        if self.shown.len() < SHOWN {
            let outcome = row.outcome.as_str().to_owned();
            self.shown.push(FailedRow { line: row.line, outcome, reason: row.reason.to_string() });
        } else {
            self.more += 1;
        }
    }
}

/// What came of the runs: a table, the rows that were not imported, and where the reports are.
async fn summary(target: &Target, runs: &[RunRecord]) -> anyhow::Result<()> {
    if runs.is_empty() {
        return Ok(());
    }
    show::say(&show::outcome_table(runs).to_string())?;
    let s3 = target.s3();
    for run in runs.iter().filter(|run| run.state != RunState::Succeeded) {
        if run.dry_run && run.counts.read > 0 {
            // Each row's outcome was printed.
            continue;
        }
        let failed = run.reports.failed.as_deref().zip(target.bucket());
        let Some((key, bucket)) = failed.filter(|_| run.counts.unsuccessful() > 0) else {
            for reason in &run.reasons {
                show::say(&format!("{}: {}", run.source, show::plain(&reason.reason)))?;
            }
            continue;
        };
        let rows = failed_rows(&s3, bucket, key, SHOWN).await?;
        show::say(&format!("\nNot imported from {}:", run.source))?;
        show::say(&failed_table(&run.source, &rows))?;
        let more = run.counts.unsuccessful().saturating_sub(u64::try_from(rows.len())?);
        if more > 0 {
            show::say(&format!("and {more} more. The most frequent reasons:"))?;
            for line in show::reasons(&run.reasons).iter().skip(1) {
                show::say(line)?;
            }
        }
        show::say(&format!(
            "To correct and import them again: crosswalk runs {} --report failed > failed.csv\n",
            run.id
        ))?;
    }
    for run in runs {
        let files = target.files();
        if let Some((folder, _)) = run.reports.summary.as_deref().and_then(|key| key.rsplit_once('/')) {
            show::say(&format!("Reports on {}: {}/", show::plain(&run.source), show::object(files.as_ref(), folder)))?;
        }
    }
    Ok(())
}

fn failed_table(name: &str, rows: &[FailedRow]) -> String {
    let short = name.rsplit('/').next().unwrap_or(name);
    show::table(
        ["file", "line", "outcome", "reason"],
        rows.iter().map(|row| [short.to_owned(), row.line.to_string(), row.outcome.clone(), row.reason.clone()]),
    )
    .to_string()
}

/// On standard error, and only if that is a terminal.
fn bar(name: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{prefix} {bar:30} {percent:>3} % {msg}");
    let bar = ProgressBar::new(1_000).with_prefix(show::plain(name));
    match style {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

fn move_bar(bar: &ProgressBar, percent: Option<f64>, rows: u64, unsuccessful: u64) {
    if bar.is_hidden() {
        return;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a bar's position, clamped")]
    bar.set_position((percent.unwrap_or(0.0).clamp(0.0, 100.0) * 10.0) as u64);
    let not = if unsuccessful > 0 { format!(", {unsuccessful} not imported") } else { String::new() };
    bar.set_message(format!("{rows} rows{not}"));
}
