//! Which users become people, and where one who is exported is found.

use std::borrow::Cow;
use std::collections::HashMap;

use crosswalk_identity::Email;
use crosswalk_reconcile::Outcome;

use super::fields::PersonField;
use super::settings::{DEFAULT_DEPARTMENT, DISABLED_USERS, Disabled, MappingSettings};
use super::{Kind, LeftOut};
use crate::realm::User;

/// A user who is exported.
pub(super) struct Chosen<'r> {
    /// In the key form: lowercased.
    pub(super) email: String,
    pub(super) department: Cow<'r, str>,
    pub(super) user: &'r User,
}

/// The users who are exported, sorted by e-mail, and the others, each with its place among the users.
pub(super) fn choose<'r>(settings: &'r MappingSettings, users: &'r [User]) -> (Vec<Chosen<'r>>, Vec<(usize, LeftOut)>) {
    let mut left_out = Vec::new();
    let mut addressed = Vec::with_capacity(users.len());
    for (place, user) in users.iter().enumerate() {
        match address(settings, user) {
            Ok(email) => addressed.push((email, place)),
            Err((outcome, reason)) => left_out.push((place, not(user, None, outcome, reason))),
        }
    }
    addressed.sort_unstable();
    let no_department = no_department(settings);
    let mut chosen = Vec::with_capacity(addressed.len());
    for namesakes in addressed.chunk_by_mut(|(one, _), (other, _)| one == other) {
        let winner = winner(namesakes, users);
        for (email, place) in namesakes {
            let (email, user) = (std::mem::take(email), &users[*place]);
            let (outcome, reason) = match (winner, department(settings, user)) {
                (Some(winner), Some(department)) if winner == *place => {
                    chosen.push(Chosen { email, department, user });
                    continue;
                }
                (Some(winner), None) if winner == *place => (Outcome::Rejected, no_department.clone().into()),
                (Some(_), _) => (
                    Outcome::Skipped,
                    "the user is disabled, and one who is enabled has the same e-mail and goes before".into(),
                ),
                (None, _) => (
                    Outcome::Conflict,
                    "other users have the same e-mail, and none of them is the only one enabled: give each its own in \
                     Keycloak, or disable all but one"
                        .into(),
                ),
            };
            left_out.push((*place, not(user, Some(email), outcome, reason)));
        }
    }
    (chosen, left_out)
}

fn not(user: &User, key: Option<String>, outcome: Outcome, reason: Cow<'static, str>) -> LeftOut {
    LeftOut { kind: Kind::Person, id: user.id.clone(), name: user.username.clone(), key, outcome, reason }
}

/// The key form of the user's e-mail, or why the user is not exported. What policy leaves out need not be good.
fn address(settings: &MappingSettings, user: &User) -> Result<String, (Outcome, Cow<'static, str>)> {
    if user.service_account {
        return Err((Outcome::Skipped, "a service account stands for a client and not for a person".into()));
    }
    if !user.enabled && settings.disabled == Disabled::Skip {
        return Err((Outcome::Skipped, format!("the user is disabled, and {} is `skip`", DISABLED_USERS.name).into()));
    }
    let given = user.email.as_deref().map(str::trim).filter(|email| !email.is_empty());
    let Some(given) = given else {
        return Err((
            Outcome::Rejected,
            "the user has no e-mail, and Glean knows people by it: give the user one in Keycloak".into(),
        ));
    };
    let email = Email::parse(given)
        .map_err(|refusal| (Outcome::Rejected, format!("{refusal}: mend the user's e-mail in Keycloak").into()))?;
    Ok(email.key().to_owned())
}

/// Whom of the users with one e-mail it stands for: the only one, or the only one who is enabled. Among others none is
/// guessed.
fn winner(namesakes: &[(String, usize)], users: &[User]) -> Option<usize> {
    if let [(_, only)] = namesakes {
        return Some(*only);
    }
    let mut enabled = namesakes.iter().map(|(_, place)| *place).filter(|place| users[*place].enabled);
    enabled.next().filter(|_| enabled.next().is_none())
}

fn department<'r>(settings: &'r MappingSettings, user: &'r User) -> Option<Cow<'r, str>> {
    let own = settings.people.read(&user.attributes).first(PersonField::Department);
    own.or(settings.default_department.as_deref()).map(Cow::Borrowed)
}

fn no_department(settings: &MappingSettings) -> String {
    let asked: Vec<_> = settings.people.of(PersonField::Department).iter().map(|name| format!("`{name}`")).collect();
    format!(
        "Glean needs a department: the user has no value for {}, and {} is not set",
        asked.join(" or "),
        DEFAULT_DEPARTMENT.name
    )
}

/// Where an exported person is found. People are told by their index.
pub(super) struct Directory<'c> {
    chosen: &'c [Chosen<'c>],
    /// Every user; none where the user is not exported.
    by_id: HashMap<&'c str, Option<usize>>,
    /// Lowercased, as Keycloak keeps them; none where that makes two the same.
    by_username: HashMap<Cow<'c, str>, Option<usize>>,
}

impl<'c> Directory<'c> {
    pub(super) fn new(users: &'c [User], chosen: &'c [Chosen<'c>]) -> Self {
        let mut by_id: HashMap<_, _> = users.iter().map(|user| (&*user.id, None)).collect();
        let mut by_username = HashMap::with_capacity(chosen.len());
        for (index, Chosen { user, .. }) in chosen.iter().enumerate() {
            by_id.insert(&*user.id, Some(index));
            by_username.entry(lowercase(user.username.trim())).and_modify(|known| *known = None).or_insert(Some(index));
        }
        Self { chosen, by_id, by_username }
    }

    /// The person whose user has this id; `Some(None)` if that user is not exported, and none if there is no such user.
    pub(super) fn by_id(&self, id: &str) -> Option<Option<usize>> {
        self.by_id.get(id).copied()
    }

    /// The person with this e-mail, in the key form.
    pub(super) fn by_email(&self, key: &str) -> Option<usize> {
        self.chosen.binary_search_by(|person| person.email.as_str().cmp(key)).ok()
    }

    /// The person whom an id, a username or an e-mail names, asked in this order.
    pub(super) fn find(&self, given: &str) -> Option<usize> {
        let by_username = || self.by_username.get(&*lowercase(given)).copied().flatten();
        let by_email = || self.by_email(Email::parse(given).ok()?.key());
        self.by_id(given).flatten().or_else(by_username).or_else(by_email)
    }

    /// A person's e-mail.
    pub(super) fn email(&self, person: usize) -> &'c str {
        &self.chosen[person].email
    }
}

/// Copies only where there is something to lower.
fn lowercase(text: &str) -> Cow<'_, str> {
    if text.chars().any(|c| c.is_uppercase()) { text.to_lowercase().into() } else { text.into() }
}
