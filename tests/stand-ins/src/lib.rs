//! Stand-ins for outside systems, for tests, the demo and measurements. **They are not the systems**: each behaves as the
//! system's documentation says, as far as Crosswalk uses it, and each module says what it checks and what it does not.
//!
//! | stand-in | stands for | checks | does not |
//! |---|---|---|---|
//! | [`keycloak::KeycloakStandIn`] | the Admin REST API of Keycloak 26, for reading users and groups | client, token, paths, parameters | search, store, roles; say anything about Keycloak's speed |
//! | [`glean::GleanStandIn`] | Glean's Indexing API for people and teams | token, bodies (strictly), the upload protocol | index, search, process; know Glean's own limits |
//! | [`labarchives::LabArchivesStandIn`] | LabArchives, for signing in and the id of who did | akid, signatures, expiry, codes taken once | notebooks, sessions, everything else |
//! | [`nemo::NemoStandIn`] | NEMO's REST API, for reading users and usage events | token, the permission of each listing | other listings, filters and fields; writes |
//!
//! All listen on loopback, have a thread and a runtime of their own (a server that is started inside a test's runtime
//! dies with it), and stop when they are dropped. All fail on demand: see their `Faults`.

pub mod glean;
pub mod keycloak;
pub mod labarchives;
pub mod nemo;
mod server;
