//! A stand-in for LabArchives, as far as a person signs in there for an application and the application learns their id. It is
//! not LabArchives.
//!
//! As documented:
//! - `GET /api_user_login?redirect_uri&akid&expires&sig`: a page to sign in with e-mail and password. `sig` is the base64 of
//!   HMAC(access password, akid + redirect_uri + expires), with SHA-512 or, by [`LabArchivesStandIn::sign_with`], SHA-1; `expires`
//!   is in milliseconds, not past, and at most five minutes (and a minute for clocks that differ) ahead;
//! - the way back: `redirect_uri?auth_code=…&email=…`, or `redirect_uri?error=…` for who cancels;
//! - `GET /api/users/user_access_info?login_or_email&password&akid&expires&sig`, signed with `user_access_info` in place of the
//!   redirect_uri: who gave the password, or the auth_code in its place, as XML; else 400 and the XML of an error: 4506 akid,
//!   4514 login, 4520 signature;
//! - `GET /api/utilities/epoch_time`: the time, in milliseconds.
//!
//! Not documented, and so the strictest that LabArchives may be: an auth_code can be exchanged once, for [`CODE_LASTS`], by the
//! akid and with the e-mail that it was given for; the way back is `redirect_uri` and `?`, whatever `redirect_uri` holds; an
//! answer repeats the request in `<request>`, as third parties saw it; `expires` that does not do is 4520; the text of `error`.
//!
//! Not here: everything else, sessions, and LabArchives' limits and slowness.

mod faults;
mod pages;
mod routes;
mod signatures;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use jiff::{SignedDuration, Timestamp};

pub use faults::{Fault, Faults};
pub use signatures::Hash;

use crate::server::Server;

/// The access key id that is taken.
pub const AKID: &str = "stand_in_akid";
/// Its access password.
pub const ACCESS_PASSWORD: &str = "stand-in-access-password";
/// How long an auth_code can be exchanged. LabArchives' own time is not documented.
pub const CODE_LASTS: SignedDuration = SignedDuration::from_mins(5);

/// A running stand-in for LabArchives. Dropping it stops it.
#[derive(Debug)]
pub struct LabArchivesStandIn {
    server: Server,
    shared: Arc<Shared>,
}

/// A person's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountSpec {
    /// What LabArchives calls the person's uid.
    pub uid: String,
    /// What they sign in with.
    pub email: String,
    /// Their password.
    pub password: String,
    /// Their whole name.
    pub name: String,
}

/// How often it was asked since the counts were last taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Pages to sign in.
    pub pages: usize,
    /// Requests of whatever kind that were refused.
    pub refused: usize,
    /// Who signed in and was sent back with a code.
    pub codes: usize,
    /// Requests for `user_access_info`.
    pub asked: usize,
    /// Codes that were taken.
    pub exchanged: usize,
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The path.
    pub path: String,
    /// The query's parameters, decoded.
    pub query: Vec<(String, String)>,
    /// Which page led here, if the browser says so.
    pub referer: Option<String>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    accounts: Vec<AccountSpec>,
    hash: Hash,
    faults: Faults,
    codes: HashMap<String, Code>,
    counts: Counts,
    asked: Vec<Asked>,
    /// How far its clock is ahead.
    ahead: SignedDuration,
}

/// An auth_code that was given.
#[derive(Debug)]
struct Code {
    account: AccountSpec,
    ends_at: Timestamp,
    taken: bool,
}

impl LabArchivesStandIn {
    /// Serves these accounts.
    ///
    /// # Errors
    /// No port or no thread is to be had.
    pub fn start(accounts: Vec<AccountSpec>) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared { state: Mutex::new(State { accounts, ..State::default() }) });
        let server = Server::start("stand-in-labarchives", routes::router(Arc::clone(&shared)))?;
        Ok(Self { server, shared })
    }

    /// The same stand-in, for a server of the caller's, such as one over TLS. There [`Fault::BreakBefore`] and
    /// [`Fault::BreakAfter`] are empty answers.
    pub fn router(&self) -> Router {
        routes::router(Arc::clone(&self.shared))
    }

    /// What `LABARCHIVES_URL` is to be: `http://127.0.0.1:<port>`.
    pub fn url(&self) -> &str {
        self.server.url()
    }

    /// The settings of the registration that lead here.
    pub fn settings(&self) -> [(&'static str, String); 3] {
        [
            ("LABARCHIVES_URL", self.url().to_owned()),
            ("LABARCHIVES_AKID", AKID.to_owned()),
            ("LABARCHIVES_ACCESS_PASSWORD", ACCESS_PASSWORD.to_owned()),
        ]
    }

    /// Changes how requests must be signed; SHA-512 at first.
    pub fn sign_with(&self, hash: Hash) {
        self.shared.state().hash = hash;
    }

    /// Sets what goes wrong from now on.
    pub fn fail(&self, faults: Faults) {
        self.shared.state().faults = faults;
    }

    /// Lets time pass.
    pub fn forward(&self, by: SignedDuration) {
        self.shared.state().ahead += by;
    }

    /// Counts since this was last called.
    pub fn take_counts(&self) -> Counts {
        std::mem::take(&mut self.shared.state().counts)
    }

    /// What was asked since this was last called.
    pub fn take_asked(&self) -> Vec<Asked> {
        std::mem::take(&mut self.shared.state().asked)
    }
}

impl AccountSpec {
    /// `<name>@example.org`, with a password and a uid of the kind that LabArchives gives.
    pub fn new(name: &str) -> Self {
        Self {
            uid: format!("2854{name}'s|17/42+Example=="),
            email: format!("{name}@example.org"),
            password: format!("{name}-password"),
            name: format!("{name} Example"),
        }
    }
}

impl Asked {
    /// A parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        parameter(&self.query, name)
    }
}

impl State {
    #[expect(clippy::disallowed_methods, reason = "it is another system, with a clock of its own")]
    fn now(&self) -> Timestamp {
        Timestamp::now() + self.ahead
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first of that name.
fn parameter<'a>(parameters: &'a [(String, String)], name: &str) -> Option<&'a str> {
    parameters.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
}
