//! The realm's groups: the whole tree, then each one's members.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use crosswalk_reconcile::{Complete, Keyed, Proof, Snapshot};
use futures::{StreamExt, TryStreamExt, stream};
use keycloak::types::GroupRepresentation;

use super::calls::{Asked, CallError, Calls};
use super::progress::Progress;
use super::proof::{Unproven, listed, proven};
use super::users::kept;
use super::{ReadError, Wanted, members};
use crate::realm::Group;

/// The attribute as which a group's own description counts.
const DESCRIPTION: &str = "description";

/// Reads all groups and their members.
///
/// # Errors
/// See [`ReadError`].
pub(super) async fn read(
    calls: &Calls,
    wanted: &Wanted,
    progress: &Progress<'_>,
) -> Result<Snapshot<Complete, Group>, ReadError> {
    proven("groups", |last| read_once(calls, &wanted.group_attributes, progress, last)).await
}

/// A realm may have no groups. That the token sees them is shown by its users: view-users covers both.
async fn read_once(
    calls: &Calls,
    wanted: &BTreeSet<Arc<str>>,
    progress: &Progress<'_>,
    last: bool,
) -> Result<Snapshot<Complete, Group>, Unproven> {
    let before = calls.groups_count().await?;
    progress.change(|reading| (reading.groups, reading.groups_expected) = (0, before));
    let mut groups = tree(calls, wanted).await?;
    if groups.is_empty() && before > 0 && last {
        return Err(calls.shows_none(Asked::Groups, before).into());
    }

    let mut reads = stream::iter(0..groups.len())
        .map(|at| {
            let id = &groups[at].id;
            async move { Ok::<_, Unproven>((at, members::read(calls, id).await?)) }
        })
        .buffer_unordered(calls.settings().connections.max(1));
    let mut members = vec![Vec::new(); groups.len()];
    while let Some((at, ids)) = reads.try_next().await? {
        members[at] = ids;
        progress.change(|reading| reading.groups += 1);
    }
    drop(reads);
    for (group, members) in groups.iter_mut().zip(members) {
        group.members = members;
    }

    let after = calls.groups_count().await?;
    let mut snapshot = Snapshot::default();
    snapshot.page(groups)?;
    Ok(snapshot.prove_even_empty(Proof::Counted { before, after })?)
}

/// All groups without their members, level by level, so that a parent stands before its children.
async fn tree(calls: &Calls, wanted: &BTreeSet<Arc<str>>) -> Result<Vec<Group>, Unproven> {
    let mut groups = Vec::new();
    // One that is moved while the tree is read may stand in two places.
    let mut seen = HashSet::new();
    let mut level = top(calls, wanted).await?;
    while !level.is_empty() {
        let mut parents = Vec::new();
        let mut next = Vec::new();
        for Node { group, given, more } in level {
            if !seen.insert(group.id.clone()) {
                continue;
            }
            next.extend(given);
            if more {
                parents.push((group.id.clone(), group.path.clone()));
            }
            groups.push(group);
        }
        let mut children = stream::iter(parents)
            .map(|(id, path)| async move { children(calls, wanted, &id, &path).await })
            .buffered(calls.settings().connections.max(1));
        while let Some(children) = children.try_next().await? {
            next.extend(children);
        }
        level = next;
    }
    Ok(groups)
}

async fn top(calls: &Calls, wanted: &BTreeSet<Arc<str>>) -> Result<Vec<Node>, Unproven> {
    let page = async |first, max| nodes(calls.groups(first, max).await?, None, wanted);
    listed(calls.settings().page_size, page).await
}

async fn children(calls: &Calls, wanted: &BTreeSet<Arc<str>>, parent: &str, path: &str) -> Result<Vec<Node>, Unproven> {
    let page = async |first, max| {
        let children = calls.children(parent, first, max).await.map_err(gone)?;
        nodes(children, Some((parent, path)), wanted)
    };
    listed(calls.settings().page_size, page).await
}

/// What a 404 means where a group is asked for that was listed.
pub(super) fn gone(error: CallError) -> Unproven {
    match error {
        CallError::NotFound(_) => Unproven::Vanished,
        other => other.into(),
    }
}

/// A group, and where its children are.
struct Node {
    group: Group,
    /// Children that came with it.
    given: Vec<Node>,
    /// Whether there are, or may be, others to ask for.
    more: bool,
}

impl Keyed for Node {
    fn key(&self) -> &str {
        &self.group.id
    }
}

fn nodes(
    groups: Vec<GroupRepresentation>,
    parent: Option<(&str, &str)>,
    wanted: &BTreeSet<Arc<str>>,
) -> Result<Vec<Node>, Unproven> {
    groups.into_iter().map(|group| node(group, parent, wanted)).collect()
}

fn node(
    group: GroupRepresentation,
    parent: Option<(&str, &str)>,
    wanted: &BTreeSet<Arc<str>>,
) -> Result<Node, Unproven> {
    let lacks = |what| Calls::lacks(Asked::Groups, what);
    let id: Box<str> = group.id.ok_or_else(|| lacks("their ids"))?.into();
    let name = group.name.ok_or_else(|| lacks("their names"))?;
    let path = group.path.unwrap_or_else(|| format!("{}/{name}", parent.map_or("", |(_, path)| path)));
    let given = nodes(group.sub_groups.unwrap_or_default(), Some((&id, &path)), wanted)?;
    let more = match group.sub_group_count {
        Some(count) => count > given.len() as i64,
        None => given.is_empty(),
    };
    let parent = parent.map(|(id, _)| id.into());
    let mut attributes = group.attributes.unwrap_or_default();
    // Since 26 a group has a description of its own; an attribute of this name was the way before.
    if let Some(description) = group.description {
        attributes.entry(DESCRIPTION.to_owned()).or_insert_with(|| vec![description]);
    }
    let attributes = kept(Some(attributes), wanted);
    Ok(Node { group: Group { id, name, path, parent, attributes, members: Vec::new() }, given, more })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_groups_own_description_counts_as_the_attribute_of_this_name() {
        let described = |own: Option<&str>, attribute: Option<&str>| {
            let group = GroupRepresentation {
                id: Some("1".into()),
                name: Some("a".into()),
                description: own.map(Into::into),
                attributes: attribute.map(|text| [(DESCRIPTION.into(), vec![text.into()])].into()),
                ..GroupRepresentation::default()
            };
            let node = node(group, None, &[DESCRIPTION.into()].into()).unwrap();
            node.group.attributes.values(DESCRIPTION).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(described(Some("own"), None), ["own"]);
        assert_eq!(described(Some("own"), Some("attribute")), ["attribute"]);
        assert!(described(None, None).is_empty());
    }
}
