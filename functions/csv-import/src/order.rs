//! Which units of rows may work now: those that share a key take effect in file order, all others at once.
//!
//! Only units that were admitted and have not finished are known here, so the memory goes by the window, not by the file.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use tokio::sync::watch;

/// A key's hash. Two keys of one hash merely wait for each other.
pub(crate) type Key = u64;

/// The hash of a key.
pub(crate) fn key_of(value: impl Hash) -> Key {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// A unit's place among the others while it works.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    number: u64,
    /// [`Order::lowest`].
    lowest: watch::Receiver<u64>,
}

impl Turn {
    pub(crate) fn new(number: u64, lowest: watch::Receiver<u64>) -> Self {
        Self { number, lowest }
    }

    /// Whether all earlier units of the file have finished.
    pub(crate) fn is_first(&self) -> bool {
        *self.lowest.borrow() >= self.number
    }

    /// Returns when all earlier units of the file have finished.
    pub(crate) async fn first(&mut self) {
        let number = self.number;
        // The sender outlives the units.
        let _gone = self.lowest.wait_for(|lowest| *lowest >= number).await;
    }
}

struct Held<T> {
    /// None once it was given out.
    unit: Option<T>,
    keys: HashSet<Key>,
    /// How many earlier units it waits for.
    waits_for: usize,
    followers: Vec<u64>,
}

/// The units that work or wait.
pub(crate) struct Order<T> {
    next: u64,
    held: BTreeMap<u64, Held<T>>,
    /// The latest unit that was admitted with a key.
    latest: HashMap<Key, u64>,
}

impl<T> Order<T> {
    pub(crate) fn new() -> Self {
        Self { next: 0, held: BTreeMap::new(), latest: HashMap::new() }
    }

    /// Takes the next unit of the file; gives it back with its number if it may work at once.
    pub(crate) fn admit(&mut self, keys: HashSet<Key>, unit: T) -> Option<(u64, T)> {
        let number = self.next;
        self.next += 1;
        let mut earlier = HashSet::new();
        for key in &keys {
            if let Some(other) = self.latest.insert(*key, number) {
                earlier.insert(other);
            }
        }
        for other in &earlier {
            if let Some(other) = self.held.get_mut(other) {
                other.followers.push(number);
            }
        }
        let mut held = Held { unit: Some(unit), keys, waits_for: earlier.len(), followers: Vec::new() };
        let free = if earlier.is_empty() { held.unit.take() } else { None };
        self.held.insert(number, held);
        free.map(|unit| (number, unit))
    }

    /// Notes that a unit is done; gives out those that waited for it alone.
    pub(crate) fn finish(&mut self, number: u64) -> Vec<(u64, T)> {
        let Some(done) = self.held.remove(&number) else { return Vec::new() };
        for key in &done.keys {
            if self.latest.get(key) == Some(&number) {
                self.latest.remove(key);
            }
        }
        let mut free = Vec::new();
        for follower in done.followers {
            let Some(held) = self.held.get_mut(&follower) else { continue };
            held.waits_for -= 1;
            if held.waits_for == 0 {
                free.extend(held.unit.take().map(|unit| (follower, unit)));
            }
        }
        free
    }

    /// The first unit of the file that has not finished; all before it have.
    pub(crate) fn lowest(&self) -> u64 {
        self.held.first_key_value().map_or(self.next, |(number, _)| *number)
    }

    /// Whether nothing works or waits.
    #[cfg(test)]
    fn is_empty(&self) -> bool {
        self.held.is_empty() && self.latest.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys(of: &[u64]) -> HashSet<Key> {
        of.iter().copied().collect()
    }

    #[test]
    fn sharers_wait_and_others_do_not() {
        let mut order = Order::new();
        assert_eq!(order.admit(keys(&[1, 2]), 'a'), Some((0, 'a')));
        assert_eq!(order.admit(keys(&[2, 3]), 'b'), None);
        assert_eq!(order.admit(keys(&[9]), 'c'), Some((2, 'c')));
        // Waits for b, though a's key 1 is its own.
        assert_eq!(order.admit(keys(&[1, 3]), 'd'), None);
        assert_eq!(order.finish(2), []);
        assert_eq!(order.lowest(), 0);
        assert_eq!(order.finish(0), [(1, 'b')]);
        assert_eq!(order.lowest(), 1);
        assert_eq!(order.finish(1), [(3, 'd')]);
        assert_eq!(order.finish(3), []);
        assert_eq!(order.lowest(), 4);
        assert!(order.is_empty());
    }

    proptest! {
        /// Whatever finishes first: sharers of a key start in file order, none overlap, and all get their turn.
        #[test]
        fn file_order_for_each_key(
            units in prop::collection::vec(prop::collection::hash_set(0_u64..6, 0..4), 1..40),
            picks in prop::collection::vec(any::<prop::sample::Index>(), 80),
        ) {
            let mut order = Order::new();
            let mut working: Vec<u64> = Vec::new();
            let mut begun: Vec<u64> = Vec::new();
            let mut todo = units.iter().cloned();
            for pick in picks {
                let started = if working.is_empty() || pick.index(2) == 0 {
                    match todo.next() {
                        Some(keys) => order.admit(keys, ()).into_iter().collect(),
                        None => continue,
                    }
                } else {
                    order.finish(working.swap_remove(pick.index(working.len())))
                };
                for (number, ()) in started {
                    let mine = &units[usize::try_from(number).unwrap()];
                    for other in &working {
                        prop_assert!(mine.is_disjoint(&units[usize::try_from(*other).unwrap()]));
                    }
                    for earlier in &begun {
                        let theirs = &units[usize::try_from(*earlier).unwrap()];
                        prop_assert!(*earlier < number || mine.is_disjoint(theirs));
                    }
                    working.push(number);
                    begun.push(number);
                }
            }
            while let Some(number) = working.pop() {
                working.extend(order.finish(number).into_iter().map(|(number, ())| number));
            }
            prop_assert!(order.is_empty());
        }
    }
}
