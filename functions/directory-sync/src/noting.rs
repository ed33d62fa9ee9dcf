//! What the state says before a step is taken, and after: whenever a run breaks off, the next one finds its way.

use std::collections::BTreeMap;

use crosswalk_reconcile::Fingerprint;

use crate::state::{Managed, Standing, State};
use crate::step::{Step, What};
use crate::target::{Applied, Done, Failure};

impl State {
    /// Before the first step: an account that stands with the e-mail of somebody who is about to get one is then known to
    /// be ours, and one that is found inactive to have been deactivated by us.
    pub fn intend(&mut self, steps: &[Step]) {
        let mut coming = BTreeMap::new();
        for step in steps {
            match step.what {
                What::Create => match self.people.get_mut(&step.key) {
                    Some(managed) => {
                        managed.account = None;
                        managed.print = Fingerprint::UNKNOWN;
                    }
                    None => {
                        coming.insert(step.key.clone(), Managed::coming());
                    }
                },
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
        if step.active == Some(true) {
            managed.standing = Standing::Active;
        }
    }

    fn note_failure(&mut self, step: &Step, failure: &Failure) {
        match step.what {
            // Somebody else's account stands there.
            What::Create if failure.conflict => {
                self.people.remove(&step.key);
            }
            What::Create => {
                if let (Some(account), Some(managed)) = (&failure.account, self.people.get_mut(&step.key)) {
                    managed.account = Some(account.clone());
                }
            }
            // A part of it may have been done.
            What::Update | What::Complete => {
                if let Some(managed) = self.people.get_mut(&step.key) {
                    managed.print = Fingerprint::UNKNOWN;
                }
            }
            What::Adopt | What::Rekey { .. } | What::Deactivate { .. } | What::Delete => {}
        }
    }
}
