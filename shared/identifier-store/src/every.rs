//! Every mapping that there is, whatever its system, a page at a time.

use crosswalk_identity::Mapping;

use crate::items::{MAPPING, MappingItem};
use crate::{IdentifierStore, Item, StoreError};

/// Reads the whole table, strongly consistent. It is not one moment: a mapping that is moved from one person to another
/// meanwhile may be met twice, or not at all; one that stays is met once.
///
/// A listing of one system is cheaper, and eventually consistent; this also meets what stands in systems that nobody
/// names any more, and what its system's listing does not find.
#[derive(Debug)]
pub struct EveryMapping {
    store: IdentifierStore,
    start: Option<Item>,
    ended: bool,
}

impl IdentifierStore {
    /// From the beginning.
    pub fn every_mapping(&self) -> EveryMapping {
        EveryMapping { store: self.clone(), start: None, ended: false }
    }
}

impl EveryMapping {
    /// The mappings of the next page, which may be none; after the last page nothing. An item that does not read is an
    /// error of its own among the others.
    ///
    /// # Errors
    /// DynamoDB stayed busy or refused; the page may be asked for again.
    pub async fn next_page(&mut self) -> Result<Option<Vec<Result<Mapping, StoreError>>>, StoreError> {
        if self.ended {
            return Ok(None);
        }
        let (page, next) = Box::pin(self.store.calls.scan(MAPPING, MAPPING, self.start.clone())).await?;
        self.ended = next.is_none();
        self.start = next;
        Ok(Some(page.into_iter().map(|item| Ok(MappingItem::read(item)?.mapping)).collect()))
    }
}
