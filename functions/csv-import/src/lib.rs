//! CSV files in S3 become accounts, employer links and mappings.
pub mod check;
pub mod csv_file;
mod kind;
mod order;
mod outcome;
mod row;
pub use check::check;
pub use kind::{KNOWN_PREFIXES, Kind, KindError};
pub use outcome::RowResult;
