//! Accounts are written to a real PostgreSQL, and Invenio's own models read them (`tests/peers/run invenio`).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bed;
mod connects;
mod models;
mod names;
mod rows;
mod scale;
mod trouble;
mod users;
mod whole;
