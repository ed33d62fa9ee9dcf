//! How far an export is.

use crosswalk_people_export::export::Watched;
use crosswalk_people_export::mapping::Kind;
use indicatif::HumanCount;

use crate::progress::Told;

/// The line's form.
pub(super) const TEMPLATE: &str = "{prefix:14} {bar:30} {percent:>3} % {msg}";

/// What the line says.
pub(super) fn tell(watched: Watched) -> Told {
    let of = |done: u64, of: u64| format!("{} of {}", HumanCount(done), HumanCount(of.max(done)));
    match watched {
        Watched::Reading(reading) => Told {
            what: "reading",
            // A group takes far longer than a user, and all groups about as long as all users: each is a half.
            done: share(reading.users, reading.users_expected) + share(reading.groups, reading.groups_expected),
            of: 2 * SHARE,
            words: format!(
                "{} users, {} groups",
                of(reading.users, reading.users_expected),
                of(reading.groups, reading.groups_expected)
            ),
        },
        Watched::Sending { kind, sent, of: all } => {
            let (what, noun) = match kind {
                Kind::Person => ("sending people", "people"),
                Kind::Team => ("sending teams", "teams"),
            };
            Told { what, done: sent, of: all, words: format!("{} {noun}", of(sent, all)) }
        }
    }
}

/// The whole of a share.
const SHARE: u64 = 1_000;

/// Nothing of nothing is no share: it is not known yet how much there is.
fn share(done: u64, of: u64) -> u64 {
    (done * SHARE).checked_div(of).unwrap_or(0).min(SHARE)
}

#[cfg(test)]
mod tests {
    use crosswalk_people_export::keycloak::Reading;

    use super::*;

    #[test]
    fn what_is_read_and_sent_is_told_of_what_is_expected() {
        let reading = Reading { users: 1_500, users_expected: 10_000, groups: 20, groups_expected: 500 };
        let told = tell(Watched::Reading(reading));
        assert_eq!((told.what, told.done, told.of), ("reading", 150 + 40, 2_000));
        assert_eq!(told.words, "1,500 of 10,000 users, 20 of 500 groups");
        // More came than was counted before.
        let reading = Reading { users: 12, users_expected: 10, ..Reading::default() };
        let told = tell(Watched::Reading(reading));
        assert_eq!((told.words.as_str(), told.done), ("12 of 12 users, 0 of 0 groups", 1_000));
        let told = tell(Watched::Sending { kind: Kind::Team, sent: 3, of: 7 });
        assert_eq!((told.what, told.words.as_str()), ("sending teams", "3 of 7 teams"));
    }
}
