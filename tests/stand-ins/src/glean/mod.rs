//! A stand-in for Glean's Indexing API, as far as people and teams go. It is not Glean: it indexes nothing.
//!
//! It checks each request against Glean's published specification and keeps what was sent:
//! - the bearer token (401) and the content type (415);
//! - each body, read into strict types of its own ([`types`]): required fields, enumerations, formats, no unknown field; a
//!   team has members or a link, and no member twice. A violation is a 400 whose text names the place in the body, and is
//!   kept in [`GleanStandIn::violations`];
//! - the upload protocol: `isFirstPage` first and once an upload id, nothing after `isLastPage`, no empty page, nobody
//!   twice, `forceRestartUpload` only with `isFirstPage`, `disableStaleDataDeletionCheck` only with `isLastPage` and only
//!   for people (400); an upload id that was used before, or a second upload while one is unfinished and not forced: 409;
//! - at the last page, who is not in the upload is deleted: people if they are under 20 % of those who are held or if the
//!   page forces it, teams always. An upload that never ends changes nothing.
//!
//! Where the specification is silent it does this: a page that was taken and comes again as it was is taken again, unless
//! it is a first or a last one (409); a forced first page may have the id of the upload that it discards; `null` and empty
//! texts are refused; deleting what is not there succeeds. Not here: Glean's own limits of rate and size (unless [`Faults`]
//! says so), versions of people and teams, and everything that Glean does with what it was sent.
//!
//! ```
//! use crosswalk_stand_ins::glean::GleanStandIn;
//!
//! let glean = GleanStandIn::start("token")?;
//! assert!(glean.people().is_empty() && glean.violations().is_empty());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod bodies;
mod faults;
mod routes;
mod texts;
pub mod types;
mod uploads;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

pub use faults::{Fault, Faults, Hold, On, Random, Rule, When};
use types::{Person, Team};
use uploads::Uploads;

use crate::server::{Gauge, Server};

/// A running stand-in for Glean. Dropping it stops it.
#[derive(Debug)]
pub struct GleanStandIn {
    server: Server,
    shared: Arc<Shared>,
}

/// A request that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    /// The last part of the path, such as `bulkindexemployees`.
    pub path: String,
    /// When it came, counted from the stand-in's start.
    pub at: Duration,
    /// `uploadId`, if it is a page of an upload.
    pub upload_id: Option<String>,
    /// `isFirstPage`.
    pub first: bool,
    /// `isLastPage`.
    pub last: bool,
    /// `forceRestartUpload`.
    pub restart: bool,
    /// `disableStaleDataDeletionCheck`.
    pub force_stale_deletion: bool,
    /// How many people or teams it holds.
    pub items: usize,
    /// The bytes of its body.
    pub bytes: usize,
    /// What it was answered; none while it is under way, or if its connection was broken.
    pub status: Option<u16>,
}

#[derive(Debug)]
struct Shared {
    token: String,
    started: Instant,
    state: Mutex<State>,
    gauge: Gauge,
    pages: Gauge,
}

#[derive(Debug, Default)]
struct State {
    people: Uploads<Person>,
    teams: Uploads<Team>,
    processed: u64,
    faults: Faults,
    holds: Vec<Arc<faults::Held>>,
    log: Vec<Logged>,
    /// How many entries of the log were forgotten.
    forgotten: usize,
    violations: Vec<String>,
}

impl GleanStandIn {
    /// Serves an empty Glean to whoever has the token.
    ///
    /// # Errors
    /// No port or no thread is to be had.
    pub fn start(token: &str) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared {
            token: token.to_owned(),
            started: Instant::now(),
            state: Mutex::default(),
            gauge: Gauge::default(),
            pages: Gauge::default(),
        });
        let server = Server::start("stand-in-glean", routes::router(Arc::clone(&shared)))?;
        Ok(Self { server, shared })
    }

    /// What `GLEAN_API_URL` is to be: `http://127.0.0.1:<port>`.
    pub fn url(&self) -> &str {
        self.server.url()
    }

    /// The settings of the people export that lead here.
    pub fn settings(&self) -> [(&'static str, String); 2] {
        [("GLEAN_API_URL", self.url().to_owned()), ("GLEAN_API_TOKEN", self.shared.token.clone())]
    }

    /// The people who are held, by their e-mail in lowercase.
    pub fn people(&self) -> BTreeMap<String, Person> {
        self.shared.state().people.held().clone()
    }

    /// The teams that are held, by id.
    pub fn teams(&self) -> BTreeMap<String, Team> {
        self.shared.state().teams.held().clone()
    }

    /// What was sent that the specification forbids, each with its path and its place in the body.
    pub fn violations(&self) -> Vec<String> {
        self.shared.state().violations.clone()
    }

    /// Where the teams that people name and the members that teams name do not agree: a line each. An upload of people and
    /// one of teams, both of one realm, leave none.
    pub fn disagreements(&self) -> Vec<String> {
        let state = self.shared.state();
        let mut by_people = BTreeSet::new();
        for (email, person) in state.people.held() {
            for team in &person.teams {
                let name = team.name.as_str();
                by_people.insert((email.clone(), team.id.as_str().to_owned(), name.to_owned()));
            }
        }
        let mut by_teams = BTreeSet::new();
        for (id, team) in state.teams.held() {
            for member in &team.members {
                let email = member.email.as_str().to_lowercase();
                by_teams.insert((email, id.clone(), team.name.as_str().to_owned()));
            }
        }
        let only = |a: &BTreeSet<(String, String, String)>, b: &BTreeSet<(String, String, String)>, whose: &str| {
            a.difference(b).map(|(email, id, _)| format!("only {whose} that {email} is in {id}")).collect::<Vec<_>>()
        };
        [only(&by_people, &by_teams, "the person says"), only(&by_teams, &by_people, "the team says")].concat()
    }

    /// The requests, in the order in which they came.
    pub fn log(&self) -> Vec<Logged> {
        self.shared.state().log.clone()
    }

    /// Forgets the requests so far; what is held stays.
    pub fn forget_log(&self) {
        let mut state = self.shared.state();
        state.forgotten += state.log.len();
        state.log.clear();
        drop(state);
        self.shared.gauge.reset();
        self.shared.pages.reset();
    }

    /// How many `processallemployeesandteams` were taken.
    pub fn processed(&self) -> u64 {
        self.shared.state().processed
    }

    /// The ids of the uploads of people and of teams that have begun and not ended.
    pub fn unfinished(&self) -> (Option<String>, Option<String>) {
        let state = self.shared.state();
        (state.people.unfinished().map(str::to_owned), state.teams.unfinished().map(str::to_owned))
    }

    /// How many requests are under way: 0 when the stand-in has learned that a client is gone.
    pub fn under_way(&self) -> usize {
        self.shared.gauge.now()
    }

    /// The most requests that were under way at once.
    pub fn most_at_once(&self) -> usize {
        self.shared.gauge.most()
    }

    /// The most pages of uploads that were under way at once.
    pub fn most_pages_at_once(&self) -> usize {
        self.shared.pages.most()
    }

    /// Sets what goes wrong from now on.
    pub fn fail(&self, faults: Faults) {
        self.shared.state().faults = faults;
    }

    /// Holds the requests that fit until the hold is released or dropped.
    pub fn hold(&self, on: On, when: When) -> Hold {
        let hold = Hold::new(on, when);
        let mut state = self.shared.state();
        state.holds.retain(|held| !held.is_over());
        state.holds.push(Arc::clone(&hold.0));
        hold
    }

    /// Stops it; a drop does the same.
    pub fn stop(self) {}
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
