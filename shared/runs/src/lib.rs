//! Run records: the identity of a run, its lease, progress and counts; runs that exclude each other; reports and states.
//!
//! # In DynamoDB
//!
//! A run is one item, `RUN#<id>` / `RUN`, which holds the record as its JSON has it, and beside it the lease: a fencing
//! number that only grows, until when the lease holds, and the delivery under which it was claimed. All writes are
//! conditional on the fencing number, so a worker whose run was taken over cannot write to it any more. The index lists
//! all runs in one partition, `RUNS`, by the time of their start: there are few enough (one a file), and one order serves
//! both "all" and "of a kind". [`Runs`] is the ways' whose runs go on side by side.
//!
//! # Turns
//!
//! Runs that exclude each other take turns in a [`Ledger`]: in the same table, or in a folder for who runs without AWS. What
//! such a run leaves, [`files::Files`] keeps in the bucket or in the folder. [`Place`] is the two together, as the settings
//! say; [`event`] tells a schedule's event from one by hand, and [`report`] names who did not end as they should.
//! [`audit_index`] leads to what the last audit found.

pub mod audit_index;
pub mod event;
pub mod files;
mod keeper;
mod lease;
mod ledger;
mod listing;
mod metrics;
mod on_disk;
pub mod place;
mod record;
pub mod report;
pub mod run_id;
pub mod spreadsheet;
mod stored;
mod writes;

use std::time::Duration;

use crosswalk_function_kit::{Clock, Entropy};
use crosswalk_identifier_store::{Calls, Table};

// A run's record is made of them, so whoever uses runs finds them here.
pub use crosswalk_reconcile::{Counts, Outcome, ReasonCount, Reasons};
pub use keeper::Keeper;
pub use lease::{Claim, Lease, RunError};
pub use ledger::{Begin, Held, Ledger};
pub use listing::Waited;
pub use place::{Kept, Place, Ran, WayError, Worked};
pub use record::{AuditCounts, Progress, Reports, RunRecord, RunState, Traffic};

/// Run records. Clones share one client.
#[derive(Clone, Debug)]
pub struct Runs {
    calls: Calls,
    clock: Clock,
    entropy: Entropy,
}

impl Runs {
    /// How long a lease holds.
    pub const LEASE: Duration = Duration::from_secs(60);
    /// How often it is renewed.
    pub const RENEWAL: Duration = Duration::from_secs(15);
    /// How long a record is kept, counted from its last claim or its end: a year and the month in which one looks back.
    /// DynamoDB then deletes it, usually within days.
    pub const KEPT: Duration = Duration::from_secs(400 * 24 * 60 * 60);
    /// How long after its lease lapsed a run that nobody took over is shown as failed: broken off. Queues deliver again
    /// well before that, so no run that is about to be taken over is shown so.
    pub const BROKEN_OFF: Duration = Duration::from_secs(2 * 60 * 60);

    /// Over the table.
    pub fn new(table: Table, clock: Clock, entropy: Entropy) -> Self {
        let calls = Calls::new(table, entropy.clone()).with_retries(stored::RETRIES);
        Self { calls, clock, entropy }
    }
}
