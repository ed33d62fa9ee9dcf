use std::fmt;

use serde::Serialize;
use sha2::{Digest, Sha256};

/// One step of a plan: plain data, ordered as the steps are to be taken, shown as a line for people.
pub trait Action: Ord + Serialize + fmt::Display {
    /// Whether it takes something away (deactivates, deletes): the guard counts these.
    fn removes(&self) -> bool;
}

/// What a run will do: sorted, and the same for the same source and target. A dry run prints it, the real run applies it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan<A> {
    actions: Vec<A>,
    hash: String,
}

impl<A: Action> Plan<A> {
    /// Sorts the actions.
    pub fn new(mut actions: Vec<A>) -> Self {
        actions.sort();
        let mut hash = Sha256::new();
        for action in &actions {
            // Plain data always serialises; a line each, which no JSON text breaks.
            hash.update(serde_json::to_vec(action).unwrap_or_default());
            hash.update(b"\n");
        }
        Self { hash: hex::encode(&hash.finalize()[..8]), actions }
    }

    /// 16 hex digits that name this very plan.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// The steps, in order.
    pub fn actions(&self) -> &[A] {
        &self.actions
    }

    /// The same, given away.
    pub fn into_actions(self) -> Vec<A> {
        self.actions
    }

    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }

    /// How many steps take something away.
    pub fn removals(&self) -> u64 {
        self.actions.iter().filter(|action| action.removes()).count() as u64
    }
}

/// A line a step.
impl<A: Action> fmt::Display for Plan<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for action in &self.actions {
            writeln!(f, "{action}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
    enum Step {
        Create(&'static str),
        Delete(&'static str),
    }

    impl fmt::Display for Step {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            match self {
                Self::Create(name) => write!(f, "create {name}"),
                Self::Delete(name) => write!(f, "delete {name}"),
            }
        }
    }

    impl Action for Step {
        fn removes(&self) -> bool {
            matches!(self, Self::Delete(_))
        }
    }

    #[test]
    fn a_plan_is_sorted_and_known_by_its_steps() {
        let plan = Plan::new(vec![Step::Delete("x"), Step::Create("b"), Step::Create("a")]);
        assert_eq!(plan.to_string(), "create a\ncreate b\ndelete x\n");
        assert_eq!((plan.removals(), plan.is_empty(), plan.hash().len()), (1, false, 16));
        let again = Plan::new(vec![Step::Create("a"), Step::Create("b"), Step::Delete("x")]);
        assert_eq!(plan, again);
        assert_ne!(plan.hash(), Plan::new(vec![Step::Create("a"), Step::Create("b")]).hash());
        assert!(Plan::<Step>::new(Vec::new()).is_empty());
    }
}
