//! What a run of an export or a sync did, in words and tables, and how the command ends.

use anyhow::{Context as _, anyhow, bail};
use comfy_table::{CellAlignment, Table};
use crosswalk_mapping_api::wire;
use crosswalk_runs::files::Files;
use crosswalk_runs::report::Row;
use crosswalk_runs::{Counts, RunRecord, RunState};
use indicatif::HumanCount;
use serde::Serialize;

use crate::kept::Kept;
use crate::{Exit, show};

/// How many are named; the others are counted.
pub(crate) const SHOWN: usize = 20;

/// Somebody or something that did not end as it should.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Named {
    /// `person`, `team`, `mapping`, …
    pub(crate) kind: String,
    /// How people know it.
    pub(crate) name: String,
    /// Rejected, conflict, failed or skipped.
    pub(crate) outcome: String,
    /// Why, and what to do.
    pub(crate) reason: String,
}

impl From<&Row> for Named {
    fn from(row: &Row) -> Self {
        let name = if row.name.is_empty() { row.id.to_string() } else { row.name.clone() };
        Self { kind: row.kind.to_owned(), name, outcome: row.outcome.to_string(), reason: row.reason.to_string() }
    }
}

/// Prints a run that has ended; `heading` stands over whom its report names.
///
/// # Errors
/// The run failed; its report cannot be read.
pub(crate) async fn tell(kept: &Kept, record: &RunRecord, heading: &str, json: bool) -> anyhow::Result<Exit> {
    if json {
        show::json(&wire::Run::from(record.clone()))?;
    } else {
        let files = kept.files()?;
        show::say(&run(record, &files, heading, &kept.flags()).await?)?;
    }
    match record.state {
        RunState::Succeeded => Ok(Exit::Done),
        RunState::Partly => Ok(Exit::NotAll),
        RunState::Failed | RunState::Running => {
            // The first is the run's own; what follows is people's.
            let why = record.reasons.first().map_or("for a reason that is not known", |first| &first.reason);
            bail!("the run {} failed: {}", record.id, show::plain(why))
        }
    }
}

/// Another run has the turn; `why` says why that matters.
pub(crate) fn busy(run: &str, until: Option<jiff::Timestamp>, why: &str) -> anyhow::Error {
    let run = show::plain(run);
    let until = match until {
        Some(until) => format!("it holds its lease until {}, and renews it while it works", show::time(until)),
        None => "it is another process on this folder, and its turn ends with it".to_owned(),
    };
    anyhow!("the run {run} is at work, and {why}: {until}. Nothing was done")
}

/// What becomes of the turn of a run that is stopped; with a space before it.
pub(crate) fn turn_of_a_stopped_run(kept: &Kept) -> &'static str {
    match kept {
        Kept::Aws { .. } => " The run's lease lapses within a minute; until then another run is told that it is busy.",
        Kept::Folder { .. } => "",
    }
}

/// What a run did; `heading` stands over whom its report names. `flags` make `crosswalk runs` look where its record is.
///
/// # Errors
/// The report cannot be read.
pub(crate) async fn run(record: &RunRecord, files: &Files, heading: &str, flags: &str) -> anyhow::Result<String> {
    let mut parts = Vec::new();
    if !record.parts.is_empty() {
        parts.push(parts_table(record).to_string());
    }
    if let Some(key) = &record.reports.failed {
        let report = files.get(key).await?.with_context(|| format!("{files}/{key} is gone"))?;
        let all = read_report(&report).with_context(|| format!("{files}/{key} does not read"))?;
        parts.push(format!("{heading}:\n{}", named(&all)));
        if all.len() > SHOWN {
            parts.push(format!("All of them: crosswalk runs {}{flags} --report failed", record.id));
        }
    }
    parts.extend(show::warnings(&record.warnings));
    parts.push(ending(record));
    if let Some((folder, _)) = record.reports.summary.as_deref().and_then(|key| key.rsplit_once('/')) {
        parts.push(format!("Reports: {files}/{folder}/"));
    }
    Ok(parts.join("\n"))
}

type CountOf = fn(&Counts) -> Option<u64>;

/// What is counted beside the outcomes.
const BESIDE: [(&str, CountOf); 3] = [
    ("deactivated", |counts| counts.deactivated),
    ("reactivated", |counts| counts.reactivated),
    ("deleted", |counts| counts.deleted),
];

/// People, teams, mappings by outcome; outcomes that there are none of are left out.
pub(crate) fn parts_table(record: &RunRecord) -> Table {
    let used: Vec<usize> =
        (0..8).filter(|&index| record.parts.values().any(|counts| show::outcomes(counts)[index].1 > 0)).collect();
    let words = show::outcomes(&Counts::default()).map(|(word, _)| word);
    let beside: Vec<_> = BESIDE
        .into_iter()
        .filter(|(_, of)| record.parts.values().any(|counts| of(counts).is_some_and(|count| count > 0)))
        .collect();
    let mut header = vec!["", "read"];
    header.extend(used.iter().map(|&index| words[index]));
    header.extend(beside.iter().map(|(word, _)| *word));
    let mut table = show::table([""], []);
    let columns = header.len();
    table.set_header(header);
    for (part, counts) in &record.parts {
        let outcomes = show::outcomes(counts);
        let mut row = vec![show::plain(part), HumanCount(counts.read).to_string()];
        row.extend(used.iter().map(|&index| number(outcomes[index].1)));
        row.extend(beside.iter().map(|(_, of)| number(of(counts).unwrap_or(0))));
        table.add_row(row);
    }
    for column in table.column_iter_mut().take(columns).skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn number(count: u64) -> String {
    if count == 0 { "–".to_owned() } else { HumanCount(count).to_string() }
}

/// `3 steps: 2 create, 1 delete`: how many steps have each of these words.
pub(crate) fn steps<A>(steps: &[A], words: &[&'static str], word: impl Fn(&A) -> &'static str) -> String {
    let counted: Vec<String> = words
        .iter()
        .map(|named| (named, steps.iter().filter(|step| word(step) == *named).count()))
        .filter(|(_, count)| *count > 0)
        .map(|(named, count)| format!("{} {named}", HumanCount(count as u64)))
        .collect();
    match steps.len() {
        0 => "nothing to do".to_owned(),
        1 => format!("1 step: {}", counted.join(", ")),
        all => format!("{} steps: {}", HumanCount(all as u64), counted.join(", ")),
    }
}

/// The first of them, and how many more there are.
pub(crate) fn named(all: &[Named]) -> String {
    let rows =
        all.iter().take(SHOWN).map(|row| [row.kind.clone(), row.name.clone(), row.outcome.clone(), row.reason.clone()]);
    let table = show::table(["kind", "name", "outcome", "reason"], rows).to_string();
    std::iter::once(table).chain(more(all.len())).collect::<Vec<_>>().join("\n")
}

pub(crate) fn more(all: usize) -> Option<String> {
    (all > SHOWN).then(|| format!("and {} more", HumanCount((all - SHOWN) as u64)))
}

fn ending(record: &RunRecord) -> String {
    let mut lines = show::traffic(record);
    let plan = record.plan.as_deref().map(|plan| format!(", plan {plan}")).unwrap_or_default();
    let took = record.ended_at.map(|ended| ended.duration_since(record.started_at).as_secs_f64());
    let took = took.map(|seconds| format!(" in {seconds:.1} s")).unwrap_or_default();
    lines.push(format!("run {}: {}{took}{plan}", record.id, show::state(record.state)));
    lines.join("\n")
}

/// Reads `failed.csv`.
pub(crate) fn read_report(report: &[u8]) -> anyhow::Result<Vec<Named>> {
    let mut reader = csv::Reader::from_reader(report);
    let header = reader.headers()?.clone();
    let place = |name: &str| {
        header.iter().position(|column| column == name).with_context(|| format!("the column {name} is missing"))
    };
    let places = [place("kind")?, place("name")?, place("outcome")?, place("reason")?];
    let rows = reader.records().map(|record| {
        let record = record?;
        let [kind, name, outcome, reason] = places.map(|at| record.get(at).unwrap_or_default().to_owned());
        Ok(Named { kind, name, outcome, reason })
    });
    rows.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_the_turn_is_named() {
        let until = Some("2026-11-22T05:01:00Z".parse().unwrap());
        let told = busy("people-export-1", until, "Glean takes one upload at a time").to_string();
        assert!(told.contains("the run people-export-1 is at work, and Glean takes"), "{told}");
        assert!(told.contains("until 2026-11-22 05:01:00 UTC"), "{told}");
        assert!(busy("r", None, "").to_string().contains("another process on this folder"));
    }
}
