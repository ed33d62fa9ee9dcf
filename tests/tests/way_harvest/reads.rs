//! What NEMO gives and refuses: only what is proven whole is stored.

use crosswalk_stand_ins::nemo::Faults;

use crate::bed::{Bed, users};

#[tokio::test]
async fn an_order_that_changes_from_page_to_page_loses_nobody() {
    let bed = Bed::with_users(&users(45)).await;
    assert_eq!(bed.harvest_all().await.parts["mappings"].created, 45);
    let requests = bed.nemo.take_requests();
    // Five pages, which lacked some; then all at once.
    assert!(requests.iter().any(|request| request.contains("page=5")), "{requests:?}");
    assert!(requests.contains(&"/api/users/?fields=id%2Cusername%2Cemail%2Cis_active".to_owned()), "{requests:?}");

    // In a stable order the pages do.
    let bed = Bed::with_users(&users(45)).await;
    bed.nemo.fail(Faults { stable: true, ..Faults::default() });
    let record = bed.harvest_all().await;
    assert_eq!(record.parts["mappings"].created, 45);
    assert!(bed.nemo.take_requests().iter().all(|request| request.contains("page_size=")));
    // Two counts and five pages of users; two counts and a page of events.
    assert_eq!(record.traffic["nemo"].requests, 10);
}

#[tokio::test]
async fn a_short_read_stores_nothing() {
    let bed = Bed::with_users(&users(25)).await;
    bed.nemo.fail(Faults { short: true, short_whole: true, ..Faults::default() });
    let told = bed.harvest_fails().await;
    assert!(told.contains("users could not be read whole: 24 were read, but the source counts 25"), "{told}");
    assert!(bed.mappings().await.is_empty());
    // Where only the pages are short, the whole is read at once.
    bed.nemo.fail(Faults { short: true, ..Faults::default() });
    assert_eq!(bed.harvest_all().await.parts["mappings"].created, 25);
}

#[tokio::test]
async fn an_empty_nemo_is_a_failed_read() {
    let bed = Bed::with_users(&[]).await;
    let told = bed.harvest_fails().await;
    assert!(told.contains("the source is empty") && told.contains("permission"), "{told}");
}

#[tokio::test]
async fn a_refusal_says_what_to_do_and_holds_no_token() {
    let bed = Bed::with_users(&users(3)).await.with("NEMO_TOKEN", "hunter2");
    for (faults, status) in [(Faults::default(), 401), (Faults { denies_with_403: true, ..Faults::default() }, 403)] {
        bed.nemo.fail(faults);
        let told = bed.harvest_fails().await;
        assert!(told.contains(&format!("NEMO does not take the token ({status}): set NEMO_TOKEN")), "{told}");
        assert!(!told.contains("hunter2"), "{told}");
    }

    let bed = Bed::with_users(&users(3)).await;
    for (listing, permission) in [("users", "NEMO.view_user"), ("usage_events", "NEMO.view_usageevent")] {
        bed.nemo.fail(Faults { forbidden: [listing].into(), ..Faults::default() });
        let told = bed.harvest_fails().await;
        assert!(told.contains("(403)") && told.contains(&format!("the permission {permission}")), "{told}");
        assert!(bed.mappings().await.is_empty());
    }
    // Who only wants mappings needs no permission for usage events.
    let bed = bed.with("NEMO_LAST_SEEN", "false");
    let record = bed.harvest_all().await;
    assert_eq!((record.counts.created, record.parts.get("last_seen")), (3, None));
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    let bed = Bed::with_users(&users(3)).await;
    bed.nemo.fail(Faults { busy: 2, ..Faults::default() });
    let record = bed.harvest_all().await;
    assert_eq!((record.counts.created, record.traffic["nemo"].retries), (3, 2));
}

#[tokio::test]
async fn what_is_no_nemo_is_told_apart() {
    let bed = Bed::with_users(&users(3)).await;
    let below = format!("{}/below", bed.nemo.url());
    let bed = bed.with("NEMO_URL", &below);
    let told = bed.harvest_fails().await;
    assert!(told.contains("there is no /api/users/ below NEMO_URL (404)"), "{told}");
}
