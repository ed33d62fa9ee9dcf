//! A look at the file alone: header and values. Needs no AWS, and no memory that grows with the file.

use std::io::Read;

use crosswalk_runs::{Counts, Outcome};

use crate::Kind;
use crate::csv_file::{CsvFile, FileError, Record};
use crate::outcome::{RowResult, Verdict};
use crate::row::Row;

/// Rows between two calls of `progress`.
const STEP: u64 = 1_000;

/// Reads a file of a kind and judges each row by itself: `rejected` with what is wrong, or `unchanged`, as nothing is written.
///
/// `row` sees each row in order; `progress` the bytes and rows so far, now and then.
///
/// # Errors
/// The file cannot be read; the message says what to do.
pub fn check(
    source: impl Read,
    kind: &Kind,
    mut row: impl FnMut(&RowResult),
    mut progress: impl FnMut(u64, u64),
) -> Result<Counts, FileError> {
    let mut file = CsvFile::open(source, kind)?;
    let mut record = Record::default();
    let mut counts = Counts::default();
    while file.read(&mut record)? {
        let verdict = match Row::read(kind, file.layout(), &record) {
            Ok(_) => Verdict::new(Outcome::Unchanged, ""),
            Err(problem) => Verdict::new(Outcome::Rejected, problem),
        };
        counts.add(verdict.outcome);
        row(&verdict.at(record.line()));
        if counts.read.is_multiple_of(STEP) {
            progress(file.bytes(), counts.read);
        }
    }
    if counts.read == 0 {
        return Err(FileError::NoRows);
    }
    progress(file.bytes(), counts.read);
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_judged_at_its_line() {
        let text = "\u{feff}fein;email\r\n04-2127847;a@example.org\r\n\r\n;b@example.org\r\n";
        let mut seen = Vec::new();
        let mut last = (0, 0);
        let counts =
            check(text.as_bytes(), &Kind::LeaveAdmins, |row| seen.push((row.line, row.outcome)), |b, r| last = (b, r))
                .unwrap();
        assert_eq!(seen, [(2, Outcome::Unchanged), (4, Outcome::Rejected)]);
        assert_eq!((counts.read, counts.rejected, last), (2, 1, (text.len() as u64, 2)));
    }

    #[test]
    fn a_file_without_rows_is_told() {
        let check = |text: &str| check(text.as_bytes(), &Kind::Employers, |_| {}, |_, _| {});
        assert!(matches!(check("fein,name\n"), Err(FileError::NoRows)));
        assert!(matches!(check(""), Err(FileError::Empty)));
        assert!(matches!(check("\u{feff}\n\n"), Err(FileError::Empty)));
        assert!(matches!(check("fein;nome\n1;x\n"), Err(FileError::Header(_))));
    }
}
