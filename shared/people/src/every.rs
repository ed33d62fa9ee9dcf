//! Everybody who is known: people's items and mappings, a page at a time.

use crosswalk_identifier_store::{Item, ItemKey, MAPPING, StoreError, read_mapping};
use crosswalk_identity::{Mapping, System, Username};

use crate::writes::read;
use crate::{People, Person};

/// An item by which somebody is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// A person.
    Person(Person),
    /// A mapping.
    Mapping(Mapping),
    /// Either, but it does not read, or stands under another's key; the integrity checks name it. Its key alone is told.
    Unreadable {
        /// Whose it is, as far as the key is one.
        username: Option<Username>,
        /// Of a mapping, its system.
        system: Option<System>,
    },
}

/// Reads the whole table, strongly consistent. It is not one moment: what is stored or moved meanwhile may be met or not.
///
/// What belongs to one person stands together in the table, and so it comes, the person's item last; a page may end in
/// between.
#[derive(Debug)]
pub struct EveryKnown {
    people: People,
    start: Option<Item>,
    ended: bool,
}

impl People {
    /// From the beginning.
    pub fn every_known(&self) -> EveryKnown {
        EveryKnown { people: self.clone(), start: None, ended: false }
    }
}

impl EveryKnown {
    /// The next page, which may be empty; after the last one nothing.
    ///
    /// # Errors
    /// DynamoDB stayed busy or refused; the page may be asked for again.
    pub async fn next_page(&mut self) -> Result<Option<Vec<Known>>, StoreError> {
        if self.ended {
            return Ok(None);
        }
        let (page, next) = Box::pin(self.people.calls.scan(Person::SORT_KEY, MAPPING, self.start.clone())).await?;
        self.ended = next.is_none();
        self.start = next;
        Ok(Some(page.into_iter().filter_map(known).collect()))
    }
}

fn known(item: Item) -> Option<Known> {
    let key = ItemKey::of(&item)?;
    let read = if key.sk == Person::SORT_KEY {
        read(item).ok().filter(|person: &Person| Person::key(&person.username) == key).map(Known::Person)
    } else {
        read_mapping(item).ok().map(Known::Mapping)
    };
    Some(read.unwrap_or_else(|| Known::Unreadable {
        username: key.pk.strip_prefix("PERSON#").and_then(|name| Username::parse(name).ok()),
        system: key.sk.strip_prefix(MAPPING).and_then(|system| System::parse(system).ok()),
    }))
}
