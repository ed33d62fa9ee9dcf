//! Comma, semicolon or tab: whichever makes the header say the most.

use super::Column;
use super::header::name_key;
use super::rows::{Record, Rows};

const CANDIDATES: [u8; 3] = [b',', b';', b'\t'];

/// The delimiter under which the first row holds the most known columns, or else the most cells; comma in doubt.
pub(super) fn detect(block: &[u8], columns: &[Column]) -> u8 {
    let mut best = (CANDIDATES[0], (0, 0));
    for candidate in CANDIDATES {
        let mut header = Record::default();
        let Ok(mut rows) = Rows::new(block) else { continue };
        rows.begin(candidate);
        if !rows.read(&mut header).unwrap_or(false) {
            continue;
        }
        let known = (0..header.len()).filter(|cell| {
            let name = header.cell(*cell).map(name_key).unwrap_or_default();
            columns.iter().any(|column| column.name == name)
        });
        let score = (known.count(), header.len());
        if score > best.1 {
            best = (candidate, score);
        }
    }
    best.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    #[test]
    fn the_header_tells() {
        let detect = |text: &str| detect(text.as_bytes(), Kind::LeaveAdmins.columns());
        assert_eq!(detect("fein,email\n1,a"), b',');
        assert_eq!(detect("fein;email\n1;a"), b';');
        assert_eq!(detect("fein\temail\n1\ta"), b'\t');
        // An extra column whose name holds another delimiter.
        assert_eq!(detect("\"name, first, last, other\";fein;email\n"), b';');
        assert_eq!(detect("name, first, last, other;fein;email\n"), b';');
        assert_eq!(detect(""), b',');
    }
}
