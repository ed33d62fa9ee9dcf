//! E-mails and usernames that pass from one account to another: who must wait for whom, and who waits in vain.

use std::collections::HashMap;

use super::matching::Actual;
use super::{Draft, Shape};
use crate::Field;
use crate::step::{Change, Step};

/// What a draft waits for.
enum Waits {
    /// For other drafts, which give up what it takes.
    For(Vec<usize>),
    /// In vain: these accounts hold it.
    InVain(String),
}

/// The steps that can be taken, each with whom it waits for, and those that cannot, each with what stands in the way.
pub(super) fn settle<'a>(
    drafts: Vec<Draft<'a>>,
    actual: &Actual<'_>,
    shape: &Shape<'_>,
) -> (Vec<Step>, Vec<(Draft<'a>, String)>) {
    let by_account: HashMap<_, _> =
        drafts.iter().enumerate().filter_map(|(at, draft)| Some((draft.step.account.clone()?, at))).collect();
    let mut waits: Vec<_> = drafts.iter().map(|draft| waits(draft, &drafts, &by_account, actual, shape)).collect();
    if !shape.turns_circles {
        block_circles(&mut waits);
    }
    spread(&drafts, &mut waits);
    let waited_for = waits.iter().flat_map(|waits| match waits {
        Waits::For(others) => others.as_slice(),
        Waits::InVain(_) => &[],
    });
    let keys: HashMap<_, _> = waited_for.map(|at| (*at, drafts[*at].step.key.clone())).collect();
    let (mut steps, mut blocked) = (Vec::with_capacity(drafts.len()), Vec::new());
    for (mut draft, waits) in drafts.into_iter().zip(waits) {
        match waits {
            Waits::For(others) => {
                draft.step.after = others.iter().filter_map(|at| keys.get(at).cloned()).collect();
                draft.step.after.sort();
                steps.push(draft.step);
            }
            Waits::InVain(detail) => blocked.push((draft, detail)),
        }
    }
    (steps, blocked)
}

/// Who holds what the draft takes, and whether its own draft gives it up.
fn waits(
    draft: &Draft<'_>,
    drafts: &[Draft<'_>],
    by_account: &HashMap<Box<str>, usize>,
    actual: &Actual<'_>,
    shape: &Shape<'_>,
) -> Waits {
    let mut others = Vec::new();
    for Change { field, new, .. } in &draft.step.changes {
        if !(*field == Field::Email || (*field == Field::Username && shape.unique_usernames)) {
            continue;
        }
        for at in actual.having(*field, &new.to_lowercase()) {
            let holder = &actual.accounts[at as usize];
            if draft.step.account.as_ref() == Some(&holder.id) {
                continue;
            }
            let gives_up =
                by_account.get(&holder.id).copied().filter(|at| drafts[*at].step.new_value(*field).is_some());
            match gives_up {
                Some(other) if !others.contains(&other) => others.push(other),
                Some(_) => {}
                None => return Waits::InVain(format!("account {} has the {field}", holder.id)),
            }
        }
    }
    Waits::For(others)
}

/// Where names cannot pass around in larger circles than a swap, nobody of such a circle is moved.
fn block_circles(waits: &mut [Waits]) {
    let next = |waits: &[Waits], at: usize| match &waits[at] {
        Waits::For(others) => others.first().copied(),
        Waits::InVain(_) => None,
    };
    // On which way each was met, and as which of it: each is walked over once.
    let mut met: Vec<Option<(usize, usize)>> = vec![None; waits.len()];
    for start in 0..waits.len() {
        let mut way = Vec::new();
        let mut at = Some(start);
        while let Some(here) = at.filter(|here| met[*here].is_none()) {
            met[here] = Some((start, way.len()));
            way.push(here);
            at = next(waits, here);
        }
        let Some((_, from)) = at.and_then(|here| met[here]).filter(|(way, _)| *way == start) else { continue };
        let circle = way.split_off(from);
        if circle.len() > 2 {
            for member in &circle {
                let detail = format!("{} people pass their e-mails on in a circle", circle.len());
                waits[*member] = Waits::InVain(detail);
            }
        }
    }
}

/// Whoever waits for somebody who waits in vain waits in vain too.
fn spread(drafts: &[Draft<'_>], waits: &mut [Waits]) {
    let mut waiting: HashMap<usize, Vec<usize>> = HashMap::new();
    for (at, wait) in waits.iter().enumerate() {
        if let Waits::For(others) = wait {
            others.iter().for_each(|other| waiting.entry(*other).or_default().push(at));
        }
    }
    let mut blocked: Vec<_> = (0..drafts.len()).filter(|at| matches!(waits[*at], Waits::InVain(_))).collect();
    while let Some(at) = blocked.pop() {
        let holder = drafts[at].step.account.as_deref().unwrap_or_default();
        for other in waiting.remove(&at).unwrap_or_default() {
            if matches!(waits[other], Waits::For(_)) {
                waits[other] = Waits::InVain(format!("account {holder} has it, and cannot give it up"));
                blocked.push(other);
            }
        }
    }
}
