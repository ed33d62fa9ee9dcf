//! How far a harvest is.

use crosswalk_nemo_harvest::Watched;
use indicatif::HumanCount;

use crate::progress::Told;

/// The line's form.
pub(super) const TEMPLATE: &str = "{prefix:16} {bar:30} {msg}";

/// What the line says. How much there is to read shows at the end only.
pub(super) fn tell(watched: Watched) -> Told {
    match watched {
        Watched::Reading { users, events } => {
            let words = format!("{} users, {} usage events", HumanCount(users), HumanCount(events));
            Told { what: "reading NEMO", done: 0, of: 1, words }
        }
        Watched::Storing { done, of } => {
            let words = format!("{} of {} steps", HumanCount(done), HumanCount(of));
            Told { what: "storing", done, of, words }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_and_stored_is_told() {
        let Told { what, done, of, words } = tell(Watched::Storing { done: 1_500, of: 10_000 });
        assert_eq!((what, done, of, words.as_str()), ("storing", 1_500, 10_000, "1,500 of 10,000 steps"));
        let Told { done, words, .. } = tell(Watched::Reading { users: 1_000, events: 60 });
        assert_eq!((done, words.as_str()), (0, "1,000 users, 60 usage events"));
    }
}
