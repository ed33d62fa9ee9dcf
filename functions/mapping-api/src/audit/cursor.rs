//! Where the next page begins.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::problem::Problem;

/// A byte of one audit's rows. What it holds is nobody's business outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cursor {
    /// The audit's run.
    pub(super) run: String,
    /// Its attempt: the tag of its rows.
    pub(super) etag: Option<String>,
    /// The first byte of the next row.
    pub(super) at: u64,
}

impl Cursor {
    pub(super) fn seal(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::json!(self).to_string())
    }

    pub(super) fn open(sealed: &str) -> Result<Self, Problem> {
        let json = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| Problem::no_cursor())?;
        serde_json::from_slice(&json).map_err(|_| Problem::no_cursor())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_again() {
        let cursor = Cursor { run: "mapping-audit-1".into(), etag: Some("\"0f\"".into()), at: u64::MAX };
        assert_eq!(Cursor::open(&cursor.seal()).unwrap(), cursor);
        assert!(cursor.seal().bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')));
        for sealed in ["", "x", "e30", "bnVsbA", "====", "\u{eb}"] {
            assert!(Cursor::open(sealed).is_err(), "{sealed}");
        }
    }
}
