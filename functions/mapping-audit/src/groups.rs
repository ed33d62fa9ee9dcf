//! Who is who: usernames that share an e-mail, over any number of steps, are one person.
//!
//! Names are held as hashes, and of each person a few numbers, so that a person takes some 60 bytes however long the names
//! are. 128 bits of SHA-256: two names of all that there ever were share one with a chance of less than one in 10^20.

use std::collections::HashMap;

use crosswalk_identity::{Email, Username};
use sha2::{Digest, Sha256};

/// The required systems that somebody is known to, a bit each.
pub(crate) type Mask = u64;

/// A username or an e-mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Node(u32);

/// A person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Group(u32);

#[derive(Debug, Clone, Copy, Default)]
struct Facts {
    has: Mask,
    /// Whether a username of theirs is to be audited.
    wanted: bool,
}

/// All names, and who belongs together.
#[derive(Debug, Default)]
pub(crate) struct Groups {
    nodes: HashMap<[u64; 2], u32>,
    /// Of each node, the one that it was united with; itself in a group's root.
    parents: Vec<u32>,
    /// What is known of a group stands with its root.
    facts: Vec<Facts>,
}

impl Groups {
    pub(crate) fn username(&mut self, username: &Username) -> Node {
        self.node("username", username.key())
    }

    pub(crate) fn email(&mut self, email: &Email) -> Node {
        self.node("email", email.key())
    }

    /// The node of a username, if there is one.
    pub(crate) fn find_username(&self, username: &Username) -> Option<Node> {
        self.nodes.get(&hash("username", username.key())).copied().map(Node)
    }

    fn node(&mut self, kind: &str, key: &str) -> Node {
        let Self { nodes, parents, facts } = self;
        let node = *nodes.entry(hash(kind, key)).or_insert_with(|| {
            // 2^32 names would take 250 GB before they would not fit.
            let node = u32::try_from(parents.len()).unwrap_or(u32::MAX);
            parents.push(node);
            facts.push(Facts::default());
            node
        });
        Node(node)
    }

    /// Both are one person.
    pub(crate) fn unite(&mut self, one: Node, other: Node) {
        let (one, other) = (self.root(one.0), self.root(other.0));
        if one == other {
            return;
        }
        let (root, joins) = (one.min(other), one.max(other));
        self.parents[joins as usize] = root;
        let joined = self.facts[joins as usize];
        let facts = &mut self.facts[root as usize];
        facts.has |= joined.has;
        facts.wanted |= joined.wanted;
    }

    /// The person is known to these systems too.
    pub(crate) fn has(&mut self, node: Node, mask: Mask) {
        let root = self.root(node.0);
        self.facts[root as usize].has |= mask;
    }

    /// The person is to be audited.
    pub(crate) fn want(&mut self, node: Node) {
        let root = self.root(node.0);
        self.facts[root as usize].wanted = true;
    }

    pub(crate) fn group(&mut self, node: Node) -> Group {
        Group(self.root(node.0))
    }

    pub(crate) fn is_wanted(&self, group: Group) -> bool {
        self.facts[group.0 as usize].wanted
    }

    pub(crate) fn mask(&self, group: Group) -> Mask {
        self.facts[group.0 as usize].has
    }

    /// What each person who is to be audited has.
    pub(crate) fn wanted(&self) -> impl Iterator<Item = Mask> {
        let roots = self.parents.iter().enumerate().filter(|&(node, parent)| node == *parent as usize);
        roots.map(|(root, _)| self.facts[root]).filter(|facts| facts.wanted).map(|facts| facts.has)
    }

    /// The root, which each node on the way is brought a step nearer to.
    fn root(&mut self, mut node: u32) -> u32 {
        while self.parents[node as usize] != node {
            let above = self.parents[node as usize];
            self.parents[node as usize] = self.parents[above as usize];
            node = above;
        }
        node
    }
}

fn hash(kind: &str, key: &str) -> [u64; 2] {
    let digest = Sha256::new().chain_update(kind).chain_update([0]).chain_update(key).finalize();
    let part = |at: usize| digest[at..at + 8].iter().fold(0, |part: u64, byte| part << 8 | u64::from(*byte));
    [part(0), part(8)]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn username(number: u8) -> Username {
        Username::parse(&format!("user{number}")).unwrap()
    }

    fn email(number: u8) -> Email {
        Email::parse(&format!("mail{number}@example.org")).unwrap()
    }

    #[test]
    fn a_username_is_no_email_and_spellings_are_one() {
        let mut groups = Groups::default();
        let name = groups.username(&Username::parse("a@example.org").unwrap());
        assert_ne!(name, groups.email(&Email::parse("a@example.org").unwrap()));
        assert_eq!(name, groups.username(&Username::parse("A@Example.org").unwrap()));
        assert_eq!(groups.find_username(&username(1)), None);
    }

    proptest! {
        /// Against sets that are merged step by step.
        #[test]
        fn people_are_the_connected_parts(pairs in prop::collection::vec((0u8..12, 0u8..12, 0u64..8), 0..40)) {
            let mut groups = Groups::default();
            let mut sets: Vec<(BTreeSet<(bool, u8)>, Mask)> = Vec::new();
            for (name, mail, mask) in &pairs {
                let (one, other) = (groups.username(&username(*name)), groups.email(&email(*mail)));
                groups.unite(one, other);
                groups.has(one, *mask);
                groups.want(one);
                let touched = |set: &BTreeSet<(bool, u8)>| set.contains(&(true, *name)) || set.contains(&(false, *mail));
                let mut all = (BTreeSet::from([(true, *name), (false, *mail)]), *mask);
                sets.retain(|(set, has)| {
                    let joins = touched(set);
                    if joins {
                        all.0.extend(set);
                        all.1 |= has;
                    }
                    !joins
                });
                sets.push(all);
            }
            let mut expected: Vec<Mask> = sets.iter().map(|(_, mask)| *mask).collect();
            let mut actual: Vec<Mask> = groups.wanted().collect();
            expected.sort_unstable();
            actual.sort_unstable();
            prop_assert_eq!(actual, expected);
            for (set, mask) in &sets {
                let mut roots = BTreeSet::new();
                for (is_name, number) in set {
                    let node = if *is_name { groups.username(&username(*number)) } else { groups.email(&email(*number)) };
                    roots.insert(groups.group(node));
                }
                prop_assert_eq!(roots.len(), 1);
                prop_assert!(roots.iter().all(|group| groups.mask(*group) == *mask && groups.is_wanted(*group)));
            }
        }
    }
}
