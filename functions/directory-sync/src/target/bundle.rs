//! Steps that belong together, because e-mails or usernames pass between their accounts.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::Step;

/// Steps that depend on each other, in the order in which they are to be taken; most often a single one. Where two or more
/// wait for each other (`Step::after`), names pass between their people: they are done as one, or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle(pub Vec<Step>);

/// Bundles a plan's steps, in the plan's order. In a bundle, a step comes after those that free what it takes; steps that
/// wait for each other stand side by side.
pub fn bundles(steps: Vec<Step>) -> Vec<Bundle> {
    let freeing: HashSet<Box<str>> = steps.iter().flat_map(|step| step.after.iter().cloned()).collect();
    if freeing.is_empty() {
        return steps.into_iter().map(|step| Bundle(vec![step])).collect();
    }
    // Where each bundle stands, and the entangled steps by the person's key.
    let mut places: Vec<Result<Step, Box<str>>> = Vec::with_capacity(steps.len());
    let mut entangled: HashMap<Box<str>, Step> = HashMap::new();
    for step in steps {
        if step.after.is_empty() && !freeing.contains(&step.key) {
            places.push(Ok(step));
        } else {
            places.push(Err(step.key.clone()));
            entangled.insert(step.key.clone(), step);
        }
    }
    let neighbours = neighbours(&entangled);
    let bundled = places.into_iter().filter_map(|place| match place {
        Ok(step) => Some(Bundle(vec![step])),
        Err(key) => {
            let members = connected(&key, &neighbours, &mut entangled);
            (!members.is_empty()).then(|| Bundle(ordered(members)))
        }
    });
    bundled.collect()
}

fn neighbours(entangled: &HashMap<Box<str>, Step>) -> HashMap<Box<str>, Vec<Box<str>>> {
    let mut neighbours: HashMap<Box<str>, Vec<Box<str>>> = HashMap::new();
    for step in entangled.values() {
        for other in &step.after {
            neighbours.entry(step.key.clone()).or_default().push(other.clone());
            neighbours.entry(other.clone()).or_default().push(step.key.clone());
        }
    }
    neighbours
}

/// Takes out whoever hangs together with `key`; nobody, if that was done before.
fn connected(
    key: &str,
    neighbours: &HashMap<Box<str>, Vec<Box<str>>>,
    entangled: &mut HashMap<Box<str>, Step>,
) -> Vec<Step> {
    let mut members = Vec::new();
    let mut waiting = VecDeque::from([key]);
    while let Some(key) = waiting.pop_front() {
        if let Some(step) = entangled.remove(key) {
            waiting.extend(neighbours.get(key).into_iter().flatten().map(|key| &**key));
            members.push(step);
        }
    }
    members.sort();
    members
}

fn ordered(mut members: Vec<Step>) -> Vec<Step> {
    let mut ordered: Vec<Step> = Vec::with_capacity(members.len());
    while !members.is_empty() {
        let waits = |step: &Step| step.after.iter().any(|key| members.iter().any(|other| other.key == *key));
        let next = match members.iter().position(|step| !waits(step)) {
            Some(at) => vec![at],
            None => circle(&members),
        };
        let keys: Vec<Box<str>> = next.iter().map(|at| members[*at].key.clone()).collect();
        for key in keys {
            if let Some(at) = members.iter().position(|step| step.key == key) {
                ordered.push(members.remove(at));
            }
        }
    }
    ordered
}

/// All wait for others: somewhere they wait for each other.
fn circle(members: &[Step]) -> Vec<usize> {
    let mut way = vec![0];
    loop {
        let at = way[way.len() - 1];
        let next = members.iter().position(|other| members[at].after.contains(&other.key)).unwrap_or(at);
        if let Some(from) = way.iter().position(|seen| *seen == next) {
            return way.split_off(from);
        }
        way.push(next);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::What;

    fn step(what: What, key: &str, after: &[&str]) -> Step {
        let after = after.iter().map(|key| (*key).into()).collect();
        Step { what, key: key.into(), account: None, version: 0, changes: Vec::new(), active: None, after }
    }

    fn bundled(steps: Vec<Step>) -> Vec<Vec<String>> {
        let keys = |bundle: &Bundle| bundle.0.iter().map(|step| step.key.to_string()).collect();
        bundles(steps).iter().map(keys).collect()
    }

    #[test]
    fn most_steps_stand_alone() {
        let steps = vec![step(What::Update, "a", &[]), step(What::Create, "b", &[])];
        assert_eq!(bundled(steps), [["a"], ["b"]]);
    }

    #[test]
    fn who_waits_comes_after() {
        let steps = vec![
            step(What::Update, "a", &["b"]),
            step(What::Update, "b", &["c"]),
            step(What::Update, "c", &[]),
            step(What::Update, "d", &[]),
            step(What::Create, "e", &["b"]),
        ];
        assert_eq!(bundled(steps), [vec!["c", "b", "a", "e"], vec!["d"]]);
    }

    #[test]
    fn who_waits_for_each_other_stands_side_by_side() {
        let steps = vec![
            step(What::Update, "a", &["c"]),
            step(What::Update, "b", &["d"]),
            step(What::Update, "c", &["d"]),
            step(What::Update, "d", &["c"]),
            step(What::Create, "e", &["a"]),
        ];
        assert_eq!(bundled(steps), [["c", "d", "a", "b", "e"]]);
    }
}
