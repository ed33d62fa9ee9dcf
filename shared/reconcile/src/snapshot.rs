use std::collections::HashSet;
use std::marker::PhantomData;

use sha2::{Digest, Sha256};

use crate::Fingerprint;

/// What is told apart by a key of the source's: a user's id, an entry's UUID, …
pub trait Keyed {
    /// The key, unique in the source and stable over pages.
    fn key(&self) -> &str;
}

/// A snapshot that is being read.
#[derive(Debug)]
pub struct Open(());

/// A snapshot that was read to its proven end.
#[derive(Debug)]
pub struct Complete(());

/// What a source holds, each key once, in the order in which it was read.
///
/// `Snapshot<Open, T>` takes pages; only [`Snapshot::prove`] makes a `Snapshot<Complete, T>` of it, and only that has its
/// items looked at. Whoever holds one may conclude from absence.
#[derive(Debug)]
pub struct Snapshot<State, T> {
    items: Vec<T>,
    /// 128 bits of each key's hash: the keys themselves would be half of what is held.
    keys: HashSet<Fingerprint>,
    pages: HashSet<[u8; 32]>,
    state: PhantomData<State>,
}

/// What shows that a read has reached the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// The source counted its items before and after the read: what was read must be as many as the second count, or lie
    /// between the two.
    Counted {
        /// Before the first page was asked for.
        before: u64,
        /// After the last page had come.
        after: u64,
    },
    /// The protocol itself says that the end was reached, such as a paged LDAP search whose last cookie is empty, or a
    /// query's end inside one transaction.
    EndOfResults,
}

/// Why a snapshot is not complete. Nothing may be concluded from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Incomplete {
    /// A page came twice: the source does not page.
    #[error("a page of {items} came a second time, so the pages cannot be told apart")]
    Repeated {
        /// How many items the page holds.
        items: usize,
    },
    /// The number does not fit the source's own count.
    #[error("{read} were read, but the source counts {after} (and counted {before} before the read)")]
    Differs {
        /// How many different items were read.
        read: u64,
        /// The count before.
        before: u64,
        /// The count after.
        after: u64,
    },
    /// Nothing was read: rather a missing permission or a wrong place than an empty organisation.
    #[error("the source is empty; that is taken for a failed read (is a permission missing, or the place wrong?)")]
    Empty,
}

impl<T: Keyed> Default for Snapshot<Open, T> {
    fn default() -> Self {
        Self { items: Vec::new(), keys: HashSet::new(), pages: HashSet::new(), state: PhantomData }
    }
}

impl<T: Keyed> Snapshot<Open, T> {
    /// Takes a page; items that an earlier page held are dropped. Says how many were new.
    ///
    /// # Errors
    /// [`Incomplete::Repeated`] if a page with just these keys in just this order was taken before.
    pub fn page(&mut self, page: Vec<T>) -> Result<usize, Incomplete> {
        if page.is_empty() {
            return Ok(0);
        }
        let mut hash = Sha256::new();
        for item in &page {
            hash.update((item.key().len() as u64).to_be_bytes());
            hash.update(item.key());
        }
        if !self.pages.insert(hash.finalize().into()) {
            return Err(Incomplete::Repeated { items: page.len() });
        }
        let before = self.items.len();
        for item in page {
            if self.keys.insert(Fingerprint::of(item.key().as_bytes())) {
                self.items.push(item);
            }
        }
        Ok(self.items.len() - before)
    }

    /// How many different items were read so far.
    pub fn read(&self) -> u64 {
        self.items.len() as u64
    }

    /// Makes the snapshot complete, if the proof holds and something was read.
    ///
    /// # Errors
    /// What is missing; see [`Incomplete`].
    pub fn prove(self, proof: Proof) -> Result<Snapshot<Complete, T>, Incomplete> {
        if self.items.is_empty() {
            return Err(Incomplete::Empty);
        }
        self.prove_even_empty(proof)
    }

    /// The same for what may well be empty, such as the groups of a realm.
    ///
    /// # Errors
    /// [`Incomplete::Differs`].
    pub fn prove_even_empty(self, proof: Proof) -> Result<Snapshot<Complete, T>, Incomplete> {
        if let Proof::Counted { before, after } = proof {
            let read = self.read();
            if !(before.min(after)..=before.max(after)).contains(&read) {
                return Err(Incomplete::Differs { read, before, after });
            }
        }
        Ok(Snapshot { items: self.items, keys: HashSet::new(), pages: HashSet::new(), state: PhantomData })
    }
}

impl<T> Snapshot<Complete, T> {
    /// What the source held.
    pub fn items(&self) -> &[T] {
        &self.items
    }

    /// The same, given away.
    pub fn into_items(self) -> Vec<T> {
        self.items
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    struct Item(String);

    impl Keyed for Item {
        fn key(&self) -> &str {
            &self.0
        }
    }

    fn page(keys: &[&str]) -> Vec<Item> {
        keys.iter().map(|key| Item((*key).to_owned())).collect()
    }

    fn of(pages: &[&[&str]]) -> Snapshot<Open, Item> {
        let mut snapshot = Snapshot::default();
        for keys in pages {
            snapshot.page(page(keys)).unwrap();
        }
        snapshot
    }

    #[test]
    fn each_key_counts_once() {
        let mut snapshot = of(&[&["a", "b"], &["b", "c"]]);
        assert_eq!(snapshot.page(page(&["c"])), Ok(0));
        let complete = snapshot.prove(Proof::Counted { before: 3, after: 3 }).unwrap();
        assert_eq!(complete.items().iter().map(Keyed::key).collect::<Vec<_>>(), ["a", "b", "c"]);
    }

    #[test]
    fn a_page_that_comes_again_is_no_paging() {
        let mut snapshot = of(&[&["a", "b"], &["c", "d"]]);
        assert_eq!(snapshot.page(page(&["a", "b"])), Err(Incomplete::Repeated { items: 2 }));
        // Lengths are part of what a page is known by.
        let mut snapshot = of(&[&["ab", "c"]]);
        assert_eq!(snapshot.page(page(&["a", "bc"])), Ok(2));
    }

    #[test]
    fn an_empty_read_proves_nothing() {
        for proof in [Proof::EndOfResults, Proof::Counted { before: 0, after: 0 }] {
            assert_eq!(of(&[]).prove(proof).map(|_| ()), Err(Incomplete::Empty));
            assert!(of(&[]).prove_even_empty(proof).is_ok());
        }
        let short = Proof::Counted { before: 2, after: 2 };
        assert!(of(&[&[]]).prove_even_empty(short).is_err());
    }

    proptest! {
        #[test]
        fn a_count_between_the_two_is_complete(read in 1_u64..50, before in 0_u64..50, after in 0_u64..50) {
            let keys: Vec<_> = (0..read).map(|n| Item(n.to_string())).collect();
            let mut snapshot = Snapshot::default();
            snapshot.page(keys).unwrap();
            let complete = (before <= read && read <= after) || (after <= read && read <= before);
            prop_assert_eq!(snapshot.prove(Proof::Counted { before, after }).is_ok(), complete);
        }
    }
}
