//! Cells of reports that a spreadsheet would run as formulas: they are disarmed with a leading `'`, and a report that is
//! dropped back in gets it taken off again. The two undo each other exactly, also where the cell began with `'` of itself.

use std::borrow::Cow;

/// Whether the cell, after any number of `'`, begins as a formula does.
fn is_armed(cell: &str) -> bool {
    cell.trim_start_matches('\'').starts_with(['=', '+', '-', '@', '\t', '\r'])
}

/// The cell as it may stand in a report.
pub fn guard(cell: &str) -> Cow<'_, str> {
    if is_armed(cell) { Cow::Owned(format!("'{cell}")) } else { Cow::Borrowed(cell) }
}

/// The cell as it was before [`guard`].
pub fn unguard(cell: &str) -> &str {
    match cell.strip_prefix('\'') {
        Some(rest) if is_armed(rest) => rest,
        _ => cell,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_a_spreadsheet_would_run() {
        for cell in ["=1+1", "+1", "-1", "@a", "\tx", "\r=1", "'=1"] {
            assert_eq!(guard(cell), format!("'{cell}"));
        }
        for cell in ["", "a=1", "'a", "1-1", " =1", "a@example.org"] {
            assert_eq!(guard(cell), cell);
        }
    }

    proptest! {
        #[test]
        fn the_two_undo_each_other(cell in "['=+@a\t-]{0,6}") {
            let guarded = guard(&cell);
            prop_assert_eq!(unguard(&guarded), &cell);
            prop_assert!(!guarded.starts_with(['=', '+', '-', '@', '\t', '\r']));
        }
    }
}
