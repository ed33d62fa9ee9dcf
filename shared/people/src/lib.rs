//! People, their roles and e-mails, employers, and the links between them.

use crosswalk_function_kit::{Clock, Entropy};
use crosswalk_identifier_store::{StoreError, Table};
use crosswalk_identity::{Email, Fein, Mark, Username};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The role of a leave administrator.
pub const EMPLOYER_ROLE: &str = "EMPLOYER";

/// A person as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// The canonical name.
    pub username: Username,
    /// The address, if known.
    pub email: Option<Email>,
    /// Sorted.
    pub roles: Vec<String>,
    /// Set while an invitation that was mailed to the person holds; until then.
    pub invited_until: Option<Timestamp>,
    /// When the person was first stored.
    pub created_at: Timestamp,
    /// Who wrote it last.
    pub stored_by: Option<Mark>,
}

/// An employer as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Employer {
    /// Its number.
    pub fein: Fein,
    /// Its name.
    pub name: String,
    /// Its id at FINEOS; registration needs it.
    pub fineos_employer_id: Option<String>,
}

/// That a person acts for an employer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// The person.
    pub username: Username,
    /// The employer.
    pub fein: Fein,
    /// The userID under which the person is or will be registered at FINEOS; fixed before the first call.
    pub fineos_user_id: Option<String>,
    /// The web id that FINEOS confirmed; the registration is done.
    pub fineos_web_id: Option<String>,
}

/// What storing an employer, person or link did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// It was absent.
    Created,
    /// Something differed.
    Updated,
    /// Nothing differed, and nothing was written.
    Unchanged,
}

/// People, employers and links. Clones share one client.
#[derive(Clone, Debug)]
pub struct People {}

impl People {
    /// Over the table.
    pub fn new(_table: Table, _clock: Clock, _entropy: Entropy) -> Self {
        todo!()
    }

    /// The employer of a FEIN (strongly consistent).
    pub async fn employer(&self, _fein: &Fein) -> Result<Option<Employer>, StoreError> {
        todo!()
    }

    /// Makes the employer so. A `fineos_employer_id` of `None` keeps a stored one. A repeat by the same mark gets the
    /// first outcome again.
    pub async fn put_employer(&self, _employer: &Employer, _mark: &Mark) -> Result<Kept, StoreError> {
        todo!()
    }

    /// The person of a username (strongly consistent).
    pub async fn person(&self, _username: &Username) -> Result<Option<Person>, StoreError> {
        todo!()
    }

    /// All people with this e-mail (it is not unique), sorted by username.
    pub async fn people_by_email(&self, _email: &Email) -> Result<Vec<Person>, StoreError> {
        todo!()
    }

    /// Makes sure that a person with this e-mail and this role stands, with the e-mail's item in the same transaction.
    /// Other roles are kept. A repeat by the same mark gets the first outcome again.
    pub async fn ensure_person(
        &self,
        _username: &Username,
        _email: &Email,
        _role: &str,
        _mark: &Mark,
    ) -> Result<Kept, StoreError> {
        todo!()
    }

    /// Makes sure that the link stands (both of its items in one transaction). A repeat by the same mark gets the first
    /// outcome again.
    pub async fn ensure_link(&self, _username: &Username, _fein: &Fein, _mark: &Mark) -> Result<(Kept, Link), StoreError> {
        todo!()
    }

    /// Fixes the FINEOS userID of a link before the first call: `proposed` if none is stored, else the stored one.
    pub async fn fix_fineos_user_id(
        &self,
        _username: &Username,
        _fein: &Fein,
        _proposed: &str,
    ) -> Result<String, StoreError> {
        todo!()
    }

    /// Keeps the confirmed web id on the link.
    pub async fn confirm_fineos(&self, _username: &Username, _fein: &Fein, _web_id: &str, _mark: &Mark) -> Result<(), StoreError> {
        todo!()
    }

    /// The links of a person, by FEIN.
    pub async fn links(&self, _username: &Username) -> Result<Vec<Link>, StoreError> {
        todo!()
    }

    /// The people linked to an employer, by username.
    pub async fn administrators(&self, _fein: &Fein) -> Result<Vec<Link>, StoreError> {
        todo!()
    }
}
