//! The work of employer rows.

use std::collections::HashMap;

use crosswalk_identifier_store::StoreError;
use crosswalk_identity::{Fein, Mark};
use crosswalk_people::{Employer, Kept, People};
use crosswalk_runs::Outcome;

use crate::mappings::failed;
use crate::outcome::{RowResult, Verdict};
use crate::row::EmployerRow;

impl From<EmployerRow> for Employer {
    fn from(row: EmployerRow) -> Self {
        Self { fein: row.fein, name: row.name, fineos_employer_id: row.fineos_employer_id }
    }
}

/// Makes the employer so.
pub(crate) async fn put(people: &People, mark: &Mark, row: EmployerRow) -> Verdict {
    verdict(people.put_employer(&row.into(), mark).await)
}

/// What [`put`] would do with rows, in file order. `planned` holds how the employers of earlier rows would stand.
pub(crate) async fn plan(
    people: &People,
    planned: &mut HashMap<Fein, Employer>,
    rows: Vec<(u64, EmployerRow)>,
) -> Vec<RowResult> {
    let feins: Vec<Fein> = rows.iter().map(|(_, row)| row.fein.clone()).collect();
    let stored = match people.employers(&feins).await {
        Ok(stored) => stored,
        Err(error) => return rows.iter().map(|(line, _)| failed(&error).at(*line)).collect(),
    };
    let mut results = Vec::with_capacity(rows.len());
    for (line, row) in rows {
        let wanted = Employer::from(row);
        let (kept, employer) =
            Employer::planned(planned.get(&wanted.fein).or_else(|| stored.get(&wanted.fein)), &wanted);
        if kept != Kept::Unchanged {
            planned.insert(employer.fein.clone(), employer);
        }
        results.push(verdict(Ok(kept)).at(line));
    }
    results
}

fn verdict(kept: Result<Kept, StoreError>) -> Verdict {
    match kept {
        Ok(Kept::Created) => Verdict::new(Outcome::Created, "the employer is new"),
        Ok(Kept::Updated) => Verdict::new(Outcome::Updated, "the name or the FINEOS id was another"),
        Ok(Kept::Unchanged) => Verdict::new(Outcome::Unchanged, "the employer stood already"),
        Err(error) => failed(&error),
    }
}
