//! The API over an embedded DynamoDB: every route and each of its answers.

#![allow(clippy::unwrap_used, reason = "a test's helpers are tests too")]

mod audit;
mod calls;
mod edge;
mod function;
mod identifiers;
mod lambda;
mod openapi;
mod people;
mod world;
