//! A person links their own LabArchives account, once.
//!
//! A personal link (of `crosswalk_invitations`) leads to a page that says who is about to link what; its button begins an
//! [attempt](Registration) and sends the browser to LabArchives' sign-in; who comes back with the attempt's state in path and
//! cookie, and with a code, gets the mapping username → LabArchives' uid, and the link is spent. `POST /registrations` makes a
//! link for the person whose token it bears.
//!
//! What may come again, late, at once or from elsewhere: viewing a link writes nothing; of parallel returns one takes the
//! attempt, by a conditional write, and exchanges its code; a crash behind that leaves the link unspent, and the person begins
//! again; a mapping that stands is never changed to another account.

mod attempts;
mod callback;
mod cookie;
mod invite;
mod labarchives;
mod link;
mod pages;
mod problem;
mod registration;
mod settings;
mod shield;

pub use crosswalk_http_edge::handle;
pub use labarchives::Hash;
pub use registration::{Registration, router, routes};
pub use settings::{LabArchivesSettings, RegistrationSettings, are_wanted, registered_system, settings};
