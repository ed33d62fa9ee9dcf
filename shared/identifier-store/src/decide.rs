//! What a store would do, from the items as they stand: no I/O.

use aws_sdk_dynamodb::types::{TransactWriteItem, Update};
use crosswalk_identity::{ExternalId, Mapping, Mark};
use jiff::Timestamp;

use crate::items::{Actions, MappingItem, OwnerItem, mapping_key, owner_key};
use crate::{Change, ItemKey, RunLines, StoreError, StoreRequest, Stored};

/// What is to be done for a request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Decision {
    /// Nothing: it is a conflict, or this very row was there before.
    Settled(Box<Stored>),
    /// This.
    Write(Box<Write>),
    /// The two items do not belong together. Either one was read before and one after somebody's write, or the table is
    /// broken: only a reading of both at one moment tells.
    Torn,
}

/// A change of a mapping, and the outcome if it succeeds.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Write {
    pub(crate) before: Option<MappingItem>,
    pub(crate) after: MappingItem,
    pub(crate) outcome: Stored,
}

/// The words that `run_lines` keeps.
pub(crate) const CREATED: &str = "created";
const VERIFIED: &str = "verified";
const UPDATED: &str = "updated ";

/// Decides on a request, given the person's item and the owner item of the *requested* external id.
pub(crate) fn decide(
    request: &StoreRequest,
    now: Timestamp,
    mapping: Option<&MappingItem>,
    owner: Option<&OwnerItem>,
) -> Decision {
    if let Some(first) = mapping.and_then(|item| first_outcome(item, &request.mark)) {
        return Decision::Settled(Box::new(first));
    }
    if let Some(owner) = owner
        && owner.username != request.username
    {
        return Decision::Settled(Box::new(Stored::Conflict { owner: owner.username.clone() }));
    }
    let Some(before) = mapping else {
        return if owner.is_some() { Decision::Torn } else { Decision::Write(Box::new(create(request, now))) };
    };
    // From here on, an owner item of the requested id can only be this person's own.
    if (before.mapping.external_id == request.external_id) != owner.is_some() {
        return Decision::Torn;
    }
    Decision::Write(Box::new(change(request, now, before)))
}

fn create(request: &StoreRequest, now: Timestamp) -> Write {
    let mapping = Mapping {
        username: request.username.clone(),
        system: request.system.clone(),
        external_id: request.external_id.clone(),
        email: request.email.applied(None),
        created_at: now,
        last_verified_at: None,
        last_seen: None,
        notes: request.notes.applied(None),
        stored_by: Some(request.mark.clone()),
    };
    let after = MappingItem { mapping: mapping.clone(), run_lines: RunLines::after(None, &request.mark, CREATED) };
    Write { before: None, after, outcome: Stored::Created(mapping) }
}

fn change(request: &StoreRequest, now: Timestamp, before: &MappingItem) -> Write {
    let mut mapping = Mapping {
        external_id: request.external_id.clone(),
        email: request.email.applied(before.mapping.email.as_ref()),
        notes: request.notes.applied(before.mapping.notes.as_ref()),
        ..before.mapping.clone()
    };
    let differs = mapping != before.mapping;
    mapping.last_verified_at = Some(now);
    mapping.stored_by = Some(request.mark.clone());
    let previous = before.mapping.external_id.clone();
    let (word, outcome) = if differs {
        (format!("{UPDATED}{previous}"), Stored::Updated { mapping: mapping.clone(), previous })
    } else {
        (VERIFIED.to_owned(), Stored::Verified(mapping.clone()))
    };
    let run_lines = RunLines::after(before.run_lines.as_ref(), &request.mark, &word);
    Write { before: Some(before.clone()), after: MappingItem { mapping, run_lines }, outcome }
}

/// What this very run and line did here before.
pub(crate) fn first_outcome(item: &MappingItem, mark: &Mark) -> Option<Stored> {
    let mapping = || item.mapping.clone();
    match item.run_lines.as_ref()?.first_outcome(mark)? {
        CREATED => Some(Stored::Created(mapping())),
        VERIFIED => Some(Stored::Verified(mapping())),
        updated => {
            let previous = ExternalId::parse(updated.strip_prefix(UPDATED)?).ok()?;
            Some(Stored::Updated { mapping: mapping(), previous })
        }
    }
}

impl<T: Clone + PartialEq> Change<T> {
    /// What stands after the change. A value that equals the standing one leaves that as first given.
    pub(crate) fn applied(&self, standing: Option<&T>) -> Option<T> {
        match self {
            Self::Keep => standing.cloned(),
            Self::Clear => None,
            Self::Set(value) => Some(standing.filter(|standing| *standing == value).unwrap_or(value).clone()),
        }
    }
}

impl Write {
    /// Whether it touches the person's item alone, so that it needs no transaction.
    pub(crate) fn alone(&self) -> Option<&MappingItem> {
        self.before.as_ref().filter(|before| before.mapping.external_id == self.after.mapping.external_id)
    }

    /// The one update of a write that stands [`Self::alone`].
    pub(crate) fn update(&self, before: &MappingItem, actions: Actions<'_>) -> Result<Update, StoreError> {
        actions.change_mapping(before, &self.after)
    }

    /// The transaction's part: person's item, new owner item, old owner item, in this order.
    pub(crate) fn actions(&self, actions: Actions<'_>) -> Result<Vec<TransactWriteItem>, StoreError> {
        let add_owner = actions.add_owner(&self.after.mapping)?;
        match &self.before {
            None => Ok(vec![actions.add_mapping(&self.after)?, add_owner]),
            Some(before) => {
                let update = actions.change_mapping(before, &self.after)?;
                let update = TransactWriteItem::builder().update(update).build();
                Ok(vec![update, add_owner, actions.remove_owner(&before.mapping)?])
            }
        }
    }

    /// How many actions [`Self::actions`] has.
    pub(crate) fn len(&self) -> usize {
        if self.before.is_some() { 3 } else { 2 }
    }

    /// About how many bytes of a transaction's 4 MB it takes: the items, and the conditions' values.
    pub(crate) fn bytes(&self) -> usize {
        let size = |item: &MappingItem| {
            let Mapping { username, external_id, email, notes, .. } = &item.mapping;
            let email = email.as_ref().map_or(0, |email| email.as_str().len());
            let lines = item.run_lines.as_ref().map_or(0, RunLines::bytes);
            let texts = 3 * username.as_str().len() + 2 * external_id.as_str().len() + email;
            texts + notes.as_ref().map_or(0, String::len) + lines
        };
        // Twice for the names of attributes, marks, times and what an index adds.
        1024 + 2
            * (size(&self.after) + self.before.as_ref().map_or(0, |before| before.mapping.external_id.as_str().len()))
    }

    /// The items that it changes.
    pub(crate) fn keys(&self) -> Vec<ItemKey> {
        let mut keys = vec![self.after.key(), self.after.owner_key()];
        keys.extend(self.before.as_ref().map(MappingItem::owner_key));
        keys
    }
}

/// The items that a request looks at.
pub(crate) fn keys_of(request: &StoreRequest) -> [ItemKey; 2] {
    [mapping_key(&request.username, &request.system), owner_key(&request.system, &request.external_id)]
}
