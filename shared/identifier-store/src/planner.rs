//! What stores would do, without doing it.

use std::collections::{HashMap, VecDeque};

use crate::decide::{Decision, Write, keys_of};
use crate::view::{Known, View, effects};
use crate::{IdentifierStore, ItemKey, StoreError, StoreRequest, Stored};

/// The dry run of [`IdentifierStore::store_many`], made by [`IdentifierStore::planner`]: strongly consistent reads
/// alone; nothing is written.
///
/// It remembers what the rows planned so far would leave behind, from call to call, so that the second of two rows that
/// claim one external id is the conflict although nothing was written. The memory is bounded
/// ([`Planner::MEMORY_BYTES`], about 100,000 rows that change something; a row that verifies takes none): beyond it the
/// oldest effects are forgotten, and a row that comes so much later in the file is planned against what is stored.
#[derive(Debug)]
pub struct Planner {
    store: IdentifierStore,
    effects: HashMap<ItemKey, (u64, Known)>,
    oldest: VecDeque<(u64, ItemKey)>,
    bytes: usize,
    next: u64,
}

impl Planner {
    /// About how many bytes of effects are remembered.
    pub const MEMORY_BYTES: usize = 64 * 1024 * 1024;

    pub(crate) fn new(store: IdentifierStore) -> Self {
        Self { store, effects: HashMap::new(), oldest: VecDeque::new(), bytes: 0, next: 0 }
    }

    /// What `store_many` would answer to these rows, after all rows planned before.
    pub async fn plan_many(&mut self, requests: Vec<StoreRequest>) -> Vec<Result<Stored, StoreError>> {
        let mut view = View::default();
        let keys: Vec<ItemKey> = requests.iter().flat_map(keys_of).collect();
        for key in &keys {
            if let Some((_, known)) = self.effects.get(key) {
                view.set(key.clone(), known.clone());
            }
        }
        if let Err(error) = view.fill(&self.store.calls, keys).await {
            return requests.iter().map(|_| Err(error.clone())).collect();
        }
        let mut answers = Vec::with_capacity(requests.len());
        for request in requests {
            answers.push(self.plan(&mut view, &request).await);
        }
        answers
    }

    async fn plan(&mut self, view: &mut View, request: &StoreRequest) -> Result<Stored, StoreError> {
        request.check()?;
        match view.decide_surely(&self.store.calls, request, self.store.clock.now()).await? {
            Decision::Settled(stored) => Ok(*stored),
            Decision::Write(write) => {
                view.apply(&write);
                if !matches!(write.outcome, Stored::Verified(_)) {
                    self.remember(&write);
                }
                Ok(write.outcome)
            }
            Decision::Torn => Err(StoreError::Refused("the mapping's two items do not belong together".into())),
        }
    }

    fn remember(&mut self, write: &Write) {
        let share = write.bytes() / 2;
        for (key, known) in effects(write) {
            let age = self.next;
            self.next += 1;
            self.oldest.push_back((age, key.clone()));
            self.effects.insert(key, (age, known));
            self.bytes += share;
        }
        while self.bytes > Self::MEMORY_BYTES {
            let Some((age, key)) = self.oldest.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(share);
            // A later row may have changed the same item: that newer effect stays.
            if self.effects.get(&key).is_some_and(|(of, _)| *of == age) {
                self.effects.remove(&key);
            }
        }
    }
}
