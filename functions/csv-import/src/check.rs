//! A look at the file alone: header and values. Needs no AWS, and no memory that grows with the file.

use std::io::Read;

use crosswalk_runs::{Counts, Outcome};

use crate::Kind;
use crate::csv_file::{CsvFile, FileError, Record};
use crate::outcome::{RowResult, Verdict};
use crate::row::RowText;

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
        let verdict = match RowText::read(kind, file.layout(), &record) {
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
    use crosswalk_identity::System;

    use super::*;
    use crate::feed::{Fed, feed};

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

    /// The rejected rows, as a look at the file tells them.
    fn checked(file: &[u8], kind: &Kind) -> Vec<(u64, String)> {
        let mut seen = Vec::new();
        let mut look = |row: &RowResult| match row.outcome {
            Outcome::Rejected => seen.push((row.line, row.reason.to_string())),
            outcome => assert_eq!((outcome, row.reason.as_ref()), (Outcome::Unchanged, "")),
        };
        check(file, kind, &mut look, |_, _| {}).unwrap();
        seen
    }

    /// The rejected rows, as an import reads them.
    async fn imported(file: &[u8], kind: &Kind) -> Vec<(u64, String)> {
        let mut seen = Vec::new();
        let mut fed = feed(Box::new(std::io::Cursor::new(file.to_vec())), kind.clone(), 7);
        while let Some(fed) = fed.recv().await {
            if let Fed::Unit(unit) = fed {
                let rejected = unit.rows.into_iter().filter_map(|(read, row)| Some((read.record.line(), row.err()?)));
                seen.extend(rejected);
            }
        }
        seen
    }

    /// Each row of the file with why it is rejected, or nothing if it is not.
    async fn each_is_told_its_reason(kind: &Kind, header: &str, rows: &[(&[u8], &str)]) {
        // Blank lines, so that the rows are past the block that the file is judged by.
        let mut file = [header.as_bytes(), "\n".repeat(70_000).as_bytes()].concat();
        let mut wanted = Vec::new();
        for (row, reason) in rows {
            let line = file.iter().filter(|byte| **byte == b'\n').count() as u64 + 1;
            if !reason.is_empty() {
                wanted.push((line, (*reason).to_owned()));
            }
            file.extend_from_slice(row);
            file.push(b'\n');
        }
        assert_eq!(checked(&file, kind), wanted);
        assert_eq!(imported(&file, kind).await, wanted);
    }

    #[tokio::test]
    async fn mapping_rows_are_rejected_for_the_same_reasons_as_by_an_import() {
        let long = |pattern: &str, count: usize, rest: &str| format!("{}{rest}", pattern.repeat(count)).into_bytes();
        let path = |found: char| {
            format!("the username holds `{found}`, which cannot stand in a path; `/ ? # % \\` are not allowed")
        };
        let address = |reason: &str| format!("the e-mail is not a valid address ({reason})");
        let character = address("Invalid character.");
        each_is_told_its_reason(
            &Kind::Mappings(System::parse("nemo").unwrap()),
            "username,external_id,email,notes\n",
            &[
                (b"alice,1,a@example.org,n", ""),
                ("zo\u{eb}, 1 ,zo\u{eb}@example.org,\"two\nlines\"".as_bytes(), ""),
                (b"alice smith,1 2, ,", ""),
                (b"x,1,\"\"\"a b\"\"@example.org\",", ""),
                ("\u{a0} ,1,,".as_bytes(), "the username is empty"),
                (b"a\tb,1,,", "the username holds the control character U+0009 at character 2; remove it"),
                ("\u{eb}\u{85}b,1,,".as_bytes(), "the username holds the control character U+0085 at character 2; remove it"),
                (b"a/b,1,,", &path('/')),
                (b"a b?,1,,", &path('?')),
                ("\u{eb}#%,1,,".as_bytes(), &path('#')),
                (b"%,1,,", &path('%')),
                (b"a\\b,1,,", &path('\\')),
                (&long("x", 512, ",1,,"), ""),
                (&long("x", 513, ",1,,"), "the username has 513 bytes; at most 512 are allowed"),
                (&long("\u{130}", 171, ",1,,"), "the username has 513 bytes; at most 512 are allowed"),
                (b"b, ,,", "the external id is empty"),
                (b"b,\"1\n2\",,", "the external id holds the control character U+000A at character 2; remove it"),
                (&[b"b,".as_slice(), &long("x", 1025, ",,")].concat(), "the external id has 1025 bytes; at most 1024 are allowed"),
                (b"b,1,\"a\0b\",", "the e-mail holds the control character U+0000 at character 2; remove it"),
                (&[b"b,1,".as_slice(), &long("x", 255, ",")].concat(), "the e-mail has 255 bytes; at most 254 are allowed"),
                (&[b"b,1,".as_slice(), &long("x", 65, "@x.org,")].concat(), &address("Local part is too long. Length limit: 64")),
                (&[b"b,1,b@".as_slice(), &long("x", 64, ".org,")].concat(), &address("A sub-domain is too long. Length limit: 63")),
                (b"b,1,bob,", &address("Missing separator character '@'.")),
                (b"b,1,bob@,", &address("Domain is empty.")),
                (b"b,1,@example.org,", &address("Local part is empty.")),
                (b"b,1,b@example..org,", &address("A sub-domain is empty.")),
                (b"b,1,b b@example.org,", &character),
                (b"b,1,b..b@example.org,", &character),
                (b"b,1,b@c@example.org,", &character),
                (b"b,1,b@-x.org,", &character),
                (b"b,1,B <b@example.org>,", &address("Display names are not supported.")),
                (b"b,1,b@[127.0.0.1],", &address("Domain literals are not supported.")),
                (&[b"b,1,,".as_slice(), &long("x", 4097, "")].concat(), "the notes column has 4097 bytes; at most 4096 are allowed"),
                (
                    &[b"a?b,,x,".as_slice(), &long("x", 4097, "")].concat(),
                    &format!(
                        "{}; the external id is empty; {}; the notes column has 4097 bytes; at most 4096 are allowed",
                        path('?'),
                        address("Missing separator character '@'.")
                    ),
                ),
                (b"b,1", "the row's number of cells is 2 and the header's 4; write a delimiter for each cell that is left empty"),
                (b"b,1,,,", "the row's number of cells is 5 and the header's 4; put a value that holds the delimiter in quotes"),
                (
                    "z\u{fffd},1,,".as_bytes(),
                    "the row holds the character U+FFFD, which stands where another was lost; write that one again, and save as UTF-8",
                ),
                (b"zo\xeb,1,,", "the row holds bytes that are not UTF-8; save the file again as UTF-8"),
                (b"last,1,,", ""),
                (
                    b"b,\"1,,",
                    "a quote (\") that opens in this row is never closed, so the rest of the file was taken for this one row; close it and drop the file in again",
                ),
            ],
        )
        .await;
    }

    #[tokio::test]
    async fn other_rows_are_rejected_for_the_same_reasons_as_by_an_import() {
        let fein = |found: &str| {
            format!(
                "the FEIN must have 9 digits (dashes and leading zeros may be left out), and not be all zeros; this one {found}"
            )
        };
        let other = fein("holds something else than digits and dashes");
        let path = "the username holds `/`, which cannot stand in a path; `/ ? # % \\` are not allowed";
        each_is_told_its_reason(
            &Kind::LeaveAdmins,
            "fein,email\n",
            &[
                (b"04-2127847,A@Example.org", ""),
                (b",a@example.org", "the FEIN is empty"),
                (b"--,a@example.org", &fein("has none")),
                (b"04-21278471,a@example.org", &fein("has 10")),
                (b"04.2127847,a@example.org", &other),
                ("12345678\u{666},a@example.org".as_bytes(), &other),
                (b"00-0000000,a@example.org", &fein("is all zeros")),
                (b"1,", "the e-mail is empty"),
                (b"1,a/b@example.org", path),
                (b"x,a/b@example.org", &format!("{other}; {path}")),
                (b",x", "the FEIN is empty; the e-mail is not a valid address (Missing separator character '@'.)"),
            ],
        )
        .await;
        let long = "x".repeat(1001);
        let control = "holds a line break, tab or other control character; remove it";
        each_is_told_its_reason(
            &Kind::Employers,
            "fein,name,fineos_employer_id\n",
            &[
                (b"1, Acme ,7", ""),
                (b"0, ,", &format!("{}; the name is empty", fein("is all zeros"))),
                (b"3,\"a\nb\",", &format!("the name {control}")),
                (b"4,a,\"b\tc\"", &format!("the fineos_employer_id {control}")),
                (format!("5,{long},").as_bytes(), "the name column has 1001 bytes; at most 1000 are allowed"),
                (
                    format!("6,a,{long}").as_bytes(),
                    "the fineos_employer_id column has 1001 bytes; at most 1000 are allowed",
                ),
            ],
        )
        .await;
    }
}
