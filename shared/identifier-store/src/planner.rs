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
    oldest: VecDeque<(u64, ItemKey, usize)>,
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
        let decided = view.decide_surely(&self.store.calls, request, self.store.clock.now()).await?;
        match self.store.allowed(decided) {
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
            self.oldest.push_back((age, key.clone(), share));
            self.effects.insert(key, (age, known));
            self.bytes += share;
        }
        while self.bytes > Self::MEMORY_BYTES {
            let Some((age, key, share)) = self.oldest.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(share);
            // A later row may have changed the same item: that newer effect stays.
            if self.effects.get(&key).is_some_and(|(of, _)| *of == age) {
                self.effects.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::config::{BehaviorVersion, Config};
    use crosswalk_function_kit::{Clock, Entropy};
    use crosswalk_identity::{ExternalId, Mark, System, Username};
    use jiff::Timestamp;

    use super::*;
    use crate::decide::decide;
    use crate::{Change, Table};

    fn write(line: u64) -> Write {
        let request = StoreRequest {
            username: Username::parse(&format!("user{line}")).unwrap(),
            system: System::parse("nemo").unwrap(),
            external_id: ExternalId::parse(&line.to_string()).unwrap(),
            email: Change::Keep,
            notes: Change::Set("n".repeat(4000)),
            mark: Mark::line("run", line),
        };
        match decide(&request, Timestamp::UNIX_EPOCH, None, None) {
            Decision::Write(write) => *write,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn beyond_its_bound_the_oldest_effects_are_forgotten() {
        let config = Config::builder().behavior_version(BehaviorVersion::latest()).build();
        let table = Table::new(aws_sdk_dynamodb::Client::from_conf(config), "none");
        let store = IdentifierStore::new(table, Clock::fixed(Timestamp::UNIX_EPOCH), Entropy::seeded(1));
        let mut planner = store.planner();
        for line in 0..10_000 {
            planner.remember(&write(line));
        }
        assert!(planner.bytes <= Planner::MEMORY_BYTES);
        assert_eq!(planner.effects.len(), planner.oldest.len());
        assert!((10_000..20_000).contains(&planner.effects.len()), "{}", planner.effects.len());
        assert!(!planner.effects.contains_key(&write(0).after.key()));
        assert!(planner.effects.contains_key(&write(9_999).after.owner_key()));
    }
}
