//! Who was seen when, and a store that keeps ids.

use crosswalk_identifier_store::{Seen, Sighting, StoreRequest, Stored};
use crosswalk_identity::Email;
use crosswalk_identity::Mark;

use crate::support::{Bed, id, line, nemo, user};

fn sighting(who: &str, of: &str, at: &str) -> Sighting {
    Sighting { username: user(who), system: nemo(), external_id: id(of), at: at.parse().unwrap() }
}

#[tokio::test]
async fn last_seen_only_moves_forward_and_touches_nothing_else() {
    let bed = Bed::start().await;
    bed.store.store(line("run-1", 1, "ada", "1")).await.unwrap();
    let before = bed.store.get(&user("ada"), &nemo()).await.unwrap().unwrap();
    let seen = async |sightings: &[Sighting]| -> Vec<Seen> {
        bed.store.seen_many(sightings).await.into_iter().map(Result::unwrap).collect()
    };
    let (early, late) = ("2026-11-20T08:00:00Z", "2026-11-21T08:00:00.5Z");
    assert_eq!(seen(&[sighting("Ada", "1", late), sighting("bo", "2", late)]).await, [Seen::Moved, Seen::NotFound]);
    // Again, earlier, and under an id that is not theirs.
    for (of, at, expected) in
        [("1", late, Seen::Unchanged), ("1", early, Seen::Unchanged), ("9", "2030-01-01T00:00:00Z", Seen::NotFound)]
    {
        assert_eq!(seen(&[sighting("ada", of, at)]).await, [expected], "{of} {at}");
    }
    let after = bed.store.get(&user("ada"), &nemo()).await.unwrap().unwrap();
    assert_eq!(after.last_seen, Some(late.parse().unwrap()));
    assert_eq!(crosswalk_identity::Mapping { last_seen: None, ..after }, before);
    assert_eq!(bed.store.get(&user("bo"), &nemo()).await.unwrap(), None);

    // A store keeps it, and a new id, which is another account, too: it is the person who was seen.
    bed.store.store(line("run-2", 1, "ada", "1")).await.unwrap();
    assert!(bed.store.get(&user("ada"), &nemo()).await.unwrap().unwrap().last_seen.is_some());
    bed.assert_sound().await;
}

#[tokio::test]
async fn many_sightings_at_once_leave_the_latest() {
    let bed = Bed::start().await;
    bed.store.store(line("run-1", 1, "ada", "1")).await.unwrap();
    let sightings: Vec<Sighting> =
        (0..40).map(|n| sighting("ada", "1", &format!("2026-11-20T08:{:02}:00Z", (n * 7) % 40))).collect();
    let answers = bed.store.seen_many(&sightings).await;
    assert!(answers.iter().all(|answer| matches!(answer, Ok(Seen::Moved | Seen::Unchanged))));
    let after = bed.store.get(&user("ada"), &nemo()).await.unwrap().unwrap();
    assert_eq!(after.last_seen, Some("2026-11-20T08:39:00Z".parse().unwrap()));
}

#[tokio::test]
async fn a_store_that_keeps_ids_changes_all_but_an_id() {
    let bed = Bed::start().await;
    let keeping = bed.store.clone().keeping_ids();
    assert!(matches!(keeping.store(line("run-1", 1, "ada", "1")).await, Ok(Stored::Created(_))));
    assert!(matches!(keeping.store(line("run-2", 1, "ada", "1")).await, Ok(Stored::Verified(_))));
    let email = crosswalk_identifier_store::Change::Set(Email::parse("ada@example.org").unwrap());
    let request = StoreRequest { email, ..line("run-3", 1, "ada", "1") };
    assert!(matches!(keeping.store(request).await, Ok(Stored::Updated { .. })));
    let conflict = |owner: &str| Ok(Stored::Conflict { owner: user(owner) });
    assert_eq!(keeping.plan_many(vec![line("run-4", 1, "ada", "2")]).await, [conflict("ada")]);
    assert_eq!(keeping.store(line("run-4", 1, "ada", "2")).await, conflict("ada"));
    assert_eq!(keeping.store(line("run-4", 2, "bo", "1")).await, conflict("ada"));
    let standing = bed.store.get(&user("ada"), &nemo()).await.unwrap().unwrap();
    assert_eq!((standing.external_id, standing.stored_by), (id("1"), Some(Mark::line("run-3", 1))));

    // Within one batch too: the second id of a person who had none.
    let answers = keeping.store_many(vec![line("run-5", 1, "cy", "5"), line("run-5", 2, "cy", "6")]).await;
    assert!(matches!(answers[0], Ok(Stored::Created(_))));
    assert_eq!(answers[1], conflict("cy"));
    bed.assert_sound().await;
}
