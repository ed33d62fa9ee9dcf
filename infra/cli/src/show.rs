//! How things look: tables and sentences for people, JSON for programs.

use std::collections::BTreeMap;
use std::io::{self, Write as _};

use anyhow::Context as _;
use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};
use crosswalk_identity::Mapping;
use crosswalk_runs::files::Files;
use crosswalk_runs::{AuditCounts, Counts, ReasonCount, RunRecord, RunState, Traffic};
use indicatif::{HumanBytes, HumanCount};
use jiff::Timestamp;
use serde::Serialize;

/// How wide a table may be where the terminal does not say: long reasons wrap.
const WIDTH: u16 = 120;

/// Writes to standard output. A reader that has seen enough (`| head`) is no error.
///
/// # Errors
/// Standard output cannot be written.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    print_bytes(text.as_bytes())
}

/// The same, of bytes that come from elsewhere.
///
/// # Errors
/// Standard output cannot be written.
pub(crate) fn print_bytes(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).context("cannot write the output"),
        _ => Ok(()),
    }
}

/// The same, with a line's end.
///
/// # Errors
/// Standard output cannot be written.
pub(crate) fn say(text: &str) -> anyhow::Result<()> {
    print(&format!("{text}\n"))
}

/// Writes a line to standard error. Nobody can be told if that fails.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Prints JSON.
///
/// # Errors
/// Standard output cannot be written.
pub(crate) fn json<T: Serialize + ?Sized>(value: &T) -> anyhow::Result<()> {
    say(&serde_json::to_string_pretty(value)?)
}

/// A table with a header, as wide as the terminal.
pub(crate) fn table<const N: usize>(header: [&str; N], rows: impl IntoIterator<Item = [String; N]>) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_FULL_CONDENSED.with_rounded_corners())
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(width())
        .set_header(header);
    for row in rows {
        table.add_row(row.map(|cell| plain(&cell)));
    }
    table
}

fn width() -> u16 {
    terminal_size::terminal_size().map_or(WIDTH, |(width, _)| width.0.max(60))
}

/// Text from a file or a service, fit for a terminal: a control character could move the cursor or recolour it.
pub(crate) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A time, to the second.
pub(crate) fn time(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A time that may be absent.
pub(crate) fn time_or_dash(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "–".to_owned(), time)
}

/// A state's word.
pub(crate) fn state(state: RunState) -> &'static str {
    match state {
        RunState::Running => "running",
        RunState::Succeeded => "succeeded",
        RunState::Partly => "partly",
        RunState::Failed => "failed",
    }
}

/// `5 rows: 3 created, 2 rejected`.
pub(crate) fn counts(counts: &Counts) -> String {
    let parts: Vec<String> = outcomes(counts)
        .into_iter()
        .chain([("deleted", counts.deleted.unwrap_or(0))])
        .filter(|(_, count)| *count > 0)
        .map(|(word, count)| format!("{count} {word}"))
        .collect();
    let rows = if counts.read == 1 { "1 row".to_owned() } else { format!("{} rows", counts.read) };
    if parts.is_empty() { rows } else { format!("{rows}: {}", parts.join(", ")) }
}

/// Each outcome's word and count.
pub(crate) fn outcomes(counts: &Counts) -> [(&'static str, u64); 8] {
    [
        ("created", counts.created),
        ("updated", counts.updated),
        ("unchanged", counts.unchanged),
        ("verified", counts.verified),
        ("rejected", counts.rejected),
        ("conflict", counts.conflict),
        ("failed", counts.failed),
        ("skipped", counts.skipped),
    ]
}

/// Runs, a line each; outcomes that none of them had are left out.
pub(crate) fn outcome_table(runs: &[RunRecord]) -> Table {
    let used: Vec<usize> = (0..8).filter(|&index| runs.iter().any(|run| outcomes(&run.counts)[index].1 > 0)).collect();
    let words = outcomes(&Counts::default()).map(|(word, _)| word);
    let mut table = table(["file", "state", "rows"], []);
    let mut header = vec!["file", "state", "rows"];
    header.extend(used.iter().map(|&index| words[index]));
    table.set_header(header);
    for run in runs {
        let counts = outcomes(&run.counts);
        let mut row = vec![plain(&run.source), state(run.state).to_owned(), run.counts.read.to_string()];
        row.extend(used.iter().map(|&index| match counts[index].1 {
            0 => "–".to_owned(),
            count => count.to_string(),
        }));
        table.add_row(row);
    }
    table
}

/// The latest runs, a line each.
pub(crate) fn run_list(runs: &[RunRecord], files: Option<&Files>) -> Table {
    let here = files.map(|files| format!("{files}/"));
    // In our own bucket the key says it all, and of a realm its name does; that leaves room for the id.
    let short = |source: &str| {
        let key = here.as_deref().and_then(|here| source.strip_prefix(here));
        key.or_else(|| source.strip_prefix("keycloak:")).unwrap_or(source).to_owned()
    };
    let mut list = table(
        ["run", "kind", "state", "started (UTC)", "rows", "bad", "source"],
        runs.iter().map(|run| {
            [
                run.id.clone(),
                run.kind.clone(),
                state(run.state).to_owned(),
                run.started_at.strftime("%Y-%m-%d %H:%M").to_string(),
                run.counts.read.to_string(),
                bad(run).to_string(),
                short(&run.source),
            ]
        }),
    );
    // An id is there to be copied, so it does not wrap if it can be helped; the source has the rest of the line.
    let roomy = width() >= 100;
    for column in list.column_iter_mut().take(if roomy { 6 } else { 0 }) {
        column.set_constraint(ColumnConstraint::ContentWidth);
    }
    list
}

/// The rows that are not as they should be. In an import `skipped` are those that were not reached; in a run that
/// succeeded, those that policy leaves out.
fn bad(run: &RunRecord) -> u64 {
    match run.state {
        RunState::Succeeded => 0,
        _ if run.parts.is_empty() => run.counts.unsuccessful(),
        _ => run.counts.unsuccessful() - run.counts.skipped,
    }
}

/// One run in full.
pub(crate) fn run(run: &RunRecord, files: Option<&Files>) -> String {
    let percent = run.progress.percent.map(|percent| format!(" ({percent:.0} %)")).unwrap_or_default();
    let mut lines = vec![
        format!("run       {}", run.id),
        format!("kind      {}", run.kind),
        format!("state     {}", state(run.state)),
        format!("source    {}", plain(&run.source)),
        format!("started   {}", time(run.started_at)),
        format!("ended     {}", time_or_dash(run.ended_at)),
        format!("progress  {} rows, {} bytes{percent}", run.progress.rows, run.progress.bytes),
        format!("outcomes  {}", counts(&run.counts)),
    ];
    lines.extend(run.parts.iter().map(|(part, part_counts)| format!("{:<9} {}", plain(part), counts(part_counts))));
    lines.extend(run.audit.iter().flat_map(|audit| found(audit, files)));
    lines.extend(run.plan.iter().map(|plan| format!("plan      {}", plain(plan))));
    lines.extend(traffic(run));
    for (name, key) in
        [("succeeded", &run.reports.succeeded), ("failed", &run.reports.failed), ("summary", &run.reports.summary)]
    {
        if let Some(key) = key {
            lines.push(format!("{name:<9} {}", object(files, key)));
        }
    }
    lines.extend(reasons(&run.reasons));
    lines.extend(warnings(&run.warnings));
    lines.join("\n")
}

/// What an audit found.
fn found(audit: &AuditCounts, files: Option<&Files>) -> Vec<String> {
    let AuditCounts { complete, missing, stale, broken, mails, reports } = audit;
    let listed = |counts: &BTreeMap<String, u64>| {
        let all: Vec<String> = counts.iter().map(|(name, count)| format!("{count} {}", plain(name))).collect();
        all.join(", ")
    };
    let mut lines = vec![
        format!("people    {complete} lack nothing"),
        format!("missing   {}", listed(missing)),
        format!("mappings  {stale} stale"),
        format!("items     {broken} broken"),
    ];
    if !mails.is_empty() {
        lines.push(format!("mails     {}", listed(mails)));
    }
    lines.extend(reports.iter().map(|folder| format!("found     {}", object(files, folder))));
    lines
}

/// The most frequent reasons, a line each, under a heading; nothing if there are none.
pub(crate) fn reasons(reasons: &[ReasonCount]) -> Vec<String> {
    counted("reasons", reasons)
}

/// What is done and should be known, in the same way.
pub(crate) fn warnings(warnings: &[ReasonCount]) -> Vec<String> {
    counted("warnings", warnings)
}

fn counted(heading: &str, texts: &[ReasonCount]) -> Vec<String> {
    if texts.is_empty() {
        return Vec::new();
    }
    std::iter::once(heading.to_owned())
        .chain(texts.iter().map(|text| format!("{:>7}  {}", text.count, plain(&text.reason))))
        .collect()
}

/// The calls to outside systems, a line each.
pub(crate) fn traffic(run: &RunRecord) -> Vec<String> {
    run.traffic.iter().map(|(system, traffic)| format!("{:<9} {}", plain(system), calls(traffic))).collect()
}

fn calls(traffic: &Traffic) -> String {
    let received = traffic.bytes_received.map(|bytes| format!(", {} received", HumanBytes(bytes))).unwrap_or_default();
    format!(
        "{} {} ({} retried), {} sent{received}",
        HumanCount(traffic.requests),
        if traffic.requests == 1 { "request" } else { "requests" },
        HumanCount(traffic.retries),
        HumanBytes(traffic.bytes_sent)
    )
}

/// Where a report is.
pub(crate) fn object(files: Option<&Files>, key: &str) -> String {
    match files {
        Some(files) => format!("{files}/{key}"),
        None => key.to_owned(),
    }
}

/// Mappings, a line each.
pub(crate) fn mapping_table(mappings: &[Mapping]) -> Table {
    table(
        ["username", "system", "external id", "e-mail", "created", "verified", "notes"],
        mappings.iter().map(|mapping| {
            [
                mapping.username.to_string(),
                mapping.system.to_string(),
                mapping.external_id.to_string(),
                mapping.email.as_ref().map_or_else(|| "–".to_owned(), ToString::to_string),
                time(mapping.created_at),
                time_or_dash(mapping.last_verified_at),
                mapping.notes.clone().unwrap_or_else(|| "–".to_owned()),
            ]
        }),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_name_what_was() {
        let counts = Counts { read: 5, created: 3, rejected: 2, ..Counts::default() };
        assert_eq!(super::counts(&counts), "5 rows: 3 created, 2 rejected");
        assert_eq!(super::counts(&Counts::default()), "0 rows");
    }

    #[test]
    fn an_export_s_run_is_told_in_full() {
        let mut run = RunRecord::begin("r", "people-export", "keycloak:staff", "2026-11-22T05:00:00Z".parse().unwrap());
        run.state = RunState::Partly;
        run.counts = Counts { read: 7, created: 3, failed: 1, skipped: 3, deleted: Some(2), ..Counts::default() };
        run.parts.insert("people".into(), run.counts);
        run.plan = Some("00112233".into());
        run.warnings.push(ReasonCount { reason: "a name that Glean hides".into(), count: 4 });
        let traffic = Traffic { requests: 1_200, retries: 1, bytes_sent: 2_048, bytes_received: None };
        run.traffic.insert("glean".into(), traffic);
        run.reports.failed = Some("reports/r/failed.csv".into());
        let told = super::run(&run, Some(&Files::Folder("/state".into())));
        for line in [
            "people    7 rows: 3 created, 1 failed, 3 skipped, 2 deleted",
            "plan      00112233",
            "glean     1,200 requests (1 retried), 2.00 KiB sent",
            "failed    /state/reports/r/failed.csv",
            "warnings",
            "      4  a name that Glean hides",
        ] {
            assert!(told.lines().any(|told| told == line), "`{line}` is missing:\n{told}");
        }
        // Whom policy leaves out is not bad; a row that an import did not reach is.
        assert_eq!(bad(&run), 1);
        assert_eq!(bad(&RunRecord { parts: Default::default(), ..run.clone() }), 4);
        assert_eq!(bad(&RunRecord { state: RunState::Succeeded, ..run }), 0);
    }

    #[test]
    fn cells_cannot_steer_the_terminal() {
        assert_eq!(plain("a\u{1b}[31mb\nc"), "a [31mb c");
    }
}
