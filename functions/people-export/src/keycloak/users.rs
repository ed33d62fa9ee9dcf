//! The realm's users.

use std::collections::BTreeSet;
use std::sync::Arc;

use crosswalk_reconcile::{Complete, Proof, Snapshot};
use futures::{StreamExt, TryStreamExt, stream};
use jiff::Timestamp;
use keycloak::types::{TypeMap, UserRepresentation};

use super::calls::{Asked, CallError, Calls};
use super::progress::Progress;
use super::proof::{Unproven, offset, proven};
use super::{ReadError, Wanted};
use crate::realm::{Attributes, User};

/// Reads all users.
///
/// # Errors
/// See [`ReadError`].
pub(super) async fn read(
    calls: &Calls,
    wanted: &Wanted,
    progress: &Progress<'_>,
) -> Result<Snapshot<Complete, User>, ReadError> {
    proven("users", |last| read_once(calls, &wanted.user_attributes, progress, last)).await
}

/// The pages that the count tells of are read side by side, what comes behind them one by one, to an empty page.
///
/// Paging by offset is no snapshot: whoever is deleted moves those behind him one place forward, past a page that was not
/// read yet, and one who is added at the same time makes up for it in the count. Each of the pages side by side therefore
/// begins with the last user of the one before it; where it does not, all are read again. Only the last read leaves it to
/// the counts, as a realm may never be at rest.
async fn read_once(
    calls: &Calls,
    wanted: &BTreeSet<Arc<str>>,
    progress: &Progress<'_>,
    last: bool,
) -> Result<Snapshot<Complete, User>, Unproven> {
    let size = calls.settings().page_size;
    let before = calls.users_count().await?;
    progress.change(|reading| (reading.users, reading.users_expected) = (0, before));
    let counted = usize::try_from(before).unwrap_or(usize::MAX).div_ceil(size);

    let mut snapshot = Snapshot::default();
    let mut slipped = false;
    let mut previous: Option<Vec<Box<str>>> = None;
    let mut ended = false;
    let spans = (0..counted).map(|at| if at == 0 { (0, size) } else { (at * size - 1, size + 1) });
    let mut pages = stream::iter(spans)
        .map(|(first, max)| async move { Ok::<_, CallError>((max, page(calls, wanted, first, max).await?)) })
        .buffered(calls.settings().connections.max(1));
    while let Some((max, users)) = pages.try_next().await? {
        if let (Some(previous), Some(first)) = (&previous, users.first()) {
            slipped |= !previous.contains(&first.id);
        }
        // Of a page that is not full it is unknown who was left out.
        previous = (users.len() >= max).then(|| users.iter().map(|user| user.id.clone()).collect());
        ended = users.is_empty();
        snapshot.page(users)?;
        progress.change(|reading| reading.users = snapshot.read());
    }
    drop(pages);

    let mut first = counted * size;
    while !ended {
        let users = page(calls, wanted, first, size).await?;
        ended = users.is_empty();
        snapshot.page(users)?;
        progress.change(|reading| reading.users = snapshot.read());
        first += size;
    }
    let after = calls.users_count().await?;

    if snapshot.read() == 0 && (last || before == 0 && after == 0) {
        return Err(calls.shows_none(Asked::Users, before).into());
    }
    if slipped && !last {
        return Err(Unproven::Slipped);
    }
    Ok(snapshot.prove(Proof::Counted { before, after })?)
}

async fn page(calls: &Calls, wanted: &BTreeSet<Arc<str>>, first: usize, max: usize) -> Result<Vec<User>, CallError> {
    let page = calls.users(offset(first), offset(max)).await?;
    page.into_iter().map(|user| user_of(user, wanted)).collect()
}

/// A service account is known by `serviceAccountClientId`. Its username begins with `service-account-`, but so may a
/// person's.
fn user_of(user: UserRepresentation, wanted: &BTreeSet<Arc<str>>) -> Result<User, CallError> {
    let filled = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    Ok(User {
        id: filled(user.id).ok_or_else(|| Calls::lacks(Asked::Users, "their ids"))?.into(),
        username: user.username.ok_or_else(|| Calls::lacks(Asked::Users, "their usernames"))?,
        email: filled(user.email),
        first_name: filled(user.first_name),
        last_name: filled(user.last_name),
        // Every Keycloak tells it. Were it absent, nobody should be taken for one who has left.
        enabled: user.enabled.unwrap_or(true),
        service_account: user.service_account_client_id.is_some(),
        created_at: user.created_timestamp.and_then(|millis| Timestamp::from_millisecond(millis).ok()),
        attributes: kept(user.attributes, wanted),
    })
}

/// The attributes that are wanted.
pub(super) fn kept(attributes: Option<TypeMap<String, Vec<String>>>, wanted: &BTreeSet<Arc<str>>) -> Attributes {
    let Some(mut all) = attributes else { return Attributes::default() };
    let values = wanted.iter().filter_map(|name| Some((name, all.remove(&**name)?)));
    values.flat_map(|(name, values)| values.into_iter().map(|value| (name.clone(), value.into()))).collect()
}
