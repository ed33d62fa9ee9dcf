//! UTF-8 with or without its mark; what else spreadsheets save is refused, saying how to save it.
//!
//! Only the first block is looked at: a file is streamed, and its first rows are stored before its last are read. A row
//! further on that is not UTF-8 is rejected by itself.

use super::FileError;

/// UTF-8's byte order mark, which Excel writes.
pub(super) const UTF8_MARK: &[u8] = b"\xef\xbb\xbf";

/// Refuses what is not the beginning of UTF-8 text.
pub(super) fn check(block: &[u8]) -> Result<(), FileError> {
    if block.starts_with(b"\xff\xfe") || block.starts_with(b"\xfe\xff") {
        return Err(FileError::Utf16);
    }
    if block.starts_with(b"PK\x03\x04") || block.starts_with(b"\x1f\x8b") {
        return Err(FileError::Workbook);
    }
    // UTF-16 without a mark has a NUL beside every ASCII letter of its header. A few elsewhere are for the rows to refuse.
    let head = &block[..block.len().min(128)];
    if head.iter().filter(|byte| **byte == 0).count() * 3 > head.len() {
        return Err(FileError::Utf16);
    }
    match std::str::from_utf8(block) {
        // A character that the end of the block cuts is no error.
        Err(error) if error.error_len().is_some() => {
            let before = &block[..error.valid_up_to()];
            Err(FileError::NotUtf8 { line: line_of(before) })
        }
        _ => Ok(()),
    }
}

/// The text of a whole file that is small enough to be held.
///
/// # Errors
/// It is not UTF-8; the error says how to save it.
pub fn text(bytes: &[u8]) -> Result<&str, FileError> {
    check(bytes)?;
    std::str::from_utf8(bytes).map_err(|error| FileError::NotUtf8 { line: line_of(&bytes[..error.valid_up_to()]) })
}

fn line_of(before: &[u8]) -> u64 {
    let breaks = before.iter().filter(|byte| **byte == b'\n').count();
    1 + u64::try_from(breaks).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn utf16(text: &str) -> Vec<u8> {
        text.encode_utf16().flat_map(u16::to_le_bytes).collect()
    }

    #[test]
    fn what_spreadsheets_save() {
        assert!(check("fein,email\n1,zo\u{eb}@example.org".as_bytes()).is_ok());
        assert!(check(b"\xef\xbb\xbffein,email\n").is_ok());
        assert!(matches!(check(&[b"\xff\xfe".as_slice(), &utf16("fein")].concat()), Err(FileError::Utf16)));
        assert!(matches!(check(&utf16("fein,email\n")), Err(FileError::Utf16)));
        assert!(matches!(check(b"PK\x03\x04 and so on"), Err(FileError::Workbook)));
        assert!(matches!(check(b"\x1f\x8b\x08 and so on"), Err(FileError::Workbook)));
    }

    #[test]
    fn latin_1_is_refused_at_its_line_and_says_how_to_save() {
        let error = check(b"fein,email\n1,a@example.org\n2,zo\xeb@example.org\n").unwrap_err();
        assert!(matches!(error, FileError::NotUtf8 { line: 3 }));
        assert!(error.to_string().contains("save it again as UTF-8"), "{error}");
    }

    #[test]
    fn a_character_cut_by_the_end_of_the_block_is_none() {
        assert!(check(b"fein,email\n1,zo\xc3").is_ok());
    }
}
