use std::cmp::Reverse;
use std::collections::HashMap;

use serde::{Deserialize, Serialize};

/// A reason and how many rows had it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReasonCount {
    /// In words, without personal data.
    pub reason: String,
    /// Rows.
    pub count: u64,
}

/// Counts the reasons of unsuccessful rows in bounded memory, however many rows there are.
///
/// A reason goes into the run record, which the API shows and logs may hold. It must be free of personal data ("no
/// employer has this FEIN", not which FEIN): the caller sees to that. Such texts are few; the bounds only guard against a
/// caller whose texts all differ.
#[derive(Debug, Clone, Default)]
pub struct Reasons {
    counts: HashMap<String, u64>,
    beyond: u64,
}

impl Reasons {
    /// The most reasons that a record shows.
    pub const MOST: usize = 20;
    /// The most different texts that are told apart; rows with further ones are counted together.
    const DIFFERENT: usize = 500;
    /// The most characters of a text that are kept.
    const CHARACTERS: usize = 300;
    /// Stands for the reasons that are not told apart or not shown.
    const OTHER: &str = "other reasons";

    /// Nothing counted yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts one row's reason.
    pub fn add(&mut self, reason: &str) {
        let end = reason.char_indices().nth(Self::CHARACTERS).map_or(reason.len(), |(end, _)| end);
        let reason = &reason[..end];
        if let Some(count) = self.counts.get_mut(reason) {
            *count += 1;
        } else if self.counts.len() < Self::DIFFERENT {
            self.counts.insert(reason.to_owned(), 1);
        } else {
            self.beyond += 1;
        }
    }

    /// The most frequent first (then by text), at most [`Self::MOST`]. If there are more, the last stands for all others,
    /// so that the counts always add up to the rows counted.
    pub fn most_frequent(&self) -> Vec<ReasonCount> {
        let mut all: Vec<_> = self.counts.iter().map(|(reason, count)| (reason.as_str(), *count)).collect();
        all.sort_unstable_by_key(|&(reason, count)| (Reverse(count), reason));
        let shown = if all.len() > Self::MOST || self.beyond > 0 { (Self::MOST - 1).min(all.len()) } else { all.len() };
        let others = all[shown..].iter().map(|(_, count)| count).sum::<u64>() + self.beyond;
        all.truncate(shown);
        if others > 0 {
            all.push((Self::OTHER, others));
        }
        all.into_iter().map(|(reason, count)| ReasonCount { reason: reason.to_owned(), count }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(reasons: &Reasons) -> Vec<(String, u64)> {
        reasons.most_frequent().into_iter().map(|r| (r.reason, r.count)).collect()
    }

    #[test]
    fn most_frequent_first_then_by_text() {
        let mut reasons = Reasons::new();
        assert!(reasons.most_frequent().is_empty());
        for reason in ["b", "c", "a", "c"] {
            reasons.add(reason);
        }
        assert_eq!(shown(&reasons), [("c".into(), 2), ("a".into(), 1), ("b".into(), 1)]);
    }

    #[test]
    fn twenty_are_shown_and_a_further_one_makes_them_add_up() {
        let mut reasons = Reasons::new();
        for reason in 0..20 {
            reasons.add(&format!("reason {reason:02}"));
        }
        assert_eq!(reasons.most_frequent().len(), 20);
        assert_eq!(shown(&reasons)[19], ("reason 19".into(), 1));
        reasons.add("reason 20");
        assert_eq!(reasons.most_frequent().len(), 20);
        assert_eq!(shown(&reasons)[19], ("other reasons".into(), 2));
    }

    #[test]
    fn memory_is_bounded_and_nothing_is_lost() {
        let mut reasons = Reasons::new();
        for row in 0..10_000 {
            reasons.add("no employer has this FEIN");
            reasons.add(&format!("{row} {}", "ö".repeat(1_000)));
        }
        assert_eq!(reasons.counts.len(), Reasons::DIFFERENT);
        assert!(reasons.counts.keys().all(|reason| reason.chars().count() <= Reasons::CHARACTERS));
        let shown = shown(&reasons);
        assert_eq!(shown[0], ("no employer has this FEIN".into(), 10_000));
        assert_eq!(shown.iter().map(|(_, count)| count).sum::<u64>(), 20_000);
    }
}
