use crosswalk_identifier_store::{ItemKey, StoreError};
use crosswalk_identity::{Mapping, Username};

use crate::writes::read;
use crate::{Link, People, Person};

/// All that is known of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overview {
    /// The person's item; none for someone of whom only mappings are known.
    pub person: Option<Person>,
    /// By FEIN.
    pub links: Vec<Link>,
    /// By system.
    pub mappings: Vec<Mapping>,
}

impl People {
    /// All that is known of a person, in one round trip (strongly consistent); none if nothing is.
    ///
    /// # Errors
    /// The store.
    pub async fn overview(&self, username: &Username) -> Result<Option<Overview>, StoreError> {
        let items = self.whole_partition(&Person::partition_key(username)).await?;
        let mut overview = Overview { person: None, links: Vec::new(), mappings: Vec::new() };
        for item in items {
            let Some(key) = ItemKey::of(&item) else { continue };
            if key.sk == Person::SORT_KEY {
                overview.person = Some(read(item)?);
            } else if key.sk.starts_with(Link::PREFIX) {
                overview.links.push(read(item)?);
            } else if key.sk.starts_with("MAPPING#") {
                overview.mappings.push(read(item)?);
            }
        }
        let known = overview.person.is_some() || !overview.links.is_empty() || !overview.mappings.is_empty();
        Ok(known.then_some(overview))
    }
}
