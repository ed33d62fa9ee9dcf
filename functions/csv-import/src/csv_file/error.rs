/// Why a file cannot be read. The messages are for the person who dropped it: what is wrong, where, what to do.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// Nothing in it, not even a header.
    #[error("the file is empty; its first line must be the header")]
    Empty,
    /// A header alone.
    #[error("the file has a header and no rows")]
    NoRows,
    /// UTF-16, by its mark or its NUL bytes.
    #[error(
        "the file is UTF-16, not UTF-8; save it again as UTF-8 (Excel: Save As, \"CSV UTF-8 (comma delimited)\"; \
         Notepad: Save As, Encoding UTF-8)"
    )]
    Utf16,
    /// Bytes that no UTF-8 text holds.
    #[error(
        "line {line} holds bytes that are not UTF-8: the file was saved as Latin-1 or Windows-1252; save it again as \
         UTF-8 (Excel: Save As, \"CSV UTF-8 (comma delimited)\"; LibreOffice: Save As, Character set UTF-8)"
    )]
    NotUtf8 {
        /// The first such line.
        line: u64,
    },
    /// A zip archive: a workbook.
    #[error(
        "the file is a workbook or a zip archive, not a CSV file; save the sheet as \"CSV UTF-8 (comma delimited)\""
    )]
    Workbook,
    /// The header lacks columns.
    #[error("{0}")]
    Header(String),
    /// A row without an end.
    #[error(
        "the row that begins at line {line} is longer than {limit} bytes; probably a quote (\") that opens there is never closed"
    )]
    RowTooLong {
        /// Where it begins.
        line: u64,
        /// The longest row allowed, in bytes.
        limit: usize,
    },
    /// The source broke off.
    #[error("the file cannot be read: {0}")]
    Read(#[from] std::io::Error),
}
