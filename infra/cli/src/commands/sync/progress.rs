//! How far a sync is.

use crosswalk_directory_sync::Watched;
use indicatif::HumanCount;

use crate::progress::Told;

/// The line's form.
pub(super) const TEMPLATE: &str = "{prefix:16} {bar:30} {msg}";

/// What the line says. How much there is to read shows at the end only.
pub(super) fn tell(watched: Watched) -> Told {
    let of = |done: u64, of: u64, noun: &str| format!("{} of {} {noun}", HumanCount(done), HumanCount(of));
    match watched {
        Watched::Reading { people, accounts } => {
            let words = format!("{} people, {} accounts", HumanCount(people), HumanCount(accounts));
            Told { what: "reading", done: 0, of: 1, words }
        }
        Watched::Applying { done, of: all } => Told { what: "applying", done, of: all, words: of(done, all, "steps") },
        Watched::Mapping { done, of: all } => {
            Told { what: "storing mappings", done, of: all, words: of(done, all, "people") }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_and_done_is_told() {
        let Told { what, done, of, words } = tell(Watched::Applying { done: 1_500, of: 10_000 });
        assert_eq!((what, done, of, words.as_str()), ("applying", 1_500, 10_000, "1,500 of 10,000 steps"));
        let Told { done, words, .. } = tell(Watched::Reading { people: 1_000, accounts: 60 });
        assert_eq!((done, words.as_str()), (0, "1,000 people, 60 accounts"));
    }
}
