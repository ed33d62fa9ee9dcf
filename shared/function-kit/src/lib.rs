//! What every function needs around its work: settings, secrets, logs, metrics, counted calls, retry,
//! rate, deadline, clock and randomness.
//!
//! Nothing here knows what a function does. Clock and randomness are values that are passed in, never globals.

pub mod aws;
mod clock;
mod deadline;
mod entropy;
#[cfg(test)]
mod fake_http;
pub mod http;
pub mod logs;
pub mod metrics;
pub mod rate;
pub mod retry;
pub mod secrets;
pub mod server_url;
pub mod settings;
pub mod traffic;

pub use clock::Clock;
pub use deadline::Deadline;
pub use entropy::Entropy;
