//! The mails that were sent: by SES, and Cognito's own invitations.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

use crate::Mail;
use crate::drawer::Drawer;

/// All mails, oldest first.
#[derive(Debug)]
pub(crate) struct Mailbox {
    mails: Mutex<Vec<Mail>>,
    files: Drawer,
}

/// A mail as a file has it.
#[derive(Debug, Serialize, Deserialize)]
struct StoredMail {
    number: usize,
    mail: Mail,
}

impl Mailbox {
    /// Reads what the folder holds, if there is one.
    pub(crate) fn open(folder: Option<&Path>) -> anyhow::Result<Self> {
        let files = Drawer::below(folder, "mails")?;
        let mut stored = files.load::<StoredMail>()?;
        stored.sort_by_key(|stored| stored.number);
        Ok(Self { mails: Mutex::new(stored.into_iter().map(|stored| stored.mail).collect()), files })
    }

    /// Takes a mail; gives its number.
    pub(crate) fn take(&self, mail: Mail) -> usize {
        let mut mails = self.mails.lock().unwrap_or_else(PoisonError::into_inner);
        let stored = StoredMail { number: mails.len(), mail };
        self.files.put(&stored.number.to_string(), &stored);
        mails.push(stored.mail);
        stored.number
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Mail> {
        self.mails.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
