//! The words of Crosswalk: usernames, e-mails, systems, external ids, FEINs, mappings and the marks on what is written.
//!
//! Nothing here does I/O. Each identifier is a newtype that can only be made from valid text, so that code behind the edge
//! never checks again, and whose `Debug` is masked, so that no log line holds a person's data by accident.
//!
//! Usernames and e-mails have two forms: the *display* form, as first given (trimmed), and the *key* form by which two
//! spellings are one person: trim → NFC → Unicode lowercase → NFC. External ids are exact: case and form matter.

mod checked;
mod email;
mod external_id;
mod fein;
mod mapping;
mod mark;
mod mask;
mod refusal;
mod system;
mod text;
pub mod times;
mod username;

pub use checked::Checked;
pub use email::Email;
pub use external_id::ExternalId;
pub use fein::Fein;
pub use mapping::Mapping;
pub use mark::{Mark, MarkError};
pub use mask::mask;
pub use refusal::Refusal;
pub use system::{DEFAULT_SYSTEMS, System, Systems, SystemsError};
pub use username::Username;
