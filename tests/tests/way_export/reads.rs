//! A read that did not reach its end sends nothing and deletes nobody.

use crosswalk_runs::RunState;
use crosswalk_stand_ins::keycloak::{Between, Cut, Every, Faults, Kind};

use crate::bed::{Bed, reason};
use crate::company::{plain, user};

/// A realm that was exported well; then Keycloak fails so.
async fn nothing_is_sent(name: &str, mode: &str, faults: Faults, told: &str) {
    let bed = Bed::in_folder(plain(35, 3)).with_small_pages().with("GLEAN_USE_BULK_INDEX", mode);
    bed.export_all().await;
    let (held, state) = (bed.held(), state(&bed).await);
    bed.glean.forget_log();
    bed.keycloak.fail(faults);
    let record = bed.export().await;
    assert_eq!(record.state, RunState::Failed, "{name}");
    assert!(reason(&record).contains(told), "{name}: {}", reason(&record));
    assert_eq!(bed.glean.log(), [], "{name}");
    assert!(bed.held() == held && state == self::state(&bed).await, "{name}");
    assert_eq!(record.counts.deleted.unwrap_or(0), 0);
    bed.keycloak.fail(Faults::default());
    bed.export_all().await;
}

/// What the runs know of Glean.
async fn state(bed: &Bed) -> Vec<(String, Vec<u8>)> {
    bed.kept().await.into_iter().filter(|(name, _)| name.starts_with("state/")).collect()
}

#[tokio::test]
async fn a_page_that_is_cut_each_time() {
    // The third of four pages; as the retries are Keycloak's own, this takes some seconds.
    let cut = Cut { kind: Kind::Users, place: 25, times: None };
    nothing_is_sent("cut", "true", Faults { cut: Some(cut), ..Faults::default() }, "does not answer").await;
}

#[tokio::test]
async fn members_that_are_cut_each_time() {
    let cut = Cut { kind: Kind::Members, place: 10, times: None };
    nothing_is_sent("members", "true", Faults { cut: Some(cut), ..Faults::default() }, "does not answer").await;
}

#[tokio::test]
async fn a_count_that_differs() {
    for (mode, count_off_by) in [("true", 1), ("true", -1), ("false", 1)] {
        nothing_is_sent("count", mode, Faults { count_off_by, ..Faults::default() }, "the source counts").await;
    }
}

#[tokio::test]
async fn an_empty_answer() {
    for mode in ["true", "false"] {
        nothing_is_sent("empty", mode, Faults { blind: true, ..Faults::default() }, "view-users").await;
    }
}

#[tokio::test]
async fn a_page_that_repeats() {
    nothing_is_sent("repeats", "true", Faults { repeat_first_page: true, ..Faults::default() }, "a second time").await;
}

#[tokio::test]
async fn a_token_that_may_not() {
    nothing_is_sent("403", "true", Faults { forbidden: true, ..Faults::default() }, "403").await;
}

#[tokio::test]
async fn what_passes_is_read_through() {
    let bed = Bed::in_folder(plain(35, 3)).with_small_pages();
    let cut = Some(Cut { kind: Kind::Users, place: 15, times: Some(1) });
    let every = Some(Every { kth: 5, status: 503, retry_after: None });
    bed.keycloak.fail(Faults { short_pages: Some(4), cut, every, unauthorized: 1, ..Faults::default() });
    let record = bed.export_all().await;
    assert!(record.traffic["keycloak"].retries >= 3, "{:?}", record.traffic);
    assert!(bed.keycloak.most_at_once() <= 4, "{}", bed.keycloak.most_at_once());
}

#[tokio::test]
async fn tokens_that_end_while_it_reads_are_renewed() {
    let bed = Bed::in_folder(plain(35, 3)).with_small_pages().with("KEYCLOAK_CONNECTIONS", "1");
    bed.keycloak.fail(Faults { token_uses: Some(5), ..Faults::default() });
    bed.export_all().await;
    assert!(bed.keycloak.requests().of(Kind::Token) > 2);
}

#[tokio::test]
async fn a_realm_that_changes_while_it_is_read_ends_as_it_is() {
    let bed = Bed::in_folder(plain(35, 3)).with_small_pages();
    let gone = Between::new(5, |realm| realm.remove_user("u00"));
    let come = Between::new(25, |realm| realm.users.push(user("a-newcomer")));
    bed.keycloak.fail(Faults { between_pages: vec![gone, come], ..Faults::default() });
    bed.export().await;
    // Whoever moved to another page meanwhile was not lost by it.
    let held: Vec<String> = bed.glean.people().into_keys().collect();
    for n in 1..35 {
        assert!(held.contains(&format!("u{n:02}@example.org")), "u{n:02} in {held:?}");
    }
    bed.export_all().await;
}
