//! Steps as the rows of a statement, a list a column: `UNNEST` makes rows of them again.

use crate::step::{Step, What};
use crate::{Field, target::Bundle};

/// Rows to insert or to update. A column that a step leaves alone is none.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Rows<'a> {
    /// The accounts' ids; none of rows to insert.
    pub(super) ids: Vec<i32>,
    pub(super) emails: Vec<Option<&'a str>>,
    pub(super) domains: Vec<Option<String>>,
    pub(super) usernames: Vec<Option<&'a str>>,
    pub(super) displaynames: Vec<Option<&'a str>>,
    pub(super) full_names: Vec<Option<&'a str>>,
    pub(super) active: Vec<Option<bool>>,
}

/// Rows whose names others take in the same transaction: UNIQUE is judged row by row, so they give them up first.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Released {
    pub(super) ids: Vec<i32>,
    pub(super) email: Vec<bool>,
    pub(super) username: Vec<bool>,
}

impl<'a> Rows<'a> {
    /// Adds a row to insert.
    pub(super) fn insert(&mut self, step: &'a Step) {
        self.columns(step, Some(step.active.unwrap_or(true)));
    }

    /// Adds a row to update, if the step changes something.
    pub(super) fn update(&mut self, id: i32, step: &'a Step, active: Option<bool>) {
        if active.is_none() && step.changes.is_empty() {
            return;
        }
        self.ids.push(id);
        self.columns(step, active);
    }

    fn columns(&mut self, step: &'a Step, active: Option<bool>) {
        let email = step.new_value(Field::Email);
        self.emails.push(email);
        self.domains.push(email.and_then(domain));
        self.usernames.push(step.new_value(Field::Username));
        self.displaynames.push(step.new_value(Field::Displayname));
        self.full_names.push(step.new_value(Field::FullName));
        self.active.push(active);
    }

    pub(super) fn len(&self) -> usize {
        self.emails.len()
    }
}

impl Released {
    /// Adds the rows of a bundle that change names; none of one alone, whose names nobody waits for.
    pub(super) fn add(&mut self, bundle: &Bundle) {
        if bundle.0.len() < 2 {
            return;
        }
        for step in &bundle.0 {
            let changes = |field| step.new_value(field).is_some();
            let (email, username) = (changes(Field::Email), changes(Field::Username));
            if let Some(id) = id(step)
                && stands(step)
                && (email || username)
            {
                self.ids.push(id);
                self.email.push(email);
                self.username.push(username);
            }
        }
    }
}

/// Whether the step is about an account that stands already.
pub(super) fn stands(step: &Step) -> bool {
    step.what != What::Create
}

/// The account's id in the database.
pub(super) fn id(step: &Step) -> Option<i32> {
    step.account.as_deref()?.parse().ok()
}

/// What a step makes of `active`. An account that an administrator has blocked stays so.
pub(super) fn active(step: &Step, blocked: bool) -> Option<bool> {
    match (&step.what, step.active) {
        (What::Deactivate { .. }, _) => Some(false),
        (_, Some(true)) if blocked => None,
        (_, active) => active,
    }
}

/// An e-mail's domain, as invenio-accounts' `split_emailaddr` has it.
fn domain(email: &str) -> Option<String> {
    let (_, domain) = email.rsplit_once('@')?;
    let domain = domain.trim().to_lowercase();
    Some(domain.strip_suffix('.').map_or_else(|| domain.clone(), str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::{Change, Why};

    fn step(what: What, account: Option<&str>, changes: &[(Field, &str)]) -> Step {
        let change = |(field, new): &(Field, &str)| Change { field: *field, old: None, new: (*new).into() };
        Step {
            what,
            key: "k".into(),
            account: account.map(Into::into),
            version: 1,
            changes: changes.iter().map(change).collect(),
            active: None,
            after: Vec::new(),
        }
    }

    #[test]
    fn a_domain_is_the_models() {
        assert_eq!(domain("ada@Example.ORG.").as_deref(), Some("example.org"));
        assert_eq!(domain("\"a@b\"@sub.example.org").as_deref(), Some("sub.example.org"));
        assert_eq!(domain("ada"), None);
    }

    #[test]
    fn only_what_changes_is_written() {
        let email = step(What::Update, Some("7"), &[(Field::Email, "ada@example.org")]);
        let nothing = step(What::Adopt, Some("8"), &[]);
        let mut rows = Rows::default();
        rows.update(7, &email, None);
        rows.update(8, &nothing, None);
        rows.update(9, &nothing, Some(false));
        assert_eq!(rows.ids, [7, 9]);
        assert_eq!(rows.emails, [Some("ada@example.org"), None]);
        assert_eq!(rows.domains, [Some("example.org".to_owned()), None]);
        assert_eq!((rows.full_names.len(), rows.active), (2, vec![None, Some(false)]));
    }

    #[test]
    fn names_are_released_where_others_wait_for_them() {
        let mut released = Released::default();
        let both = [(Field::Email, "a@example.org"), (Field::Username, "ada")];
        released.add(&Bundle(vec![step(What::Update, Some("1"), &both)]));
        assert_eq!(released, Released::default());
        released.add(&Bundle(vec![
            step(What::Update, Some("1"), &both[..1]),
            step(What::Update, Some("2"), &[(Field::FullName, "Ada")]),
            step(What::Rekey { from: "old".into() }, Some("3"), &both[1..]),
            step(What::Create, None, &both),
        ]));
        assert_eq!(released, Released { ids: vec![1, 3], email: vec![true, false], username: vec![false, true] });
    }

    #[test]
    fn a_block_is_not_lifted() {
        let mut reactivated = step(What::Update, Some("1"), &[]);
        reactivated.active = Some(true);
        assert_eq!((active(&reactivated, false), active(&reactivated, true)), (Some(true), None));
        let deactivated = step(What::Deactivate { why: Why::Absent }, Some("1"), &[]);
        assert_eq!(active(&deactivated, true), Some(false));
    }
}
