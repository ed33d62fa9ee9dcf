//! Personal links: whoever holds one may, once and until it ends, say under which id a system knows one person.
//!
//! # The item
//!
//! | item | `pk` | `sk` | holds |
//! |---|---|---|---|
//! | invitation | `INVITATION#<SHA-256 of the token>` | `INVITATION` | `username`, `system`, `invited_by`, `created_at`, `ends_at`, `attempts`, `spent_at`, and for TTL `expires_at` |
//!
//! The token is 256 random bits and stands in the link alone: who reads the table cannot make a link of it. Looking at a
//! link changes nothing, since scanners of mail look at links too; [`Invitations::spend`] is for whoever has done what the
//! link is for. The item outlives its end by [`REMEMBERED`], so that a page can say that a link was used, or has ended.

mod link;
mod settings;
mod token;

use aws_sdk_dynamodb::types::{AttributeValue, Put, Update};
use crosswalk_function_kit::{Clock, Entropy};
use crosswalk_identifier_store::{Calls, Item, ItemKey, StoreError, Table, Written};
use crosswalk_identity::{System, Username, times};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use link::Pages;
pub use settings::{InvitationSettings, SETTINGS};
pub use token::{Token, TokenHash};

/// How long an invitation is remembered after its end.
pub const REMEMBERED: SignedDuration = SignedDuration::from_hours(30 * 24);

/// How often an invitation may be tried. Who comes back from another system brings what they are known by there, and the
/// pages send it on: at LabArchives that is an e-mail and a code, which its API takes for an ordinary login as well. Without
/// an end to it the holder of one link could try passwords of anybody there, under the organisation's access key. Each try
/// needs an attempt of its own, so that this is the most. Nobody who registers needs as many.
pub const MOST_ATTEMPTS: u32 = 20;

const SORT_KEY: &str = "INVITATION";

/// Who made an invitation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InvitedBy {
    /// An administrator, at the command line.
    Administrator,
    /// An audit, in a mail.
    Audit,
    /// The person, signed in to another application.
    Person,
}

/// An invitation, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invitation {
    /// Whose id is asked for.
    pub username: Username,
    /// Whose ids these are.
    pub system: System,
    /// Who made it.
    pub invited_by: InvitedBy,
    /// When it was made.
    #[serde(with = "times")]
    pub created_at: Timestamp,
    /// From when on it no longer holds.
    #[serde(with = "times")]
    pub ends_at: Timestamp,
    /// When it was used.
    #[serde(default, with = "times::optional", skip_serializing_if = "Option::is_none")]
    pub spent_at: Option<Timestamp>,
}

impl Invitation {
    /// Whether it has ended by then. One that was used is another matter.
    pub fn has_ended(&self, now: Timestamp) -> bool {
        self.ends_at <= now
    }
}

/// What became of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tried {
    /// It is counted, and may be made.
    Counted,
    /// There were [`MOST_ATTEMPTS`] already.
    TooOften,
    /// The invitation was used in the meantime.
    Spent,
    /// There is no such invitation.
    Unknown,
}

/// All invitations. Clones share one client.
#[derive(Debug, Clone)]
pub struct Invitations {
    calls: Calls,
    clock: Clock,
    entropy: Entropy,
}

impl Invitations {
    /// Over the table.
    pub fn new(table: Table, clock: Clock, entropy: Entropy) -> Self {
        Self { calls: Calls::new(table, entropy.clone()), clock, entropy }
    }

    /// Makes one that lasts so long. The token is not kept anywhere else.
    ///
    /// # Errors
    /// The store.
    pub async fn invite(
        &self,
        username: &Username,
        system: &System,
        lasts: SignedDuration,
        invited_by: InvitedBy,
    ) -> Result<(Token, Invitation), StoreError> {
        let token = Token::draw(&self.entropy);
        let created_at = self.clock.now();
        let invitation = Invitation {
            username: username.clone(),
            system: system.clone(),
            invited_by,
            created_at,
            ends_at: created_at + lasts,
            spent_at: None,
        };
        let mut item: Item = serde_dynamo::to_item(&invitation).map_err(StoreError::unbuilt)?;
        item.extend(key(&token.hash()).attributes());
        let forgotten = invitation.ends_at + REMEMBERED;
        item.insert(Table::DESCRIPTION.ttl.to_owned(), AttributeValue::N(forgotten.as_second().to_string()));
        let put = Put::builder().table_name(self.calls.table_name()).set_item(Some(item));
        // Without a condition: nobody else draws this token.
        self.calls.put(&put.build().map_err(StoreError::unbuilt)?).await?;
        Ok((token, invitation))
    }

    /// The invitation of a token, used and ended ones too (strongly consistent).
    ///
    /// # Errors
    /// The store.
    pub async fn find(&self, token: &TokenHash) -> Result<Option<Invitation>, StoreError> {
        let key = key(token);
        let Some(item) = self.calls.get(&key).await? else { return Ok(None) };
        let read = serde_dynamo::from_item(item);
        let broken = |error: serde_dynamo::Error| StoreError::Broken { key: key.masked(), reason: error.to_string() };
        read.map(Some).map_err(broken)
    }

    /// Counts a try, before it is made. Of any number of calls no more than [`MOST_ATTEMPTS`] are counted; one whose answer
    /// is lost may count twice.
    ///
    /// # Errors
    /// The store.
    pub async fn try_once(&self, token: &TokenHash) -> Result<Tried, StoreError> {
        let update = Update::builder()
            .table_name(self.calls.table_name())
            .set_key(Some(key(token).attributes()))
            .update_expression("ADD attempts :one")
            .condition_expression(
                "attribute_exists(pk) AND attribute_not_exists(spent_at) AND \
                 (attribute_not_exists(attempts) OR attempts < :most)",
            )
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()))
            .expression_attribute_values(":most", AttributeValue::N(MOST_ATTEMPTS.to_string()));
        let written = self.calls.update(&update.build().map_err(StoreError::unbuilt)?).await?;
        Ok(match written {
            Written::Done => Tried::Counted,
            Written::Refused { standing: None } => Tried::Unknown,
            Written::Refused { standing: Some(item) } if item.contains_key("spent_at") => Tried::Spent,
            Written::Refused { .. } => Tried::TooOften,
        })
    }

    /// Notes that it was used. Says whether this call was the first to.
    ///
    /// # Errors
    /// The store.
    pub async fn spend(&self, token: &TokenHash) -> Result<bool, StoreError> {
        let update = Update::builder()
            .table_name(self.calls.table_name())
            .set_key(Some(key(token).attributes()))
            .update_expression("SET spent_at = :now")
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(spent_at)")
            .expression_attribute_values(":now", AttributeValue::S(times::text(self.clock.now())));
        let written = self.calls.update(&update.build().map_err(StoreError::unbuilt)?).await?;
        Ok(matches!(written, Written::Done))
    }
}

fn key(token: &TokenHash) -> ItemKey {
    ItemKey::new(format!("INVITATION#{token}"), SORT_KEY)
}
