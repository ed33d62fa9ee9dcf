//! The members of one group.

use crosswalk_reconcile::Keyed;

use super::calls::{Asked, Calls};
use super::groups::gone;
use super::proof::{Unproven, listed};

/// All that is kept of a member.
struct Member(Box<str>);

impl Keyed for Member {
    fn key(&self) -> &str {
        &self.0
    }
}

/// The ids of the group's direct members, in the order of their usernames.
///
/// # Errors
/// A request's, or a page came twice.
pub(super) async fn read(calls: &Calls, group: &str) -> Result<Vec<Box<str>>, Unproven> {
    let page = async |first, max| {
        let members = calls.members(group, first, max).await.map_err(gone)?.into_iter();
        let ids = members.map(|member| member.id.ok_or_else(|| Calls::lacks(Asked::Members, "their ids")));
        Ok(ids.map(|id| id.map(|id| Member(id.into()))).collect::<Result<_, _>>()?)
    };
    let members = listed(calls.settings().page_size, page).await?;
    Ok(members.into_iter().map(|Member(id)| id).collect())
}
