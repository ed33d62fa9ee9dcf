//! The mappings of a system, a page at a time.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use crosswalk_identity::{System, Username};
use serde::{Deserialize, Serialize};

use crate::items::{MappingItem, SHARDS, listing, mapping_key, shard};
use crate::{IdentifierStore, Page, StoreError};

/// The most mappings of one page.
pub const MAX_PAGE: usize = 1000;

/// Where the next page starts: after this username in this shard. What it holds is nobody's business outside.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Cursor {
    system: System,
    shard: u8,
    /// The key form, which is its own key form.
    after: Username,
}

impl Cursor {
    fn seal(&self) -> Result<String, StoreError> {
        let json = serde_json::to_vec(self).map_err(|e| StoreError::Refused(e.to_string()))?;
        Ok(URL_SAFE_NO_PAD.encode(json))
    }

    fn open(sealed: &str, system: &System) -> Result<Self, StoreError> {
        let json = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| StoreError::Cursor)?;
        let cursor: Self = serde_json::from_slice(&json).map_err(|_| StoreError::Cursor)?;
        let ours = cursor.system == *system && shard(&cursor.after) == cursor.shard;
        if ours { Ok(cursor) } else { Err(StoreError::Cursor) }
    }
}

impl IdentifierStore {
    /// The mappings of a system, a page at a time, by shard and then by the username's key form. `limit` is 1 to
    /// [`MAX_PAGE`]; another is brought into that range.
    ///
    /// **Eventually consistent**: it reads an index, which DynamoDB brings up to date a moment after each write. A
    /// mapping that was just stored may be missing, one that was just deleted may still be listed, and one whose person
    /// stays is never listed twice.
    ///
    /// # Errors
    /// [`StoreError::Cursor`] for a cursor that a listing of this system did not give; else as any read.
    pub async fn list_system(&self, system: &System, cursor: Option<&str>, limit: usize) -> Result<Page, StoreError> {
        let limit = limit.clamp(1, MAX_PAGE);
        let cursor = cursor.map(|sealed| Cursor::open(sealed, system)).transpose()?;
        let first = cursor.as_ref().map_or(0, |cursor| cursor.shard);
        let mut after = cursor.map(|cursor| cursor.after);
        let mut items = Vec::new();
        for shard in first..SHARDS {
            loop {
                let start = after.as_ref().map(|username| (mapping_key(username, system), username.key().to_owned()));
                let start = start.as_ref().map(|(key, listed)| (key, listed.as_str()));
                // One more than asked tells whether there is a next page.
                let (page, more) =
                    self.calls.listing(&listing(system, shard), start, limit + 1 - items.len(), false).await?;
                for item in page {
                    items.push(MappingItem::read(item)?.mapping);
                }
                if items.len() > limit {
                    items.truncate(limit);
                    return Ok(Page { next_cursor: next(system, items.last().map(|last| &last.username))?, items });
                }
                after = items.last().map(|last| last.username.clone()).filter(|_| more);
                if !more {
                    break;
                }
            }
        }
        Ok(Page { items, next_cursor: None })
    }
}

fn next(system: &System, last: Option<&Username>) -> Result<Option<String>, StoreError> {
    let Some(last) = last else { return Ok(None) };
    let after = Username::parse(last.key()).map_err(|refusal| StoreError::Refused(refusal.to_string()))?;
    Ok(Some(Cursor { system: system.clone(), shard: shard(last), after }.seal()?))
}
