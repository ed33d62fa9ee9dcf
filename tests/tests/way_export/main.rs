//! The people export end to end: a realm of the stand-in for Keycloak, the exporter, and the stand-in for Glean, which
//! enforces Glean's upload protocol and keeps what it was sent. State and runs are kept in a folder or in the embedded AWS.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod bed;
mod calls;
mod company;
mod dry_run;
mod glean_fails;
mod guard;
mod individual;
mod reads;
mod turns;
mod whole;
