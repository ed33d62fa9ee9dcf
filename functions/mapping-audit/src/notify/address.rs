//! Where a person's mail goes, and who share one.

use std::collections::HashMap;

use crosswalk_identity::{Email, System, Username};

use super::settings::Domain;
use super::{Lacking, MailOutcome};

/// The most usernames that one mail is noted for: each is an action of one transaction, and an address that more than this
/// many people share is nobody's own.
pub(crate) const MOST_USERNAMES: usize = 25;

/// One mail that is to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Letter {
    /// Those whom it is for, by their places in the list of people.
    pub(crate) people: Vec<usize>,
    /// Their usernames.
    pub(crate) usernames: Vec<Username>,
    /// The address.
    pub(crate) email: Email,
    /// The address as SES takes it.
    pub(crate) to: String,
    /// What is missing.
    pub(crate) systems: Vec<System>,
    /// For whom an invitation is made: the reported username of the first who lacks the system.
    lacking: Vec<(System, Username)>,
}

impl Letter {
    /// Who is to register an id of this system, if anybody.
    pub(crate) fn lacks(&self, system: &System) -> Option<&Username> {
        self.lacking.iter().find(|(missing, _)| missing == system).map(|(_, username)| username)
    }
}

/// The letters, in the order of the people, and what is known already of those who get none.
pub(crate) fn letters(people: &[Lacking], domain: Option<&Domain>) -> (Vec<Letter>, Vec<Option<MailOutcome>>) {
    let mut outcomes = vec![None; people.len()];
    let mut letters: Vec<Letter> = Vec::new();
    let mut disabled: Vec<bool> = Vec::new();
    let mut by_address: HashMap<String, usize> = HashMap::new();
    for (place, person) in people.iter().enumerate() {
        let Some(email) = address(person, domain) else {
            outcomes[place] = Some(MailOutcome::Skipped("no e-mail".into()));
            continue;
        };
        let Some(to) = for_ses(&email) else {
            let why = "SES takes no such e-mail: only ASCII may stand in front of the @";
            outcomes[place] = Some(MailOutcome::Skipped(why.into()));
            continue;
        };
        let at = *by_address.entry(email.key().to_owned()).or_insert_with(|| {
            let (people, usernames, systems, lacking) = Default::default();
            letters.push(Letter { people, usernames, email, to, systems, lacking });
            disabled.push(false);
            letters.len() - 1
        });
        let letter = &mut letters[at];
        letter.people.push(place);
        disabled[at] |= person.disabled;
        for username in &person.usernames {
            if !letter.usernames.contains(username) {
                letter.usernames.push(username.clone());
            }
        }
        for system in &person.systems {
            if !letter.systems.contains(system) {
                letter.systems.push(system.clone());
                letter.lacking.extend(person.usernames.first().map(|first| (system.clone(), first.clone())));
            }
        }
    }
    let mut kept = Vec::with_capacity(letters.len());
    for (letter, disabled) in letters.into_iter().zip(disabled) {
        let why = if disabled {
            "the account is disabled"
        } else if letter.usernames.len() > MOST_USERNAMES {
            "more than 25 usernames share the e-mail, which is then nobody's own"
        } else if letter.usernames.is_empty() || letter.systems.is_empty() {
            "nothing is missing"
        } else {
            kept.push(letter);
            continue;
        };
        for place in letter.people {
            outcomes[place] = Some(MailOutcome::Skipped(why.into()));
        }
    }
    (kept, outcomes)
}

/// The e-mail, else that of the first username that can be one's at the domain.
fn address(person: &Lacking, domain: Option<&Domain>) -> Option<Email> {
    let at_domain = || person.usernames.iter().find_map(|username| domain?.address(username.as_str()));
    person.email.clone().or_else(at_domain)
}

/// The address as SES takes it: ASCII in front of the `@`, as SES has no SMTPUTF8, and the domain in its ASCII form (SES's
/// developer guide). None if it has no such form.
pub(crate) fn for_ses(email: &Email) -> Option<String> {
    let (local, domain) = email.as_str().rsplit_once('@')?;
    let plain = |domain: &str| domain.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte));
    if !local.is_ascii() {
        return None;
    }
    if plain(domain) {
        return Some(email.as_str().to_owned());
    }
    // A host is decoded before it is read; a domain has no `%` of its own.
    match url::Host::parse(domain) {
        Ok(url::Host::Domain(ascii)) if plain(&ascii) && !domain.contains('%') => Some(format!("{local}@{ascii}")),
        _ => None,
    }
}

/// Whether a character begins a line, or hides or turns round what stands beside it: none of that comes out of somebody's name
/// into a mail. (Unicode: control characters, line and paragraph separators, zero-width and bidirectional controls.)
pub(crate) fn breaks_a_line(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn person(usernames: &[&str], email: Option<&str>, systems: &[&str]) -> Lacking {
        Lacking {
            usernames: usernames.iter().map(|name| Username::parse(name).unwrap()).collect(),
            email: email.map(|email| Email::parse(email).unwrap()),
            systems: systems.iter().map(|name| System::parse(name).unwrap()).collect(),
            disabled: false,
        }
    }

    fn told(people: &[Lacking], domain: Option<&str>) -> Vec<String> {
        let domain = domain.map(|domain| domain.parse().unwrap());
        let (letters, outcomes) = letters(people, domain.as_ref());
        let joined = |of: &mut dyn Iterator<Item = &str>| of.collect::<Vec<_>>().join("+");
        let mut told: Vec<String> = letters
            .iter()
            .map(|letter| {
                let usernames = joined(&mut letter.usernames.iter().map(Username::as_str));
                format!("{} {usernames} {}", letter.to, joined(&mut letter.systems.iter().map(System::as_str)))
            })
            .collect();
        told.extend(outcomes.into_iter().flatten().map(|outcome| format!("{outcome:?}")));
        told
    }

    #[test]
    fn who_share_an_address_share_a_mail() {
        let people = [
            person(&["zoe"], Some("Zoe@example.org"), &["nemo"]),
            person(&["omar"], Some("omar@example.org"), &["cdcs"]),
            // Whose address is the same only because of the domain.
            person(&["ZOE", "zoe.k"], None, &["cdcs", "nemo"]),
        ];
        assert_eq!(
            told(&people, Some("example.org")),
            ["Zoe@example.org zoe+zoe.k nemo+cdcs", "omar@example.org omar cdcs"]
        );
        let domain = "example.org".parse().unwrap();
        let (letters, _) = letters(&people, Some(&domain));
        assert_eq!(letters[0].people, [0, 2]);
        assert_eq!(letters[0].lacks(&System::parse("cdcs").unwrap()).unwrap().as_str(), "ZOE");
        assert_eq!(letters[0].lacks(&System::parse("sharepoint").unwrap()), None);
    }

    #[test]
    fn a_username_is_an_address_only_where_it_can_be() {
        let of = |username: &str| person(&[username], None, &["nemo"]);
        let skipped = "Skipped(\"no e-mail\")";
        assert_eq!(told(&[of("zoe")], None), [skipped]);
        for username in ["zoe k", "zoe@example.org", "a,b", "<zoe>", "zoe:", &"z".repeat(400)] {
            assert_eq!(told(&[of(username)], Some("example.org")), [skipped], "{username}");
        }
        assert_eq!(
            told(&[person(&["z k", "zoe"], None, &["nemo"])], Some("example.org")),
            ["zoe@example.org z k+zoe nemo"]
        );
    }

    #[test]
    fn who_is_disabled_or_shares_an_address_with_such_a_one_gets_no_mail() {
        let zoe = person(&["zoe"], Some("zoe@example.org"), &["nemo"]);
        let gone = Lacking { disabled: true, ..person(&["zoe2"], Some("ZOE@example.org"), &["nemo"]) };
        let skipped = "Skipped(\"the account is disabled\")";
        assert_eq!(told(&[zoe, gone], None), [skipped, skipped]);
    }

    #[test]
    fn an_address_of_too_many_is_nobodys() {
        let of = |count: usize| {
            let names: Vec<String> = (0..count).map(|name| format!("user{name}")).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            told(&[person(&names, Some("desk@example.org"), &["nemo"])], None)
        };
        assert!(of(25)[0].starts_with("desk@example.org user0+"));
        assert!(of(26)[0].contains("nobody's own"), "{:?}", of(26));
    }

    #[test]
    fn an_address_is_what_ses_takes() {
        let of = |given: &str| for_ses(&Email::parse(given).unwrap());
        assert_eq!(of("zoe@example.org").as_deref(), Some("zoe@example.org"));
        assert_eq!(of("zoe@ex\u{e4}mple.org").as_deref(), Some("zoe@xn--exmple-cua.org"));
        assert_eq!(of("zo\u{eb}@example.org"), None);
    }

    proptest! {
        /// Whatever a username or an address holds, what SES gets is one address and nothing else.
        #[test]
        fn no_address_holds_what_ends_a_header(
            local in "[a-z\"<>,;: \\\\\u{eb}\r\n.@+-]{1,8}", domain in "[a-z\u{e4}0-9.%_ -]{1,9}"
        ) {
            if let Ok(email) = Email::parse(&format!("{local}@{domain}"))
                && let Some(to) = for_ses(&email)
            {
                prop_assert!(to.is_ascii() && !to.chars().any(char::is_control), "{to}");
                prop_assert!(to.rsplit_once('@').is_some_and(|(_, domain)| !domain.contains([',', ' ', '%', '>'])), "{to}");
            }
        }
    }
}
