//! Who NEMO's users are: each gets a username by the rule, or is left out with a reason.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crosswalk_identifier_store::StoreError;
use crosswalk_identity::{Email, Username};
use crosswalk_people::People;
use crosswalk_reconcile::Outcome;
use futures::{StreamExt, stream};

use crate::nemo::User;

/// How many people are looked up at once.
const AT_ONCE: usize = 16;

/// What the username of a NEMO user is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// NEMO's.
    AsIs,
    /// NEMO's in lower case, which is how it is then shown; it is the same person in either.
    Lowercase,
    /// What stands before the first `@` of NEMO's; all of it if there is none.
    BeforeAt,
    /// That of the one known person who has the user's e-mail. Known are those who have a person item, such as an import
    /// of people makes. E-mails on mappings alone do not count: they are what some outside system said, and no index leads
    /// from them to the person.
    Email,
}

/// A user whose mapping is to stand.
#[derive(Clone, PartialEq, Eq)]
pub struct Wanted {
    /// NEMO's id.
    pub id: u64,
    /// NEMO's username.
    pub name: Box<str>,
    /// Ours.
    pub username: Username,
    /// NEMO's, if it is an address.
    pub email: Option<Email>,
}

/// A user whose mapping is not stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Left {
    /// NEMO's id.
    pub id: u64,
    /// NEMO's username.
    pub name: Box<str>,
    /// Rejected, conflict, failed or skipped.
    pub outcome: Outcome,
    /// Why, without anything personal.
    pub reason: Cow<'static, str>,
    /// What else the report tells.
    pub detail: Option<String>,
}

/// All users, each once.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// By NEMO's id.
    pub wanted: Vec<Wanted>,
    /// By NEMO's id.
    pub left: Vec<Left>,
}

/// Not one of the rules' words.
#[derive(Debug)]
pub struct UnknownRule;

impl fmt::Display for UnknownRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is none of `as-is`, `lowercase`, `before-at`, `email`")
    }
}

impl FromStr for Rule {
    type Err = UnknownRule;

    fn from_str(given: &str) -> Result<Self, UnknownRule> {
        match given {
            "as-is" => Ok(Self::AsIs),
            "lowercase" => Ok(Self::Lowercase),
            "before-at" => Ok(Self::BeforeAt),
            "email" => Ok(Self::Email),
            _ => Err(UnknownRule),
        }
    }
}

impl Rule {
    /// The username, of the rules that need no look-up.
    fn of_name(self, name: &str) -> Cow<'_, str> {
        match self {
            Self::Lowercase => name.to_lowercase().into(),
            Self::BeforeAt => name.split_once('@').map_or(name, |(before, _)| before).into(),
            Self::AsIs | Self::Email => name.into(),
        }
    }
}

impl Left {
    fn of(user: &User, outcome: Outcome, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { id: user.id, name: user.username.clone(), outcome, reason: reason.into(), detail: None }
    }

    /// The same with a detail.
    #[must_use]
    pub fn with(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }
}

impl Wanted {
    /// It is not stored.
    pub fn left(&self, outcome: Outcome, reason: impl Into<Cow<'static, str>>) -> Left {
        Left { id: self.id, name: self.name.clone(), outcome, reason: reason.into(), detail: None }
    }
}

/// Names them all. `inactive` says whether inactive users are wanted; `people` are asked by [`Rule::Email`] alone.
pub async fn name(mut users: Vec<User>, rule: Rule, inactive: bool, people: &People) -> Named {
    users.sort_by_key(|user| user.id);
    let one = async |user: User| {
        if !user.is_active && !inactive {
            return Err(Left::of(&user, Outcome::Skipped, "inactive in NEMO, and NEMO_INACTIVE is false"));
        }
        let email = Email::parse(&user.email).ok();
        let username = match rule {
            Rule::Email => known(&user, email.as_ref(), people).await?,
            rule => Username::parse(&rule.of_name(&user.username)).map_err(|refusal| {
                Left::of(&user, Outcome::Rejected, format!("the username does not do: {refusal}"))
            })?,
        };
        Ok(Wanted { id: user.id, name: user.username, username, email })
    };
    // Boxed: each look-up is a call of the SDK.
    let each = stream::iter(users).map(|user| Box::pin(one(user))).buffered(AT_ONCE);
    let mut named = Named::default();
    for judged in each.collect::<Vec<_>>().await {
        match judged {
            Ok(wanted) => named.wanted.push(wanted),
            Err(left) => named.left.push(left),
        }
    }
    named.part_namesakes(rule);
    named
}

/// The one known person with the user's e-mail.
async fn known(user: &User, email: Option<&Email>, people: &People) -> Result<Username, Left> {
    let Some(email) = email else {
        let reason = match user.email.is_empty() {
            true => "NEMO has no e-mail of this user, by which to find the person",
            false => "NEMO's e-mail of this user is no address",
        };
        return Err(Left::of(user, Outcome::Rejected, reason));
    };
    let found = people.people_by_email(email).await;
    let mut found = found.map_err(|error: StoreError| Left::of(user, Outcome::Failed, error.to_string()))?;
    match (found.pop(), found.len()) {
        (None, _) => Err(Left::of(user, Outcome::Skipped, "no known person has this e-mail")),
        (Some(person), 0) => Ok(person.username),
        (Some(last), _) => {
            let names = found.iter().chain([&last]).map(|person| person.username.as_str()).collect::<Vec<_>>();
            let left = Left::of(
                user,
                Outcome::Conflict,
                "several known people have this e-mail: store the mapping of the right one with `crosswalk ids set`",
            );
            Err(left.with(format!("they are {}", names.join(", "))))
        }
    }
}

impl Named {
    /// Several NEMO users who come to one username are conflicts, all of them: which one is meant, NEMO cannot tell.
    fn part_namesakes(&mut self, rule: Rule) {
        let mut ids: BTreeMap<&Username, Vec<u64>> = BTreeMap::new();
        for wanted in &self.wanted {
            ids.entry(&wanted.username).or_default().push(wanted.id);
        }
        let shared: BTreeMap<u64, String> = ids
            .values()
            .filter(|ids| ids.len() > 1)
            .flat_map(|ids| {
                let told = ids.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
                ids.iter().map(move |id| (*id, told.clone()))
            })
            .collect();
        let (kept, parted): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.wanted).into_iter().partition(|wanted| !shared.contains_key(&wanted.id));
        self.wanted = kept;
        let reason = match rule {
            Rule::AsIs | Rule::Lowercase => {
                "several NEMO users have this username, which differs in case alone: rename or deactivate all but one"
            }
            Rule::BeforeAt => "several NEMO users have this username, as they differ in case or after the @ alone",
            Rule::Email => "several NEMO users have the e-mail of this one person: correct or deactivate all but one",
        };
        self.left.extend(parted.into_iter().map(|wanted| {
            let ids = shared.get(&wanted.id).cloned().unwrap_or_default();
            wanted.left(Outcome::Conflict, reason).with(format!("their NEMO ids are {ids}"))
        }));
        self.left.sort_by_key(|left| left.id);
    }
}

/// Without names.
impl fmt::Debug for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wanted({})", self.id)
    }
}

/// Without names.
impl fmt::Debug for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Left({}, {}: {})", self.id, self.outcome, self.reason)
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_dynamodb::config::{BehaviorVersion, Config};
    use crosswalk_function_kit::{Clock, Entropy};
    use crosswalk_identifier_store::Table;
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    /// Nobody, who is never asked.
    fn nobody() -> People {
        let config = Config::builder().behavior_version(BehaviorVersion::latest()).build();
        let table = Table::new(aws_sdk_dynamodb::Client::from_conf(config), "none");
        People::new(table, Clock::fixed(Timestamp::UNIX_EPOCH), Entropy::seeded(1))
    }

    fn named(names: &[&str], rule: Rule) -> Named {
        let users = names.iter().zip(1..).map(|(name, id)| User::new(id, name, "", true)).collect();
        futures::executor::block_on(name(users, rule, false, &nobody()))
    }

    fn usernames(named: &Named) -> Vec<(u64, &str)> {
        named.wanted.iter().map(|wanted| (wanted.id, wanted.username.as_str())).collect()
    }

    #[test]
    fn each_rule_names() {
        let names = ["Ada", "bo@example.org", "cy"];
        assert_eq!(usernames(&named(&names, Rule::AsIs)), [(1, "Ada"), (2, "bo@example.org"), (3, "cy")]);
        assert_eq!(usernames(&named(&names, Rule::Lowercase)), [(1, "ada"), (2, "bo@example.org"), (3, "cy")]);
        assert_eq!(usernames(&named(&names, Rule::BeforeAt)), [(1, "Ada"), (2, "bo"), (3, "cy")]);
        for (word, rule) in [
            ("as-is", Some(Rule::AsIs)),
            ("lowercase", Some(Rule::Lowercase)),
            ("before-at", Some(Rule::BeforeAt)),
            ("email", Some(Rule::Email)),
            ("Email", None),
        ] {
            assert_eq!(word.parse().ok(), rule, "{word}");
        }
    }

    #[test]
    fn who_differs_in_case_alone_is_a_conflict_each() {
        for rule in [Rule::AsIs, Rule::Lowercase] {
            let named = named(&["ada", "bo", "ADA"], rule);
            assert_eq!(usernames(&named), [(2, "bo")]);
            let told: Vec<_> = named.left.iter().map(|left| (left.id, left.outcome, left.detail.as_deref())).collect();
            let ids = Some("their NEMO ids are 1, 3");
            assert_eq!(told, [(1, Outcome::Conflict, ids), (3, Outcome::Conflict, ids)]);
        }
        assert!(named(&["ada@a.org", "Ada@b.org"], Rule::BeforeAt).wanted.is_empty());
    }

    #[test]
    fn an_inactive_namesake_is_skipped_and_in_nobodys_way() {
        let users = || vec![User::new(1, "ada", "", false), User::new(2, "Ada", "a@example.org", true)];
        let named = futures::executor::block_on(name(users(), Rule::AsIs, false, &nobody()));
        assert_eq!(usernames(&named), [(2, "Ada")]);
        assert_eq!((named.left[0].id, named.left[0].outcome), (1, Outcome::Skipped));
        let named = futures::executor::block_on(name(users(), Rule::AsIs, true, &nobody()));
        assert!(named.wanted.is_empty() && named.left.iter().all(|left| left.outcome == Outcome::Conflict));
    }

    #[test]
    fn who_cannot_be_named_is_rejected() {
        let named = named(&["a/b", "@example.org", "..", ""], Rule::BeforeAt);
        assert!(named.wanted.is_empty());
        assert!(named.left.iter().all(|left| left.outcome == Outcome::Rejected), "{named:?}");
        let by_email = vec![User::new(1, "ada", "", true), User::new(2, "bo", "nonsense", true)];
        let named = futures::executor::block_on(name(by_email, Rule::Email, false, &nobody()));
        let reasons: Vec<&str> = named.left.iter().map(|left| left.reason.as_ref()).collect();
        assert!(reasons[0].contains("no e-mail") && reasons[1].contains("no address"), "{reasons:?}");
    }

    proptest! {
        #[test]
        fn users_in_are_outcomes_out(
            names in proptest::collection::btree_set("[aAbB@/\u{df}\u{1e9e}]{0,4}", 0..12),
            rule in prop_oneof![Just(Rule::AsIs), Just(Rule::Lowercase), Just(Rule::BeforeAt)],
        ) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let named = named(&names, rule);
            prop_assert_eq!(named.wanted.len() + named.left.len(), names.len());
            let mut distinct: Vec<&Username> = named.wanted.iter().map(|wanted| &wanted.username).collect();
            distinct.sort();
            distinct.dedup();
            prop_assert_eq!(distinct.len(), named.wanted.len());
        }
    }
}
