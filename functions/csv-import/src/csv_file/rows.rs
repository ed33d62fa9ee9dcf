//! Rows with their true line numbers, out of one buffer.
//!
//! csv-core parses; the lines are counted here, as its own count is one behind after CRLF and knows nothing of blank lines
//! before a row.

use std::io::{ErrorKind, Read};
use std::ops::Range;

use csv_core::ReadRecordResult;
use memchr::memchr3_iter;

use super::FileError;
use super::encoding::UTF8_MARK;

/// Bytes that are read at once, and that encoding and delimiter are told from.
const BLOCK: usize = 64 * 1024;

/// The most bytes of one row. A quote that is never closed would otherwise take the rest of the file for one row.
pub(crate) const LONGEST_ROW: usize = 1024 * 1024;

/// One row. Its memory is used again by the next read.
#[derive(Debug, Clone, Default)]
pub struct Record {
    line: u64,
    /// All cells as they stand in the file.
    bytes: Vec<u8>,
    /// The length of what is used of `bytes`.
    used: usize,
    /// All cells, if they are text: found to be UTF-8 once, not cell by cell.
    text: String,
    ends: Vec<usize>,
    cells: usize,
    is_text: bool,
    open_quote: bool,
}

impl Record {
    /// The line on which it begins, counted from 1 in the file.
    pub fn line(&self) -> u64 {
        self.line
    }

    /// How many cells it has.
    pub fn len(&self) -> usize {
        self.cells
    }

    /// Whether it has no cells.
    pub fn is_empty(&self) -> bool {
        self.cells == 0
    }

    /// Whether all of it is UTF-8.
    pub fn is_text(&self) -> bool {
        self.is_text
    }

    /// Whether the file ended inside its quotes.
    pub fn has_open_quote(&self) -> bool {
        self.open_quote
    }

    /// The bytes that it takes in memory, about.
    pub fn size(&self) -> usize {
        self.used
    }

    /// A cell as text; none past the last cell, or where the row is not UTF-8.
    pub fn cell(&self, index: usize) -> Option<&str> {
        if !self.is_text {
            return None;
        }
        self.text.get(self.place(index)?)
    }

    /// A cell as it stands in the file.
    pub fn cell_bytes(&self, index: usize) -> Option<&[u8]> {
        let all = if self.is_text { self.text.as_bytes() } else { &self.bytes };
        all.get(self.place(index)?)
    }

    /// The whole row as text, its cells unparted; empty where it is not UTF-8.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    fn place(&self, index: usize) -> Option<Range<usize>> {
        let ends = self.ends.get(..self.cells)?;
        let end = *ends.get(index)?;
        let start = index.checked_sub(1).map_or(0, |before| ends[before]);
        Some(start..end)
    }

    /// A copy that holds no more memory than it needs.
    pub(crate) fn compact(&self) -> Self {
        Self {
            line: self.line,
            bytes: if self.is_text { Vec::new() } else { self.bytes[..self.used].to_vec() },
            used: self.used,
            text: self.text.clone(),
            ends: self.ends[..self.cells].to_vec(),
            cells: self.cells,
            is_text: self.is_text,
            open_quote: self.open_quote,
        }
    }
}

/// The rows of a source.
pub(super) struct Rows<R> {
    source: R,
    parser: csv_core::Reader,
    block: Vec<u8>,
    start: usize,
    end: usize,
    line: u64,
    last: u8,
    quotes: bool,
    taken: u64,
}

impl<R: Read> Rows<R> {
    /// Reads the first block.
    pub(super) fn new(source: R) -> Result<Self, FileError> {
        let mut rows = Self {
            source,
            parser: csv_core::Reader::new(),
            block: vec![0; BLOCK],
            start: 0,
            end: 0,
            line: 1,
            last: 0,
            quotes: false,
            taken: 0,
        };
        while rows.end < BLOCK {
            match rows.fill_from(rows.end)? {
                0 => break,
                count => rows.end += count,
            }
        }
        Ok(rows)
    }

    /// What [`Self::new`] read, with UTF-8's mark.
    pub(super) fn first_block(&self) -> &[u8] {
        &self.block[..self.end]
    }

    /// Sets the delimiter, before the first row.
    pub(super) fn begin(&mut self, delimiter: u8) {
        self.parser = csv_core::ReaderBuilder::new().delimiter(delimiter).build();
        if self.first_block().starts_with(UTF8_MARK) {
            self.start = UTF8_MARK.len();
            self.taken = UTF8_MARK.len() as u64;
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        self.taken
    }

    fn fill_from(&mut self, at: usize) -> Result<usize, FileError> {
        loop {
            match self.source.read(&mut self.block[at..]) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                other => return Ok(other?),
            }
        }
    }

    fn refill(&mut self) -> Result<(), FileError> {
        if self.start == self.end {
            self.start = 0;
            self.end = self.fill_from(0)?;
        }
        Ok(())
    }

    /// Moves on by `count` bytes, counting lines (LF, CRLF and a lone CR) and whether quotes are open.
    fn take(&mut self, count: usize) {
        let taken = &self.block[self.start..self.start + count];
        for at in memchr3_iter(b'\n', b'\r', b'"', taken) {
            let before = if at == 0 { self.last } else { taken[at - 1] };
            match taken[at] {
                b'"' => self.quotes = !self.quotes,
                b'\n' if before == b'\r' => {}
                _ => self.line += 1,
            }
        }
        if let Some(last) = taken.last() {
            self.last = *last;
        }
        self.start += count;
        self.taken += count as u64;
    }

    fn skip_blank_lines(&mut self) -> Result<(), FileError> {
        loop {
            self.refill()?;
            let unread = &self.block[self.start..self.end];
            let blank = unread.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
            let all = blank == unread.len();
            if blank > 0 {
                self.take(blank);
            }
            if !all || self.end == 0 {
                return Ok(());
            }
        }
    }

    /// The next row; false after the last.
    pub(super) fn read(&mut self, record: &mut Record) -> Result<bool, FileError> {
        self.skip_blank_lines()?;
        self.quotes = false;
        record.line = self.line;
        let (mut used, mut cells) = (0, 0);
        loop {
            self.refill()?;
            let at_end = self.end == 0;
            let (result, taken, written, ended) = self.parser.read_record(
                &self.block[self.start..self.end],
                &mut record.bytes[used..],
                &mut record.ends[cells..],
            );
            self.take(taken);
            used += written;
            cells += ended;
            match result {
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::OutputFull => {
                    if used >= LONGEST_ROW {
                        return Err(FileError::RowTooLong { line: record.line, limit: LONGEST_ROW });
                    }
                    record.bytes.resize((used * 2).max(1024), 0);
                }
                ReadRecordResult::OutputEndsFull => record.ends.resize((cells * 2).max(16), 0),
                ReadRecordResult::Record => {
                    record.open_quote = at_end && self.quotes;
                    break;
                }
                ReadRecordResult::End => return Ok(false),
            }
        }
        record.used = used;
        record.cells = cells;
        record.text.clear();
        let text = text(&record.bytes[..used], &record.ends[..cells]);
        record.is_text = text.is_some();
        record.text.push_str(text.unwrap_or_default());
        Ok(true)
    }
}

/// The cells as text, if each by itself is UTF-8.
fn text<'a>(bytes: &'a [u8], ends: &[usize]) -> Option<&'a str> {
    let text = std::str::from_utf8(bytes).ok()?;
    let parted = text.is_ascii() || ends.iter().all(|end| text.is_char_boundary(*end));
    parted.then_some(text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Gives one byte at a time, so that every boundary falls everywhere.
    struct Dribble<'a>(&'a [u8]);

    impl Read for Dribble<'_> {
        fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
            let Some((first, rest)) = self.0.split_first() else { return Ok(0) };
            into[0] = *first;
            self.0 = rest;
            Ok(1)
        }
    }

    fn read_from(source: impl Read, small: bool) -> Vec<(u64, Vec<String>)> {
        let mut rows = Rows::new(source).unwrap();
        if small {
            // As if the first block had been one byte.
            rows.block.truncate(rows.end.max(1));
        }
        rows.begin(b',');
        let mut record = Record::default();
        let mut all = Vec::new();
        while rows.read(&mut record).unwrap() {
            all.push((record.line(), (0..record.len()).map(|at| record.cell(at).unwrap().to_owned()).collect()));
        }
        all
    }

    fn lines(text: &str) -> Vec<u64> {
        read_from(text.as_bytes(), false).into_iter().map(|row| row.0).collect()
    }

    #[test]
    fn true_lines() {
        assert_eq!(lines("a,b\nc,d\ne,f"), [1, 2, 3]);
        assert_eq!(lines("a,b\r\nc,d\r\ne,f\r\n"), [1, 2, 3]);
        assert_eq!(lines("\n\na,b\n\n\nc,d\n"), [3, 6]);
        assert_eq!(lines("\r\na,b\r\n\r\n\r\nc,d\r\n"), [2, 5]);
        assert_eq!(lines("a,\"b\nb\r\nb\"\r\nc,d\n"), [1, 4]);
        assert_eq!(lines("a,b\rc,d\r\re,f"), [1, 2, 4]);
        assert_eq!(lines("\u{feff}a,b\nc,d"), [1, 2]);
        assert_eq!(lines(""), [0; 0]);
        assert_eq!(lines("\n\n"), [0; 0]);
    }

    #[test]
    fn a_quote_that_is_never_closed() {
        let mut rows = Rows::new(b"a,b\nc,\"d\ne,f\n".as_slice()).unwrap();
        rows.begin(b',');
        let mut record = Record::default();
        assert!(rows.read(&mut record).unwrap() && !record.has_open_quote());
        assert!(rows.read(&mut record).unwrap() && record.has_open_quote());
        assert_eq!(record.line(), 2);

        let endless = format!("a,b\nc,\"{}", "x\n".repeat(LONGEST_ROW));
        let mut rows = Rows::new(endless.as_bytes()).unwrap();
        rows.begin(b',');
        assert!(rows.read(&mut record).unwrap());
        assert!(matches!(rows.read(&mut record), Err(FileError::RowTooLong { line: 2, .. })));
    }

    #[test]
    fn cells_that_are_text_only_when_joined_are_none() {
        let mut rows = Rows::new(b"\xc3,\xab\n".as_slice()).unwrap();
        rows.begin(b',');
        let mut record = Record::default();
        assert!(rows.read(&mut record).unwrap());
        assert!(!record.is_text() && record.cell(0).is_none() && record.cell_bytes(0) == Some(b"\xc3"));
        let copy = record.compact();
        assert!(copy.cell(0).is_none() && copy.cell_bytes(1) == Some(b"\xab") && copy.cell_bytes(2).is_none());
    }

    #[test]
    fn a_record_is_used_again_and_its_copy_stays() {
        let mut rows = Rows::new(b"a,zo\xc3\xab,c\n\xff,b\n,\n".as_slice()).unwrap();
        rows.begin(b',');
        let mut record = Record::default();
        assert!(rows.read(&mut record).unwrap());
        let copy = record.compact();
        assert!(rows.read(&mut record).unwrap() && rows.read(&mut record).unwrap());
        assert_eq!((record.cell(0), record.cell(1), record.cell(2)), (Some(""), Some(""), None));
        assert_eq!(
            (copy.cell(0), copy.cell(1), copy.cell(2), copy.cell(3)),
            (Some("a"), Some("zo\u{eb}"), Some("c"), None)
        );
        assert_eq!((copy.cell_bytes(1), copy.len()), (Some("zo\u{eb}".as_bytes()), 3));
    }

    #[test]
    fn a_long_file_crosses_blocks() {
        let text: String = (1..=20_000).map(|n| format!("user{n},{n}\r\n")).collect();
        let rows = read_from(text.as_bytes(), false);
        assert_eq!(rows.len(), 20_000);
        for (index, (line, cells)) in rows.iter().enumerate() {
            assert_eq!(*line, index as u64 + 1);
            assert_eq!(cells[1], (index + 1).to_string());
        }
    }

    proptest! {
        /// The csv crate reads the same cells; and a row's line is where its first byte stands.
        #[test]
        fn as_the_csv_crate_reads(text in "([ab,\"]|\n|\r\n){0,40}") {
            let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
            let theirs: Vec<Vec<String>> =
                reader.records().map(|row| row.unwrap().iter().map(str::to_owned).collect()).collect();
            let ours = read_from(text.as_bytes(), false);
            prop_assert_eq!(&ours.iter().map(|row| row.1.clone()).collect::<Vec<_>>(), &theirs);
            prop_assert_eq!(&read_from(Dribble(text.as_bytes()), true), &ours);
            for pair in ours.windows(2) {
                prop_assert!(pair[0].0 < pair[1].0);
            }
            let total = text.matches('\n').count() as u64 + 1;
            prop_assert!(ours.iter().all(|row| row.0 >= 1 && row.0 <= total));
        }
    }
}
