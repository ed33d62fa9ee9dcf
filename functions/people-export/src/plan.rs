//! What differs between what Glean is to hold and what the last good run left there.

use std::collections::HashSet;
use std::fmt;

use crosswalk_reconcile::{Action, Difference, Fingerprint, Fingerprints, Outcome, Plan};
use serde::Serialize;

use crate::glean::Mode;
use crate::mapping::{Desired, Kind};
use crate::state::State;

/// A step: people before teams, and in each of them by key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Step {
    /// A person or a team.
    pub kind: Kind,
    /// The e-mail, or the team's id.
    pub key: String,
    /// What is to be done.
    pub change: Change,
}

/// What is to be done with a person or a team.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// Glean does not hold it yet, as far as the last good run knows.
    Create(Fingerprint),
    /// Glean holds another version.
    Update(Fingerprint),
    /// Glean holds it, and it is not to be there any more.
    Delete,
}

/// How far a plan may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    /// How it will be sent.
    pub mode: Mode,
    /// Whether people and teams that left are deleted.
    pub delete: bool,
    /// Only the first people, and no teams.
    pub only: Option<usize>,
}

/// A plan, and what Glean holds once it is applied.
#[derive(Debug)]
pub struct Planned {
    /// The steps.
    pub plan: Plan<Step>,
    /// People, by e-mail.
    pub people: Fingerprints,
    /// Teams, by id.
    pub teams: Fingerprints,
}

/// Plans. People and teams are known by the bytes that would be sent.
///
/// Whoever is present in the realm but rejected or in conflict has not left. One by one, such a person is left in Glean as
/// they are, as far as an e-mail still tells who they are. A bulk upload cannot do that: whom it does not hold becomes stale, so there they count as deleted, and the
/// guard sees it.
pub fn plan(desired: &Desired, state: &State, scope: Scope) -> Planned {
    let mut steps = Vec::new();
    let people = fingerprints(desired.people.iter().take(scope.only.unwrap_or(usize::MAX)), |person| &person.email);
    let teams = if scope.only.is_none() {
        fingerprints(desired.teams.iter(), |team| &team.id)
    } else {
        Fingerprints::default()
    };
    for (kind, known, wanted) in [(Kind::Person, &state.people, &people), (Kind::Team, &state.teams, &teams)] {
        let still_there = if scope.mode == Mode::Individual { present(desired, kind) } else { HashSet::new() };
        let delete = scope.delete && scope.only.is_none();
        steps.extend(known.differences(wanted).filter_map(|(key, difference)| {
            let change = match difference {
                Difference::Created => Change::Create(wanted.get(key)?),
                Difference::Updated => Change::Update(wanted.get(key)?),
                Difference::Gone if delete && !still_there.contains(key) => Change::Delete,
                Difference::Gone => return None,
            };
            Some(Step { kind, key: key.to_owned(), change })
        }));
    }
    Planned { plan: Plan::new(steps), people, teams }
}

/// The keys of those who are in the realm and cannot be exported.
fn present(desired: &Desired, kind: Kind) -> HashSet<&str> {
    let left = desired.left_out.iter().filter(|left| left.kind == kind);
    left.filter(|left| matches!(left.outcome, Outcome::Rejected | Outcome::Conflict))
        .filter_map(|left| left.key.as_deref())
        .collect()
}

fn fingerprints<'a, T: Serialize + 'a>(items: impl Iterator<Item = &'a T>, key: impl Fn(&T) -> &str) -> Fingerprints {
    let mut prints = Fingerprints::default();
    let mut bytes = Vec::new();
    for item in items {
        bytes.clear();
        // Plain data of texts and dates always serialises.
        let _ = serde_json::to_writer(&mut bytes, item);
        prints.insert(key(item), Fingerprint::of(&bytes));
    }
    prints
}

impl Planned {
    /// What Glean holds of a kind once the plan is applied.
    pub fn of_mut(&mut self, kind: Kind) -> &mut Fingerprints {
        match kind {
            Kind::Person => &mut self.people,
            Kind::Team => &mut self.teams,
        }
    }

    /// How many steps of a kind delete.
    pub fn deletions(&self, kind: Kind) -> u64 {
        self.plan.actions().iter().filter(|step| step.kind == kind && step.removes()).count() as u64
    }

    /// The keys that are deleted, of a kind.
    pub fn deleted(&self, kind: Kind) -> impl Iterator<Item = &str> {
        self.plan.actions().iter().filter(move |step| step.kind == kind && step.removes()).map(|step| &*step.key)
    }

    /// How a person or team that is to be in Glean ends if nothing fails.
    pub fn outcome(&self, state: &State, kind: Kind, key: &str) -> Outcome {
        let wanted = match kind {
            Kind::Person => &self.people,
            Kind::Team => &self.teams,
        };
        match (state.of(kind).get(key), wanted.get(key)) {
            (_, None) => Outcome::Skipped,
            (None, Some(_)) => Outcome::Created,
            (Some(known), Some(wanted)) if known == wanted => Outcome::Unchanged,
            (Some(_), Some(_)) => Outcome::Updated,
        }
    }
}

impl Action for Step {
    fn removes(&self) -> bool {
        self.change == Change::Delete
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let change = match self.change {
            Change::Create(_) => "create",
            Change::Update(_) => "update",
            Change::Delete => "delete",
        };
        write!(f, "{change} {} {}", self.kind, self.key)
    }
}

/// The change and the kind alone: a key may be an e-mail.
impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {:?}", self.change, self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::glean::types::{Employee, Team};
    use crate::mapping::LeftOut;

    fn person(email: &str, department: &str) -> Employee {
        Employee { email: email.into(), department: department.into(), ..Employee::default() }
    }

    fn desired(people: &[(&str, &str)], teams: &[&str]) -> Desired {
        Desired {
            people: people.iter().map(|(email, department)| person(email, department)).collect(),
            teams: teams.iter().map(|id| Team { id: (*id).into(), ..Team::default() }).collect(),
            ..Desired::default()
        }
    }

    fn after(desired: &Desired) -> State {
        let scope = Scope { mode: Mode::Bulk, delete: true, only: None };
        let Planned { people, teams, .. } = plan(desired, &State::default(), scope);
        State { people, teams, ..State::default() }
    }

    fn left_out(key: &str, outcome: Outcome) -> LeftOut {
        LeftOut {
            kind: Kind::Person,
            id: "id".into(),
            name: "name".into(),
            key: Some(key.into()),
            outcome,
            reason: "why".into(),
        }
    }

    const BULK: Scope = Scope { mode: Mode::Bulk, delete: true, only: None };

    #[test]
    fn only_what_differs_is_planned() {
        let state = after(&desired(&[("a@x.org", "1"), ("b@x.org", "1"), ("c@x.org", "1")], &["t1", "t2"]));
        let wanted = desired(&[("a@x.org", "1"), ("b@x.org", "2"), ("d@x.org", "1")], &["t2", "t3"]);
        let planned = plan(&wanted, &state, BULK);
        insta::assert_snapshot!(planned.plan, @r"
        update person b@x.org
        delete person c@x.org
        create person d@x.org
        delete team t1
        create team t3
        ");
        assert_eq!((planned.deletions(Kind::Person), planned.deletions(Kind::Team)), (1, 1));
        let outcome = |key| planned.outcome(&state, Kind::Person, key);
        assert_eq!(
            ["a@x.org", "b@x.org", "d@x.org", "z@x.org"].map(outcome),
            [Outcome::Unchanged, Outcome::Updated, Outcome::Created, Outcome::Skipped]
        );
        let again = plan(&wanted, &after(&wanted), BULK);
        assert!(again.plan.is_empty());
        assert_ne!(again.plan.hash(), planned.plan.hash());
    }

    #[test]
    fn the_hash_tells_contents_apart() {
        let (one, other) = (desired(&[("a@x.org", "1")], &[]), desired(&[("a@x.org", "2")], &[]));
        let hash = |wanted| plan(wanted, &State::default(), BULK).plan.hash().to_owned();
        assert_ne!(hash(&one), hash(&other));
    }

    #[test]
    fn who_is_present_but_rejected_is_deleted_by_bulk_alone() {
        let state = after(&desired(&[("a@x.org", "1"), ("b@x.org", "1"), ("c@x.org", "1"), ("d@x.org", "1")], &[]));
        let mut wanted = desired(&[("a@x.org", "1")], &[]);
        wanted.left_out = vec![
            left_out("b@x.org", Outcome::Rejected),
            left_out("c@x.org", Outcome::Conflict),
            left_out("d@x.org", Outcome::Skipped),
        ];
        assert_eq!(plan(&wanted, &state, BULK).deletions(Kind::Person), 3);
        let individual = plan(&wanted, &state, Scope { mode: Mode::Individual, ..BULK });
        assert_eq!(individual.plan.to_string(), "delete person d@x.org\n");
    }

    #[test]
    fn nothing_is_deleted_where_that_is_not_wanted() {
        let state = after(&desired(&[("a@x.org", "1"), ("b@x.org", "1")], &["t"]));
        let wanted = desired(&[("a@x.org", "2"), ("c@x.org", "2")], &[]);
        let scope = Scope { mode: Mode::Individual, delete: false, only: None };
        assert_eq!(plan(&wanted, &state, scope).plan.removals(), 0);
        let limited = plan(&wanted, &state, Scope { delete: true, only: Some(1), ..scope });
        assert_eq!(limited.plan.to_string(), "update person a@x.org\n");
        assert_eq!(limited.outcome(&state, Kind::Person, "c@x.org"), Outcome::Skipped);
    }
}
