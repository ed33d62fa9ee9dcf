//! What an import would do: store and pool are read, nothing is written, no lease is taken, no run is left.

use std::collections::HashMap;

use crosswalk_identifier_store::Planner;
use crosswalk_identity::{Fein, System};
use crosswalk_people::{Employer, People};
use crosswalk_runs::{Outcome, RunRecord};

use crate::csv_file::FileError;
use crate::feed::{Fed, Unit, feed};
use crate::import::{ImportError, ImportRequest, Importer, failed, with_tally};
use crate::leave_admins::{LeaveAdmins, Planned, Stop};
use crate::outcome::{RowResult, Verdict};
use crate::pipeline::{Broke, Tally, percent};
use crate::row::Row;
use crate::source::{self, SourceError};
use crate::traffic::RunTraffic;
use crate::{Kind, employers, mappings};

/// The most effects of earlier rows that are remembered; beyond it a row is planned against what is stored.
const MEMORY: usize = 100_000;

/// What each kind's rows are planned with.
enum Plans {
    LeaveAdmins(Box<LeaveAdmins>, Planned),
    Mappings(Box<Planner>, System),
    Employers(People, HashMap<Fein, Employer>),
}

impl Importer {
    /// Tells of each row, in file order, how it would end; gives the record that the run would have, with `dry_run` set.
    /// (A row that FINEOS or Cognito would refuse is not foreseen.)
    ///
    /// # Errors
    /// The source does not read for the moment.
    pub async fn dry_run(
        &self,
        request: ImportRequest,
        row: &(dyn Fn(&RowResult) + Send + Sync),
    ) -> Result<RunRecord, ImportError> {
        let now = self.clock.now();
        let mut record = RunRecord::begin(&request.run_id, request.kind.to_string(), request.source.to_string(), now);
        record.dry_run = true;
        let traffic = RunTraffic::default();
        let plan = traffic.cognito.clone().around(self.plan(&request, record, row, &traffic));
        let mut ended = Box::pin(plan).await?;
        ended.ended_at = Some(self.clock.now());
        ended.traffic = traffic.by_target();
        Ok(ended)
    }

    async fn plan(
        &self,
        request: &ImportRequest,
        record: RunRecord,
        tell: &(dyn Fn(&RowResult) + Send + Sync),
        traffic: &RunTraffic,
    ) -> Result<RunRecord, ImportError> {
        let mut plans = match &request.kind {
            Kind::Mappings(system) => Plans::Mappings(Box::new(self.planner(traffic)), system.clone()),
            Kind::Employers => Plans::Employers(self.people(traffic), HashMap::new()),
            Kind::LeaveAdmins => match self.leave_admins(request.force_registration, traffic) {
                Ok(work) => Plans::LeaveAdmins(Box::new(work), Planned::default()),
                Err(missing) => return Ok(failed(record, &missing)),
            },
        };
        let opened = match self.open(&request.source, traffic).await {
            Ok(opened) => opened,
            Err(SourceError::Permanent(reason)) => return Ok(failed(record, &reason)),
            Err(SourceError::Transient(reason)) => return Err(ImportError::Source(reason)),
        };
        let size = opened.size;
        let mut fed = feed(opened.reader, request.kind.clone(), mappings::BATCH);
        let mut tally = Tally::default();
        while let Some(message) = fed.recv().await {
            match message {
                Fed::Layout(_) => {}
                Fed::Unit(unit) => {
                    let results = match plans.unit(&request.run_id, unit).await {
                        Ok(results) => results,
                        Err(stop) => {
                            tally.broke = Some(Broke::Stopped(stop));
                            break;
                        }
                    };
                    for result in results {
                        tally.counts.add(result.outcome);
                        tally.progress.rows += 1;
                        if !result.outcome.is_success() {
                            tally.reasons.add(&result.class);
                        }
                        tell(&result);
                    }
                }
                Fed::End(Ok(bytes)) => tally.progress.bytes = bytes,
                Fed::End(Err(FileError::Read(error))) => match source::behind(&error) {
                    Some(SourceError::Transient(reason)) => return Err(ImportError::Source(reason.clone())),
                    _ => tally.broke = Some(Broke::File(FileError::Read(error))),
                },
                Fed::End(Err(error)) => tally.broke = Some(Broke::File(error)),
            }
        }
        tally.progress.percent = percent(tally.progress.bytes, size);
        Ok(with_tally(record, tally))
    }
}

impl Plans {
    async fn unit(&mut self, run: &str, unit: Unit) -> Result<Vec<RowResult>, Stop> {
        let mut results = Vec::with_capacity(unit.rows.len());
        let (mut admins, mut mappings, mut employers) = (Vec::new(), Vec::new(), Vec::new());
        for (read, row) in unit.rows {
            let line = read.record.line();
            match row {
                Ok(Row::LeaveAdmin(row)) => admins.push((line, row)),
                Ok(Row::Mapping(row)) => mappings.push((line, row)),
                Ok(Row::Employer(row)) => employers.push((line, row)),
                Err(problem) => results.push(Verdict::new(Outcome::Rejected, problem).at(line)),
            }
        }
        // A file's rows are all of its kind.
        results.extend(match self {
            Self::LeaveAdmins(work, planned) => {
                planned.forget_beyond(MEMORY);
                work.plan(planned, run, admins).await?
            }
            Self::Mappings(planner, system) => mappings::plan(planner, system, run, mappings).await,
            Self::Employers(people, planned) => {
                if planned.len() > MEMORY {
                    planned.clear();
                }
                employers::plan(people, planned, employers).await
            }
        });
        results.sort_by_key(|result| result.line);
        Ok(results)
    }
}
