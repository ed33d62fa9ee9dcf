//! NEMO's users and usage events, read through its REST API to a proven end.
//!
//! NEMO orders users by first name, which many share, so that a user may stand on two pages, or on none. So pages are
//! deduplicated by id, and what was read must be as many as NEMO counts, before and after. If it is not, the listing is read
//! once more, unpaged, which is one query of NEMO's database; if it still is not, the read fails, and nothing may be
//! concluded from it.

mod client;
mod records;

use std::fmt;

use crosswalk_function_kit::Deadline;
use crosswalk_function_kit::secrets::Secrets;
use crosswalk_reconcile::{Complete, Incomplete, Keyed, Open, Proof, Snapshot};
use crosswalk_runs::Traffic;
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::settings::NemoSettings;
use client::{Answer, Client, Tally};

pub use records::{UsageEvent, User};

/// What is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listing {
    /// `/api/users/`.
    Users,
    /// `/api/usage_events/`.
    UsageEvents,
}

/// NEMO could not be read, or not to a proven end: why, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ReadError(pub String);

/// A NEMO. Its connections are shared by all runs.
pub struct Nemo {
    client: Client,
}

/// One run's reads.
pub struct Reading<'a> {
    client: &'a Client,
    deadline: Deadline,
    tally: Tally,
    watch: &'a (dyn Fn(Listing, u64) + Send + Sync),
}

/// A page, as `page_size` has it. Without `page_size` NEMO gives the bare array.
#[derive(Deserialize)]
struct Page<T> {
    count: u64,
    next: Option<String>,
    results: Vec<T>,
}

/// Why a read does not do.
enum Unread {
    /// It is not whole: another way may do.
    Incomplete(Incomplete),
    Failed(ReadError),
}

type Query = Vec<(&'static str, String)>;

impl Listing {
    fn path(self) -> &'static str {
        match self {
            Self::Users => "users",
            Self::UsageEvents => "usage_events",
        }
    }

    fn permission(self) -> &'static str {
        match self {
            Self::Users => "NEMO.view_user",
            Self::UsageEvents => "NEMO.view_usageevent",
        }
    }

    /// A tenth of what NEMO has of each; a NEMO that knows no `fields` gives everything, which reads as well.
    fn fields(self) -> &'static str {
        match self {
            Self::Users => "id,username,email,is_active",
            Self::UsageEvents => "id,start,user,operator",
        }
    }
}

impl fmt::Display for Listing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Users => "users",
            Self::UsageEvents => "usage events",
        })
    }
}

impl From<ReadError> for Unread {
    fn from(error: ReadError) -> Self {
        Self::Failed(error)
    }
}

impl From<Incomplete> for Unread {
    fn from(incomplete: Incomplete) -> Self {
        Self::Incomplete(incomplete)
    }
}

impl Nemo {
    /// Nothing is asked yet.
    ///
    /// # Errors
    /// The TLS configuration cannot be built.
    pub fn new(settings: NemoSettings, secrets: Secrets) -> Result<Self, reqwest::Error> {
        Ok(Self { client: Client::new(settings, secrets)? })
    }

    /// Begins to read; `watch` is told how many were read.
    pub fn reading<'a>(&'a self, deadline: Deadline, watch: &'a (dyn Fn(Listing, u64) + Send + Sync)) -> Reading<'a> {
        Reading { client: &self.client, deadline, tally: Tally::default(), watch }
    }
}

impl Reading<'_> {
    /// What was sent so far.
    pub fn traffic(&self) -> Traffic {
        self.tally.traffic()
    }

    /// All users, active or not. There is no filter to them: NEMO ignores one that it does not know, and gives everybody.
    ///
    /// # Errors
    /// NEMO refuses, does not answer, has no user, or could not be read whole.
    pub async fn users(&self) -> Result<Snapshot<Complete, User>, ReadError> {
        self.whole(Listing::Users, &[]).await
    }

    /// All usage events that began at `since` or later.
    ///
    /// # Errors
    /// As [`Self::users`], but that there may be none.
    pub async fn usage_events(&self, since: Timestamp) -> Result<Snapshot<Complete, UsageEvent>, ReadError> {
        // In whole seconds, with `Z`: a `+00:00` in a query would be a space.
        let since = Timestamp::from_second(since.as_second()).unwrap_or(since);
        self.whole(Listing::UsageEvents, &[("start__gte", since.to_string())]).await
    }

    async fn whole<T: Keyed + DeserializeOwned>(
        &self,
        listing: Listing,
        filter: &[(&'static str, String)],
    ) -> Result<Snapshot<Complete, T>, ReadError> {
        let before = self.count(listing, filter).await?;
        let (paged, middle) = match self.pages(listing, filter, before).await {
            Ok(snapshot) => {
                let after = self.count(listing, filter).await?;
                match prove(listing, snapshot, Proof::Counted { before, after }) {
                    Ok(complete) => return Ok(complete),
                    Err(incomplete) => (incomplete, after),
                }
            }
            Err(Unread::Incomplete(incomplete)) => (incomplete, before),
            Err(Unread::Failed(error)) => return Err(error),
        };
        if paged == Incomplete::Empty {
            return Err(incomplete_read(listing, paged));
        }
        tracing::info!(%listing, %paged, "the pages do not hold all, so the listing is read whole");
        let mut snapshot = Snapshot::default();
        let unread = |incomplete| incomplete_read(listing, incomplete);
        snapshot.page(self.unpaged(listing, filter).await?).map_err(unread)?;
        (self.watch)(listing, snapshot.read());
        let after = self.count(listing, filter).await?;
        prove(listing, snapshot, Proof::Counted { before: middle, after }).map_err(unread)
    }

    /// How many NEMO counts.
    async fn count(&self, listing: Listing, filter: &[(&'static str, String)]) -> Result<u64, ReadError> {
        let query = query(&[("fields", "id".to_owned()), ("page_size", "1".to_owned())], filter);
        match self.client.get(listing, &query, self.deadline, &self.tally).await? {
            Answer::Json(body) => Ok(parsed::<Page<serde::de::IgnoredAny>>(listing, &body)?.count),
            Answer::NotFound => Err(absent(listing)),
        }
    }

    async fn pages<T: Keyed + DeserializeOwned>(
        &self,
        listing: Listing,
        filter: &[(&'static str, String)],
        before: u64,
    ) -> Result<Snapshot<Open, T>, Unread> {
        let mut snapshot = Snapshot::default();
        let size = u64::from(self.client.settings().page_size);
        // As many as there are to be, even if the server gives fewer on each than it was asked for, and some more.
        for number in 1..=before + 100 {
            let page = [
                ("fields", listing.fields().to_owned()),
                ("page_size", size.to_string()),
                ("page", number.to_string()),
            ];
            let page = match self.client.get(listing, &query(&page, filter), self.deadline, &self.tally).await? {
                Answer::Json(body) => parsed::<Page<T>>(listing, &body)?,
                // Past the end, which came nearer meanwhile: the count tells whether all were seen.
                Answer::NotFound if number > 1 => break,
                Answer::NotFound => return Err(absent(listing).into()),
            };
            let is_last = page.next.is_none() || page.results.is_empty();
            snapshot.page(page.results)?;
            (self.watch)(listing, snapshot.read());
            if is_last {
                break;
            }
        }
        Ok(snapshot)
    }

    async fn unpaged<T: DeserializeOwned>(
        &self,
        listing: Listing,
        filter: &[(&'static str, String)],
    ) -> Result<Vec<T>, ReadError> {
        let query = query(&[("fields", listing.fields().to_owned())], filter);
        match self.client.get(listing, &query, self.deadline, &self.tally).await? {
            Answer::Json(body) => parsed(listing, &body),
            Answer::NotFound => Err(absent(listing)),
        }
    }
}

fn query(own: &[(&'static str, String)], filter: &[(&'static str, String)]) -> Query {
    own.iter().chain(filter).cloned().collect()
}

fn prove<T: Keyed>(
    listing: Listing,
    snapshot: Snapshot<Open, T>,
    proof: Proof,
) -> Result<Snapshot<Complete, T>, Incomplete> {
    match listing {
        Listing::Users => snapshot.prove(proof),
        Listing::UsageEvents => snapshot.prove_even_empty(proof),
    }
}

fn incomplete_read(listing: Listing, incomplete: Incomplete) -> ReadError {
    ReadError(format!("NEMO's {listing} could not be read whole: {incomplete}. Nothing was concluded; try again"))
}

fn absent(listing: Listing) -> ReadError {
    ReadError(format!(
        "there is no /api/{}/ below NEMO_URL (404): set NEMO_URL to NEMO's root, and have its API switched on (in NEMO's \
         settings, ALLOW_CONDITIONAL_URLS = True)",
        listing.path()
    ))
}

/// The body; where it does not read, without anything that it holds.
fn parsed<T: DeserializeOwned>(listing: Listing, body: &[u8]) -> Result<T, ReadError> {
    let mut json = serde_json::Deserializer::from_slice(body);
    serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.inner();
        ReadError(if inner.is_data() {
            format!(
                "NEMO's answer to a request for {listing} does not read at `{path}`: it is not what NEMO 8 gives; does NEMO_URL \
                 lead to a NEMO, and are its pages switched on (in NEMO's settings, NEMOPageNumberPagination)?"
            )
        } else {
            format!(
                "NEMO's answer to a request for {listing} is not JSON, or was cut short (line {}, column {}); does NEMO_URL \
                 lead to a NEMO?",
                inner.line(),
                inner.column()
            )
        })
    })
}
