//! Who was seen when.

use crosswalk_runs::RunState;
use crosswalk_stand_ins::nemo::{EventSpec, Faults};
use jiff::{SignedDuration, Timestamp};

use crate::bed::{Bed, users};

impl Bed {
    async fn last_seen(&self, username: &str) -> Option<Timestamp> {
        self.mapping(username).await.unwrap().last_seen
    }

    /// What the last run asked for.
    fn since(&self) -> Timestamp {
        let requests = self.nemo.take_requests();
        let request = requests.iter().rfind(|request| request.starts_with("/api/usage_events/")).unwrap();
        let (_, since) = request.split_once("start__gte=").unwrap();
        assert!(since.ends_with('Z') && !since.contains('.'), "{since}");
        since.replace("%3A", ":").parse().unwrap()
    }
}

#[tokio::test]
async fn usage_events_since_the_last_run_move_last_seen_forward() {
    let bed = Bed::with_users(&users(3)).await;
    bed.used(&[(1, 1, 48), (2, 1, 24), (3, 2, 30), (4, 2, 24 * 100)]);
    // Who works a tool for another was there too; and one of whom nothing is known.
    let start = bed.hours_ago(20);
    bed.nemo.change(|_, events| events.push(EventSpec { id: 5, start, user: 99, operator: 2 }));
    let first = bed.clock().now();
    let record = bed.harvest_all().await;
    let seen = record.parts["last_seen"];
    assert_eq!((seen.read, seen.updated, seen.skipped), (3, 2, 1));
    assert_eq!(bed.last_seen("user1").await, Some(bed.hours_ago(24)));
    assert_eq!(bed.last_seen("user2").await, Some(start));
    assert_eq!(bed.last_seen("user3").await, None);
    let looked_back = first.duration_since(bed.since());
    assert!((looked_back - SignedDuration::from_hours(90 * 24)).abs() < SignedDuration::from_mins(1), "{looked_back}");

    // The next run asks from the last one's start on, an hour less; what was stored is not stored again.
    bed.forward(24);
    bed.used(&[(6, 3, 0)]);
    let record = bed.harvest_all().await;
    let since = bed.since();
    assert!(
        (first.duration_since(since) - SignedDuration::from_hours(1)).abs() < SignedDuration::from_mins(1),
        "{since}"
    );
    let seen = record.parts["last_seen"];
    assert_eq!((seen.read, seen.updated), (1, 1));
    assert_eq!(bed.last_seen("user3").await, Some(bed.hours_ago(0)));
    assert_eq!(bed.last_seen("user2").await, Some(start));
    let again = bed.harvest_all().await.parts["last_seen"];
    assert_eq!((again.read, again.unchanged), (1, 1));
}

#[tokio::test]
async fn a_run_that_fails_does_not_move_the_time_from_which_events_are_read() {
    let bed = Bed::with_users(&users(3)).await;
    bed.harvest_all().await;
    let since = {
        bed.harvest_all().await;
        bed.since()
    };
    let began = bed.clock().now();
    bed.forward(48);
    bed.used(&[(1, 1, 40)]);
    bed.nemo.fail(Faults { short: true, short_whole: true, stable: true, ..Faults::default() });
    assert_eq!(bed.harvest().await.state, RunState::Failed);
    bed.nemo.fail(Faults::default());
    bed.forward(1);
    let record = bed.harvest_all().await;
    let asked = bed.since();
    assert!(asked >= since && asked < began, "{asked}");
    assert_eq!(record.parts["last_seen"].updated, 1);
}

#[tokio::test]
async fn a_nemo_that_ignores_the_filter_is_told_and_does_no_harm() {
    let bed = Bed::with_users(&users(2)).await;
    bed.nemo.fail(Faults { unfiltered: true, ..Faults::default() });
    bed.used(&[(1, 1, 24 * 400), (2, 2, 24)]);
    let record = bed.harvest_all().await;
    assert!(record.warnings[0].reason.contains("NEMO ignores `start__gte`"), "{:?}", record.warnings);
    assert_eq!((bed.last_seen("user1").await.is_none(), bed.last_seen("user2").await.is_some()), (true, true));
}

#[tokio::test]
async fn a_later_time_that_stands_is_not_moved_back() {
    let bed = Bed::with_users(&users(1)).await;
    bed.used(&[(1, 1, 3)]);
    bed.harvest_all().await;
    let latest = bed.last_seen("user1").await;
    // The state is lost, and an older NEMO's backup answers.
    bed.nemo.change(|_, events| events.clear());
    bed.used(&[(2, 1, 30)]);
    let s3 = crosswalk_tests::s3_client(&bed.aws);
    s3.delete_object().bucket(&bed.aws.names.bucket).key("state/nemo-harvest/nemo.txt").send().await.unwrap();
    let record = bed.harvest_all().await;
    assert_eq!((record.parts["mappings"].verified, record.parts["last_seen"].unchanged), (1, 1));
    assert_eq!(bed.last_seen("user1").await, latest);
}
