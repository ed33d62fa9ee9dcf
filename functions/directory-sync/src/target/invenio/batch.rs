//! Which bundles share a transaction.

use std::collections::VecDeque;

use crate::step::What;
use crate::target::Bundle;

/// Steps that share a transaction, unless a single bundle has more. At a thousand the round trips no longer count: 100,000
/// rows are written in seconds.
pub(super) const STEPS: usize = 1_000;

/// What a bundle does. The order is that in which batches are taken: what frees names comes before what takes them, and what
/// removes comes last. Names pass only inside a bundle, so bundles of different kinds may change places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    /// Accounts that stand are changed; names may pass, to new accounts too.
    Change,
    /// One account is created.
    Create,
    /// One account is deactivated.
    Deactivate,
    /// One account is deleted.
    Delete,
}

/// Bundles of one kind.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Batch {
    pub(super) kind: Kind,
    pub(super) bundles: Vec<Bundle>,
    /// It is taken again after it was refused, whole or a half of it.
    pub(super) again: Again,
}

/// How a batch is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// For the first time: rows that others hold are waited for.
    No,
    /// Others' rows were in the way: they are passed over.
    PassOver,
    /// A row of it is bad, or was: as the first time.
    Halved,
}

/// Sorts bundles by kind, and cuts them into batches. The order within a kind stays.
pub(super) fn batches(mut bundles: Vec<Bundle>) -> VecDeque<Batch> {
    bundles.retain(|bundle| !bundle.0.is_empty());
    bundles.sort_by_key(kind);
    let mut batches: VecDeque<Batch> = VecDeque::new();
    let mut steps = 0;
    for bundle in bundles {
        let kind = kind(&bundle);
        steps += bundle.0.len();
        match batches.back_mut() {
            Some(batch) if batch.kind == kind && steps <= STEPS => batch.bundles.push(bundle),
            _ => {
                steps = bundle.0.len();
                batches.push_back(Batch { kind, bundles: vec![bundle], again: Again::No });
            }
        }
    }
    batches
}

impl Batch {
    /// The two halves of a batch of two bundles or more.
    pub(super) fn halves(mut self) -> [Self; 2] {
        let rest = self.bundles.split_off(self.bundles.len() / 2);
        let again = match self.again {
            Again::No => Again::Halved,
            again => again,
        };
        let (kind, bundles) = (self.kind, self.bundles);
        [Self { kind, bundles, again }, Self { kind, bundles: rest, again }]
    }
}

fn kind(bundle: &Bundle) -> Kind {
    match bundle.0.as_slice() {
        [step] => match step.what {
            What::Create => Kind::Create,
            What::Deactivate { .. } => Kind::Deactivate,
            What::Delete => Kind::Delete,
            What::Update | What::Adopt | What::Rekey { .. } | What::Complete => Kind::Change,
        },
        _ => Kind::Change,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::{Step, Why};

    fn step(what: What) -> Step {
        Step { what, key: "k".into(), account: None, version: 1, changes: Vec::new(), active: None, after: Vec::new() }
    }

    fn one(what: What) -> Bundle {
        Bundle(vec![step(what)])
    }

    #[test]
    fn kinds_do_not_mix_and_removals_come_last() {
        let together = Bundle(vec![step(What::Update), step(What::Create)]);
        let deactivate = What::Deactivate { why: Why::Absent };
        let bundles = vec![
            one(What::Delete),
            one(What::Update),
            one(What::Create),
            one(deactivate.clone()),
            Bundle(Vec::new()),
            together.clone(),
            one(What::Create),
            one(What::Adopt),
        ];
        let batches = batches(bundles);
        let found: Vec<_> = batches.into_iter().map(|batch| (batch.kind, batch.bundles)).collect();
        assert_eq!(
            found,
            [
                (Kind::Change, vec![one(What::Update), together, one(What::Adopt)]),
                (Kind::Create, vec![one(What::Create), one(What::Create)]),
                (Kind::Deactivate, vec![one(deactivate)]),
                (Kind::Delete, vec![one(What::Delete)]),
            ]
        );
    }

    #[test]
    fn a_thousand_steps_share_one_and_a_bundle_is_never_cut() {
        let creates = batches(vec![one(What::Create); 10_000]);
        assert!(creates.len() == 10 && creates.iter().all(|batch| batch.bundles.len() == STEPS));
        let circle = |steps| Bundle(vec![step(What::Update); steps]);
        let sizes = |bundles| {
            let sizes = batches(bundles)
                .into_iter()
                .map(|batch| batch.bundles.iter().map(|bundle| bundle.0.len()).collect::<Vec<_>>());
            sizes.collect::<Vec<_>>()
        };
        assert_eq!(
            sizes(vec![circle(600), circle(400), circle(1), circle(1_500), circle(2), circle(999)]),
            [vec![600, 400], vec![1], vec![1_500], vec![2], vec![999]]
        );
    }

    #[test]
    fn halves_hold_everything() {
        let batch = batches(vec![one(What::Create); 3]).pop_front().unwrap();
        let [first, second] = batch.halves();
        assert_eq!((first.bundles.len(), second.bundles.len()), (1, 2));
        assert_eq!((first.again, second.kind), (Again::Halved, Kind::Create));
    }
}
