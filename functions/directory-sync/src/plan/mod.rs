//! What differs between the people of the source and the accounts of the target, as steps. Nothing here does I/O.
//!
//! `matching` finds each person's account, `absence` judges who is gone, `names` sees to e-mails and usernames that
//! pass from one account to another. What is done about each difference:
//!
//! | person | account | |
//! |---|---|---|
//! | known by key, changed | stands | update what differs |
//! | known by key, unchanged | stands | nothing, whatever the account holds: its person may have edited it |
//! | known by key | gone | as for a new person |
//! | new | none has the e-mail or the username | create; skip who is disabled |
//! | new | one, unmanaged, has the e-mail | adopt, unless the settings say otherwise |
//! | new | another sync manages the one with the e-mail | conflict |
//! | new | one has e-mail and username, and its own key is gone | rekey: a rehire |
//! | new | any other match | conflict |
//! | disabled | active | deactivate |
//! | enabled | deactivated by the sync | reactivate |
//! | enabled | deactivated by somebody else | nothing |
//! | absent for long enough | active | deactivate |
//! | absent for longer still | deactivated by the sync | delete, if the settings say so |
//! | left out (rejected, in conflict) | any | nothing |

mod absence;
mod matching;
mod names;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::Arc;

use crosswalk_reconcile::{Fingerprint, Outcome, Plan, Reasons};
use jiff::{SignedDuration, Timestamp};

use crate::people::{LeftOut, People};
use crate::state::{Managed, Standing, State};
use crate::step::{Change, Step, What, Why};
use crate::{Account, Field, Fields, Person};
use matching::{Actual, Found};

/// What the settings say of planning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// Whether an unmanaged account that is found by its e-mail is managed from then on.
    pub adopt: bool,
    /// When an absent person's account is deactivated.
    pub deactivate: After,
    /// When it is deleted; never, if none.
    pub delete: Option<After>,
}

/// How long an absence must have lasted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct After {
    /// In complete runs that saw it.
    pub runs: u32,
    /// And in time.
    pub time: SignedDuration,
}

/// What planning must know of a target.
pub struct Shape<'a> {
    /// What the account of a person is to hold, with this one of their e-mails.
    pub fields: &'a (dyn Fn(&Person, &str) -> Fields + Sync),
    /// Whether no two accounts may have one username.
    pub unique_usernames: bool,
    /// Whether names can pass around in circles of more than two.
    pub turns_circles: bool,
}

/// The accounts that other syncs manage: the sync's name by the account's id.
pub type Others = HashMap<Box<str>, Arc<str>>;

/// When, and for which run, is planned: a repeat of a run counts no absence twice.
#[derive(Debug, Clone, Copy)]
pub struct Moment<'a> {
    /// The run's id.
    pub run: &'a str,
    /// Now.
    pub now: Timestamp,
}

/// A plan, and what goes with it.
#[derive(Debug)]
pub struct Planned {
    /// The steps.
    pub plan: Plan<Step>,
    /// Whoever of the people gets no step and is not as the source wants them: in conflict, or skipped.
    pub left_out: Vec<LeftOut>,
    /// Of how many nothing differs.
    pub unchanged: u64,
    /// What may surprise.
    pub warnings: Reasons,
    /// The state as it is before the first step is taken: absences counted, who came back noted.
    pub next: State,
    /// What the account of each step's person is made of, by key.
    pub prints: HashMap<Box<str>, Fingerprint>,
    /// How many managed people are absent.
    pub absent: u64,
    /// How many managed or matched accounts were active before: what the guard's share is a share of, in a first run.
    pub active: u64,
}

/// Two syncs whose first runs went side by side may both have adopted an account.
const SHARED: &str =
    "accounts that another sync manages too are not taken from their people: leave each person to one of them";

/// A step that is considered.
struct Draft<'a> {
    step: Step,
    person: Option<&'a Person>,
}

/// Plans. Everybody of the source is either in a step, left out, or unchanged.
pub fn plan(
    people: &People,
    accounts: &[Account],
    state: &State,
    others: &Others,
    policy: &Policy,
    shape: &Shape<'_>,
    moment: Moment<'_>,
) -> Planned {
    let actual = Actual::new(accounts, state, people);
    let mut planner = Planner {
        actual: &actual,
        others,
        policy,
        shape,
        drafts: Vec::new(),
        left_out: Vec::new(),
        unchanged: 0,
        warnings: Reasons::default(),
        next: state.clone(),
        prints: HashMap::new(),
        active: 0,
    };
    for person in &people.people {
        planner.person(person);
    }
    let absent = planner.absent(moment);
    let Planner { drafts, mut left_out, unchanged, warnings, next, mut prints, active, .. } = planner;
    let (steps, blocked) = names::settle(drafts, &actual, shape);
    for (draft, detail) in blocked {
        prints.remove(&draft.step.key);
        left_out.extend(draft.person.map(|person| {
            let reason = "an e-mail or username that it is to have belongs to another account; free it there, or give it \
                          to one of the two";
            left(person, Outcome::Conflict, reason, Some(detail))
        }));
    }
    Planned { plan: Plan::new(steps), left_out, unchanged, warnings, next, prints, absent, active }
}

struct Planner<'a> {
    actual: &'a Actual<'a>,
    others: &'a Others,
    policy: &'a Policy,
    shape: &'a Shape<'a>,
    drafts: Vec<Draft<'a>>,
    left_out: Vec<LeftOut>,
    unchanged: u64,
    warnings: Reasons,
    next: State,
    prints: HashMap<Box<str>, Fingerprint>,
    active: u64,
}

impl<'a> Planner<'a> {
    fn person(&mut self, person: &'a Person) {
        match self.actual.find(person) {
            Found::Known(account, managed) => self.known(person, account, managed),
            Found::Ours(account) | Found::Unmanaged(account) if let Some(sync) = self.others.get(&account.id) => {
                let reason = "another sync manages the account with its e-mail: leave the person to one of them (if it is this \
                              sync under a former name, rename its state under state/directory-sync/ as well)";
                self.conflict(person, reason, format!("account {}, sync {sync}", account.id));
            }
            Found::Ours(account) => self.ours(person, account),
            Found::Unmanaged(_) if !person.enabled => self.skip(
                person,
                "disabled in the source at first sight; the account with its e-mail is not managed, and left as it is",
            ),
            Found::Unmanaged(account) if self.policy.adopt => self.take(person, account, What::Adopt),
            Found::Unmanaged(account) => {
                let reason = "an account with its e-mail stands and is not managed; SYNC_ADOPT=true would adopt it";
                self.conflict(person, reason, format!("account {}", account.id));
            }
            Found::Rehired(_, _) if !person.enabled => {
                self.skip(
                    person,
                    "disabled in the source at first sight; the account of its former key is left as it is",
                );
            }
            Found::Rehired(account, from) => self.take(person, account, What::Rekey { from: from.into() }),
            Found::Nothing if !person.enabled => self.skip(person, "disabled in the source at first sight: no account"),
            Found::Nothing => self.create(person),
            Found::Conflict(reason, detail) => self.conflict(person, reason, detail),
        }
    }

    /// The account is managed.
    fn known(&mut self, person: &'a Person, account: &'a Account, managed: &Managed) {
        self.active += u64::from(account.active);
        let ours = match managed.standing {
            Standing::Active => false,
            Standing::Deactivated => true,
            // It broke off there: the account tells whether it was done.
            Standing::Deactivating => !account.active,
        };
        if let Some(next) = self.next.people.get_mut(&person.key) {
            next.absent = None;
            next.standing = if ours { Standing::Deactivated } else { Standing::Active };
        }
        match (person.enabled, account.active) {
            (false, true) if self.others.contains_key(&account.id) => {
                self.warnings.add(SHARED);
                self.unchanged += 1;
                return;
            }
            (false, true) if !ours => {
                return self.push(person, account, What::Deactivate { why: Why::Disabled }, Vec::new(), Some(false));
            }
            (false, _) => {
                if account.active {
                    self.warnings.add("the source marks people as disabled whose accounts somebody activated again");
                }
                self.unchanged += 1;
                return;
            }
            (true, true) if ours => {
                if let Some(next) = self.next.people.get_mut(&person.key) {
                    next.standing = Standing::Active;
                }
            }
            (true, false) if !ours => {
                self.warnings.add(
                    "accounts are inactive although the source has their people as enabled: somebody else deactivated them, \
                     and they are left so",
                );
            }
            _ => {}
        }
        let active = (ours && !account.active).then_some(true);
        let changes = if managed.print == person.print { Vec::new() } else { self.changes(person, account) };
        let what =
            if account.unfinished && managed.print == Fingerprint::UNKNOWN { What::Complete } else { What::Update };
        if changes.is_empty() && active.is_none() && what == What::Update {
            self.unchanged += 1;
            if let Some(next) = self.next.people.get_mut(&person.key) {
                next.print = person.print;
            }
            return;
        }
        self.push(person, account, what, changes, active);
    }

    /// The account was created, but the run broke off before that was noted.
    fn ours(&mut self, person: &'a Person, account: &'a Account) {
        let managed = Managed::created(account.id.clone());
        self.next.people.insert(person.key.clone(), managed.clone());
        self.known(person, account, &managed);
    }

    /// The account was found, and is to be managed under the person's key.
    fn take(&mut self, person: &'a Person, account: &'a Account, what: What) {
        self.active += u64::from(account.active);
        let mut active = None;
        if let What::Rekey { from } = &what {
            let former = self.next.people.get(from).map(|managed| managed.standing);
            let ours = matches!(former, Some(Standing::Deactivated | Standing::Deactivating));
            active = (ours && !account.active).then_some(true);
        }
        if !account.active && active.is_none() {
            self.warnings
                .add("accounts that are taken over are inactive, and are left so: somebody else deactivated them");
        }
        let changes = self.changes(person, account);
        self.push(person, account, what, changes, active);
    }

    fn create(&mut self, person: &'a Person) {
        let Some(email) = person.emails.first() else { return };
        let fields = (self.shape.fields)(person, email);
        let changes = Field::ALL.into_iter().filter_map(|field| {
            let new = fields.get(field)?.into();
            Some(Change { field, old: None, new })
        });
        let step = Step {
            what: What::Create,
            key: person.key.clone(),
            account: None,
            version: 0,
            changes: changes.collect(),
            active: None,
            after: Vec::new(),
        };
        self.prints.insert(person.key.clone(), person.print);
        self.drafts.push(Draft { step, person: Some(person) });
    }

    fn push(&mut self, person: &'a Person, account: &Account, what: What, changes: Vec<Change>, active: Option<bool>) {
        let step = Step {
            what,
            key: person.key.clone(),
            account: Some(account.id.clone()),
            version: account.version,
            changes,
            active,
            after: Vec::new(),
        };
        self.prints.insert(person.key.clone(), person.print);
        self.drafts.push(Draft { step, person: Some(person) });
    }

    /// What differs. Of several e-mails the account's present one is kept, else the first in sorted order is taken.
    fn changes(&self, person: &Person, account: &Account) -> Vec<Change> {
        let present = account.fields.email.as_deref().unwrap_or_default().to_lowercase();
        let kept = person.emails.iter().find(|email| ***email == *present).or(person.emails.first());
        let Some(email) = kept else { return Vec::new() };
        let desired = (self.shape.fields)(person, email);
        let differing = Field::ALL.into_iter().filter_map(|field| {
            let new = desired.get(field)?;
            let old = account.fields.get(field);
            (old != Some(new)).then(|| Change { field, old: old.map(Into::into), new: new.into() })
        });
        differing.collect()
    }

    fn skip(&mut self, person: &Person, reason: &'static str) {
        self.left_out.push(left(person, Outcome::Skipped, reason, None));
    }

    fn conflict(&mut self, person: &Person, reason: &'static str, detail: String) {
        self.left_out.push(left(person, Outcome::Conflict, reason, Some(detail)));
    }
}

fn left(person: &Person, outcome: Outcome, reason: &'static str, detail: Option<String>) -> LeftOut {
    let name = person.username.as_ref().or(person.emails.first());
    LeftOut {
        key: Some(person.key.clone()),
        name: name.cloned().unwrap_or_default(),
        names: Vec::new(),
        outcome,
        reason: reason.into(),
        detail,
    }
}
