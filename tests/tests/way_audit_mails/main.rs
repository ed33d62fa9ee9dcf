//! The audit's mails, as a mail catcher sees them: one a person in a while, whatever number of audits run and however they
//! end, and none to those who are to get none.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod audits;
mod bed;
mod faults;
mod letters;
mod once;
mod whom;
