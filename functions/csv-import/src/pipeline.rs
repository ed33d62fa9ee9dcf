//! From rows to outcomes: what may work now works, and results are written in file order.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use crosswalk_function_kit::Deadline;
use crosswalk_runs::{Counts, Outcome, Progress, Reasons};
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};

use crate::csv_file::{FileError, Layout};
use crate::feed::{Fed, ReadRow, Unit};
use crate::leave_admins::Stop;
use crate::order::{Order, Turn};
use crate::outcome::{RowResult, Verdict};
use crate::reports::{ReportError, RowReports};
use crate::row::Row;
use crate::work::Work;

/// Below this, no further row is started: what is left is for the rows under way, the reports and the record.
const MARGIN: Duration = Duration::from_secs(45);
/// Below this, rows under way are given up.
const LAST: Duration = Duration::from_secs(10);

const NOT_REACHED: &str = "not reached: drop this file in again";
const GIVEN_UP: &str = "the invocation's time ran out while this row was worked on: drop it in again";

const FAULT: &str = "a fault of Crosswalk itself; the log has more";

/// What came of the rows.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) progress: Progress,
    pub(crate) counts: Counts,
    pub(crate) reasons: Reasons,
    /// Why the run broke off, if it did: in words that name nobody.
    pub(crate) broke: Option<Broke>,
}

/// Why a run broke off.
pub(crate) enum Broke {
    /// Every further row would have failed as well.
    Stopped(Stop),
    /// The file does not read any further.
    File(FileError),
}

/// The margins near an invocation's end; shorter for shorter invocations.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Margins {
    deadline: Deadline,
    start: Duration,
    last: Duration,
}

impl Margins {
    pub(crate) fn of(deadline: Deadline) -> Self {
        let quarter = deadline.left().unwrap_or(Duration::MAX) / 4;
        // Never nothing: an invocation whose time is over starts no row.
        let start = MARGIN.min(quarter).max(Duration::from_millis(1));
        Self { deadline, start, last: LAST.min(quarter / 2) }
    }

    fn may_start(&self) -> bool {
        !self.deadline.is_near(self.start)
    }

    /// Returns when rows under way are to be given up.
    async fn give_up(&self) {
        match self.deadline.left() {
            Some(left) => tokio::time::sleep(left.saturating_sub(self.last)).await,
            None => std::future::pending().await,
        }
    }
}

/// What the rows are worked on with.
pub(crate) struct Plan<'a> {
    pub(crate) work: Arc<Work>,
    /// Units at once.
    pub(crate) concurrency: usize,
    pub(crate) margins: Margins,
    /// The source's size in bytes.
    pub(crate) size: u64,
    /// Is told after each step.
    pub(crate) tell: &'a (dyn Fn(&Progress, &Counts) + Send + Sync),
}

/// A row between its reading and its report.
struct Slot {
    row: ReadRow,
    result: Option<RowResult>,
}

/// A unit that waits or works: its rows, with their places in the file.
struct Waiting(Vec<(u64, u64, Row)>);

type Done = (u64, Result<Vec<RowResult>, Stop>);

struct Pipeline<'a> {
    plan: Plan<'a>,
    layout: Arc<Layout>,
    reports: &'a mut RowReports,
    order: Order<Waiting>,
    /// By number: the first of the file begins first, so that a unit which waits for all earlier ones (`Turn`) never
    /// holds the last place while one of these has none.
    ready: BTreeMap<u64, Waiting>,
    lowest: watch::Sender<u64>,
    tasks: JoinSet<Done>,
    /// Of each task: its unit, and its rows' places and lines, for when it ends without a word.
    under_way: HashMap<Id, (u64, Vec<(u64, u64)>)>,
    window: VecDeque<Slot>,
    /// The place of the window's first row.
    first: u64,
    tally: Tally,
}

/// Works on all rows of a file whose header was read.
///
/// # Errors
/// A report could not be written. (What goes wrong with the file or a row is in the tally.)
pub(crate) async fn run(
    plan: Plan<'_>,
    layout: Arc<Layout>,
    mut fed: mpsc::Receiver<Fed>,
    reports: &mut RowReports,
) -> Result<Tally, ReportError> {
    let (margins, size) = (plan.margins, plan.size);
    let mut pipeline = Pipeline {
        plan,
        layout,
        reports,
        order: Order::new(),
        ready: BTreeMap::new(),
        lowest: watch::Sender::new(0),
        tasks: JoinSet::new(),
        under_way: HashMap::new(),
        window: VecDeque::new(),
        first: 0,
        tally: Tally::default(),
    };
    let give_up = margins.give_up();
    tokio::pin!(give_up);
    let (mut at_end, mut given_up) = (false, false);
    let mut read = None;
    loop {
        pipeline.start_ready();
        pipeline.write_settled().await?;
        if at_end && pipeline.tasks.is_empty() {
            break;
        }
        tokio::select! {
            Some(done) = pipeline.tasks.join_next_with_id(), if !pipeline.tasks.is_empty() => pipeline.finish(done),
            message = fed.recv(), if !at_end => match message {
                Some(Fed::Unit(unit)) => pipeline.admit(unit),
                Some(Fed::Layout(_)) => {}
                Some(Fed::End(end)) => {
                    at_end = true;
                    match end {
                        Ok(bytes) => read = Some(bytes),
                        Err(error) => pipeline.tally.broke = pipeline.tally.broke.take().or(Some(Broke::File(error))),
                    }
                }
                None => at_end = true,
            },
            () = &mut give_up, if !given_up => {
                given_up = true;
                pipeline.tasks.abort_all();
            }
        }
    }
    let mut tally = pipeline.tally;
    if let Some(bytes) = read {
        // With what stands behind the last row.
        tally.progress.bytes = bytes;
        tally.progress.percent = percent(bytes, size);
    }
    Ok(tally)
}

impl Pipeline<'_> {
    fn admit(&mut self, unit: Unit) {
        let mut waiting = Vec::with_capacity(unit.rows.len());
        for (read, row) in unit.rows {
            let place = self.first + self.window.len() as u64;
            let line = read.record.line();
            self.window.push_back(Slot { row: read, result: None });
            match row {
                Ok(row) => waiting.push((place, line, row)),
                Err(problem) => self.settle(place, Verdict::new(Outcome::Rejected, problem).at(line)),
            }
        }
        if let Some(free) = self.order.admit(unit.keys, Waiting(waiting)) {
            self.ready.extend([free]);
        }
    }

    fn start_ready(&mut self) {
        while self.tasks.len() < self.plan.concurrency {
            let Some((number, Waiting(rows))) = self.ready.pop_first() else { return };
            if rows.is_empty() {
                self.release(number);
                continue;
            }
            if let Some(reason) = self.closed() {
                for (place, line, _) in rows {
                    self.settle(place, Verdict::new(Outcome::Skipped, reason.clone()).at(line));
                }
                self.release(number);
                continue;
            }
            let places: Vec<(u64, u64)> = rows.iter().map(|(place, line, _)| (*place, *line)).collect();
            let rows = rows.into_iter().map(|(_, line, row)| (line, row)).collect();
            let work = Arc::clone(&self.plan.work);
            let turn = Turn::new(number, self.lowest.subscribe());
            let task = self.tasks.spawn(async move { (number, work.unit(rows, turn).await) });
            self.under_way.insert(task.id(), (number, places));
        }
    }

    /// Why no further row is started, if none is.
    fn closed(&self) -> Option<Cow<'static, str>> {
        if let Some(Broke::Stopped(stop)) = &self.tally.broke {
            return Some(
                format!("not reached, as the run stopped: {stop}. Mend that, and drop this file in again").into(),
            );
        }
        (!self.plan.margins.may_start()).then_some(NOT_REACHED.into())
    }

    fn release(&mut self, number: u64) {
        self.ready.extend(self.order.finish(number));
        self.lowest.send_replace(self.order.lowest());
    }

    fn finish(&mut self, done: Result<(Id, Done), JoinError>) {
        let id = match &done {
            Ok((id, _)) => *id,
            Err(error) => error.id(),
        };
        let Some((number, places)) = self.under_way.remove(&id) else { return };
        match done {
            Ok((_, (_, Ok(results)))) => {
                let settled = results.len().min(places.len());
                for ((place, line), result) in places.iter().zip(results) {
                    debug_assert_eq!(*line, result.line);
                    self.settle(*place, result);
                }
                // Every row that was read ends as something.
                self.fail(&places[settled..], FAULT);
            }
            Ok((_, (_, Err(stop)))) => {
                self.fail(&places, stop.to_string());
                tracing::error!(%stop, "the run stops");
                self.tally.broke = self.tally.broke.take().or(Some(Broke::Stopped(stop)));
            }
            Err(error) if error.is_cancelled() => self.fail(&places, GIVEN_UP),
            Err(_) => self.fail(&places, FAULT),
        }
        self.release(number);
    }

    fn fail(&mut self, places: &[(u64, u64)], reason: impl Into<Cow<'static, str>>) {
        let reason = reason.into();
        for (place, line) in places {
            self.settle(*place, Verdict::new(Outcome::Failed, reason.clone()).at(*line));
        }
    }

    fn settle(&mut self, place: u64, result: RowResult) {
        self.tally.counts.add(result.outcome);
        self.tally.progress.rows += 1;
        if !result.outcome.is_success() {
            self.tally.reasons.add(&result.class);
        }
        let at = usize::try_from(place - self.first).unwrap_or(usize::MAX);
        if let Some(slot) = self.window.get_mut(at) {
            slot.result = Some(result);
        }
    }

    /// Writes the settled rows at the window's head, whose places in it are then free.
    async fn write_settled(&mut self) -> Result<(), ReportError> {
        while let Some(Slot { result: Some(_), .. }) = self.window.front() {
            let Some(Slot { row, result: Some(result) }) = self.window.pop_front() else { break };
            self.first += 1;
            self.tally.progress.bytes = row.offset;
            self.reports.add(&self.layout, &row.record, &result).await?;
        }
        self.tally.progress.percent = percent(self.tally.progress.bytes, self.plan.size);
        (self.plan.tell)(&self.tally.progress, &self.tally.counts);
        Ok(())
    }
}

/// Of the source's bytes, with one decimal.
#[expect(clippy::cast_precision_loss, reason = "a percentage needs few digits")]
pub(crate) fn percent(bytes: u64, size: u64) -> Option<f64> {
    (size > 0).then(|| ((bytes as f64 / size as f64) * 1000.0).round().min(1000.0) / 10.0)
}
