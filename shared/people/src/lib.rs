//! People, their roles and e-mails, employers, and the links between them, in DynamoDB.
//!
//! | item | pk | sk |
//! |---|---|---|
//! | person | `PERSON#<username key>` | `PERSON` |
//! | e-mail, of any number of people | `EMAIL#<e-mail key>` | `PERSON#<username key>` |
//! | employer | `EMPLOYER#<fein>` | `EMPLOYER` |
//! | link | `PERSON#<username key>` | `LINK#<fein>` |
//! | its reverse | `EMPLOYER#<fein>` | `ADMINISTRATOR#<username key>` |
//!
//! A person's e-mail item is written and moved in the person's transaction, a link and its reverse in one, so neither ever
//! stands without the other; what is known of a link is kept on the link alone, the reverse only leads to it. Together
//! with the mappings (`MAPPING#<system>`), one partition holds all that is known of a person: [`People::overview`] is one
//! read.
//!
//! **Writes are optimistic**: each item has a `revision`, a write is conditional on the one that was read, and who lost
//! reads again. **Once is twice**: each item bears the mark of its last writer and what the lines of that run did to it
//! ([`crosswalk_identifier_store::RunLines`]), so a repeated row gets its first outcome again and writes nothing.

mod employer;
mod every;
mod integrity;
mod link;
mod overview;
mod person;
mod reads;
mod writes;

use crosswalk_function_kit::{Clock, Entropy};
use crosswalk_identifier_store::{Calls, Table};

pub use employer::Employer;
pub use every::{EveryKnown, Known};
pub use integrity::{BrokenItem, Checked, Fault};
pub use link::Link;
pub use overview::Overview;
pub use person::{EMPLOYER_ROLE, Person};
pub use writes::Kept;

/// People, employers and links. Clones share one client.
#[derive(Clone, Debug)]
pub struct People {
    table: Table,
    calls: Calls,
    clock: Clock,
}

impl People {
    /// Over the table.
    pub fn new(table: Table, clock: Clock, entropy: Entropy) -> Self {
        Self { calls: Calls::new(table.clone(), entropy), table, clock }
    }
}
