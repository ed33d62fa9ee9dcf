//! How far a command is: a line on standard error, and only if that is a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// The line. Gone when dropped.
pub(crate) struct Line(ProgressBar);

/// What the line says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// What is under way.
    pub(crate) what: &'static str,
    /// So much is done.
    pub(crate) done: u64,
    /// Of so much.
    pub(crate) of: u64,
    /// The same in words.
    pub(crate) words: String,
}

impl Line {
    /// In the form of indicatif's templates.
    pub(crate) fn new(template: &str) -> Self {
        let bar = ProgressBar::new(1);
        Self(match ProgressStyle::with_template(template) {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        })
    }

    /// Shows what `tell` says, if anybody sees it.
    pub(crate) fn show(&self, tell: impl FnOnce() -> Told) {
        if self.0.is_hidden() {
            return;
        }
        let Told { what, done, of, words } = tell();
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
