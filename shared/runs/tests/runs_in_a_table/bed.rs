//! A table, and a clock that the test drives.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use crosswalk_function_kit::{Clock, Entropy};
use crosswalk_identifier_store::Table;
use crosswalk_local_aws::testbed::Testbed;
use crosswalk_runs::{Claim, Lease, RunRecord, Runs};
use jiff::Timestamp;

/// Milliseconds since the epoch: 2026-11-22T10:00:00Z, a whole second on purpose.
const BEGIN: i64 = 1_795_341_600_000;

#[derive(Clone)]
pub(crate) struct Hand(Arc<AtomicI64>);

impl Hand {
    pub(crate) fn forward(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp::from_millisecond(self.0.load(Ordering::SeqCst)).unwrap()
    }
}

pub(crate) struct Bed {
    pub(crate) runs: Runs,
    pub(crate) table: Table,
    pub(crate) hand: Hand,
    _testbed: Testbed,
}

pub(crate) async fn bed() -> Bed {
    let testbed = Testbed::start_table_only().await;
    let table = Table::new(aws_sdk_dynamodb::Client::new(&testbed.config), &testbed.names.table);
    let hand = Hand(Arc::new(AtomicI64::new(BEGIN)));
    let told = hand.clone();
    let runs = Runs::new(table.clone(), Clock::from_fn(move || told.now()), Entropy::system());
    Bed { runs, table, hand, _testbed: testbed }
}

impl Bed {
    pub(crate) fn record(&self, id: &str) -> RunRecord {
        RunRecord::begin(id, "employers", "s3://bucket/imports/employers/a.csv", self.hand.now())
    }

    /// Claims a run that must be free.
    pub(crate) async fn claim(&self, id: &str) -> Lease {
        self.claim_as(&self.record(id)).await
    }

    pub(crate) async fn claim_as(&self, record: &RunRecord) -> Lease {
        match self.runs.claim(record, "delivery").await.unwrap() {
            Claim::Ours { lease, .. } => lease,
            other => panic!("{other:?}"),
        }
    }
}
