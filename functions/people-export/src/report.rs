//! The run's reports.
