//! A store that never changes an external id.

use crate::decide::Decision;
use crate::{IdentifierStore, Stored};

impl IdentifierStore {
    /// The same store, where a person who has another external id in the system keeps it: such a request is
    /// [`Stored::Conflict`] with the person as the owner, and nothing is written. It holds against other writers too, as
    /// each write is conditional on what was read. For what is read elsewhere and not meant by anybody, such as a harvest.
    #[must_use]
    pub fn keeping_ids(mut self) -> Self {
        self.keeps_ids = true;
        self
    }

    /// What is left of a decision.
    pub(crate) fn allowed(&self, decision: Decision) -> Decision {
        match decision {
            Decision::Write(write) if self.keeps_ids && write.before.is_some() && write.alone().is_none() => {
                let owner = write.after.mapping.username;
                Decision::Settled(Box::new(Stored::Conflict { owner }))
            }
            decision => decision,
        }
    }
}
