//! The function over an embedded DynamoDB and a stand-in LabArchives: its routes, its events, and the program itself.

#![allow(clippy::unwrap_used, reason = "a test's helpers are tests too")]

mod edge;
mod events;
mod function;
mod way;
mod world;
