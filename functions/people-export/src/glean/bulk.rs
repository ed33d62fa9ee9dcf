//! The bulk way: all people or all teams, in pages, under one upload id.

use serde::Serialize;

use super::answer::Endpoint;
use super::client::{Request, Untaken};
use super::pages::{MOST_BYTES, Pages};
use super::types::{Employee, Team};
use super::{Confirm, Glean, SendError, UploadOptions};

/// `BulkIndexEmployeesRequest`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct PeoplePage<'a> {
    #[serde(flatten)]
    flags: Flags<'a>,
    /// Only with `isLastPage`.
    #[serde(skip_serializing_if = "is_false")]
    disable_stale_data_deletion_check: bool,
    employees: &'a [Employee],
}

/// `BulkIndexTeamsRequest`, which has no word on stale data.
#[derive(Serialize)]
struct TeamsPage<'a> {
    #[serde(flatten)]
    flags: Flags<'a>,
    teams: &'a [Team],
}

/// `BulkIndexRequest`: what all bulk requests share.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Flags<'a> {
    upload_id: &'a str,
    is_first_page: bool,
    is_last_page: bool,
    /// Only with `isFirstPage`.
    #[serde(skip_serializing_if = "is_false")]
    force_restart_upload: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// What is sent in bulk.
pub(super) trait Item: Serialize + Sized {
    const ENDPOINT: Endpoint;
    /// One of them, in words.
    const WORD: &'static str;

    /// A page's body.
    fn write(into: &mut Vec<u8>, page: &[Self], flags: Flags<'_>, force_stale_deletion: bool)
    -> serde_json::Result<()>;

    /// The people that a page names.
    fn people(page: &[Self]) -> &[Employee];
}

impl Item for Employee {
    const ENDPOINT: Endpoint = Endpoint::BulkPeople;
    const WORD: &'static str = "person";

    fn write(
        into: &mut Vec<u8>,
        page: &[Self],
        flags: Flags<'_>,
        force_stale_deletion: bool,
    ) -> serde_json::Result<()> {
        let disable_stale_data_deletion_check = flags.is_last_page && force_stale_deletion;
        serde_json::to_writer(into, &PeoplePage { flags, disable_stale_data_deletion_check, employees: page })
    }

    fn people(page: &[Self]) -> &[Employee] {
        page
    }
}

impl Item for Team {
    const ENDPOINT: Endpoint = Endpoint::BulkTeams;
    const WORD: &'static str = "team";

    fn write(into: &mut Vec<u8>, page: &[Self], flags: Flags<'_>, _: bool) -> serde_json::Result<()> {
        serde_json::to_writer(into, &TeamsPage { flags, teams: page })
    }

    fn people(_: &[Self]) -> &[Employee] {
        &[]
    }
}

/// Sends all items, a page at a time; only the page that is under way is held as JSON.
pub(super) async fn upload<T: Item>(
    glean: &Glean,
    items: &[T],
    options: UploadOptions,
    confirm: &dyn Confirm,
    watch: &(dyn Fn(u64) + Send + Sync),
) -> Result<(), SendError> {
    if items.is_empty() {
        return Err(SendError::Refused(format!("an upload needs at least one {}", T::WORD)));
    }
    let upload_id = glean.entropy.uuid().to_string();
    let (of, settings) = (items.len(), &glean.client.settings);
    let mut pages =
        Pages::measure(items, around::<T>(&upload_id)?, settings.page_size, settings.page_bytes).map_err(unwritable)?;
    if let Some((at, length)) = pages.too_long(MOST_BYTES) {
        return Err(SendError::Refused(format!(
            "the {} at place {} of {of} takes {length} bytes, and a request holds {MOST_BYTES} at most: nothing was sent",
            T::WORD,
            at + 1
        )));
    }
    let mut from = 0;
    while from < of {
        let page = pages.page(from);
        let is_first_page = from == 0;
        let is_last_page = page.end == of;
        let flags = Flags {
            upload_id: &upload_id,
            is_first_page,
            is_last_page,
            force_restart_upload: is_first_page && options.restart,
        };
        let mut body = Vec::with_capacity(pages.body_length(page.clone()));
        T::write(&mut body, &items[page.clone()], flags, options.force_stale_deletion).map_err(unwritable)?;
        let request = Request {
            endpoint: T::ENDPOINT,
            body: body.into(),
            people: T::people(&items[page.clone()]),
            confirm: is_last_page.then_some(confirm),
        };
        match glean.post(&request).await {
            Ok(()) => {
                from = page.end;
                watch(from as u64);
            }
            Err(Untaken::TooLarge(_)) if pages.halve(page.clone()) => {
                tracing::info!(endpoint = %T::ENDPOINT, items = page.len(), "Glean found a page too large: it is halved");
            }
            Err(Untaken::TooLarge(what)) => {
                return Err(SendError::Refused(format!(
                    "the {} at place {} of {of} is too large, although it was sent alone: {what}",
                    T::WORD,
                    from + 1
                )));
            }
            Err(Untaken::Error(error)) => return Err(error),
        }
    }
    Ok(())
}

/// The length of a body without items, with the longest flags that there may be.
fn around<T: Item>(upload_id: &str) -> Result<usize, SendError> {
    let mut longest = 0;
    for is_first_page in [true, false] {
        for is_last_page in [true, false] {
            let flags = Flags { upload_id, is_first_page, is_last_page, force_restart_upload: is_first_page };
            let mut body = Vec::new();
            T::write(&mut body, &[], flags, true).map_err(unwritable)?;
            longest = longest.max(body.len());
        }
    }
    Ok(longest)
}

fn unwritable(error: serde_json::Error) -> SendError {
    SendError::Refused(format!("a page cannot be written as JSON: {error}"))
}
