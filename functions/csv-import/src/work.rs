//! The work of one unit of rows, by the file's kind.

use crosswalk_identifier_store::IdentifierStore;
use crosswalk_identity::{Mark, System};
use crosswalk_people::People;

use crate::leave_admins::{LeaveAdmins, Stop};
use crate::order::Turn;
use crate::outcome::RowResult;
use crate::row::Row;
use crate::{Kind, employers, mappings};

/// What the rows of a run are worked on with.
pub(crate) struct Work {
    pub(crate) run: String,
    pub(crate) kind: KindOfWork,
}

/// By the file's kind.
pub(crate) enum KindOfWork {
    LeaveAdmins(Box<LeaveAdmins>),
    Mappings(IdentifierStore, System),
    Employers(People),
}

/// How many rows of a kind are worked on together.
pub(crate) fn unit_of(kind: &Kind) -> usize {
    match kind {
        Kind::Mappings(_) => mappings::BATCH,
        Kind::LeaveAdmins | Kind::Employers => 1,
    }
}

impl Work {
    /// Works on rows; one result each, in their order.
    ///
    /// # Errors
    /// Every further row would fail as well.
    pub(crate) async fn unit(&self, rows: Vec<(u64, Row)>, turn: Turn) -> Result<Vec<RowResult>, Stop> {
        if let KindOfWork::Mappings(store, system) = &self.kind {
            let rows = rows.into_iter().filter_map(|(line, row)| match row {
                Row::Mapping(row) => Some((line, row)),
                Row::LeaveAdmin(_) | Row::Employer(_) => None,
            });
            return Ok(mappings::store(store, system, &self.run, rows.collect(), turn).await);
        }
        let mut results = Vec::with_capacity(rows.len());
        for (line, row) in rows {
            let mark = Mark::line(&self.run, line);
            let verdict = match (&self.kind, row) {
                (KindOfWork::LeaveAdmins(work), Row::LeaveAdmin(row)) => work.bring_in(&mark, &row).await?,
                (KindOfWork::Employers(people), Row::Employer(row)) => employers::put(people, &mark, row).await,
                // A file's rows are all of its kind.
                _ => continue,
            };
            results.push(verdict.at(line));
        }
        Ok(results)
    }
}
