//! What one run's lines did to an item, kept on the item itself.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_dynamodb::types::AttributeValue;
use crosswalk_identity::Mark;

use crate::Item;

/// The outcomes that lines of one run had on one item: the attribute `run_lines`, `{run, lines: {"5": "created", …}}`.
///
/// A run that crashed is delivered again and repeats its rows. `stored_by` alone would tell the *last* line that wrote an
/// item; where a file names one item in several lines, an earlier line could not tell that it had been there, and would
/// take effect a second time. With this map each of them gets its first outcome again.
///
/// The map belongs to the run that wrote last: another run's first write replaces it; a write without a line (an API
/// request) leaves it, so that the run's repeat does not undo that request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunLines {
    run: String,
    lines: BTreeMap<u64, String>,
}

impl RunLines {
    /// The attribute's name.
    pub const ATTRIBUTE: &'static str = "run_lines";

    /// The most lines that are kept; beyond it the lowest line is forgotten. It bounds the item's size: DynamoDB takes
    /// 400 KB, and one outcome may hold an external id.
    pub const MAX_LINES: usize = 64;

    /// The map after a write by `mark` that ended as `outcome`.
    pub fn after(before: Option<&Self>, mark: &Mark, outcome: &str) -> Option<Self> {
        let Some(line) = mark.line else { return before.cloned() };
        let mut lines = match before {
            Some(before) if before.run == mark.by => before.lines.clone(),
            _ => BTreeMap::new(),
        };
        while lines.len() >= Self::MAX_LINES {
            lines.pop_first();
        }
        lines.insert(line, outcome.to_owned());
        Some(Self { run: mark.by.clone(), lines })
    }

    /// The outcome that this very run and line had on the item.
    pub fn first_outcome(&self, mark: &Mark) -> Option<&str> {
        if self.run != mark.by {
            return None;
        }
        self.lines.get(&mark.line?).map(String::as_str)
    }

    /// Reads it from an item. One that cannot be read counts as absent: it is a memory, not the item's content.
    pub fn of(item: &Item) -> Option<Self> {
        let map = item.get(Self::ATTRIBUTE)?.as_m().ok()?;
        let run = map.get("run")?.as_s().ok()?.clone();
        let lines = map.get("lines")?.as_m().ok()?;
        let lines = lines
            .iter()
            .filter_map(|(line, outcome)| Some((line.parse().ok()?, outcome.as_s().ok()?.clone())))
            .collect();
        Some(Self { run, lines })
    }

    /// About how many bytes it takes in the item.
    pub fn bytes(&self) -> usize {
        self.run.len() + self.lines.values().map(|outcome| outcome.len() + 24).sum::<usize>()
    }

    /// As DynamoDB takes it.
    pub fn attribute(&self) -> AttributeValue {
        let lines = self.lines.iter().map(|(line, outcome)| (line.to_string(), AttributeValue::S(outcome.clone())));
        AttributeValue::M(HashMap::from([
            ("run".to_owned(), AttributeValue::S(self.run.clone())),
            ("lines".to_owned(), AttributeValue::M(lines.collect())),
        ]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn on_item(lines: &RunLines) -> Item {
        HashMap::from([(RunLines::ATTRIBUTE.to_owned(), lines.attribute())])
    }

    #[test]
    fn each_line_of_a_run_finds_its_outcome_again() {
        let first = RunLines::after(None, &Mark::line("r", 2), "created").unwrap();
        let second = RunLines::after(Some(&first), &Mark::line("r", 7), "updated 41").unwrap();
        let read = RunLines::of(&on_item(&second)).unwrap();
        assert_eq!(read, second);
        assert_eq!(read.first_outcome(&Mark::line("r", 2)), Some("created"));
        assert_eq!(read.first_outcome(&Mark::line("r", 7)), Some("updated 41"));
        assert_eq!(read.first_outcome(&Mark::line("r", 3)), None);
        assert_eq!(read.first_outcome(&Mark::line("s", 2)), None);
        assert_eq!(read.first_outcome(&Mark::request("r")), None);
    }

    #[test]
    fn another_run_replaces_it_and_a_request_leaves_it() {
        let first = RunLines::after(None, &Mark::line("r", 2), "created");
        assert_eq!(RunLines::after(first.as_ref(), &Mark::request("q"), "verified"), first);
        let other = RunLines::after(first.as_ref(), &Mark::line("s", 1), "verified").unwrap();
        assert_eq!(other.first_outcome(&Mark::line("r", 2)), None);
        assert_eq!(other.first_outcome(&Mark::line("s", 1)), Some("verified"));
    }

    #[test]
    fn at_most_64_lines_are_kept_the_newest() {
        let mut lines = None;
        for line in 1..=100 {
            lines = RunLines::after(lines.as_ref(), &Mark::line("r", line), "verified");
        }
        let lines = lines.unwrap();
        assert_eq!(lines.lines.len(), 64);
        assert_eq!(lines.first_outcome(&Mark::line("r", 36)), None);
        assert_eq!(lines.first_outcome(&Mark::line("r", 37)), Some("verified"));
        assert_eq!(lines.first_outcome(&Mark::line("r", 100)), Some("verified"));
    }
}
