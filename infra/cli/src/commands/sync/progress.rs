//! How far a sync is: a line on standard error, and only if that is a terminal.

use crosswalk_directory_sync::Watched;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};

/// The line. Gone when dropped.
pub(super) struct Line(ProgressBar);

impl Line {
    pub(super) fn new() -> Self {
        let bar = ProgressBar::new(1);
        Self(match ProgressStyle::with_template("{prefix:16} {bar:30} {msg}") {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        })
    }

    pub(super) fn show(&self, watched: Watched) {
        if self.0.is_hidden() {
            return;
        }
        let (what, done, of, words) = tell(watched);
        self.0.set_prefix(what);
        self.0.set_length(of.max(1));
        self.0.set_position(done.min(of));
        self.0.set_message(words);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// What is done, how much of how much, and the same in words. How much there is to read shows at the end only.
fn tell(watched: Watched) -> (&'static str, u64, u64, String) {
    let of = |done: u64, of: u64, noun: &str| format!("{} of {} {noun}", HumanCount(done), HumanCount(of));
    match watched {
        Watched::Reading { people, accounts } => {
            let words = format!("{} people, {} accounts", HumanCount(people), HumanCount(accounts));
            ("reading", 0, 1, words)
        }
        Watched::Applying { done, of: all } => ("applying", done, all, of(done, all, "steps")),
        Watched::Mapping { done, of: all } => ("storing mappings", done, all, of(done, all, "people")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_and_done_is_told() {
        let (what, done, of, words) = tell(Watched::Applying { done: 1_500, of: 10_000 });
        assert_eq!((what, done, of, words.as_str()), ("applying", 1_500, 10_000, "1,500 of 10,000 steps"));
        let (_, done, _, words) = tell(Watched::Reading { people: 1_000, accounts: 60 });
        assert_eq!((done, words.as_str()), (0, "1,000 people, 60 accounts"));
    }
}
