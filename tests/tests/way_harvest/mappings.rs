//! Users become mappings.

use crosswalk_identity::{Email, Mark, Username};
use crosswalk_people::EMPLOYER_ROLE;
use crosswalk_runs::RunState;
use crosswalk_stand_ins::nemo::UserSpec;

use crate::bed::Bed;

#[tokio::test]
async fn users_stand_as_mappings_with_a_note_of_their_source() {
    let bed = Bed::with_users(&[
        UserSpec::new(1, "Ada"),
        // E-mails are not unique in NEMO.
        UserSpec::new(2, "bo").email("ada@example.org"),
        UserSpec::new(3, "cy").email("").inactive(),
        UserSpec::new(4, "dee").email("nonsense"),
    ])
    .await;
    let record = bed.harvest_all().await;
    let counts = record.parts["mappings"];
    assert_eq!((counts.read, counts.created, counts.skipped), (4, 3, 1));
    assert_eq!((record.kind.as_str(), record.source.as_str()), ("nemo-harvest", bed.nemo.url()));
    assert_eq!(bed.mappings().await, ["Ada = 1", "bo = 2", "dee = 4"]);
    let ada = bed.mapping("ada").await.unwrap();
    assert_eq!(ada.email.map(|email| email.to_string()).as_deref(), Some("ada@example.org"));
    assert_eq!(ada.notes, Some(format!("harvested from {}", bed.nemo.url())));
    assert_eq!(ada.stored_by, Some(Mark::line(&record.id, 1)));
    assert_eq!(bed.mapping("dee").await.unwrap().email, None);
    let skipped = bed.failed(&record).await;
    assert!(skipped.len() == 1 && skipped[0].starts_with("mapping,3,cy,skipped,inactive in NEMO"), "{skipped:?}");

    // By setting, inactive ones too.
    let bed = bed.with("NEMO_INACTIVE", "true");
    assert_eq!(bed.harvest_all().await.parts["mappings"].created, 1);
    assert!(bed.mapping("cy").await.is_some());
}

#[tokio::test]
async fn what_is_unchanged_costs_no_write_until_it_is_verified_again() {
    let bed = Bed::with_users(&[UserSpec::new(1, "ada"), UserSpec::new(2, "bo")]).await;
    bed.harvest_all().await;
    let before = bed.mapping("ada").await.unwrap();
    assert_eq!(bed.harvest_all().await.parts["mappings"].unchanged, 2);
    assert_eq!(bed.mapping("ada").await, Some(before));

    // A day later; and what changed meanwhile is changed at once.
    bed.nemo.change(|users, _| users[1].email = "bo@other.example.org".to_owned());
    let counts = bed.harvest_all().await.parts["mappings"];
    assert_eq!((counts.unchanged, counts.updated), (1, 1));
    bed.forward(21);
    let counts = bed.harvest_all().await.parts["mappings"];
    assert_eq!(counts.verified, 2, "{counts:?}");
    assert!(bed.mapping("ada").await.unwrap().last_verified_at.is_some());
    let bo = bed.mapping("bo").await.unwrap();
    assert_eq!(bo.email.map(|email| email.to_string()).as_deref(), Some("bo@other.example.org"));
}

#[tokio::test]
async fn notes_and_e_mail_of_a_mapping_that_stands_are_kept() {
    let bed = Bed::with_users(&[UserSpec::new(1, "ada").email("")]).await;
    bed.set("ada", "1").await;
    let counts = bed.harvest_all().await.parts["mappings"];
    assert_eq!((counts.read, counts.verified), (1, 1));
    assert_eq!(bed.mapping("ada").await.unwrap().notes.as_deref(), Some("by hand"));
}

#[tokio::test]
async fn who_leaves_nemo_keeps_the_mapping() {
    let bed = Bed::with_users(&[UserSpec::new(1, "ada"), UserSpec::new(2, "bo"), UserSpec::new(3, "cy")]).await;
    bed.harvest_all().await;
    bed.nemo.change(|users, _| {
        users.remove(2);
        users[1].is_active = false;
    });
    bed.harvest_all().await;
    assert_eq!(bed.mappings().await, ["ada = 1", "bo = 2", "cy = 3"]);
}

#[tokio::test]
async fn usernames_by_rule() {
    let users = [UserSpec::new(1, "Ada@Lab.example.org"), UserSpec::new(2, "Bo")];
    let bed = Bed::with_users(&users).await.with("NEMO_USERNAMES", "before-at");
    bed.harvest_all().await;
    assert_eq!(bed.mappings().await, ["Ada = 1", "Bo = 2"]);
    let bed = Bed::with_users(&users).await.with("NEMO_USERNAMES", "lowercase");
    bed.harvest_all().await;
    assert_eq!(bed.mappings().await, ["ada@lab.example.org = 1", "bo = 2"]);
}

#[tokio::test]
async fn by_e_mail_exactly_one_known_person_is_meant() {
    let bed = Bed::with_users(&[
        UserSpec::new(1, "a1").email("ADA@example.org"),
        UserSpec::new(2, "b1").email("twins@example.org"),
        UserSpec::new(3, "c1").email("nobody@example.org"),
        UserSpec::new(4, "d1").email(""),
        UserSpec::new(5, "e1").email("eve@example.org"),
        UserSpec::new(6, "e2").email("Eve@example.org"),
    ])
    .await
    .with("NEMO_USERNAMES", "email");
    for (line, (username, email)) in [
        ("ada", "ada@example.org"),
        ("bo", "twins@example.org"),
        ("bob", "twins@example.org"),
        ("eve", "eve@example.org"),
    ]
    .into_iter()
    .enumerate()
    {
        let (username, email) = (Username::parse(username).unwrap(), Email::parse(email).unwrap());
        let mark = Mark::line("import-1", line as u64);
        bed.people().ensure_person(&username, &email, EMPLOYER_ROLE, &mark).await.unwrap();
    }
    // An e-mail on a mapping makes nobody known.
    bed.set("nobody", "99").await;
    let record = bed.harvest().await;
    assert_eq!(record.state, RunState::Partly);
    let counts = record.parts["mappings"];
    assert_eq!((counts.created, counts.conflict, counts.skipped, counts.rejected), (1, 3, 1, 1));
    assert_eq!(bed.mappings().await, ["ada = 1", "nobody = 99"]);
    let told = bed.failed(&record).await;
    assert!(
        told.iter().any(|row| row.contains("b1,conflict,several known people") && row.contains("bo, bob")),
        "{told:?}"
    );
    assert!(told.iter().any(|row| row.contains("e2,conflict") && row.contains("5, 6")), "{told:?}");
    assert!(told.last().unwrap().contains("c1,skipped,no known person"), "{told:?}");
}
