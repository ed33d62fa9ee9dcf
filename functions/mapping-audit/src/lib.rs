//! Who lacks a mapping, which are stale, what is broken.

pub mod notify;
