//! CSV files in S3 become accounts, employer links and mappings.
//!
//! The data's way: [`handler`] takes an event (`event`) → [`Importer`] claims the run and opens the file (`source`) → a
//! thread reads rows ([`csv_file`], `row`, `feed`) → `pipeline` lets those work that may (`order`, `work`: `mappings`,
//! `leave_admins` with `fineos`, `employers`) and writes their outcomes in file order (`reports`) → the run's record.
//!
//! [`check()`] looks at a file alone, and [`Importer::dry_run`] also at what is stored; neither writes.

mod check;
pub mod csv_file;
mod dry_run;
mod employers;
mod event;
mod feed;
mod fineos;
pub mod handler;
mod import;
mod kind;
mod leave_admins;
mod mappings;
mod order;
mod outcome;
mod pipeline;
mod redelivery;
mod reports;
mod row;
mod settings;
mod source;
mod traffic;
mod work;

pub use check::check;
pub use csv_file::FileError;
pub use fineos::FineosSettings;
pub use import::{Ended, ImportError, ImportRequest, Importer};
pub use kind::{KNOWN_PREFIXES, Kind, KindError};
pub use outcome::RowResult;
pub use settings::{ImportSettings, settings};
pub use source::Source;
