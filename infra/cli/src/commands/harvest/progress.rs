//! How far a harvest is: a line on standard error, and only if that is a terminal.

use crosswalk_nemo_harvest::Watched;
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
    match watched {
        Watched::Reading { users, events } => {
            ("reading NEMO", 0, 1, format!("{} users, {} usage events", HumanCount(users), HumanCount(events)))
        }
        Watched::Storing { done, of } => {
            ("storing", done, of, format!("{} of {} steps", HumanCount(done), HumanCount(of)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_and_stored_is_told() {
        let (what, done, of, words) = tell(Watched::Storing { done: 1_500, of: 10_000 });
        assert_eq!((what, done, of, words.as_str()), ("storing", 1_500, 10_000, "1,500 of 10,000 steps"));
        let (_, done, _, words) = tell(Watched::Reading { users: 1_000, events: 60 });
        assert_eq!((done, words.as_str()), (0, "1,000 users, 60 usage events"));
    }
}
