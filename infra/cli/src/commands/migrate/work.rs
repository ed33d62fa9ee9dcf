//! The rows in batches: restored, read back, counted. A dry run plans in the place of the first two.

use std::borrow::Cow;
use std::collections::BTreeSet;

use anyhow::anyhow;
use crosswalk_function_kit::Clock;
use crosswalk_identifier_store::{IdentifierStore, RestorePlanner, Restored, Standing, StoreError};
use crosswalk_identity::{ExternalId, Mapping, Mark, System, Username};
use crosswalk_runs::files::Files;
use crosswalk_runs::report::{self, Row};
use crosswalk_runs::spreadsheet::guard;
use crosswalk_runs::{Counts, Held, Outcome, Progress, Reasons, RunRecord, RunState, Worked};
use futures::StreamExt as _;
use indicatif::{ProgressBar, ProgressStyle};

use super::row::{ID_CUT, NAME_CUT, Read, Reader};
use super::source::{Cell, RawRow, Source};
use crate::show;

/// Rows that are restored and read back together: eight transactions side by side.
const BATCH: usize = 400;

/// What the record calls the rows.
const PART: &str = "mappings";

const SUCCEEDED: &str = "succeeded.csv";

/// Whether it only plans.
pub(super) enum Mode<'a> {
    /// Each row's line is told.
    Plan { told: &'a dyn Fn(&str) -> anyhow::Result<()> },
    /// The reports go there.
    Write { files: &'a Files, held: &'a Held },
}

/// A migration.
pub(super) struct Work<'a> {
    pub(super) source: Source,
    pub(super) reader: &'a Reader,
    pub(super) store: &'a IdentifierStore,
    pub(super) mode: Mode<'a>,
}

/// How a row ended.
#[derive(Debug, PartialEq, Eq)]
struct Settled {
    outcome: Outcome,
    /// Why; it may name people.
    reason: String,
    /// The same without people, under which rows are counted together.
    class: Cow<'static, str>,
    /// What was done and may surprise.
    warnings: Vec<Cow<'static, str>>,
}

/// The ids and usernames that stood with outer white space in the rows so far, of each system. They are few.
#[derive(Default)]
struct Cut {
    ids: BTreeSet<(System, ExternalId)>,
    usernames: BTreeSet<(System, Username)>,
}

impl Cut {
    /// Adds to a row's reason what of it was cut. To the file its ids and usernames are others than they are here, so a
    /// conflict says too where a row above was cut.
    fn tell(&mut self, mapping: &Mapping, warnings: &[&'static str], settled: &mut Settled) {
        let Mapping { username, system, external_id, .. } = mapping;
        let (id, name) = ((system.clone(), external_id.clone()), (system.clone(), username.clone()));
        let mut add = |told: &str| {
            settled.reason.push_str("; ");
            settled.reason.push_str(told);
        };
        let is_cut = [ID_CUT, NAME_CUT].map(|cut| warnings.contains(&cut));
        if is_cut[0] {
            add(&format!("the row's {ID_CUT}"));
        }
        if is_cut[1] {
            add(&format!("the row's {NAME_CUT}"));
        }
        if settled.outcome == Outcome::Conflict {
            if self.ids.contains(&id) {
                add("a row above has this external_id with outer white space, which is cut");
            }
            if self.usernames.contains(&name) {
                add("a row above has this nexuslims_username with outer white space, which is cut");
            }
        }
        if is_cut[0] {
            self.ids.insert(id);
        }
        if is_cut[1] {
            self.usernames.insert(name);
        }
    }
}

impl Work<'_> {
    /// Does it, and fills the record. What broke it off is in the record too: what was done until then stands.
    ///
    /// # Errors
    /// A report, or a line of it, cannot be written.
    pub(super) async fn run(self, record: RunRecord) -> anyhow::Result<Worked> {
        let Self { mut source, reader, store, mode } = self;
        let total = source.rows;
        let bar = bar(total);
        let mut tally = Tally::new(record)?;
        let mut planner = matches!(mode, Mode::Plan { .. }).then(|| store.restore_planner());
        let mut broke = None;
        let mut cut = Cut::default();
        let mut batches = source.stream().chunks(BATCH);
        while let (None, Some(batch)) = (&broke, batches.next().await) {
            let mut rows = Vec::with_capacity(batch.len());
            for row in batch {
                match row {
                    Ok(row) => rows.push(row),
                    Err(error) => broke = Some(format!("{error:#}")),
                }
            }
            let run = &tally.record.id;
            let reads = rows.iter().map(|row| reader.read(row)).collect();
            let (settled, unreached) =
                Box::pin(settle_batch(store, planner.as_mut(), run, tally.counts.read, reads, &mut cut)).await;
            for (row, settled) in rows.iter().zip(settled) {
                if let Mode::Plan { told } = &mode {
                    told(&line(row, &settled))?;
                }
                tally.add(row, settled)?;
            }
            broke = broke.or(unreached);
            bar.set_position(tally.counts.read);
            if let Mode::Write { held, .. } = &mode {
                held.tell(progress(&tally.counts, total), tally.counts);
            }
        }
        drop(batches);
        bar.finish_and_clear();
        tally.close(total, broke, &mode).await
    }
}

/// What became of the rows of a batch, in their order; and why none of them could be reached, if so it is.
async fn settle_batch(
    store: &IdentifierStore,
    planner: Option<&mut RestorePlanner>,
    run: &str,
    before: u64,
    reads: Vec<Result<Read, String>>,
    cut: &mut Cut,
) -> (Vec<Settled>, Option<String>) {
    // The mark's line is the row's place, counted from 1: ids may come twice in a table that lost its constraints.
    let wanted: Vec<(Mapping, Mark)> = reads
        .iter()
        .zip(before + 1..)
        .filter_map(|(read, place)| Some((read.as_ref().ok()?.mapping.clone(), Mark::line(run, place))))
        .collect();
    let mappings: Vec<Mapping> = wanted.iter().map(|(mapping, _)| mapping.clone()).collect();
    let plans = planner.is_some();
    let answers = match planner {
        _ if mappings.is_empty() => Vec::new(),
        Some(planner) => match planner.plan_many(&mappings).await {
            Ok(planned) => planned,
            Err(error) => vec![Err(error); mappings.len()],
        },
        None => {
            let restored = Box::pin(store.restore_many(wanted.clone())).await;
            match Box::pin(store.standing_many(&mappings)).await {
                Ok(standing) => restored.into_iter().zip(standing).map(|(one, two)| Ok((one?, two?))).collect(),
                Err(error) => vec![Err(error); mappings.len()],
            }
        }
    };
    let unreached = match answers.as_slice() {
        [Err(error), ..] if answers.iter().all(|answer| matches!(answer, Err(error) if !is_rows_own(error))) => {
            Some(format!("none of {} rows could be stored: {error}", answers.len()))
        }
        _ => None,
    };
    let mut answers = wanted.iter().zip(answers);
    let settled = reads.into_iter().map(|read| {
        let Read { mapping, warnings } = match read {
            Ok(read) => read,
            Err(reason) => return Settled::new(Outcome::Rejected, reason),
        };
        let mut settled = match answers.next() {
            Some(((mapping, mark), Ok((restored, standing)))) => {
                settle(mapping, &restored, &standing, (!plans).then_some(mark))
            }
            Some((_, Err(error @ StoreError::Notes { .. }))) => Settled::new(Outcome::Rejected, error.to_string()),
            Some((_, Err(error))) => Settled::new(Outcome::Failed, error.to_string()),
            None => Settled::new(Outcome::Failed, "the row was not reached"),
        };
        cut.tell(&mapping, &warnings, &mut settled);
        settled.warnings.extend(warnings.into_iter().map(Cow::Borrowed));
        settled
    });
    (settled.collect(), unreached)
}

/// Whether the error says something of its row alone.
fn is_rows_own(error: &StoreError) -> bool {
    matches!(error, StoreError::Notes { .. } | StoreError::Broken { .. })
}

/// What a row's restore came to, held against what stands. `mark` is what it wrote under; none if it was only planned.
fn settle(wanted: &Mapping, restored: &Restored, standing: &Standing, mark: Option<&Mark>) -> Settled {
    let whole =
        |there: &&Mapping| there.external_id == wanted.external_id && standing.owner.as_ref() == Some(&wanted.username);
    let there = standing.mapping.as_ref().filter(whole);
    match (restored, mark, there) {
        (Restored::Created, None, _) => Settled::new(Outcome::Created, "the mapping is new"),
        (Restored::Created, Some(mark), Some(there)) if there.stored_by.as_ref() == Some(mark) => {
            let differs = differences(wanted, there, |verified, there| verified != there);
            if differs.is_empty() {
                return Settled::new(Outcome::Created, "the mapping is new, and was read back");
            }
            let differs = differs.join(", ");
            Settled::new(
                Outcome::Failed,
                format!("it was written, and reads back with another {differs}; run it again"),
            )
        }
        (Restored::Created, Some(_), Some(_)) => {
            let mut settled = Settled::new(Outcome::Created, "the mapping is new");
            settled.warnings.push("another writer changed it right after it was written".into());
            settled
        }
        (Restored::Created, Some(_), None) => Settled::new(
            Outcome::Failed,
            "it was written, and is not there when it is read back: another writer changed it, or run it again",
        ),
        (Restored::Unchanged, _, Some(there)) => {
            let mut settled = Settled::new(Outcome::Unchanged, "the mapping stands already");
            // A later verification is what becomes of every mapping here.
            let differs = differences(wanted, there, |verified, there| verified > there);
            if !differs.is_empty() {
                let differs = differs.join(", ");
                let warning = format!("the mapping stands already, with another {differs}: what stands is kept");
                settled.reason.clone_from(&warning);
                settled.warnings.push(warning.into());
            }
            settled
        }
        (Restored::Unchanged, _, None) => {
            Settled::new(Outcome::Failed, "another writer changed the mapping meanwhile; run it again")
        }
        (Restored::Conflict { owner }, ..) => conflict(wanted, owner, standing),
    }
}

fn conflict(wanted: &Mapping, owner: &Username, standing: &Standing) -> Settled {
    let Mapping { username, system, external_id, .. } = wanted;
    let other = standing.mapping.as_ref().filter(|there| there.external_id != *external_id);
    if owner != username {
        let has = other.map(|other| format!(", who has {} there", other.external_id)).unwrap_or_default();
        return Settled {
            outcome: Outcome::Conflict,
            reason: format!(
                "the id {external_id} in {system} belongs to {owner}, and the row gives it to {username}{has}"
            ),
            class: format!("the id in {system} belongs to another person").into(),
            warnings: Vec::new(),
        };
    }
    let has = other.map_or_else(|| "another id".to_owned(), |other| format!("the id {}", other.external_id));
    // Here two spellings are one person, and to NexusLIMS they are two.
    let spelt = if owner.as_str() == username.as_str() {
        String::new()
    } else {
        format!(" ({owner} and {username} are one person here)")
    };
    Settled {
        outcome: Outcome::Conflict,
        reason: format!("{owner} has {has} in {system}, and the row gives {username} the id {external_id}{spelt}"),
        class: format!("the person has another id in {system}").into(),
        warnings: Vec::new(),
    }
}

/// The columns in which what stands is another than what the row wants.
fn differences<T: Fn(Option<jiff::Timestamp>, Option<jiff::Timestamp>) -> bool>(
    wanted: &Mapping,
    there: &Mapping,
    verified: T,
) -> Vec<&'static str> {
    [
        ("email", wanted.email != there.email),
        ("created_at", wanted.created_at != there.created_at),
        ("last_verified_at", verified(wanted.last_verified_at, there.last_verified_at)),
        ("notes", wanted.notes != there.notes),
    ]
    .into_iter()
    .filter_map(|(name, differs)| differs.then_some(name))
    .collect()
}

impl Settled {
    /// With a reason that names nobody.
    fn new(outcome: Outcome, reason: impl Into<Cow<'static, str>>) -> Self {
        let class = reason.into();
        Self { outcome, reason: class.clone().into_owned(), class, warnings: Vec::new() }
    }
}

/// What the rows came to so far.
struct Tally {
    record: RunRecord,
    counts: Counts,
    reasons: Reasons,
    warnings: Reasons,
    rows: Vec<Row>,
    succeeded: csv::Writer<Vec<u8>>,
}

impl Tally {
    fn new(record: RunRecord) -> anyhow::Result<Self> {
        let mut succeeded = csv::Writer::from_writer(Vec::new());
        succeeded.write_record(["id", "username", "system", "external_id", "outcome", "reason"])?;
        let (counts, rows) = (Counts::default(), Vec::new());
        Ok(Self { record, counts, reasons: Reasons::new(), warnings: Reasons::new(), rows, succeeded })
    }

    fn add(&mut self, row: &RawRow, settled: Settled) -> anyhow::Result<()> {
        let Settled { outcome, reason, class, warnings } = settled;
        self.counts.add(outcome);
        warnings.iter().for_each(|warning| self.warnings.add(warning));
        if outcome.is_success() {
            let cells = [&row.id, text(&row.username), text(&row.system), text(&row.external_id)];
            let cells = cells.into_iter().map(String::as_str).chain([outcome.as_str(), &reason]);
            self.succeeded.write_record(cells.map(|cell| guard(cell).into_owned()))?;
            return Ok(());
        }
        self.reasons.add(&class);
        let name = format!("row {}: {}", row.id, text(&row.username));
        self.rows.push(Row { kind: "mapping", id: row.id.as_str().into(), name, outcome, reason: reason.into() });
        Ok(())
    }

    async fn close(self, total: u64, broke: Option<String>, mode: &Mode<'_>) -> anyhow::Result<Worked> {
        let Self { mut record, mut counts, reasons, warnings, rows, succeeded } = self;
        let reached = counts.read;
        record.reasons = reasons.most_frequent();
        record.warnings = warnings.most_frequent();
        record.dry_run = matches!(mode, Mode::Plan { .. });
        record.state = if counts.unsuccessful() > 0 { RunState::Partly } else { RunState::Succeeded };
        record.progress = progress(&counts, total);
        if let Some(why) = broke {
            record.fail(why);
            let missed = total.saturating_sub(reached);
            counts.skipped += missed;
            counts.read += missed;
        }
        if let Mode::Write { files, .. } = mode
            && reached > u64::try_from(rows.len())?
        {
            let key = report::key(&record.id, SUCCEEDED);
            let text = succeeded.into_inner().map_err(|error| anyhow!("{key} could not be written: {error}"))?;
            Box::pin(files.put(&key, text.into(), "text/csv; charset=utf-8")).await?;
            record.reports.succeeded = Some(key);
        }
        record.counts = counts;
        record.parts.insert(PART.to_owned(), counts);
        record.ended_at = Some(Clock::system().now());
        Ok(Worked { record, rows })
    }
}

fn text(cell: &Cell) -> &String {
    static NONE: String = String::new();
    match cell {
        Cell::Text(text) => text,
        Cell::Null | Cell::NotText => &NONE,
    }
}

fn line(row: &RawRow, settled: &Settled) -> String {
    let (id, outcome, reason) = (show::plain(&row.id), settled.outcome.as_str(), show::plain(&settled.reason));
    format!("row {id} {outcome}: {reason}")
}

fn progress(counts: &Counts, total: u64) -> Progress {
    #[expect(clippy::cast_precision_loss, reason = "a percentage for people")]
    let percent = (total > 0).then(|| 100.0 * counts.read as f64 / total as f64);
    Progress { rows: counts.read, bytes: 0, percent }
}

/// On standard error, and only if that is a terminal.
fn bar(rows: u64) -> ProgressBar {
    let bar = ProgressBar::new(rows);
    match ProgressStyle::with_template("migrating {bar:30} {pos} of {len} rows") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mapping(username: &str, external_id: &str) -> Mapping {
        Mapping {
            username: Username::parse(username).unwrap(),
            system: System::parse("nemo").unwrap(),
            external_id: ExternalId::parse(external_id).unwrap(),
            email: None,
            created_at: jiff::Timestamp::UNIX_EPOCH,
            last_verified_at: None,
            last_seen: None,
            notes: None,
            stored_by: None,
        }
    }

    #[test]
    fn what_was_written_is_held_against_what_is_read_back() {
        let (wanted, mark) = (mapping("ada", "1"), Mark::line("r", 1));
        let created = |mapping: Option<Mapping>, owner: &str| {
            let standing = Standing { mapping, owner: Username::parse(owner).ok() };
            settle(&wanted, &Restored::Created, &standing, Some(&mark))
        };
        let there = Mapping { stored_by: Some(mark.clone()), ..wanted.clone() };
        assert_eq!(created(Some(there.clone()), "ada").outcome, Outcome::Created);
        for (mapping, owner) in [
            (None, "ada"),
            (Some(there.clone()), "bob"),
            (Some(there.clone()), ""),
            (Some(Mapping { notes: Some("x".into()), ..there.clone() }), "ada"),
            (Some(Mapping { last_verified_at: Some(jiff::Timestamp::MAX), ..there.clone() }), "ada"),
            (Some(Mapping { external_id: ExternalId::parse("2").unwrap(), ..there.clone() }), "ada"),
        ] {
            assert_eq!(created(mapping.clone(), owner).outcome, Outcome::Failed, "{mapping:?} {owner}");
        }
        let later = Mapping { stored_by: Some(Mark::request("q")), notes: Some("x".into()), ..there };
        let settled = created(Some(later), "ada");
        assert_eq!((settled.outcome, settled.warnings.len()), (Outcome::Created, 1));
    }

    #[test]
    fn what_stands_is_kept_and_said_to_differ() {
        let wanted = Mapping { last_verified_at: Some(jiff::Timestamp::UNIX_EPOCH), ..mapping("ada", "1") };
        let unchanged = |there: Mapping| {
            let standing = Standing { mapping: Some(there), owner: Some(wanted.username.clone()) };
            settle(&wanted, &Restored::Unchanged, &standing, None)
        };
        assert_eq!(unchanged(wanted.clone()).warnings, [""; 0]);
        let verified_later = Mapping { last_verified_at: Some(jiff::Timestamp::MAX), ..wanted.clone() };
        assert_eq!(unchanged(verified_later).warnings, [""; 0]);
        let other = Mapping { notes: Some("x".into()), last_verified_at: None, ..wanted.clone() };
        let settled = unchanged(other);
        assert_eq!(settled.outcome, Outcome::Unchanged);
        assert!(settled.warnings[0].contains("another last_verified_at, notes"), "{settled:?}");
    }

    #[test]
    fn a_conflict_names_both() {
        let standing = Standing { mapping: Some(mapping("ada", "2")), owner: None };
        let told = conflict(&mapping("Ada", "1"), &Username::parse("ada").unwrap(), &standing);
        assert_eq!(
            told.reason,
            "ada has the id 2 in nemo, and the row gives Ada the id 1 (ada and Ada are one person here)"
        );
        let told = conflict(&mapping("Ada", "1"), &Username::parse("bob").unwrap(), &standing);
        assert_eq!(told.reason, "the id 1 in nemo belongs to bob, and the row gives it to Ada, who has 2 there");
        assert!(!told.class.contains("bob"));
    }
}
