use std::collections::HashMap;
use std::fmt;

use crosswalk_identifier_store::{Item, ItemKey, StoreError};

use crate::writes::read;
use crate::{Employer, Link, People, Person};

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Checked {
    /// People, e-mails, employers, links and reverses that were scanned.
    pub items: u64,
    /// Items that were reported.
    pub broken: u64,
}

/// An item that is broken, as [`People::check_integrity`] reports it. `Display` names its key in full, for the operator who
/// has to mend it; `Debug` is masked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenItem {
    /// Its key.
    pub key: ItemKey,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with an item. Names nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// It does not read.
    #[error("does not read: {0}")]
    Unreadable(String),
    /// It names another person or employer than its key.
    #[error("what it holds belongs under another key")]
    Misplaced,
    /// A person with an e-mail by which the person cannot be found.
    #[error("the person's e-mail has no item")]
    NoEmail,
    /// An e-mail that leads to nobody.
    #[error("the person whom the e-mail leads to is absent")]
    NoPersonOfEmail,
    /// An e-mail that leads to someone who has another one.
    #[error("the person whom the e-mail leads to has another e-mail")]
    OtherEmail,
    /// A link by which the employer does not find the person.
    #[error("the link has no reverse")]
    NoReverse,
    /// A link of nobody.
    #[error("the link's person is absent")]
    NoPersonOfLink,
    /// A link to no employer.
    #[error("the link's employer is absent")]
    NoEmployer,
    /// A reverse that leads to no link.
    #[error("the reverse has no link")]
    NoLink,
}

impl fmt::Display for BrokenItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} / {}: {}", self.key.pk, self.key.sk, self.fault)
    }
}

impl People {
    /// Looks at every person, e-mail, employer and link of the table and hands each broken one to `report`: an item that
    /// does not read or stands under another's key, a person without the e-mail's item or such an item that leads astray, a
    /// link without its reverse, person or employer, a reverse without its link. Nothing is changed.
    ///
    /// The table is read page by page, so memory stays flat; what looks broken is read again in one transaction before it
    /// is reported, so writes that go on meanwhile raise no false alarm.
    ///
    /// # Errors
    /// The store.
    pub async fn check_integrity(&self, mut report: impl FnMut(BrokenItem) + Send) -> Result<Checked, StoreError> {
        let (mut checked, mut start) = (Checked::default(), None);
        loop {
            let (page, next) = self.scan_page(start).await?;
            checked.items += page.len() as u64;
            let needed = page.iter().filter_map(|item| Expected::of(item).ok()).flat_map(|expected| expected.others());
            let others = self.calls.get_many(needed.collect::<Vec<_>>()).await?;
            for item in page {
                if fault(&item, &others).is_some()
                    && let Some(broken) = self.look_again(&item).await?
                {
                    checked.broken += 1;
                    report(broken);
                }
            }
            start = next;
            if start.is_none() {
                return Ok(checked);
            }
        }
    }

    /// Reads the item and what belongs to it as they stand at one moment.
    async fn look_again(&self, item: &Item) -> Result<Option<BrokenItem>, StoreError> {
        let Some(key) = ItemKey::of(item) else { return Ok(None) };
        let mut now = item.clone();
        // What belongs to an item depends on what it holds, so it is asked for again if that has changed in between.
        for _ in 0..5 {
            let mut keys = vec![key.clone()];
            keys.extend(Expected::of(&now).map(|expected| expected.others()).unwrap_or_default());
            let together = self.calls.get_together(&keys).await?;
            let mut standing = keys.into_iter().zip(together).filter_map(|(key, item)| Some((key, item?)));
            let Some((_, current)) = standing.next().filter(|(first, _)| *first == key) else {
                return Ok(None);
            };
            let others: HashMap<ItemKey, Item> = standing.collect();
            let Some(fault) = fault(&current, &others) else { return Ok(None) };
            if current == now {
                return Ok(Some(BrokenItem { key, fault }));
            }
            now = current;
        }
        // It changes all the time, and each state was followed by another: nothing that lies there broken.
        Ok(None)
    }
}

/// What belongs to an item, by what it holds.
enum Expected {
    Person(Box<Person>),
    /// An e-mail's item, and the person that it leads to.
    Email {
        lead: ItemKey,
        person: ItemKey,
    },
    Employer,
    Link(Box<Link>),
    /// A link's reverse, and the link that it leads to.
    Reverse {
        link: ItemKey,
    },
}

impl Expected {
    /// # Errors
    /// Why the item is not what its key says.
    fn of(item: &Item) -> Result<Self, Fault> {
        let key = ItemKey::of(item).ok_or_else(|| Fault::Unreadable("it has no key".into()))?;
        let placed = |right: ItemKey| if right == key { Ok(()) } else { Err(Fault::Misplaced) };
        if let Some(name) = key.sk.strip_prefix(Link::REVERSE_PREFIX) {
            let fein = key.pk.strip_prefix("EMPLOYER#").ok_or(Fault::Misplaced)?;
            let link = ItemKey::new(format!("PERSON#{name}"), format!("{}{fein}", Link::PREFIX));
            return Ok(Self::Reverse { link });
        }
        if key.sk == Employer::SORT_KEY {
            let employer: Employer = whole(item)?;
            placed(Employer::key(&employer.fein))?;
            return Ok(Self::Employer);
        }
        if key.sk.starts_with(Link::PREFIX) {
            let link: Link = whole(item)?;
            placed(Link::key(&link.username, &link.fein))?;
            return Ok(Self::Link(Box::new(link)));
        }
        if key.sk == Person::SORT_KEY {
            let person: Person = whole(item)?;
            placed(Person::key(&person.username))?;
            return Ok(Self::Person(Box::new(person)));
        }
        let person = ItemKey::new(key.sk.clone(), Person::SORT_KEY);
        Ok(Self::Email { lead: key, person })
    }

    fn others(&self) -> Vec<ItemKey> {
        match self {
            Self::Person(person) => {
                person.email.iter().map(|email| Person::email_key(email, &person.username)).collect()
            }
            Self::Email { person, .. } => vec![person.clone()],
            Self::Employer => Vec::new(),
            Self::Link(link) => vec![
                Link::reverse_key(&link.username, &link.fein),
                Person::key(&link.username),
                Employer::key(&link.fein),
            ],
            Self::Reverse { link } => vec![link.clone()],
        }
    }
}

fn whole<T: serde::de::DeserializeOwned>(item: &Item) -> Result<T, Fault> {
    read(item.clone()).map_err(|error| match error {
        StoreError::Broken { reason, .. } => Fault::Unreadable(reason),
        other => Fault::Unreadable(other.to_string()),
    })
}

/// What is wrong with an item, given those of the others that stand.
fn fault(item: &Item, others: &HashMap<ItemKey, Item>) -> Option<Fault> {
    let expected = match Expected::of(item) {
        Ok(expected) => expected,
        Err(fault) => return Some(fault),
    };
    let stands = |key: &ItemKey| others.contains_key(key);
    match &expected {
        Expected::Employer => None,
        Expected::Person(person) => {
            let email = person.email.as_ref()?;
            (!stands(&Person::email_key(email, &person.username))).then_some(Fault::NoEmail)
        }
        Expected::Email { lead, person } => match others.get(person).map(whole::<Person>) {
            None => Some(Fault::NoPersonOfEmail),
            // The person is reported as what does not read.
            Some(Err(_)) => None,
            Some(Ok(person)) => {
                let own = person.email.as_ref().map(|email| Person::email_key(email, &person.username));
                (own.as_ref() != Some(lead)).then_some(Fault::OtherEmail)
            }
        },
        Expected::Link(link) => {
            if !stands(&Link::reverse_key(&link.username, &link.fein)) {
                Some(Fault::NoReverse)
            } else if !stands(&Person::key(&link.username)) {
                Some(Fault::NoPersonOfLink)
            } else {
                (!stands(&Employer::key(&link.fein))).then_some(Fault::NoEmployer)
            }
        }
        Expected::Reverse { link } => (!stands(link)).then_some(Fault::NoLink),
    }
}
