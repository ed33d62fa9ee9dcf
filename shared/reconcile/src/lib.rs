//! What every reconciliation shares, whatever its source and target: load → plan → apply.
//!
//! - [`Snapshot`]: what a source holds. Only a read that was proven to have reached its end is `Snapshot<Complete, T>`, and
//!   only that may plan removals: absence is proven.
//! - [`Fingerprints`]: what the last good run knew, compactly: a key and a digest each.
//! - [`Plan`]: ordered plain data with a hash; what a dry run prints is what the run applies.
//! - [`guard`]: stops a plan that removes too much.
//! - [`Outcome`], [`Counts`], [`Reasons`]: rows in = outcomes out.
//!
//! Nothing here does I/O, and nothing knows a source or a target.

mod fingerprint;
mod guard;
mod outcome;
mod plan;
mod reasons;
mod snapshot;

pub use fingerprint::{Difference, Fingerprint, FingerprintError, Fingerprints};
pub use guard::{Limit, LimitError, Tripped, guard};
pub use outcome::{Counts, Outcome};
pub use plan::{Action, Plan};
pub use reasons::{ReasonCount, Reasons};
pub use snapshot::{Complete, Incomplete, Keyed, Open, Proof, Snapshot};
