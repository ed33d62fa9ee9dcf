//! A stand-in for Keycloak's Admin REST API, as far as users and groups are read through it. It is not Keycloak.
//!
//! As in Keycloak 26:
//! - a token by `client_credentials` with client id and secret, which expires; unknown or expired ones get 401;
//! - `GET users`: `first`, `max` (default 100, `-1` is all), `briefRepresentation`; by username; service accounts left out;
//!   `GET users/count`: a bare integer;
//! - `GET groups`: the top level only, by name; brief by default, which is without attributes; `subGroups` always empty;
//!   `GET groups/count`: nested ones counted; `GET groups/{id}/children`: `max` defaults to 10; `GET groups/{id}/members`:
//!   `max` defaults to 100, direct members only, service accounts among them.
//!
//! Stricter than Keycloak: a parameter that the stand-in does not know is a 400. Not here: searches and filters, roles
//! (see [`Faults::blind`] and [`Faults::forbidden`]), user profiles, writes, and Keycloak's slowness.
//!
//! ```
//! use crosswalk_stand_ins::keycloak::{GroupSpec, KeycloakStandIn, RealmSpec, UserSpec};
//!
//! let realm = RealmSpec::new("people")
//!     .user(UserSpec::new("ada").email("ada@example.org").name("Ada", "Lovelace").attribute("department", "Research"))
//!     .group(GroupSpec::new("engineering").child(GroupSpec::new("platform").members(["ada"])));
//! let keycloak = KeycloakStandIn::start(realm)?;
//! assert!(keycloak.url().starts_with("http://127.0.0.1:"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod faults;
mod realm;
mod routes;
mod served;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::time::Instant;

pub use faults::{Between, Cut, Every, Faults, Kind};
pub use realm::{GroupSpec, PlacedGroup, RealmSpec, UserSpec};

use crate::server::{Gauge, Server};
use served::Served;

/// A running stand-in for Keycloak. Dropping it stops it.
#[derive(Debug)]
pub struct KeycloakStandIn {
    server: Server,
    shared: Arc<Shared>,
}

/// How many requests of each kind came.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requests(BTreeMap<Kind, u64>);

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    gauge: Gauge,
}

#[derive(Debug)]
struct State {
    realm: Arc<Served>,
    faults: Faults,
    /// When each token ends, and how often it was used.
    tokens: HashMap<String, (Instant, u32)>,
    tokens_given: u64,
    requests: Requests,
}

impl KeycloakStandIn {
    /// Serves a realm.
    ///
    /// # Errors
    /// No port or no thread is to be had.
    pub fn start(realm: RealmSpec) -> anyhow::Result<Self> {
        let state = State {
            realm: Arc::new(Served::new(realm)),
            faults: Faults::default(),
            tokens: HashMap::new(),
            tokens_given: 0,
            requests: Requests::default(),
        };
        let shared = Arc::new(Shared { state: Mutex::new(state), gauge: Gauge::default() });
        let server = Server::start("stand-in-keycloak", routes::router(Arc::clone(&shared)))?;
        Ok(Self { server, shared })
    }

    /// What `KEYCLOAK_BASE_URL` is to be: `http://127.0.0.1:<port>`.
    pub fn url(&self) -> &str {
        self.server.url()
    }

    /// The settings of the people export that lead here.
    pub fn settings(&self) -> [(&'static str, String); 4] {
        let realm = self.realm();
        [
            ("KEYCLOAK_BASE_URL", self.url().to_owned()),
            ("KEYCLOAK_REALM", realm.name),
            ("KEYCLOAK_CLIENT_ID", realm.client_id),
            ("KEYCLOAK_CLIENT_SECRET", realm.client_secret),
        ]
    }

    /// The realm as it stands.
    pub fn realm(&self) -> RealmSpec {
        let realm = Arc::clone(&self.shared.state().realm);
        realm.spec.clone()
    }

    /// Changes the realm.
    pub fn change(&self, change: impl FnOnce(&mut RealmSpec)) {
        self.shared.state().change(change);
    }

    /// Sets what goes wrong from now on.
    pub fn fail(&self, faults: Faults) {
        self.shared.state().faults = faults;
    }

    /// Forgets all tokens: the next request with one gets 401.
    pub fn forget_tokens(&self) {
        self.shared.state().tokens.clear();
    }

    /// The requests since the start, or since they were last forgotten.
    pub fn requests(&self) -> Requests {
        self.shared.state().requests.clone()
    }

    /// The most requests that were under way at once.
    pub fn most_at_once(&self) -> usize {
        self.shared.gauge.most()
    }

    /// Forgets the requests that were counted.
    pub fn forget_requests(&self) {
        self.shared.state().requests = Requests::default();
        self.shared.gauge.reset();
    }

    /// Stops it; a drop does the same.
    pub fn stop(self) {}
}

impl Requests {
    /// Of one kind.
    pub fn of(&self, kind: Kind) -> u64 {
        self.0.get(&kind).copied().unwrap_or(0)
    }

    /// Of all kinds.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    fn add(&mut self, kind: Kind) {
        *self.0.entry(kind).or_default() += 1;
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn change(&mut self, change: impl FnOnce(&mut RealmSpec)) {
        let mut spec = self.realm.spec.clone();
        change(&mut spec);
        self.realm = Arc::new(Served::new(spec));
    }
}
