//! What the state says before a step is taken, and after: whenever a run breaks off, the next one finds its way.

use std::collections::BTreeMap;

use crosswalk_reconcile::Fingerprint;

use crate::state::{Managed, Standing, State};
use crate::step::{Step, What};
use crate::target::{Applied, Done, Failure};

/// Of an account whose fields may have been changed: equals no person's, and is not [`Fingerprint::UNKNOWN`], which says that
/// the account itself is not complete.
fn uncertain() -> Fingerprint {
    Fingerprint::of(b"uncertain")
}

impl State {
    /// Before the first step: an account that stands with the e-mail of somebody who is about to get one is then known to
    /// be ours, and one that is found inactive to have been deactivated by us.
    pub fn intend(&mut self, steps: &[Step]) {
        let mut coming = BTreeMap::new();
        for step in steps {
            match step.what {
                // Of an earlier account of the same key nothing stays.
                What::Create => match self.people.get_mut(&step.key) {
                    Some(managed) => *managed = Managed::coming(),
                    None => {
                        coming.insert(step.key.clone(), Managed::coming());
                    }
                },
                // Whether it was done is not known until it is noted: even if the source goes back, the fields are compared.
                What::Update if !step.changes.is_empty() => {
                    if let Some(managed) = self.people.get_mut(&step.key) {
                        managed.print = uncertain();
                    }
                }
                What::Deactivate { .. } => {
                    if let Some(managed) = self.people.get_mut(&step.key) {
                        managed.standing = Standing::Deactivating;
                    }
                }
                What::Update | What::Adopt | What::Rekey { .. } | What::Complete | What::Delete => {}
            }
        }
        // As one: the tree's nodes are full then.
        self.people.append(&mut coming);
    }

    /// A step that was not begun, and is known not to have been: nothing of it is ours.
    pub fn not_begun(&mut self, key: &str) {
        if self.people.get(key).is_some_and(|managed| managed.account.is_none()) {
            self.people.remove(key);
        } else if let Some(managed) = self.people.get_mut(key)
            && managed.standing == Standing::Deactivating
        {
            managed.standing = Standing::Active;
        }
    }

    /// What came of a step; `print` tells what its account is made of.
    pub fn note(&mut self, done: &Done, print: Fingerprint) {
        match &done.result {
            Ok(applied) => self.note_applied(&done.step, applied, print),
            Err(failure) => self.note_failure(&done.step, failure),
        }
    }

    fn note_applied(&mut self, step: &Step, applied: &Applied, print: Fingerprint) {
        match &step.what {
            What::Deactivate { .. } => {
                if let Some(managed) = self.people.get_mut(&step.key) {
                    managed.standing = Standing::Deactivated;
                }
                return;
            }
            What::Delete => {
                self.people.remove(&step.key);
                return;
            }
            What::Rekey { from } => {
                self.people.remove(from);
            }
            What::Update | What::Adopt | What::Complete | What::Create => {}
        }
        let managed = self.people.entry(step.key.clone()).or_insert_with(Managed::coming);
        managed.account = Some(applied.account.clone());
        managed.print = print;
        // What an earlier account of the same key was, this one is not.
        if step.what != What::Update || step.active == Some(true) {
            managed.standing = Standing::Active;
        }
    }

    fn note_failure(&mut self, step: &Step, failure: &Failure) {
        match step.what {
            // Somebody else's account stands there.
            What::Create if failure.conflict && failure.account.is_none() => {
                self.people.remove(&step.key);
            }
            What::Create => {
                if let (Some(account), Some(managed)) = (&failure.account, self.people.get_mut(&step.key)) {
                    managed.account = Some(account.clone());
                }
            }
            // A part of it may have been done.
            What::Update => {
                if let Some(managed) = self.people.get_mut(&step.key) {
                    managed.print = uncertain();
                }
            }
            What::Complete | What::Adopt | What::Rekey { .. } | What::Deactivate { .. } | What::Delete => {}
        }
    }
}
