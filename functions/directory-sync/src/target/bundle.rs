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

/// Who waits comes after; of those who wait for each other, the circle goes first, side by side.
fn ordered(members: Vec<Step>) -> Vec<Step> {
    let places: HashMap<Box<str>, usize> =
        members.iter().enumerate().map(|(at, step)| (step.key.clone(), at)).collect();
    let freeing: Vec<Vec<usize>> =
        members.iter().map(|step| step.after.iter().filter_map(|key| places.get(key).copied()).collect()).collect();
    let mut waiting: Vec<Vec<usize>> = vec![Vec::new(); members.len()];
    for (at, others) in freeing.iter().enumerate() {
        others.iter().for_each(|other| waiting[*other].push(at));
    }
    let mut left: Vec<usize> = freeing.iter().map(Vec::len).collect();
    let mut taken = vec![false; members.len()];
    let mut order = Vec::with_capacity(members.len());
    let mut ready: VecDeque<usize> = (0..members.len()).filter(|at| left[*at] == 0).collect();
    let mut first = 0;
    while order.len() < members.len() {
        let next = match ready.pop_front() {
            Some(at) if taken[at] => continue,
            Some(at) => vec![at],
            None => {
                while taken[first] {
                    first += 1;
                }
                circle(first, &freeing, &taken)
            }
        };
        next.iter().for_each(|at| taken[*at] = true);
        for at in next {
            order.push(at);
            for other in &waiting[at] {
                left[*other] -= 1;
                if left[*other] == 0 && !taken[*other] {
                    ready.push_back(*other);
                }
            }
        }
    }
    let mut members: Vec<Option<Step>> = members.into_iter().map(Some).collect();
    order.into_iter().filter_map(|at| members[at].take()).collect()
}

/// All that are left wait for others that are left: somewhere on the way from any of them, some wait for each other.
fn circle(from: usize, freeing: &[Vec<usize>], taken: &[bool]) -> Vec<usize> {
    let mut met: HashMap<usize, usize> = HashMap::new();
    let mut way = Vec::new();
    let mut at = from;
    loop {
        if let Some(begin) = met.insert(at, way.len()) {
            return way.split_off(begin);
        }
        way.push(at);
        match freeing[at].iter().find(|other| !taken[**other]) {
            Some(other) => at = *other,
            None => return vec![at],
        }
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
