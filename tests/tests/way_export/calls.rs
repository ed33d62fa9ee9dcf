//! How many calls a whole company takes.

use std::time::Duration;

use crosswalk_runs::RunState;
use crosswalk_stand_ins::keycloak::{Kind, RealmSpec};

use crate::bed::Bed;

#[tokio::test]
async fn ten_thousand_people_in_five_hundred_groups() {
    let (people, groups, memberships) = (10_000_u64, 500_u64, 30_000_u64);
    let realm = RealmSpec::sample(people as usize, groups as usize, memberships as usize);
    // Top-level groups: each of the others is read as somebody's child.
    let parents = realm.groups.len() as u64;
    let bed = Bed::in_folder(realm).with("KEYCLOAK_TIMEOUT", "300");
    let record = bed.export().await;
    assert_eq!(record.state, RunState::Succeeded, "{:?}", record.reasons);
    assert_eq!((record.parts["people"].created, record.parts["teams"].created), (people, groups));
    assert_eq!(bed.glean.violations(), Vec::<String>::new());
    let held: usize = bed.glean.teams().values().map(|team| team.members.len()).sum();
    assert_eq!((bed.glean.people().len() as u64, bed.glean.teams().len() as u64), (people, groups));
    assert_eq!(held as u64, memberships);
    assert_eq!(bed.glean.disagreements(), Vec::<String>::new());

    let requests = bed.keycloak.requests();
    let page = 500;
    // A page of each and the empty one that ends it, and a few more.
    assert!(requests.of(Kind::Users) <= people / page + 2, "{requests:?}");
    assert!(requests.of(Kind::Members) <= groups * 2, "{requests:?}");
    assert!(requests.of(Kind::Groups) + requests.of(Kind::Children) <= (parents + 1) * 2, "{requests:?}");
    let rest = [Kind::Token, Kind::UsersCount, Kind::GroupsCount].map(|kind| requests.of(kind));
    assert!(rest.iter().sum::<u64>() <= 8 && requests.of(Kind::Other) == 0, "{requests:?}");
    assert!(bed.keycloak.most_at_once() <= 4, "{}", bed.keycloak.most_at_once());
    // Ten pages of people, one of teams, and one to process them.
    assert_eq!(bed.glean.log().len(), 12);
    assert!(bed.glean.log().iter().all(|entry| entry.bytes <= 4 * 1024 * 1024 && entry.at > Duration::ZERO));
}
