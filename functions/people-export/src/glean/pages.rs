//! Cuts people or teams into pages that are bounded by count and by bytes.

use std::io;
use std::ops::Range;

use serde::Serialize;

/// The longest body that is ever sent, for a single person or team that is over the bound of a page. Glean publishes no
/// maximum; this is a team of half a million members, and a quarter of the smallest function's memory.
pub(super) const MOST_BYTES: usize = 32 * 1024 * 1024;

/// Cuts pages one after the other. It knows how long each item is, and holds nothing else of it.
#[derive(Debug)]
pub(super) struct Pages {
    /// Bytes of each item as JSON.
    lengths: Vec<usize>,
    /// Bytes of a body without its items.
    around: usize,
    /// Items of a page at most.
    count: usize,
    /// Bytes of a page's body at most.
    bytes: usize,
}

impl Pages {
    /// Measures each item. `around` is the length of a body without items.
    pub(super) fn measure<T: Serialize>(
        items: &[T],
        around: usize,
        count: usize,
        bytes: usize,
    ) -> serde_json::Result<Self> {
        let lengths = items.iter().map(length).collect::<Result<_, _>>()?;
        Ok(Self { lengths, around, count: count.max(1), bytes })
    }

    /// The first item whose body would be longer than `most`, even if it were sent alone, and that body's length.
    pub(super) fn too_long(&self, most: usize) -> Option<(usize, usize)> {
        let alone = |at: usize| self.body_length(at..at + 1);
        (0..self.lengths.len()).map(|at| (at, alone(at))).find(|(_, length)| *length > most)
    }

    /// The page that begins at `from`: as many items as the bounds allow, and one even if it is over the bound of bytes.
    /// Empty at the end.
    pub(super) fn page(&self, from: usize) -> Range<usize> {
        let mut length = self.around;
        let mut to = from;
        for item in self.lengths.iter().skip(from).take(self.count) {
            length += item + usize::from(to > from);
            if length > self.bytes && to > from {
                break;
            }
            to += 1;
        }
        from..to
    }

    /// How long the body of these items is at most.
    pub(super) fn body_length(&self, page: Range<usize>) -> usize {
        let commas = page.len().saturating_sub(1);
        self.around + commas + self.lengths.iter().skip(page.start).take(page.len()).sum::<usize>()
    }

    /// Halves a page that was too large for the other side, and lets no later page be larger. False if it holds one item
    /// and cannot be halved.
    pub(super) fn halve(&mut self, page: Range<usize>) -> bool {
        if page.len() < 2 {
            return false;
        }
        self.count = page.len().div_ceil(2);
        self.bytes = self.bytes.min(self.body_length(page).saturating_sub(1));
        true
    }
}

/// The length of an item as JSON, without keeping it.
fn length<T: Serialize>(item: &T) -> serde_json::Result<usize> {
    let mut count = Count(0);
    serde_json::to_writer(&mut count, item)?;
    Ok(count.0)
}

struct Count(usize);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    const AROUND: usize = 2;

    fn cut(items: &[String], count: usize, bytes: usize) -> Vec<Range<usize>> {
        let pages = Pages::measure(items, AROUND, count, bytes).unwrap();
        let mut cut = Vec::new();
        let mut from = 0;
        while from < items.len() {
            let page = pages.page(from);
            from = page.end;
            cut.push(page);
        }
        cut
    }

    #[test]
    fn a_page_is_full_at_its_count_or_its_bytes() {
        // As a JSON list each is 4 bytes, and the body of n of them 2 + 4 n + (n - 1).
        let items = vec!["ab".to_owned(); 5];
        assert_eq!(cut(&items, 2, 1_000), [0..2, 2..4, 4..5]);
        assert_eq!(cut(&items, 4, 1_000), [0..4, 4..5]);
        assert_eq!(cut(&items, 1_000, 16), [0..3, 3..5]);
        assert_eq!(cut(&items, 1_000, 15), [0..2, 2..4, 4..5]);
        assert_eq!(cut(&items, 1_000, 0), [0..1, 1..2, 2..3, 3..4, 4..5]);
        assert!(cut(&[], 1_000, 0).is_empty());
    }

    #[test]
    fn halves_are_never_larger_than_what_was_refused() {
        let items: Vec<_> = (0..11).map(|at| "a".repeat(at)).collect();
        let mut pages = Pages::measure(&items, AROUND, 100, 1_000).unwrap();
        assert_eq!(pages.page(0), 0..11);
        assert!(pages.halve(0..11));
        assert_eq!((pages.page(0), pages.page(6)), (0..6, 6..11));
        assert!(pages.halve(0..6));
        assert_eq!((pages.page(0), pages.page(6)), (0..3, 6..9));
        assert!(pages.halve(0..3));
        // Two later ones would be as few, but longer than the three that were refused.
        assert_eq!((pages.page(0), pages.page(6)), (0..2, 6..7));
        assert!(pages.halve(0..2));
        assert_eq!(pages.page(3), 3..4);
        assert!(!pages.halve(3..4));
    }

    #[test]
    fn what_no_body_may_hold_is_found() {
        // Two quotes each, and two bytes around them.
        let items = ["", "ab", "abcdef"];
        let pages = Pages::measure(&items, AROUND, 9, 9).unwrap();
        assert_eq!(pages.too_long(10), None);
        assert_eq!(pages.too_long(9), Some((2, 10)));
        assert_eq!(pages.too_long(5), Some((1, 6)));
    }

    proptest! {
        #[test]
        fn every_item_is_in_one_page_in_order_and_no_page_is_over_its_bounds(
            lengths in vec(0..20_usize, 0..100),
            count in 1..60_usize,
            bytes in 0..700_usize,
        ) {
            // Longer as JSON and in UTF-8 than in characters.
            let items: Vec<_> = lengths.into_iter().map(|length| "é\"".repeat(length)).collect();
            let cut = cut(&items, count, bytes);
            let pages = Pages::measure(&items, AROUND, count, bytes).unwrap();
            let sent: Vec<_> = cut.iter().cloned().flatten().collect();
            prop_assert_eq!(sent, (0..items.len()).collect::<Vec<_>>());
            let length = |page: Range<usize>| serde_json::to_vec(&items[page]).unwrap().len();
            for (at, page) in cut.iter().enumerate() {
                prop_assert!(page.len() <= count);
                prop_assert!(page.len() == 1 || length(page.clone()) <= bytes);
                // As full as may be: the next item would be one too many.
                if at + 1 < cut.len() {
                    prop_assert!(page.len() == count || length(page.start..page.end + 1) > bytes);
                }
                prop_assert_eq!(pages.body_length(page.clone()), length(page.clone()));
            }
        }
    }
}
