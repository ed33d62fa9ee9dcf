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
pub(super) struct Chosen {
    /// In the key form: lowercased.
    pub(super) email: String,
    pub(super) department: String,
    pub(super) user: User,
}

/// A user who has an e-mail, and its place in the realm's order.
struct Addressed {
    email: String,
    place: usize,
    user: User,
}

/// The users who are exported, sorted by e-mail, and the others in the realm's order.
pub(super) fn choose(settings: &MappingSettings, users: Vec<User>) -> (Vec<Chosen>, Vec<LeftOut>) {
    let mut left_out = Vec::new();
    let mut addressed = Vec::with_capacity(users.len());
    for (place, user) in users.into_iter().enumerate() {
        match address(settings, &user) {
            Ok(email) => addressed.push(Addressed { email, place, user }),
            Err((outcome, reason)) => left_out.push((place, not(user, None, outcome, reason))),
        }
    }
    addressed.sort_unstable_by(|one, other| one.email.cmp(&other.email));
    let namesakes = addressed.chunk_by(|one, other| one.email == other.email);
    let claims: Vec<_> = namesakes.flat_map(claims).collect();
    let no_department = no_department(settings);
    let mut chosen = Vec::with_capacity(addressed.len());
    for (Addressed { email, place, user }, claim) in addressed.into_iter().zip(claims) {
        let (outcome, reason) = match (claim, department(settings, &user)) {
            (Claim::Holds, Some(department)) => {
                chosen.push(Chosen { email, department, user });
                continue;
            }
            (Claim::Holds, None) => (Outcome::Rejected, no_department.clone().into()),
            (Claim::GivesWay, _) => (
                Outcome::Skipped,
                "the user is disabled, and one who is enabled has the same e-mail and goes before".into(),
            ),
            (Claim::Disputed, _) => (
                Outcome::Conflict,
                "other users have the same e-mail, and none of them is the only one enabled: give each its own in \
                 Keycloak, or disable all but one"
                    .into(),
            ),
        };
        left_out.push((place, not(user, Some(email), outcome, reason)));
    }
    left_out.sort_unstable_by_key(|(place, _)| *place);
    (chosen, left_out.into_iter().map(|(_, left_out)| left_out).collect())
}

/// What a user's e-mail is to the user.
#[derive(Debug, Clone, Copy)]
enum Claim {
    /// It stands for this user: the only one who has it, or the only one of them who is enabled.
    Holds,
    /// It stands for another.
    GivesWay,
    /// It may stand for any of several, and none is guessed.
    Disputed,
}

/// Of each of the users with one e-mail.
fn claims(namesakes: &[Addressed]) -> impl Iterator<Item = Claim> {
    let enabled = namesakes.iter().filter(|one| one.user.enabled).count();
    namesakes.iter().map(move |one| match enabled {
        _ if namesakes.len() == 1 => Claim::Holds,
        1 if one.user.enabled => Claim::Holds,
        1 => Claim::GivesWay,
        _ => Claim::Disputed,
    })
}

fn not(user: User, key: Option<String>, outcome: Outcome, reason: Cow<'static, str>) -> LeftOut {
    LeftOut { kind: Kind::Person, id: user.id, name: user.username, key, outcome, reason }
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
        // Many a realm holds such users on purpose: a run that leaves them out has done all it should.
        let reason = "the user has no e-mail, and Glean knows people by it: to export them, give them one in Keycloak";
        return Err((Outcome::Skipped, reason.into()));
    };
    let email = Email::parse(given)
        .map_err(|refusal| (Outcome::Rejected, format!("{refusal}: mend the user's e-mail in Keycloak").into()))?;
    Ok(email.key().to_owned())
}

fn department(settings: &MappingSettings, user: &User) -> Option<String> {
    settings.people.read(&user.attributes).text(PersonField::Department).or_else(|| settings.default_department.clone())
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
    chosen: &'c [Chosen],
    /// Every user; none where the user is not exported.
    by_id: HashMap<&'c str, Option<usize>>,
    /// Lowercased, as Keycloak keeps them; none where that makes two the same.
    by_username: HashMap<Cow<'c, str>, Option<usize>>,
}

impl<'c> Directory<'c> {
    pub(super) fn new(chosen: &'c [Chosen], left_out: &'c [LeftOut]) -> Self {
        let others = left_out.iter().map(|left_out| (&*left_out.id, None));
        let people = chosen.iter().enumerate().map(|(index, person)| (&*person.user.id, Some(index)));
        let by_id = others.chain(people).collect();
        let mut by_username = HashMap::with_capacity(chosen.len());
        for (index, Chosen { user, .. }) in chosen.iter().enumerate() {
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
}

/// Copies only where there is something to lower.
fn lowercase(text: &str) -> Cow<'_, str> {
    if text.chars().any(|c| c.is_uppercase()) { text.to_lowercase().into() } else { text.into() }
}
