//! The one table that all of Crosswalk shares: its key names, its index, and the key of an item in it.

use std::collections::HashMap;
use std::fmt;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::AttributeValue;
use crosswalk_identity::mask;

use crate::Item;

/// The table's name and a client for it. Clones share the client.
#[derive(Clone, Debug)]
pub struct Table {
    /// The SDK's client.
    pub client: Client,
    /// The table's name.
    pub name: String,
}

/// What the table is made of; the embedded AWS creates it from this, and the deployment's template is held against it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableDescription {
    /// Partition key of table, a string.
    pub partition_key: &'static str,
    /// Sort key of the table, a string.
    pub sort_key: &'static str,
    /// The index's name. It projects everything.
    pub index: &'static str,
    /// Partition key of the index, a string.
    pub index_partition_key: &'static str,
    /// Sort key of the index, a string.
    pub index_sort_key: &'static str,
    /// The attribute that holds an item's end, in seconds since the Unix epoch (TTL).
    pub ttl: &'static str,
}

impl Table {
    /// How the table is made.
    pub const DESCRIPTION: TableDescription = TableDescription {
        partition_key: "pk",
        sort_key: "sk",
        index: "by_listing",
        index_partition_key: "listing",
        index_sort_key: "listed",
        ttl: "expires_at",
    };

    /// A table by its name.
    pub fn new(client: Client, name: impl Into<String>) -> Self {
        Self { client, name: name.into() }
    }
}

/// The key of one item. Its `Debug` and [`ItemKey::masked`] hide the person, so that it may stand in a log or an error.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemKey {
    /// The partition key, such as `PERSON#alice`.
    pub pk: String,
    /// The sort key, such as `MAPPING#nemo`.
    pub sk: String,
}

impl ItemKey {
    /// A key by its two parts.
    pub fn new(pk: impl Into<String>, sk: impl Into<String>) -> Self {
        Self { pk: pk.into(), sk: sk.into() }
    }

    /// The key of an item that was read; none if it has no such attributes.
    pub fn of(item: &Item) -> Option<Self> {
        let part = |name: &str| Some(item.get(name)?.as_s().ok()?.clone());
        Some(Self { pk: part(Table::DESCRIPTION.partition_key)?, sk: part(Table::DESCRIPTION.sort_key)? })
    }

    /// As DynamoDB takes it.
    pub fn attributes(&self) -> Item {
        HashMap::from([
            (Table::DESCRIPTION.partition_key.to_owned(), AttributeValue::S(self.pk.clone())),
            (Table::DESCRIPTION.sort_key.to_owned(), AttributeValue::S(self.sk.clone())),
        ])
    }

    /// Kinds and systems stay readable, names and ids do not: `EXTERNAL#nemo#1***/OWNER`.
    pub fn masked(&self) -> String {
        format!("{}/{}", masked_part(&self.pk), masked_part(&self.sk))
    }
}

fn masked_part(part: &str) -> String {
    match part.split_once('#') {
        None => part.to_owned(),
        Some(("MAPPING", system)) => format!("MAPPING#{system}"),
        Some(("EXTERNAL", rest)) => {
            let (system, id) = rest.split_once('#').unwrap_or((rest, ""));
            format!("EXTERNAL#{system}#{}", mask(id))
        }
        Some((kind, name)) => format!("{kind}#{}", mask(name)),
    }
}

/// Masked.
impl fmt::Debug for ItemKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ItemKey({})", self.masked())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_masked_key_tells_kind_and_system_alone() {
        for (pk, sk, masked) in [
            ("PERSON#alice@example.org", "MAPPING#nemo", "PERSON#a***@e***/MAPPING#nemo"),
            ("EXTERNAL#nemo#12345#6", "OWNER", "EXTERNAL#nemo#1***/OWNER"),
            ("EMPLOYER#042127847", "ADMINISTRATOR#alice", "EMPLOYER#04***/ADMINISTRATOR#a***"),
        ] {
            let key = ItemKey::new(pk, sk);
            assert_eq!(key.masked(), masked);
            assert_eq!(format!("{key:?}"), format!("ItemKey({masked})"));
            assert_eq!(ItemKey::of(&key.attributes()), Some(key));
        }
    }
}
