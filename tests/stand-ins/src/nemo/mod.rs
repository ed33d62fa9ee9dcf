//! A stand-in for NEMO's REST API, as far as users and usage events are read through it. It is not NEMO.
//!
//! As in NEMO 8.1.5:
//! - `Authorization: Token <key>`: without one, or with a wrong one, 401 (403 by [`Faults::denies_with_403`], as where other
//!   ways to log in come first); without the permission of the listing 403;
//! - `GET /api/users/` and `/api/usage_events/`: a bare array, or with `page_size` an object of `count`, `next`, `previous`
//!   and `results`; past the end 404; `fields` picks fields;
//! - **a parameter that is not known is ignored**, and so is `ordering`; `start__gte` of usage events is known, and 400
//!   where it is no time;
//! - users stand by first name, usage events by start, the latest first. **Who has the same first name stands in an order
//!   that differs from page to page**, so that a reader may see one twice and miss another. (What PostgreSQL really does with
//!   equal keys is less regular than here.)
//!
//! Not here: all other listings, filters and fields, writes, and NEMO's slowness.

mod routes;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use crate::server::Server;

/// A running stand-in for NEMO. Dropping it stops it.
#[derive(Debug)]
pub struct NemoStandIn {
    server: Server,
    shared: Arc<Shared>,
}

/// A user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserSpec {
    /// Unique.
    pub id: u64,
    /// Unique, but for case.
    pub username: String,
    /// Not unique; users stand by it.
    pub first_name: String,
    /// Not unique; may be empty.
    pub email: String,
    /// Whether they may use NEMO.
    pub is_active: bool,
}

/// A use of a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSpec {
    /// Unique.
    pub id: u64,
    /// When it began.
    pub start: Timestamp,
    /// Who used it.
    pub user: u64,
    /// Who worked it.
    pub operator: u64,
}

/// What goes wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    /// These listings, by their path's word, may not be read.
    pub forbidden: BTreeSet<&'static str>,
    /// A token that does not do gives 403 and not 401.
    pub denies_with_403: bool,
    /// Pages lack somebody whom the count has, always.
    pub short: bool,
    /// The bare array lacks somebody too.
    pub short_whole: bool,
    /// `start__gte` is ignored: NEMO's filters are not switched on.
    pub unfiltered: bool,
    /// So many requests get 503 first.
    pub busy: u32,
    /// From the request of this number on, connections break without an answer.
    pub broken_from: Option<usize>,
    /// Equal first names stand in one and the same order on all pages.
    pub stable: bool,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    users: Vec<UserSpec>,
    events: Vec<EventSpec>,
    faults: Faults,
    /// Paths with their queries, as they came.
    requests: Vec<String>,
}

/// The token that is taken.
pub const TOKEN: &str = "stand-in-nemo-token";

impl NemoStandIn {
    /// Serves these users, and no usage event.
    ///
    /// # Errors
    /// No port or no thread is to be had.
    pub fn start(users: Vec<UserSpec>) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared { state: Mutex::new(State { users, ..State::default() }) });
        let server = Server::start("stand-in-nemo", routes::router(Arc::clone(&shared)))?;
        Ok(Self { server, shared })
    }

    /// What `NEMO_URL` is to be: `http://127.0.0.1:<port>`.
    pub fn url(&self) -> &str {
        self.server.url()
    }

    /// The settings of the harvest that lead here.
    pub fn settings(&self) -> [(&'static str, String); 2] {
        [("NEMO_URL", self.url().to_owned()), ("NEMO_TOKEN", TOKEN.to_owned())]
    }

    /// Changes users and usage events.
    pub fn change(&self, change: impl FnOnce(&mut Vec<UserSpec>, &mut Vec<EventSpec>)) {
        let State { users, events, .. } = &mut *self.shared.state();
        change(users, events);
    }

    /// Sets what goes wrong from now on.
    pub fn fail(&self, faults: Faults) {
        self.shared.state().faults = faults;
    }

    /// The paths and queries of the requests since they were last taken.
    pub fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.state().requests)
    }
}

impl UserSpec {
    /// An active user with an e-mail of example.org.
    pub fn new(id: u64, username: &str) -> Self {
        let email = format!("{}@example.org", username.to_lowercase().replace('@', "."));
        Self { id, username: username.to_owned(), first_name: "Ada".to_owned(), email, is_active: true }
    }

    /// With another e-mail.
    #[must_use]
    pub fn email(self, email: &str) -> Self {
        Self { email: email.to_owned(), ..self }
    }

    /// Who may not use NEMO any more.
    #[must_use]
    pub fn inactive(self) -> Self {
        Self { is_active: false, ..self }
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
