//! What a harvest never does: move an id, change one, or take one of two for the other.

use crosswalk_identity::{Email, Mark, Username};
use crosswalk_people::EMPLOYER_ROLE;
use crosswalk_runs::RunState;
use crosswalk_stand_ins::nemo::UserSpec;

use crate::bed::Bed;

#[tokio::test]
async fn an_id_that_moved_to_another_username_is_a_conflict() {
    let bed = Bed::with_users(&[UserSpec::new(1, "ada"), UserSpec::new(2, "bo"), UserSpec::new(3, "cy")]).await;
    bed.harvest_all().await;
    // One is renamed, and two have changed places.
    bed.nemo.change(|users, _| {
        users[0].username = "lovelace".to_owned();
        users[1].username = "cy".to_owned();
        users[2].username = "bo".to_owned();
    });
    for _ in 0..2 {
        let record = bed.harvest().await;
        assert_eq!((record.state, record.parts["mappings"].conflict), (RunState::Partly, 3));
        assert_eq!(bed.mappings().await, ["ada = 1", "bo = 2", "cy = 3"]);
        let told = bed.failed(&record).await;
        assert!(told[0].starts_with("mapping,1,lovelace,conflict,the NEMO id belongs to another username"), "{told:?}");
        assert!(told[0].contains("crosswalk ids move"), "{told:?}");
        assert!(told[0].contains("its owner is ada, and NEMO_USERNAMES gives it to lovelace"), "{told:?}");
        // Reasons go into the record, which logs may show.
        assert!(record.reasons.iter().all(|reason| !reason.reason.contains("ada")), "{:?}", record.reasons);
    }
}

#[tokio::test]
async fn who_has_another_id_keeps_it() {
    let bed = Bed::with_users(&[UserSpec::new(1, "ada"), UserSpec::new(2, "bo")]).await;
    bed.set("Ada", "77").await;
    let record = bed.harvest().await;
    let counts = record.parts["mappings"];
    assert_eq!((record.state, counts.created, counts.conflict), (RunState::Partly, 1, 1));
    assert_eq!(bed.mappings().await, ["Ada = 77", "bo = 2"]);
    let told = bed.failed(&record).await;
    assert!(told[0].contains("the person has another NEMO id") && told[0].contains("Ada has 77"), "{told:?}");

    // Settled by a person, the next run is content.
    bed.set("ada", "1").await;
    let counts = bed.harvest_all().await.parts["mappings"];
    assert_eq!((counts.unchanged + counts.verified + counts.updated, counts.conflict), (2, 0));
}

#[tokio::test]
async fn a_conflict_names_the_username_that_the_rule_gave() {
    for (rule, renamed, to) in
        [("before-at", "Lovelace@example.org", "Lovelace"), ("lowercase", "LOVELACE", "lovelace")]
    {
        let bed = Bed::with_users(&[UserSpec::new(1, "ada")]).await.with("NEMO_USERNAMES", rule);
        bed.harvest_all().await;
        bed.nemo.change(|users, _| users[0].username = renamed.to_owned());
        is_told(&bed, renamed, &format!("gives it to {to})")).await;
    }
    let bed = Bed::with_users(&[UserSpec::new(1, "ada"), UserSpec::new(2, "b.nemo").email("bo@example.org")]).await;
    bed.harvest_all().await;
    let (bo, email) = (Username::parse("bo").unwrap(), Email::parse("bo@example.org").unwrap());
    bed.people().ensure_person(&bo, &email, EMPLOYER_ROLE, &Mark::line("import-1", 1)).await.unwrap();
    let bed = bed.with("NEMO_USERNAMES", "email");
    is_told(&bed, "b.nemo", "its owner is b.nemo, and NEMO_USERNAMES gives it to bo)").await;
    bed.set("bo", "77").await;
    bed.nemo.change(|users, _| users[1].id = 3);
    is_told(&bed, "b.nemo", "(bo has 77)").await;
}

/// The report names them, the record does not.
async fn is_told(bed: &Bed, name: &str, detail: &str) {
    let record = bed.harvest().await;
    let told = bed.failed(&record).await;
    assert!(told.iter().any(|line| line.contains(&format!(",{name},conflict,")) && line.contains(detail)), "{told:?}");
    assert!(record.reasons.iter().all(|one| !one.reason.contains(detail)), "{:?}", record.reasons);
}

#[tokio::test]
async fn usernames_that_differ_in_case_alone_are_conflicts_both() {
    let bed = Bed::with_users(&[UserSpec::new(1, "ada"), UserSpec::new(2, "bo")]).await;
    bed.harvest_all().await;
    bed.nemo.change(|users, _| users.extend([UserSpec::new(5, "ADA"), UserSpec::new(6, "Cy"), UserSpec::new(7, "cy")]));
    let record = bed.harvest().await;
    let counts = record.parts["mappings"];
    assert_eq!((counts.unchanged, counts.conflict), (1, 4));
    // What stood before stands.
    assert_eq!(bed.mappings().await, ["ada = 1", "bo = 2"]);
    // Once all but one are inactive, it is clear who is meant.
    bed.nemo.change(|users, _| {
        users[2].is_active = false;
        users[3].is_active = false;
    });
    bed.harvest_all().await;
    assert_eq!(bed.mappings().await, ["ada = 1", "bo = 2", "cy = 7"]);
}
