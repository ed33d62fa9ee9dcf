//! The six requests that are made, each with all that it asks for.
//!
//! What they give is boxed: the compiler cannot see that such deeply nested futures may be sent between threads.

use futures::FutureExt;
use futures::future::BoxFuture;
use keycloak::KeycloakError;
use keycloak::types::{GroupRepresentation, UserRepresentation};

use super::calls::{Asked, CallError, Calls};

/// A request's answer.
pub(super) type Called<'a, T> = BoxFuture<'a, Result<T, CallError>>;

impl Calls {
    /// How many users there are, without service accounts.
    pub(super) fn users_count(&self) -> Called<'_, u64> {
        let realm = &*self.settings().realm;
        let count = self.call(Asked::Users, move |admin| {
            let none = || None;
            async move {
                admin
                    .realm_users_count_get(
                        realm,
                        none(), // createdAfter
                        none(), // createdBefore
                        none(), // email
                        None,   // emailVerified
                        None,   // enabled
                        None,   // exact
                        none(), // firstName
                        none(), // idpAlias
                        none(), // idpUserId
                        none(), // lastName
                        none(), // q
                        none(), // search
                        none(), // username
                    )
                    .await
            }
            .boxed()
        });
        async move { Ok(count.await?.max(0) as u64) }.boxed()
    }

    /// Users with their attributes, by username; at most `max` from `first` on.
    pub(super) fn users(&self, first: i32, max: i32) -> Called<'_, Vec<UserRepresentation>> {
        let realm = &*self.settings().realm;
        self.call(Asked::Users, move |admin| {
            let none = || None;
            async move {
                admin
                    .realm_users_get(
                        realm,
                        Some(false), // briefRepresentation
                        none(),      // createdAfter
                        none(),      // createdBefore
                        none(),      // email
                        None,        // emailVerified
                        None,        // enabled
                        None,        // exact
                        Some(first),
                        none(), // firstName
                        none(), // idpAlias
                        none(), // idpUserId
                        none(), // lastName
                        Some(max),
                        none(), // q
                        none(), // search
                        none(), // username
                    )
                    .await
            }
            .boxed()
        })
    }

    /// How many groups there are, nested ones included.
    pub(super) fn groups_count(&self) -> Called<'_, u64> {
        let realm = &*self.settings().realm;
        let counts = self.call(Asked::Groups, move |admin| {
            async move { admin.realm_groups_count_get(realm, None, None).await }.boxed()
        });
        async move {
            let count = counts.await?.get("count").copied();
            Ok(count.ok_or_else(|| Calls::lacks(Asked::Groups, "their count"))?.max(0) as u64)
        }
        .boxed()
    }

    /// Groups at the top, with attributes. `subGroupsCount` spares the question for children where there are none; the
    /// hierarchy is not asked for, as it would come without a page's limit.
    pub(super) fn groups(&self, first: i32, max: i32) -> Called<'_, Vec<GroupRepresentation>> {
        let realm = &*self.settings().realm;
        self.call(Asked::Groups, move |admin| {
            let (brief, exact, hierarchy, query, search, counts) =
                (Some(false), None, Some(false), None, None, Some(true));
            async move {
                admin
                    .realm_groups_get(realm, brief, exact, Some(first), Some(max), hierarchy, query, search, counts)
                    .await
            }
            .boxed()
        })
    }

    /// A group's children, with attributes.
    pub(super) fn children<'a>(&'a self, group: &'a str, first: i32, max: i32) -> Called<'a, Vec<GroupRepresentation>> {
        let realm = &*self.settings().realm;
        self.call(Asked::Children, move |admin| {
            let (brief, exact, first, max, search, counts) =
                (Some(false), None, Some(first), Some(max), None, Some(true));
            async move {
                let children = admin
                    .realm_groups_with_group_id_children_get(realm, group, brief, exact, first, max, search, counts);
                match children.await {
                    // Servers before 23 give the whole tree at once, and have no such listing. Whether it was whole is
                    // shown by the count.
                    Err(KeycloakError::HttpFailure { status: 405, .. }) => Ok(Vec::new()),
                    other => other,
                }
            }
            .boxed()
        })
    }

    /// A group's direct members, by username, without their attributes.
    pub(super) fn members<'a>(&'a self, group: &'a str, first: i32, max: i32) -> Called<'a, Vec<UserRepresentation>> {
        let realm = &*self.settings().realm;
        self.call(Asked::Members, move |admin| {
            async move {
                admin.realm_groups_with_group_id_members_get(realm, group, Some(true), Some(first), Some(max)).await
            }
            .boxed()
        })
    }
}
