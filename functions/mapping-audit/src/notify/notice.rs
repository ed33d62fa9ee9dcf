//! Who was written to: what keeps several audits, at once or one after the other, from writing to one person twice.
//!
//! | item | `pk` | `sk` | holds |
//! |---|---|---|---|
//! | of a username | `PERSON#<username>` | `NOTICE#mapping-audit` | `sent_at`, `not_before`, `run`, `claim`, and for TTL `expires_at` |
//! | of an address | `ADDRESS#<SHA-256 of the e-mail>` | `NOTICE#mapping-audit` | the same |
//!
//! Those of one mail are written in one transaction, before it is sent, each on condition that no other is standing whose
//! time is not over. So whoever shares a username or an address with someone who was written to is not written to, also if
//! another audit groups them otherwise. An audit that is killed between notice and mail leaves a notice without a mail:
//! rather none than two.

use std::collections::HashSet;

use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, ReturnValuesOnConditionCheckFailure, TransactWriteItem};
use crosswalk_function_kit::{Clock, Entropy};
use crosswalk_identifier_store::{Action, Calls, Item, ItemKey, StoreError, Table, Transacted};
use crosswalk_identity::{Email, Username, times};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use super::address::Letter;

const SORT_KEY: &str = "NOTICE#mapping-audit";
const NOT_BEFORE: &str = "not_before";
const CLAIM: &str = "claim";

/// The notices of all mails. Clones share one client.
#[derive(Debug, Clone)]
pub(crate) struct Notices {
    calls: Calls,
    clock: Clock,
    entropy: Entropy,
}

/// That a letter is ours to send.
#[derive(Debug)]
pub(crate) struct Claim {
    id: String,
    keys: Vec<ItemKey>,
}

impl Notices {
    pub(crate) fn new(table: Table, clock: Clock, entropy: Entropy) -> Self {
        Self { calls: Calls::new(table, entropy.clone()), clock, entropy }
    }

    /// Which of the letters have a notice whose time is not over, by their places. Nothing is written.
    pub(crate) async fn standing(&self, letters: &[Letter]) -> Result<HashSet<usize>, StoreError> {
        let now = times::text(self.clock.now());
        let found = self.calls.get_many(letters.iter().flat_map(keys)).await?;
        let stands = |key: &ItemKey| found.get(key).and_then(not_before).is_some_and(|until| until > now.as_str());
        let places = letters.iter().enumerate().filter(|(_, letter)| keys(letter).any(|key| stands(&key)));
        Ok(places.map(|(place, _)| place).collect())
    }

    /// Notes that a letter is being sent; none if somebody was written to before, or is by another audit.
    pub(crate) async fn claim(
        &self,
        letter: &Letter,
        run: &str,
        silence: SignedDuration,
    ) -> Result<Option<Claim>, StoreError> {
        let now = self.clock.now();
        let not_before = now.checked_add(silence).unwrap_or(Timestamp::MAX);
        let claim = Claim { id: self.entropy.uuid().simple().to_string(), keys: keys(letter).collect() };
        let text = |value: &str| AttributeValue::S(value.to_owned());
        let mut actions = Vec::with_capacity(claim.keys.len());
        for key in &claim.keys {
            let mut item = key.attributes();
            item.insert("sent_at".to_owned(), text(&times::text(now)));
            item.insert(NOT_BEFORE.to_owned(), text(&times::text(not_before)));
            item.insert("run".to_owned(), text(run));
            item.insert(CLAIM.to_owned(), text(&claim.id));
            // A second later than it ends: TTL knows whole seconds only.
            let ends = AttributeValue::N((not_before.as_second() + 1).to_string());
            item.insert(Table::DESCRIPTION.ttl.to_owned(), ends);
            let put = Put::builder()
                .table_name(self.calls.table_name())
                .set_item(Some(item))
                .condition_expression("attribute_not_exists(pk) OR not_before <= :now")
                .expression_attribute_values(":now", text(&times::text(now)))
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
            actions.push(TransactWriteItem::builder().put(put.build().map_err(StoreError::unbuilt)?).build());
        }
        // A repeat after a lost answer carries the same token, so that our own notices are not taken for another's.
        match Box::pin(self.calls.transact(&actions)).await {
            Ok(Transacted::Done) => Ok(Some(claim)),
            Ok(Transacted::Cancelled(answers)) => match answers.into_iter().find_map(invalid) {
                Some(why) => Err(StoreError::Refused(why)),
                None => Ok(None),
            },
            Err(error) => {
                // It may have been done all the same, and no mail follows.
                self.release(claim).await;
                Err(error)
            }
        }
    }

    /// Takes the notices of a mail that was surely not sent away again, as far as they are this claim's. Where that fails they
    /// stay, and the person is written to when their time is over.
    pub(crate) async fn release(&self, claim: Claim) {
        if let Err(error) = self.try_release(&claim).await {
            tracing::warn!(%error, "the notice of a mail that was not sent could not be taken away; it ends by itself");
        }
    }

    async fn try_release(&self, claim: &Claim) -> Result<(), StoreError> {
        let mut actions = Vec::with_capacity(claim.keys.len());
        for key in &claim.keys {
            let delete = Delete::builder()
                .table_name(self.calls.table_name())
                .set_key(Some(key.attributes()))
                .condition_expression("#claim = :claim")
                .expression_attribute_names("#claim", CLAIM)
                .expression_attribute_values(":claim", AttributeValue::S(claim.id.clone()));
            let delete = delete.build().map_err(StoreError::unbuilt)?;
            actions.push(TransactWriteItem::builder().delete(delete).build());
        }
        // Cancelled: they are not ours, or not there.
        Box::pin(self.calls.transact(&actions)).await.map(|_| ())
    }
}

/// Of each username, and of the address.
fn keys(letter: &Letter) -> impl Iterator<Item = ItemKey> {
    letter.usernames.iter().map(of_username).chain([of_address(&letter.email)])
}

fn of_username(username: &Username) -> ItemKey {
    ItemKey::new(format!("PERSON#{}", username.key()), SORT_KEY)
}

fn of_address(email: &Email) -> ItemKey {
    ItemKey::new(format!("ADDRESS#{}", hex::encode(Sha256::digest(email.key()))), SORT_KEY)
}

fn not_before(item: &Item) -> Option<&str> {
    item.get(NOT_BEFORE)?.as_s().ok().map(String::as_str)
}

fn invalid(answer: Action) -> Option<String> {
    match answer {
        Action::Invalid(why) => Some(why),
        Action::Fine | Action::Refused { .. } => None,
    }
}
