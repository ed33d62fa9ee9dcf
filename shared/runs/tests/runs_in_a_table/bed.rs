//! A table, and a clock that the test drives.

use crosswalk_function_kit::Entropy;
use crosswalk_identifier_store::Table;
use crosswalk_local_aws::testbed::Testbed;
use crosswalk_runs::{Claim, Lease, Ledger, RunRecord, Runs};

use crate::scenarios::Scene;
use crate::scenarios::hand::Hand;

pub(crate) struct Bed {
    pub(crate) runs: Runs,
    pub(crate) table: Table,
    pub(crate) hand: Hand,
    _testbed: Testbed,
}

pub(crate) async fn bed() -> Bed {
    let testbed = Testbed::start_table_only().await;
    let table = Table::new(aws_sdk_dynamodb::Client::new(&testbed.config), &testbed.names.table);
    let hand = Hand::new();
    let runs = Runs::new(table.clone(), hand.clock(), Entropy::system());
    Bed { runs, table, hand, _testbed: testbed }
}

impl Bed {
    /// The ledger over the same runs.
    pub(crate) fn scene(&self) -> Scene {
        Scene { ledger: Ledger::Table(self.runs.clone()), hand: self.hand.clone() }
    }

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
