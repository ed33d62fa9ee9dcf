//! What PostgreSQL's refusals mean, in words that hold no value: its own messages may.

use std::borrow::Cow;

use sqlx::error::DatabaseError;

use crate::target::Failure;

/// Why a transaction did not come about.
#[derive(Debug)]
pub(super) enum Fault {
    /// A row of it is bad.
    Row(Failure),
    /// Somebody else's transaction was in the way.
    Busy(Failure),
    /// Nothing more can be done.
    Lost(String),
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        let sqlx::Error::Database(refusal) = &error else { return Self::Lost(told(&error)) };
        let code = refusal.code().unwrap_or_default();
        match &*code {
            "23505" => Self::Row(Failure { conflict: true, account: None, reason: taken(&**refusal) }),
            // Lock not available, deadlock, could not serialize.
            "55P03" | "40P01" | "40001" => {
                Self::Busy(failed("another transaction of the database is in the way; the next run tries again"))
            }
            // Bad data, a constraint, a view's check, a row that is too large, a trigger's refusal.
            _ if ["22", "23", "44", "54", "P0"].contains(&code.get(..2).unwrap_or_default()) => {
                Self::Row(failed(refused(&**refusal, &code)))
            }
            _ => Self::Lost(told(&error)),
        }
    }
}

/// An error on the way, not another account.
pub(super) fn failed(reason: impl Into<Cow<'static, str>>) -> Failure {
    Failure { conflict: false, account: None, reason: reason.into() }
}

/// The constraints' names are SQLAlchemy's: `uq_accounts_user_email`, or PostgreSQL's own: `accounts_user_email_key`.
fn taken(refusal: &dyn DatabaseError) -> Cow<'static, str> {
    match refusal.constraint() {
        Some(name) if name.contains("email") => "the e-mail is held by another account".into(),
        Some(name) if name.contains("username") => "the username is held by another account".into(),
        name => format!("a value is held by another account ({})", name.unwrap_or("constraint without a name")).into(),
    }
}

fn refused(refusal: &dyn DatabaseError, code: &str) -> Cow<'static, str> {
    match code {
        "22001" => "a value is longer than its column in Invenio's database".into(),
        "22021" | "22P05" => "a value holds a character that Invenio's database cannot store".into(),
        "23503" => format!(
            "rows of the table {} belong to the account, so it cannot be deleted: take them away in Invenio",
            refusal.table().unwrap_or("of another module")
        )
        .into(),
        _ => match refusal.constraint() {
            Some(name) => format!("Invenio's database refuses it (SQLSTATE {code}, constraint {name})").into(),
            None => format!("Invenio's database refuses it (SQLSTATE {code})").into(),
        },
    }
}

/// An error that has to do with the server and not with rows, for people. A message of PostgreSQL is repeated only where its
/// class is about the server, the connection or rights.
pub(super) fn told(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(refusal) => {
            let code = refusal.code().unwrap_or_default();
            match code.get(..2) {
                Some("08" | "25" | "28" | "3D" | "42" | "53" | "57" | "58") => {
                    format!("{} (SQLSTATE {code})", refusal.message())
                }
                _ => format!("SQLSTATE {code}"),
            }
        }
        error => error.to_string(),
    }
}
