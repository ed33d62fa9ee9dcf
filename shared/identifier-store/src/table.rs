//! The one table that all of Crosswalk shares: its key names, its index, and how items are read from it.

use aws_sdk_dynamodb::Client;

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
