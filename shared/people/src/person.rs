use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::AttributeValue;
use crosswalk_identifier_store::{Item, ItemKey, StoreError};
use crosswalk_identity::{Email, Mark, Username, times};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::writes::{
    Round, as_action, delete, first_outcome, in_order, is_superseded, put_along, put_over, read, settle, successor,
    text, transact, write,
};
use crate::{Kept, People};

/// The role of a leave administrator.
pub const EMPLOYER_ROLE: &str = "EMPLOYER";

/// A person as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The canonical name.
    pub username: Username,
    /// The address, if known.
    pub email: Option<Email>,
    /// Sorted.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Set while an invitation that was mailed to the person holds; until then.
    #[serde(default, with = "times::optional")]
    pub invited_until: Option<Timestamp>,
    /// When the person was first stored.
    #[serde(with = "times")]
    pub created_at: Timestamp,
    /// Who wrote it last.
    pub stored_by: Option<Mark>,
}

impl Person {
    /// The sort key of a person's item.
    pub(crate) const SORT_KEY: &str = "PERSON";

    pub(crate) fn partition_key(username: &Username) -> String {
        format!("PERSON#{}", username.key())
    }

    pub(crate) fn key(username: &Username) -> ItemKey {
        ItemKey::new(Self::partition_key(username), Self::SORT_KEY)
    }

    pub(crate) fn email_partition_key(email: &Email) -> String {
        format!("EMAIL#{}", email.key())
    }

    /// The key of the item that leads from an e-mail to the person.
    pub(crate) fn email_key(email: &Email, username: &Username) -> ItemKey {
        ItemKey::new(Self::email_partition_key(email), format!("PERSON#{}", username.key()))
    }

    /// What [`People::ensure_person`] would do with what is stored, and how the person would then stand; also what a dry
    /// run goes by. Another spelling of the same e-mail changes nothing.
    pub fn planned(
        stored: Option<&Self>,
        username: &Username,
        email: &Email,
        role: &str,
        now: Timestamp,
        mark: &Mark,
    ) -> (Kept, Self) {
        let Some(stored) = stored else {
            let created = Self {
                username: username.clone(),
                email: Some(email.clone()),
                roles: vec![role.to_owned()],
                invited_until: None,
                created_at: now,
                stored_by: Some(mark.clone()),
            };
            return (Kept::Created, created);
        };
        if stored.email.as_ref() == Some(email) && stored.roles.iter().any(|held| held == role) {
            return (Kept::Unchanged, stored.clone());
        }
        let mut roles: BTreeSet<String> = stored.roles.iter().cloned().collect();
        roles.insert(role.to_owned());
        let email = stored.email.clone().filter(|held| held == email).unwrap_or_else(|| email.clone());
        let updated = Self {
            email: Some(email),
            roles: roles.into_iter().collect(),
            stored_by: Some(mark.clone()),
            ..stored.clone()
        };
        (Kept::Updated, updated)
    }
}

impl People {
    /// The person of a username (strongly consistent).
    ///
    /// # Errors
    /// The store.
    pub async fn person(&self, username: &Username) -> Result<Option<Person>, StoreError> {
        self.calls.get(&Person::key(username)).await?.map(read).transpose()
    }

    /// The people of these usernames, as far as they are known (strongly consistent each); one round trip for up to 100.
    ///
    /// # Errors
    /// The store.
    pub async fn persons(&self, usernames: &[Username]) -> Result<BTreeMap<Username, Person>, StoreError> {
        if usernames.is_empty() {
            return Ok(BTreeMap::new());
        }
        let found = self.calls.get_many(usernames.iter().map(Person::key)).await?;
        found.into_values().map(|item| read(item).map(|person: Person| (person.username.clone(), person))).collect()
    }

    /// All people with this e-mail (it is not unique), sorted by username; two round trips, strongly consistent each.
    ///
    /// # Errors
    /// The store.
    pub async fn people_by_email(&self, email: &Email) -> Result<Vec<Person>, StoreError> {
        let leads = self.calls.partition(&Person::email_partition_key(email), "PERSON#").await?;
        if leads.is_empty() {
            return Ok(Vec::new());
        }
        let keys = leads.iter().filter_map(ItemKey::of).map(|lead| ItemKey::new(lead.sk, Person::SORT_KEY));
        let found = self.calls.get_many(keys).await?;
        let people: Vec<Person> = in_order(found).map(read).collect::<Result<_, _>>()?;
        // A person may have got another e-mail between the two reads.
        Ok(people.into_iter().filter(|person| person.email.as_ref() == Some(email)).collect())
    }

    /// Makes sure that a person with this e-mail and this role stands, with the e-mail's item in the same transaction.
    /// Other roles are kept. A repeat by the same mark gets the first outcome again.
    ///
    /// # Errors
    /// The store.
    pub async fn ensure_person(
        &self,
        username: &Username,
        email: &Email,
        role: &str,
        mark: &Mark,
    ) -> Result<Kept, StoreError> {
        settle(async || {
            let before = self.calls.get(&Person::key(username)).await?;
            if let Some(kept) = before.as_ref().and_then(|item| first_outcome(item, mark)) {
                return Ok(kept);
            }
            let stored = before.clone().map(read::<Person>).transpose()?;
            let (kept, planned) = Person::planned(stored.as_ref(), username, email, role, self.clock.now(), mark);
            if kept == Kept::Unchanged || before.as_ref().is_some_and(|item| is_superseded(item, mark)) {
                return Ok(Kept::Unchanged);
            }
            self.write_person(before.as_ref(), stored.as_ref(), &planned, mark, kept).await?;
            Ok(kept)
        })
        .await
    }

    /// Notes until when an invitation that was mailed to the person holds, or that none does. Says whether there is such a
    /// person.
    ///
    /// # Errors
    /// The store.
    pub async fn set_invited_until(
        &self,
        username: &Username,
        until: Option<Timestamp>,
        mark: &Mark,
    ) -> Result<bool, StoreError> {
        let key = Person::key(username);
        settle(async || {
            let Some(before) = self.calls.get(&key).await? else { return Ok(false) };
            if read::<Person>(before.clone())?.invited_until == until {
                return Ok(true);
            }
            let attributes = [("invited_until", until.map(|until| text(times::text(until))))];
            let item = successor(&key, Some(&before), attributes, mark, Kept::Updated);
            write(&self.calls, &put_over(&self.calls, item, Some(&before))?).await?;
            Ok(true)
        })
        .await
    }

    /// The person's item, and with it the e-mail's: put anew, and the one of an earlier e-mail deleted.
    async fn write_person(
        &self,
        before: Option<&Item>,
        stored: Option<&Person>,
        planned: &Person,
        mark: &Mark,
        kept: Kept,
    ) -> Result<(), Round> {
        let username = &planned.username;
        let roles = planned.roles.iter().map(text).collect();
        let attributes = [
            ("username", Some(text(username.as_str()))),
            ("email", planned.email.as_ref().map(|email| text(email.as_str()))),
            ("roles", Some(AttributeValue::L(roles))),
            ("created_at", Some(text(times::text(planned.created_at)))),
        ];
        let item = successor(&Person::key(username), before, attributes, mark, kept);
        let mut actions = vec![as_action(put_over(&self.calls, item, before)?)];
        if let Some(email) = &planned.email {
            let mut lead = Person::email_key(email, username).attributes();
            lead.insert("username".to_owned(), text(username.as_str()));
            lead.insert("email".to_owned(), text(email.as_str()));
            lead.insert("stored_by".to_owned(), text(mark.to_string()));
            actions.push(as_action(put_along(&self.calls, lead)?));
        }
        let earlier =
            stored.and_then(|stored| stored.email.as_ref()).filter(|&email| planned.email.as_ref() != Some(email));
        if let Some(email) = earlier {
            actions.push(delete(&self.calls, &Person::email_key(email, username))?);
        }
        transact(&self.calls, &actions).await
    }
}
