//! The built binary, driven as a person would, each test in a folder of its own.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]

mod audit;
mod demo;
mod export;
mod harvest;
mod help;
mod ids;
mod ids_export;
mod import;
mod invite;
mod migrate;
mod support;
mod sync;
mod up;
