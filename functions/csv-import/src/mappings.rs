//! The work of mapping rows.

use crosswalk_identifier_store::{Change, IdentifierStore, Planner, StoreError, StoreRequest, Stored};
use crosswalk_identity::{Mark, System};
use crosswalk_runs::Outcome;

use crate::order::Turn;
use crate::outcome::{RowResult, Verdict};
use crate::row::MappingRow;

/// Rows that are stored together: their mapping and owner items fill one batch read of 100.
pub(crate) const BATCH: usize = 50;

/// Stores rows, in file order where two share a key.
///
/// A row may claim an external id that an earlier row, of another unit, has yet to give up: the two share no key that
/// their cells tell of. So what is a conflict while earlier units work is stored again when they have finished.
pub(crate) async fn store(
    store: &IdentifierStore,
    system: &System,
    run: &str,
    rows: Vec<(u64, MappingRow)>,
    mut turn: Turn,
) -> Vec<RowResult> {
    let (lines, requests) = requests(system, run, rows);
    let again = if turn.is_first() { Vec::new() } else { requests.clone() };
    let mut answers = store.store_many(requests).await;
    let early = early_conflicts(&again, &answers);
    if !early.is_empty() {
        turn.first().await;
        let again = early.iter().map(|place| again[*place].clone()).collect();
        for (place, answer) in early.into_iter().zip(store.store_many(again).await) {
            answers[place] = answer;
        }
    }
    settled(&lines, answers)
}

/// The rows that may have come before an earlier unit's. A row whose person, external id or owner a later row of its own
/// unit has changed is none: it was decided in its place, and would now come after that row.
fn early_conflicts(requests: &[StoreRequest], answers: &[Result<Stored, StoreError>]) -> Vec<usize> {
    let owner = |place: usize| match &answers[place] {
        Ok(Stored::Conflict { owner }) => Some(owner),
        _ => None,
    };
    let is_early = |place: &usize| {
        let Some(owner_here) = owner(*place) else { return false };
        let row = &requests[*place];
        let mut later =
            (*place + 1..requests.len()).filter(|later| owner(*later).is_none()).map(|later| &requests[later]);
        later.all(|later| {
            later.username != *owner_here && later.username != row.username && later.external_id != row.external_id
        })
    };
    (0..requests.len()).filter(is_early).collect()
}

/// What [`store`] would do; `planner` remembers what earlier rows would have done.
pub(crate) async fn plan(
    planner: &mut Planner,
    system: &System,
    run: &str,
    rows: Vec<(u64, MappingRow)>,
) -> Vec<RowResult> {
    let (lines, requests) = requests(system, run, rows);
    settled(&lines, planner.plan_many(requests).await)
}

fn requests(system: &System, run: &str, rows: Vec<(u64, MappingRow)>) -> (Vec<u64>, Vec<StoreRequest>) {
    let request = |(line, row): (u64, MappingRow)| {
        let request = StoreRequest {
            username: row.username,
            system: system.clone(),
            external_id: row.external_id,
            email: row.email.map_or(Change::Keep, Change::Set),
            notes: row.notes.map_or(Change::Keep, Change::Set),
            mark: Mark::line(run, line),
        };
        (line, request)
    };
    rows.into_iter().map(request).unzip()
}

fn settled(lines: &[u64], answers: Vec<Result<Stored, StoreError>>) -> Vec<RowResult> {
    lines.iter().zip(answers).map(|(line, answer)| verdict(answer).at(*line)).collect()
}

fn verdict(answer: Result<Stored, StoreError>) -> Verdict {
    match answer {
        Ok(Stored::Created(_)) => Verdict::new(Outcome::Created, "the mapping is new"),
        Ok(Stored::Updated { mapping, previous }) if mapping.external_id != previous => Verdict::personal(
            Outcome::Updated,
            format!("the external id was {previous}"),
            "the external id was another",
        ),
        Ok(Stored::Updated { .. }) => Verdict::new(Outcome::Updated, "the e-mail or the notes were others"),
        Ok(Stored::Verified(_)) => Verdict::new(Outcome::Verified, "the mapping stood already"),
        Ok(Stored::Conflict { owner }) => Verdict::personal(
            Outcome::Conflict,
            format!(
                "the external id belongs to {owner}; correct this row, or pass the id on with `crosswalk ids move`"
            ),
            "the external id belongs to another person",
        ),
        Err(error) => failed(&error),
    }
}

/// A row that the store could not take.
pub(crate) fn failed(error: &StoreError) -> Verdict {
    Verdict::new(Outcome::Failed, format!("{error}; drop this row in again"))
}

#[cfg(test)]
mod tests {
    use crosswalk_identity::{ExternalId, Username};

    use super::*;

    fn name(text: &str) -> Username {
        Username::parse(text).unwrap()
    }

    fn claim(username: &str, external_id: &str) -> StoreRequest {
        StoreRequest {
            username: name(username),
            system: System::parse("nemo").unwrap(),
            external_id: ExternalId::parse(external_id).unwrap(),
            email: Change::Keep,
            notes: Change::Keep,
            mark: Mark::line("run", 2),
        }
    }

    fn held_by(owner: &str) -> Result<Stored, StoreError> {
        Ok(Stored::Conflict { owner: name(owner) })
    }

    /// What was done matters not, only that it is no conflict.
    fn done() -> Result<Stored, StoreError> {
        Err(StoreError::Cursor)
    }

    #[test]
    fn a_conflict_is_early_unless_a_later_row_of_its_unit_tells_otherwise() {
        let cases = [
            ("nothing follows", claim("zoe", "9"), true),
            ("its owner moves on below", claim("ann", "8"), false),
            ("its person takes another id below", claim("ben", "8"), false),
            ("another takes its id below", claim("zoe", "7"), false),
        ];
        for (case, later, early) in cases {
            let requests = [claim("ben", "7"), later];
            let found = early_conflicts(&requests, &[held_by("ann"), done()]);
            assert_eq!(found, if early { vec![0] } else { vec![] }, "{case}");
        }
    }

    #[test]
    fn conflicts_of_one_chain_are_all_early() {
        let requests = [claim("b", "1"), claim("c", "2"), claim("d", "3")];
        assert_eq!(early_conflicts(&requests, &[held_by("a"), held_by("b"), held_by("c")]), [0, 1, 2]);
        assert_eq!(early_conflicts(&[], &[done()]), [0; 0]);
    }
}
