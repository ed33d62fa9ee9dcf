//! Who is gone: managed people whom a complete read of the source did not find.

use std::collections::HashSet;

use super::{After, Draft, Moment, Planner, SHARED};
use crate::state::{Absent, Standing};
use crate::step::{Step, What, Why};

impl After {
    /// Whether an absence has lasted for that long.
    fn is_over(self, absent: Absent, now: jiff::Timestamp) -> bool {
        absent.runs >= self.runs && now.duration_since(absent.since) >= self.time
    }
}

impl Planner<'_> {
    /// Counts this run's absences, forgets whose account is gone too, and plans what is due. How many are absent.
    pub(super) fn absent(&mut self, moment: Moment<'_>) -> u64 {
        let rekeyed = self.drafts.iter().filter_map(|draft| match &draft.step.what {
            What::Rekey { from } => Some(from.clone()),
            _ => None,
        });
        let rekeyed: HashSet<_> = rekeyed.collect();
        let counts = self.next.counted_by != moment.run;
        let mut absent = 0;
        let actual = self.actual;
        let mut forgotten = Vec::new();
        for (key, managed) in &mut self.next.people {
            if actual.is_present(key) {
                managed.absent = None;
                continue;
            }
            let Some(account) = managed.account.as_deref().and_then(|id| actual.account(id)) else {
                // Nothing is left of them, or nothing ever was.
                forgotten.push(key.clone());
                continue;
            };
            absent += 1;
            self.active += u64::from(account.active);
            let seen = managed.absent.unwrap_or(Absent { runs: 0, since: moment.now });
            let seen = Absent { runs: seen.runs.saturating_add(u32::from(counts || seen.runs == 0)), ..seen };
            managed.absent = Some(seen);
            if managed.standing == Standing::Deactivating {
                managed.standing = if account.active { Standing::Active } else { Standing::Deactivated };
            }
            if rekeyed.contains(key) {
                continue;
            }
            if self.others.contains_key(&account.id) {
                self.warnings.add(SHARED);
                continue;
            }
            let what = match managed.standing {
                Standing::Active if account.active && self.policy.deactivate.is_over(seen, moment.now) => {
                    What::Deactivate { why: Why::Absent }
                }
                Standing::Deactivated if account.active => {
                    self.warnings
                        .add("accounts of absent people were activated again by somebody else, and are left so");
                    continue;
                }
                Standing::Deactivated if self.policy.delete.is_some_and(|delete| delete.is_over(seen, moment.now)) => {
                    What::Delete
                }
                _ => continue,
            };
            let active = matches!(what, What::Deactivate { .. }).then_some(false);
            let step = Step {
                what,
                key: key.clone(),
                account: Some(account.id.clone()),
                version: account.version,
                changes: Vec::new(),
                active,
                after: Vec::new(),
            };
            self.drafts.push(Draft { step, person: None });
        }
        for key in forgotten {
            self.next.people.remove(&key);
        }
        // Where nobody is absent, nothing was counted, and the state stays as it is.
        if absent > 0 {
            self.next.counted_by = moment.run.to_owned();
        }
        absent
    }
}
