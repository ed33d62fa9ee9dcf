//! How far an audit is.

use crosswalk_mapping_audit::Watched;
use indicatif::HumanCount;

use crate::progress::Told;

/// The line's form.
pub(super) const TEMPLATE: &str = "{prefix:16} {msg}";

/// What the line says. How much there is to read shows at the end only.
pub(super) fn tell(watched: Watched) -> Told {
    let (what, words) = match watched {
        Watched::Reading { items } => ("reading", format!("{} people and mappings", HumanCount(items))),
        Watched::Checking => ("checking", "what belongs together".to_owned()),
        Watched::Mailing { people } => ("mails", format!("to {} people who lack something", HumanCount(people))),
    };
    Told { what, done: 0, of: 1, words }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_and_sent_is_told() {
        assert_eq!(tell(Watched::Reading { items: 1_500 }).words, "1,500 people and mappings");
        assert_eq!(tell(Watched::Mailing { people: 2 }).what, "mails");
    }
}
