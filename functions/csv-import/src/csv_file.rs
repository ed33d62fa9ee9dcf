//! Reading CSV files: encoding, delimiter, header, and rows with their true line numbers.

mod delimiter;
mod encoding;
mod error;
pub(crate) mod header;
mod rows;

use std::io::Read;

use crate::Kind;

pub use crosswalk_runs::spreadsheet::{guard, unguard};
pub use encoding::text;
pub use error::FileError;
pub use header::Layout;
pub use rows::Record;

use rows::Rows;

/// A column that a kind of file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its name in the header: lowercase.
    pub name: &'static str,
    /// Whether the file is refused without it.
    pub required: bool,
}

/// A file whose header was read and does.
pub struct CsvFile<R> {
    rows: Rows<R>,
    layout: Layout,
}

impl<R: Read> CsvFile<R> {
    /// Reads up to the end of the header.
    ///
    /// # Errors
    /// The source does not read, is not UTF-8, is empty, or lacks a column that the kind needs.
    pub fn open(source: R, kind: &Kind) -> Result<Self, FileError> {
        let mut rows = Rows::new(source)?;
        encoding::check(rows.first_block())?;
        let delimiter = delimiter::detect(rows.first_block(), kind.columns());
        rows.begin(delimiter);
        let mut header = Record::default();
        if !rows.read(&mut header)? {
            return Err(FileError::Empty);
        }
        let layout = Layout::of(&header, kind.columns())?;
        Ok(Self { rows, layout })
    }

    /// Which column stands where.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Bytes of the source that were taken so far.
    pub fn bytes(&self) -> u64 {
        self.rows.bytes()
    }

    /// Reads the next row into `record`, whose memory is used again; false after the last.
    ///
    /// # Errors
    /// The source does not read, or a row is longer than any row may be.
    pub fn read(&mut self, record: &mut Record) -> Result<bool, FileError> {
        self.rows.read(record)
    }
}
