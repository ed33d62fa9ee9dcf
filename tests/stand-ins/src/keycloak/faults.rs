//! What the stand-in does wrong on demand.

use std::time::Duration;

use super::realm::RealmSpec;

/// The kinds of requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The token endpoint.
    Token,
    /// `users`.
    Users,
    /// `users/count`.
    UsersCount,
    /// `groups`.
    Groups,
    /// `groups/count`.
    GroupsCount,
    /// `groups/{id}/children`.
    Children,
    /// `groups/{id}/members`.
    Members,
    /// Anything else: always a mistake.
    Other,
}

/// What the stand-in does wrong, until it is told otherwise. The default is nothing.
#[derive(Debug, Default)]
pub struct Faults {
    /// Every k-th place (k at least 2) of the listing of users holds one that is filtered out after paging and counted
    /// nowhere, so that pages are short before the end.
    pub short_pages: Option<usize>,
    /// These pages break off in the middle of their body.
    pub cut: Option<Cut>,
    /// `users` gives its first page whatever was asked for.
    pub repeat_first_page: bool,
    /// `users/count` is off by so many.
    pub count_off_by: i64,
    /// The token's client has `query-users` and `query-groups` in place of `view-users`: listings are empty, with status
    /// 200, while counts are those of the whole realm.
    pub blind: bool,
    /// Everything but the token is refused with 403.
    pub forbidden: bool,
    /// So many of the next requests are answered 401, and their tokens are forgotten.
    pub unauthorized: u32,
    /// A token is forgotten after so many uses, as one that has ended.
    pub token_uses: Option<u32>,
    /// Every k-th request, tokens included, gets a status instead of its answer.
    pub every: Option<Every>,
    /// Each request waits so long before it is answered.
    pub latency: Duration,
    /// After a page of users has been made, the realm changes.
    pub between_pages: Vec<Between>,
}

/// Pages that break off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cut {
    /// Of these requests.
    pub kind: Kind,
    /// Those that were asked for this place of the listing, from 0: of pages of 100, place 250 is on the third. (Pages may
    /// overlap, so they have no numbers of their own.)
    pub place: usize,
    /// So many times; each time without a number.
    pub times: Option<u32>,
}

/// A status every k-th request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Every {
    /// How often: 3 means the third, the sixth, …
    pub kth: u64,
    /// Such as 429 or 503.
    pub status: u16,
    /// `Retry-After`, in seconds.
    pub retry_after: Option<u32>,
}

/// A change of the realm while it is read. It is made once.
pub struct Between {
    /// After a page of users that was asked for this place of the listing, from 0.
    pub place: usize,
    /// The change.
    pub change: Box<dyn FnOnce(&mut RealmSpec) + Send>,
}

impl Between {
    /// A change after the page with this place.
    pub fn new(place: usize, change: impl FnOnce(&mut RealmSpec) + Send + 'static) -> Self {
        Self { place, change: Box::new(change) }
    }
}

impl std::fmt::Debug for Between {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Between(place {})", self.place)
    }
}
