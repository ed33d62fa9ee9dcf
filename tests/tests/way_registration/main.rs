//! A person's registration at LabArchives (a stand-in): by a personal link, once, and by nobody else; what goes wrong leaves the
//! link as it was, and no trace of the person in a log.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod any_order;
mod attacks;
mod bed;
mod conflicts;
mod links;
mod logged;
mod outages;
mod own_token;
mod pages;
mod parallel;
mod whole;
