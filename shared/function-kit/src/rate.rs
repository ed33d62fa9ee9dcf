//! Pacing of calls to a target's quota (governor).

/// A pace of so many calls a second; clones share it.
#[derive(Clone)]
pub struct Pace {}

impl Pace {
    /// So many calls a second, spread evenly (no burst beyond one second's tenth, at least 1).
    pub fn per_second(_calls: f64) -> Self {
        todo!()
    }

    /// Waits for the next free place.
    pub async fn wait(&self) {
        todo!()
    }
}
