//! The work of employer rows.

use std::collections::HashMap;

use crosswalk_identifier_store::StoreError;
use crosswalk_identity::{Fein, Mark};
use crosswalk_people::{Employer, Kept, People};
use crosswalk_runs::Outcome;

use crate::mappings::failed;
use crate::outcome::Verdict;
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

/// What [`put`] would do. `planned` holds how the employers of earlier rows would stand.
pub(crate) async fn plan(people: &People, planned: &mut HashMap<Fein, Employer>, row: EmployerRow) -> Verdict {
    let wanted = Employer::from(row);
    let stored = match planned.get(&wanted.fein) {
        Some(employer) => Some(employer.clone()),
        None => match people.employer(&wanted.fein).await {
            Ok(stored) => stored,
            Err(error) => return failed(&error),
        },
    };
    let (kept, employer) = Employer::planned(stored.as_ref(), &wanted);
    if kept != Kept::Unchanged {
        planned.insert(employer.fein.clone(), employer);
    }
    verdict(Ok(kept))
}

fn verdict(kept: Result<Kept, StoreError>) -> Verdict {
    match kept {
        Ok(Kept::Created) => Verdict::new(Outcome::Created, "the employer is new"),
        Ok(Kept::Updated) => Verdict::new(Outcome::Updated, "the name or the FINEOS id was another"),
        Ok(Kept::Unchanged) => Verdict::new(Outcome::Unchanged, "the employer stood already"),
        Err(error) => failed(&error),
    }
}
