use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Who wrote an item: the run and the line of its file, or an API request's id. Shown as `<id>#<line>` or `<id>`.
///
/// It makes a repeated write recognisable: an item that bears this very run and line is the row's own earlier success.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Mark {
    /// The run's id, or the request's.
    pub by: String,
    /// The line in the run's file, counted from 1; none for a request.
    pub line: Option<u64>,
}

/// The text is no mark.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a mark is `<id>` or `<id>#<line>`")]
pub struct MarkError;

impl Mark {
    /// The mark of one line of a run.
    pub fn line(run: impl Into<String>, line: u64) -> Self {
        Self { by: run.into(), line: Some(line) }
    }

    /// The mark of an API request or of a command.
    pub fn request(id: impl Into<String>) -> Self {
        Self { by: id.into(), line: None }
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}#{line}", self.by),
            None => f.write_str(&self.by),
        }
    }
}

impl FromStr for Mark {
    type Err = MarkError;

    fn from_str(text: &str) -> Result<Self, MarkError> {
        match text.rsplit_once('#') {
            Some((by, line)) => {
                let line = line.parse().map_err(|_| MarkError)?;
                Ok(Self { by: by.to_owned(), line: Some(line) })
            }
            None if text.is_empty() => Err(MarkError),
            None => Ok(Self::request(text)),
        }
    }
}

impl TryFrom<String> for Mark {
    type Error = MarkError;

    fn try_from(text: String) -> Result<Self, MarkError> {
        text.parse()
    }
}

impl From<Mark> for String {
    fn from(mark: Mark) -> Self {
        mark.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_shows() {
        for mark in [Mark::line("run-1", 12), Mark::request("0f3c")] {
            assert_eq!(mark.to_string().parse::<Mark>().unwrap(), mark);
        }
        assert!("run#x".parse::<Mark>().is_err());
    }
}
