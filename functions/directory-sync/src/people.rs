//! What the source told, judged entry by entry: who is to have an account, and who cannot be understood.
//!
//! Nobody is guessed at: of two entries with one key, e-mail or username both are left out, and reported. Whoever is left
//! out is still there: their account is left as it is.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;

use crosswalk_identity::Email;
use crosswalk_reconcile::{Complete, Fingerprint, Outcome, Snapshot};

use crate::name_hash::name_hash;
use crate::{Entry, Person};

/// What the source told, judged.
#[derive(Debug, Default)]
pub struct People {
    /// Who is to have an account.
    pub people: Vec<Person>,
    /// Who cannot be understood, and why.
    pub left_out: Vec<LeftOut>,
}

/// An entry, or a person, that is not brought into the target.
#[derive(Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The stable key, if the source has one.
    pub key: Option<Box<str>>,
    /// How people find the entry: where it is, or the person's username or e-mail.
    pub name: Box<str>,
    /// The e-mails and the username, in lower case: by these somebody without a key is known to be still there.
    pub names: Vec<Box<str>>,
    /// Rejected, conflict or skipped.
    pub outcome: Outcome,
    /// Why, and what to do; tells no person's data, and is the same for all of a kind.
    pub reason: Cow<'static, str>,
    /// What only the report tells: which accounts stand in the way.
    pub detail: Option<String>,
}

/// Says why a username does not do, if it does not.
pub type UsernameRule<'a> = Box<dyn Fn(&str) -> Option<String> + Sync + 'a>;

/// What a target asks of people.
pub struct Rules<'a> {
    /// Why a username does not do, if it does not.
    pub username_problem: UsernameRule<'a>,
    /// Stands for how accounts are made of people: another one makes every person differ from what was applied.
    pub making: &'a str,
    /// Stands for which external ids are stored under which systems; none if none are.
    pub mappings: Option<String>,
}

/// None of the entries has a key: rather a wrong setting or a missing right than a directory of nameless people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "none of the {entries} entries has a value of the stable key; name an attribute or column that everybody has and that \
     may be read, by LDAP_FIELD_KEY or CUSTOM_DB_FIELD_KEY"
)]
pub struct NoKeys {
    /// How many entries there are.
    pub entries: usize,
}

/// Judges the whole source.
///
/// # Errors
/// [`NoKeys`].
pub fn judge(snapshot: Snapshot<Complete, Entry>, rules: &Rules<'_>) -> Result<People, NoKeys> {
    let entries = snapshot.into_items();
    let count = entries.len();
    if entries.iter().all(|entry| entry.key.is_none()) {
        return Err(NoKeys { entries: count });
    }
    let twice = Twice::of(&entries);
    let mut judged = People { people: Vec::with_capacity(count), left_out: Vec::new() };
    for entry in entries {
        match twice.problem(&entry).map_or_else(|| problem(&entry, rules), |reason| Some((Outcome::Conflict, reason))) {
            None => judged.people.extend(person(entry, rules)),
            Some((outcome, reason)) => judged.left_out.push(LeftOut {
                names: entry.emails.iter().chain(&entry.username).map(|name| name.to_lowercase().into()).collect(),
                key: entry.key,
                name: entry.place,
                outcome,
                reason,
                detail: None,
            }),
        }
    }
    Ok(judged)
}

/// Which keys, e-mails and usernames more than one entry has. What collides by accident is reported and left alone, which
/// does no harm.
struct Twice {
    keys: HashSet<u64>,
    emails: HashSet<u64>,
    usernames: HashSet<u64>,
}

impl Twice {
    fn of(entries: &[Entry]) -> Self {
        Self {
            keys: repeated(entries.iter().filter_map(|entry| entry.key.as_deref().map(name_hash))),
            emails: repeated(entries.iter().flat_map(|entry| {
                let own: HashSet<_> = entry.emails.iter().map(|email| name_hash(&email.to_lowercase())).collect();
                own
            })),
            usernames: repeated(
                entries.iter().filter_map(|entry| Some(name_hash(&entry.username.as_ref()?.to_lowercase()))),
            ),
        }
    }

    fn problem(&self, entry: &Entry) -> Option<Cow<'static, str>> {
        let has = |set: &HashSet<u64>, text: &str| set.contains(&name_hash(&text.to_lowercase()));
        let reason = if entry.key.as_deref().is_some_and(|key| self.keys.contains(&name_hash(key))) {
            "another entry has the same key; give each a key of its own"
        } else if entry.emails.iter().any(|email| has(&self.emails, email)) {
            "another entry has the same e-mail; leave it to one of them"
        } else if entry.username.as_deref().is_some_and(|username| has(&self.usernames, username)) {
            "another entry has the same username; leave it to one of them"
        } else {
            return None;
        };
        Some(reason.into())
    }
}

fn repeated(hashes: impl Iterator<Item = u64>) -> HashSet<u64> {
    let mut seen: HashMap<u64, bool> = HashMap::new();
    for hash in hashes {
        seen.entry(hash).and_modify(|again| *again = true).or_insert(false);
    }
    seen.into_iter().filter_map(|(hash, again)| again.then_some(hash)).collect()
}

fn problem(entry: &Entry, rules: &Rules<'_>) -> Option<(Outcome, Cow<'static, str>)> {
    let reason = if let Some(fault) = &entry.fault {
        fault.clone().into()
    } else if entry.key.is_none() {
        "it has no value of the stable key".into()
    } else if entry.emails.is_empty() {
        "it has no e-mail".into()
    } else if entry.emails.iter().all(|email| Email::check(email).is_err()) {
        "its e-mail is none".into()
    } else {
        let problem = (rules.username_problem)(entry.username.as_deref()?)?;
        format!("its username does not do: {problem}").into()
    };
    Some((Outcome::Rejected, reason))
}

fn person(entry: Entry, rules: &Rules<'_>) -> Option<Person> {
    let Entry { place: _, key, emails, username, first_name, last_name, enabled, external_ids, fault: _ } = entry;
    let sound = emails.iter().filter_map(|email| Email::parse(email).ok());
    let mut emails: Vec<Box<str>> = sound.map(|email| email.key().into()).collect();
    emails.sort();
    emails.dedup();
    let emails = emails.into_boxed_slice();
    let made_of = (rules.making, &emails, &username, &first_name, &last_name);
    let print = Fingerprint::of(&serde_json::to_vec(&made_of).ok()?);
    let mapped = match &rules.mappings {
        Some(systems) if external_ids.iter().any(Option::is_some) => {
            Fingerprint::of(&serde_json::to_vec(&(systems, &username, &external_ids)).ok()?)
        }
        _ => Fingerprint::UNKNOWN,
    };
    Some(Person { key: key?, emails, username, first_name, last_name, enabled, external_ids, print, mapped })
}

/// Without anything personal.
impl fmt::Debug for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LeftOut({}: {})", self.outcome, self.reason)
    }
}

#[cfg(test)]
mod tests {
    use crosswalk_reconcile::Proof;

    use super::*;

    fn entry(place: &str, key: &str, emails: &[&str], username: &str) -> Entry {
        Entry {
            place: place.into(),
            key: (!key.is_empty()).then(|| key.into()),
            emails: emails.iter().map(|email| (*email).into()).collect(),
            username: (!username.is_empty()).then(|| username.into()),
            first_name: Some("Ada".into()),
            last_name: None,
            enabled: true,
            external_ids: Box::default(),
            fault: None,
        }
    }

    fn judged(entries: Vec<Entry>) -> People {
        let mut snapshot = Snapshot::default();
        snapshot.page(entries).unwrap();
        let short = |username: &str| (username.len() < 3).then(|| "it is too short".to_owned());
        let rules = Rules { username_problem: Box::new(short), making: "m", mappings: Some("nemo".to_owned()) };
        judge(snapshot.prove(Proof::EndOfResults).unwrap(), &rules).unwrap()
    }

    fn reasons(people: &People) -> Vec<(&str, &str)> {
        people.left_out.iter().map(|left| (&*left.name, &*left.reason)).collect()
    }

    #[test]
    fn each_entry_is_judged_for_itself() {
        let people = judged(vec![
            entry("1", "k1", &["Ada@Example.org", "a.l@example.org"], "Ada"),
            entry("2", "", &["b@example.org"], "bob"),
            entry("3", "k3", &[], "cyd"),
            entry("4", "k4", &["not an e-mail"], "dee"),
            entry("5", "k5", &["e@example.org"], "jd"),
            Entry {
                fault: Some("enabled is neither true nor false".into()),
                ..entry("6", "k6", &["f@example.org"], "")
            },
            entry("7", "k7", &["x", "g@example.org"], ""),
        ]);
        assert_eq!(people.people.iter().map(|person| &*person.key).collect::<Vec<_>>(), ["k1", "k7"]);
        let emails = |at: usize| people.people[at].emails.iter().map(|email| &**email).collect::<Vec<_>>();
        assert_eq!(emails(0), ["a.l@example.org", "ada@example.org"]);
        assert_eq!(emails(1), ["g@example.org"]);
        assert_eq!(
            reasons(&people),
            [
                ("2", "it has no value of the stable key"),
                ("3", "it has no e-mail"),
                ("4", "its e-mail is none"),
                ("5", "its username does not do: it is too short"),
                ("6", "enabled is neither true nor false"),
            ]
        );
        assert_eq!(people.left_out[0].names, ["b@example.org", "bob"].map(Box::<str>::from));
    }

    #[test]
    fn of_two_who_share_neither_is_guessed() {
        let people = judged(vec![
            entry("1", "k1", &["a@example.org", "shared@example.org"], "ada"),
            entry("2", "k2", &["Shared@example.org", "shared@example.org"], "bob"),
            entry("3", "k3", &["c@example.org"], "Cyd"),
            entry("4", "k4", &["d@example.org"], "cYD"),
            entry("5", "k5", &["e@example.org"], "eve"),
            entry("6", "k5", &["f@example.org"], "fay"),
            entry("7", "K5", &["g@example.org", "g@example.org"], "gus"),
        ]);
        assert_eq!(people.people.iter().map(|person| &*person.key).collect::<Vec<_>>(), ["K5"]);
        assert_eq!(people.left_out.len(), 6);
        assert!(people.left_out.iter().all(|left| left.outcome == Outcome::Conflict));
        for (at, word) in [(0, "e-mail"), (1, "e-mail"), (2, "username"), (3, "username"), (4, "key"), (5, "key")] {
            assert!(people.left_out[at].reason.contains(word), "{at}: {:?}", people.left_out[at]);
        }
    }

    #[test]
    fn a_source_without_keys_is_a_wrong_setting() {
        let mut snapshot = Snapshot::default();
        snapshot.page(vec![entry("1", "", &["a@example.org"], "ada")]).unwrap();
        let rules = Rules { username_problem: Box::new(|_| None), making: "m", mappings: None };
        let told = judge(snapshot.prove(Proof::EndOfResults).unwrap(), &rules).unwrap_err();
        assert!(told.to_string().contains("none of the 1 entries"), "{told}");
    }

    #[test]
    fn fingerprints_tell_accounts_and_mappings_apart() {
        let plain = entry("1", "k", &["a@example.org"], "ada");
        let with = |id: &str| Entry { external_ids: [Some(id.into())].into(), ..plain.clone() };
        let one = |entry: Entry| judged(vec![entry]).people.remove(0);
        let (none, seven, eight) = (one(plain.clone()), one(with("7")), one(with("8")));
        assert_eq!(none.mapped, Fingerprint::UNKNOWN);
        assert!(seven.print == eight.print && seven.mapped != eight.mapped);
        let disabled = one(Entry { enabled: false, ..with("7") });
        assert_eq!((disabled.print, disabled.mapped), (seven.print, seven.mapped));
        let case = one(entry("1", "k", &["A@Example.org"], "ada"));
        assert_eq!(case.print, none.print);
        assert_ne!(one(entry("1", "k", &["a@example.org"], "Ada")).print, none.print);
    }
}
