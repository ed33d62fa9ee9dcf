//! The two items of a mapping, and how they are read and written.

use std::collections::{BTreeSet, HashMap};

use aws_sdk_dynamodb::types::{
    AttributeValue, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem, Update,
};
use crosswalk_identity::{ExternalId, Mapping, System, Username, times};
use sha2::{Digest, Sha256};

use crate::{Item, ItemKey, RunLines, StoreError, Table};

/// The sort key of every owner item.
pub(crate) const OWNER: &str = "OWNER";
/// What the sort key of every mapping item begins with, before its system.
pub const MAPPING: &str = "MAPPING#";
const PERSON: &str = "PERSON#";
const EXTERNAL: &str = "EXTERNAL#";

/// How many partitions the listing of one system has in the index.
pub(crate) const SHARDS: u8 = 16;

/// The partition of a person: all of the mappings stand in it.
pub(crate) fn person_pk(username: &Username) -> String {
    format!("{PERSON}{}", username.key())
}

pub(crate) fn mapping_key(username: &Username, system: &System) -> ItemKey {
    ItemKey::new(person_pk(username), format!("{MAPPING}{system}"))
}

pub(crate) fn owner_key(system: &System, external_id: &ExternalId) -> ItemKey {
    ItemKey::new(format!("{EXTERNAL}{system}#{external_id}"), OWNER)
}

/// The system and id that an owner item's key names. A system holds no `#`; an id may.
pub(crate) fn of_owner_key(key: &ItemKey) -> Option<(System, ExternalId)> {
    let (system, id) = key.pk.strip_prefix(EXTERNAL)?.split_once('#')?;
    Some((System::parse(system).ok()?, ExternalId::parse(id).ok().filter(|parsed| parsed.as_str() == id)?))
}

/// The index's partition of one shard of a system.
pub(crate) fn listing(system: &System, shard: u8) -> String {
    format!("SYSTEM#{system}#{shard:x}")
}

/// The first 4 bits of SHA-256 of the username's key form.
pub(crate) fn shard(username: &Username) -> u8 {
    Sha256::digest(username.key().as_bytes())[0] >> 4
}

/// The person's item of a mapping.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MappingItem {
    pub(crate) mapping: Mapping,
    pub(crate) run_lines: Option<RunLines>,
}

/// The mapping of a person's item that was read.
///
/// # Errors
/// [`StoreError::Broken`].
pub fn read_mapping(item: Item) -> Result<Mapping, StoreError> {
    Ok(MappingItem::read(item)?.mapping)
}

/// The owner's item: who holds an external id.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct OwnerItem {
    pub(crate) username: Username,
}

impl MappingItem {
    pub(crate) fn key(&self) -> ItemKey {
        mapping_key(&self.mapping.username, &self.mapping.system)
    }

    pub(crate) fn owner_key(&self) -> ItemKey {
        owner_key(&self.mapping.system, &self.mapping.external_id)
    }

    pub(crate) fn read(item: Item) -> Result<Self, StoreError> {
        let key = ItemKey::of(&item);
        let broken = |reason: String| StoreError::Broken {
            key: key.as_ref().map_or_else(|| "(without a key)".to_owned(), ItemKey::masked),
            reason,
        };
        let run_lines = RunLines::of(&item);
        let mapping: Mapping = serde_dynamo::from_item(item).map_err(|e| broken(e.to_string()))?;
        if key.as_ref() != Some(&mapping_key(&mapping.username, &mapping.system)) {
            return Err(broken("its username or system is not the one of its key".into()));
        }
        Ok(Self { mapping, run_lines })
    }

    /// The whole item. Absent values are absent attributes.
    pub(crate) fn item(&self) -> Item {
        let Mapping { username, system, external_id, email, created_at, last_verified_at, last_seen, notes, stored_by } =
            &self.mapping;
        let index = (Table::DESCRIPTION.index_partition_key, Table::DESCRIPTION.index_sort_key);
        let texts = [
            ("username", Some(username.to_string())),
            ("system", Some(system.to_string())),
            ("external_id", Some(external_id.to_string())),
            ("email", email.as_ref().map(ToString::to_string)),
            ("created_at", Some(times::text(*created_at))),
            ("last_verified_at", last_verified_at.map(times::text)),
            ("last_seen", last_seen.map(times::text)),
            ("notes", notes.clone()),
            ("stored_by", stored_by.as_ref().map(ToString::to_string)),
            (index.0, Some(listing(system, shard(username)))),
            (index.1, Some(username.key().to_owned())),
        ];
        let mut item = self.key().attributes();
        item.extend(texts.into_iter().filter_map(|(name, text)| Some((name.to_owned(), AttributeValue::S(text?)))));
        item.extend(self.run_lines.as_ref().map(|lines| (RunLines::ATTRIBUTE.to_owned(), lines.attribute())));
        item
    }
}

impl OwnerItem {
    pub(crate) fn read(item: &Item) -> Result<Self, StoreError> {
        let text = |name: &str| item.get(name).and_then(|value| value.as_s().ok());
        let broken = |reason: &str| StoreError::Broken {
            key: ItemKey::of(item).map_or_else(|| "(without a key)".to_owned(), |key| key.masked()),
            reason: reason.to_owned(),
        };
        let username = text("username").ok_or_else(|| broken("it names no username"))?;
        let username = Username::parse(username).map_err(|refusal| broken(&refusal.to_string()))?;
        if text("username_key").map(String::as_str) != Some(username.key()) {
            return Err(broken("its username_key is not the key form of its username"));
        }
        Ok(Self { username })
    }
}

/// Builds the actions on the two items. Every one is conditional, and asks for the old item if its condition fails.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Actions<'a> {
    pub(crate) table: &'a str,
}

/// The parts of an expression, under numbered names: attribute names may be DynamoDB's reserved words.
#[derive(Default)]
struct Expression {
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
}

impl Expression {
    fn name(&mut self, name: &str) -> String {
        let placeholder = format!("#n{}", self.names.len());
        self.names.insert(placeholder.clone(), name.to_owned());
        placeholder
    }

    fn value(&mut self, value: AttributeValue) -> String {
        let placeholder = format!(":v{}", self.values.len());
        self.values.insert(placeholder.clone(), value);
        placeholder
    }

    fn equal(&mut self, name: &str, value: Option<String>) -> String {
        let name = self.name(name);
        match value {
            Some(value) => format!("{name} = {}", self.value(AttributeValue::S(value))),
            None => format!("attribute_not_exists({name})"),
        }
    }

    /// That a mapping item is still the one that was read: each write has a mark of its own.
    fn still(&mut self, seen: &MappingItem) -> String {
        let id = self.equal("external_id", Some(seen.mapping.external_id.to_string()));
        let verified = self.equal("last_verified_at", seen.mapping.last_verified_at.map(times::text));
        let mark = self.equal("stored_by", seen.mapping.stored_by.as_ref().map(ToString::to_string));
        format!("{id} AND {verified} AND {mark}")
    }

    fn values(&self) -> Option<HashMap<String, AttributeValue>> {
        (!self.values.is_empty()).then(|| self.values.clone())
    }
}

impl Actions<'_> {
    /// Puts a mapping item where none stands.
    pub(crate) fn add_mapping(self, item: &MappingItem) -> Result<TransactWriteItem, StoreError> {
        self.add(item.item())
    }

    /// Puts an owner item where none stands.
    pub(crate) fn add_owner(self, of: &Mapping) -> Result<TransactWriteItem, StoreError> {
        let mut item = owner_key(&of.system, &of.external_id).attributes();
        let text = |text: &str| AttributeValue::S(text.to_owned());
        item.insert("username".into(), text(of.username.as_str()));
        item.insert("username_key".into(), text(of.username.key()));
        item.extend(of.stored_by.as_ref().map(|mark| ("stored_by".to_owned(), text(&mark.to_string()))));
        self.add(item)
    }

    fn add(self, item: Item) -> Result<TransactWriteItem, StoreError> {
        let put = Put::builder()
            .table_name(self.table)
            .set_item(Some(item))
            .condition_expression("attribute_not_exists(#pk)")
            .expression_attribute_names("#pk", Table::DESCRIPTION.partition_key)
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        Ok(TransactWriteItem::builder().put(put.build().map_err(StoreError::unbuilt)?).build())
    }

    /// Changes a mapping item that still is the one that was read: sets what differs, removes what is gone, and leaves
    /// attributes that this version does not know.
    pub(crate) fn change_mapping(self, seen: &MappingItem, after: &MappingItem) -> Result<Update, StoreError> {
        let (old, new) = (seen.item(), after.item());
        let mut expression = Expression::default();
        // `stored_by` is always set: an update needs something to do.
        let set = new.iter().filter(|(name, value)| *name == "stored_by" || old.get(*name) != Some(value));
        let set: BTreeSet<&String> = set.map(|(name, _)| name).collect();
        let gone: BTreeSet<&String> = old.keys().filter(|name| !new.contains_key(*name)).collect();
        let mut text = String::from("SET ");
        for (index, name) in set.into_iter().enumerate() {
            let comma = if index > 0 { ", " } else { "" };
            let value = expression.value(new[name].clone());
            text += &format!("{comma}{} = {value}", expression.name(name));
        }
        for (index, name) in gone.into_iter().enumerate() {
            let before = if index > 0 { ", " } else { " REMOVE " };
            text += &format!("{before}{}", expression.name(name));
        }
        let condition = expression.still(seen);
        Update::builder()
            .table_name(self.table)
            .set_key(Some(seen.key().attributes()))
            .update_expression(text)
            .condition_expression(condition)
            .set_expression_attribute_names(Some(expression.names.clone()))
            .set_expression_attribute_values(expression.values())
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .build()
            .map_err(StoreError::unbuilt)
    }

    /// Deletes a mapping item that still is the one that was read.
    pub(crate) fn remove_mapping(self, seen: &MappingItem) -> Result<TransactWriteItem, StoreError> {
        let mut expression = Expression::default();
        let condition = expression.still(seen);
        self.remove(&seen.key(), condition, &expression)
    }

    /// Deletes an owner item that still names this mapping's person.
    pub(crate) fn remove_owner(self, of: &Mapping) -> Result<TransactWriteItem, StoreError> {
        let mut expression = Expression::default();
        let condition = expression.equal("username_key", Some(of.username.key().to_owned()));
        self.remove(&owner_key(&of.system, &of.external_id), condition, &expression)
    }

    fn remove(
        self,
        key: &ItemKey,
        condition: String,
        expression: &Expression,
    ) -> Result<TransactWriteItem, StoreError> {
        let delete = Delete::builder()
            .table_name(self.table)
            .set_key(Some(key.attributes()))
            .condition_expression(condition)
            .set_expression_attribute_names(Some(expression.names.clone()))
            .set_expression_attribute_values(expression.values())
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        Ok(TransactWriteItem::builder().delete(delete.build().map_err(StoreError::unbuilt)?).build())
    }

    /// Passes an owner item from one person, whom it must still name, to the person of this mapping.
    pub(crate) fn pass_owner(self, from: &Username, to: &Mapping) -> Result<TransactWriteItem, StoreError> {
        let mut expression = Expression::default();
        let mut sets = Vec::new();
        for (name, value) in [
            ("username", Some(to.username.to_string())),
            ("username_key", Some(to.username.key().to_owned())),
            ("stored_by", to.stored_by.as_ref().map(ToString::to_string)),
        ] {
            if let Some(value) = value {
                let value = expression.value(AttributeValue::S(value));
                sets.push(format!("{} = {value}", expression.name(name)));
            }
        }
        let condition = expression.equal("username_key", Some(from.key().to_owned()));
        let update = Update::builder()
            .table_name(self.table)
            .set_key(Some(owner_key(&to.system, &to.external_id).attributes()))
            .update_expression(format!("SET {}", sets.join(", ")))
            .condition_expression(condition)
            .set_expression_attribute_names(Some(expression.names.clone()))
            .set_expression_attribute_values(expression.values())
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        Ok(TransactWriteItem::builder().update(update.build().map_err(StoreError::unbuilt)?).build())
    }
}
