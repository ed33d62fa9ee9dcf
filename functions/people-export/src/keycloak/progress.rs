//! How far a read is, told to whoever watches it.

use std::sync::{Mutex, PoisonError};

use super::Reading;

pub(super) struct Progress<'a> {
    reading: Mutex<Reading>,
    watch: &'a (dyn Fn(Reading) + Send + Sync),
}

impl<'a> Progress<'a> {
    pub(super) fn new(watch: &'a (dyn Fn(Reading) + Send + Sync)) -> Self {
        Self { reading: Mutex::default(), watch }
    }

    /// Changes it, and tells.
    pub(super) fn change(&self, change: impl FnOnce(&mut Reading)) {
        let reading = {
            let mut reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
            change(&mut reading);
            *reading
        };
        (self.watch)(reading);
    }
}
