//! Which account is whose.

use std::collections::{HashMap, HashSet};

use crate::name_hash::name_hash;
use crate::people::People;
use crate::state::{Managed, State};
use crate::{Account, Field, Person};

/// What stands, so that it can be found: by the target's id, by e-mail and by username.
pub(super) struct Actual<'a> {
    pub(super) accounts: &'a [Account],
    pub(super) state: &'a State,
    by_id: HashMap<&'a str, u32>,
    by_email: ByName,
    by_username: ByName,
    /// Under which key each account is managed.
    owners: HashMap<u32, &'a str>,
    /// The keys that are in the source, of people who are left out too.
    present: HashSet<&'a str>,
}

/// What was found for a person.
pub(super) enum Found<'a> {
    /// The account that earlier runs recorded.
    Known(&'a Account, &'a Managed),
    /// An account that an earlier run was about to create for this very person.
    Ours(&'a Account),
    /// An account that has the e-mail, and that nobody manages.
    Unmanaged(&'a Account),
    /// An account with e-mail and username whose own key is gone.
    Rehired(&'a Account, &'a str),
    /// None has the e-mail or the username; or who has it is to give it up.
    Nothing,
    /// The reason, and which accounts.
    Conflict(&'static str, String),
}

impl<'a> Actual<'a> {
    pub(super) fn new(accounts: &'a [Account], state: &'a State, people: &'a People) -> Self {
        let by_id: HashMap<_, _> = accounts.iter().zip(0..).map(|(account, at)| (&*account.id, at)).collect();
        let owners =
            state.people.iter().filter_map(|(key, managed)| Some((*by_id.get(managed.account.as_deref()?)?, &**key)));
        let owners: HashMap<_, _> = owners.collect();
        let mut actual = Self {
            accounts,
            state,
            by_email: ByName::of(accounts, Field::Email),
            by_username: ByName::of(accounts, Field::Username),
            by_id,
            owners,
            present: people.people.iter().map(|person| &*person.key).collect(),
        };
        for left in &people.left_out {
            match &left.key {
                Some(key) => {
                    actual.present.insert(key);
                }
                // By a name, somebody without a key is known to be still there.
                None => {
                    let named = left.names.iter().flat_map(|name| {
                        actual
                            .having(Field::Email, name)
                            .chain(actual.having(Field::Username, name))
                            .collect::<Vec<_>>()
                    });
                    let sheltered: Vec<_> = named.filter_map(|at| actual.owners.get(&at).copied()).collect();
                    actual.present.extend(sheltered);
                }
            }
        }
        actual
    }

    pub(super) fn is_present(&self, key: &str) -> bool {
        self.present.contains(key)
    }

    pub(super) fn account(&self, id: &str) -> Option<&'a Account> {
        Some(&self.accounts[*self.by_id.get(id)? as usize])
    }

    /// The accounts with this e-mail or username; it is given in lower case.
    pub(super) fn having(&self, field: Field, name: &str) -> impl Iterator<Item = u32> {
        let index = if field == Field::Username { &self.by_username } else { &self.by_email };
        index.find(self.accounts, field, name)
    }

    pub(super) fn find(&self, person: &Person) -> Found<'a> {
        let managed = self.state.people.get(&person.key);
        if let Some(managed) = managed
            && let Some(account) = managed.account.as_deref().and_then(|id| self.account(id))
        {
            return Found::Known(account, managed);
        }
        let emails = person.emails.iter().flat_map(|email| self.having(Field::Email, email));
        let by_email = distinct(emails);
        let username = person.username.as_deref().map(str::to_lowercase);
        let by_username = distinct(username.iter().flat_map(|username| self.having(Field::Username, username)));
        let mut all = by_email.clone();
        all.extend(&by_username);
        let all = distinct(all.into_iter());
        let [at] = all[..] else {
            return if all.is_empty() || self.all_present_elsewhere(&all) {
                // Whether their people give the names up shows when all steps are known.
                Found::Nothing
            } else {
                let reason = "several accounts have its e-mails or its username; decide which one is its own";
                Found::Conflict(reason, self.named(&all))
            };
        };
        let account = &self.accounts[at as usize];
        match self.owners.get(&at) {
            Some(key) if self.is_present(key) => Found::Nothing,
            Some(key) if !by_email.is_empty() && !by_username.is_empty() => Found::Rehired(account, key),
            Some(_) => {
                let reason = "an account whose own person is gone has its e-mail or its username, but not both; an address \
                              may have passed to somebody else: decide whose it is";
                Found::Conflict(reason, self.named(&all))
            }
            None if by_email.is_empty() => {
                let reason = "an account that is not managed has its username, and another e-mail";
                Found::Conflict(reason, self.named(&all))
            }
            None if managed.is_some_and(|managed| managed.account.is_none()) => Found::Ours(account),
            None => Found::Unmanaged(account),
        }
    }

    fn all_present_elsewhere(&self, all: &[u32]) -> bool {
        all.iter().all(|at| self.owners.get(at).is_some_and(|key| self.is_present(key)))
    }

    pub(super) fn named(&self, accounts: &[u32]) -> String {
        let ids: Vec<_> = accounts.iter().map(|at| &*self.accounts[*at as usize].id).collect();
        format!("{} {}", if ids.len() == 1 { "account" } else { "accounts" }, ids.join(", "))
    }
}

fn distinct(found: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut found: Vec<_> = found.collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// Accounts by a name's hash, sorted: 12 bytes an account.
struct ByName(Vec<(u64, u32)>);

impl ByName {
    fn of(accounts: &[Account], field: Field) -> Self {
        let named = accounts.iter().zip(0..);
        let mut index: Vec<_> = named
            .filter_map(|(account, at)| Some((name_hash(&account.fields.get(field)?.to_lowercase()), at)))
            .collect();
        index.sort_unstable();
        Self(index)
    }

    fn find<'s>(&'s self, accounts: &'s [Account], field: Field, name: &str) -> impl Iterator<Item = u32> + use<'s> {
        let wanted = name_hash(name);
        let from = self.0.partition_point(|(hash, _)| *hash < wanted);
        let name = name.to_owned();
        let same = self.0[from..].iter().take_while(move |(hash, _)| *hash == wanted).map(|(_, at)| *at);
        same.filter(move |at| accounts[*at as usize].fields.get(field).is_some_and(|held| held.to_lowercase() == name))
    }
}
