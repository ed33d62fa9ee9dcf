//! Attempts: what stands between pressing the button and coming back from LabArchives.
//!
//! | item | `pk` | `sk` | holds |
//! |---|---|---|---|
//! | attempt | `REGISTRATION#<SHA-256 of the state>` | `ATTEMPT` | `invitation` (the hash of its token), `way_back`, `created_at`, `ends_at`, `done_at`, `done_by`, and for TTL `expires_at` |
//!
//! The state is 256 random bits, and stands in the browser's cookie and in the redirect URI alone. Whoever reads the table
//! can make neither a state nor a personal link of an attempt: `way_back` is the link's token under a pad of the state.

use aws_sdk_dynamodb::types::{AttributeValue, Put, Update};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use crosswalk_function_kit::{Clock, Entropy};
use crosswalk_identifier_store::{Calls, Item, ItemKey, StoreError, Table, Written};
use crosswalk_identity::times;
use crosswalk_invitations::{Token, TokenHash};
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How long an attempt holds: LabArchives' sign-in page waits five minutes for its visitor, who then needs some more.
pub(crate) const HOLDS: SignedDuration = SignedDuration::from_mins(15);
/// How long it is remembered after its end, so that a page can say what became of it.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);

const SORT_KEY: &str = "ATTEMPT";

/// An attempt, as stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attempt {
    invitation: String,
    way_back: String,
    #[serde(with = "times")]
    created_at: Timestamp,
    #[serde(with = "times")]
    ends_at: Timestamp,
    /// When somebody came back with it, whatever became of that.
    #[serde(default, with = "times::optional", skip_serializing_if = "Option::is_none")]
    done_at: Option<Timestamp>,
}

/// All attempts. Clones share one client.
#[derive(Debug, Clone)]
pub(crate) struct Attempts {
    calls: Calls,
    clock: Clock,
    entropy: Entropy,
}

impl Attempt {
    /// The invitation that it is made with.
    pub(crate) fn invitation(&self) -> Option<TokenHash> {
        TokenHash::parse(&self.invitation)
    }

    /// The token of the personal link, for whoever has the state.
    pub(crate) fn way_back(&self, state: &Token) -> Option<Token> {
        let padded = BASE64_URL_SAFE_NO_PAD.decode(&self.way_back).ok()?;
        let token = Token::parse(&BASE64_URL_SAFE_NO_PAD.encode(under_pad(&padded, state)))?;
        (token.hash().as_str() == self.invitation).then_some(token)
    }

    pub(crate) fn is_done(&self) -> bool {
        self.done_at.is_some()
    }

    pub(crate) fn has_ended(&self, now: Timestamp) -> bool {
        self.ends_at <= now
    }
}

impl Attempts {
    pub(crate) fn new(table: Table, clock: Clock, entropy: Entropy) -> Self {
        Self { calls: Calls::new(table, entropy.clone()), clock, entropy }
    }

    #[cfg(test)]
    pub(crate) fn over(calls: Calls, clock: Clock, entropy: Entropy) -> Self {
        Self { calls, clock, entropy }
    }

    /// Makes one, and gives its state, which is not kept anywhere else.
    pub(crate) async fn begin(&self, token: &Token) -> Result<Token, StoreError> {
        let state = Token::draw(&self.entropy);
        let created_at = self.clock.now();
        let bytes = BASE64_URL_SAFE_NO_PAD.decode(token.expose()).map_err(StoreError::unbuilt)?;
        let attempt = Attempt {
            invitation: token.hash().as_str().to_owned(),
            way_back: BASE64_URL_SAFE_NO_PAD.encode(under_pad(&bytes, &state)),
            created_at,
            ends_at: created_at + HOLDS,
            done_at: None,
        };
        let mut item: Item = serde_dynamo::to_item(&attempt).map_err(StoreError::unbuilt)?;
        item.extend(key(&state.hash()).attributes());
        let forgotten = attempt.ends_at + REMEMBERED;
        item.insert(Table::DESCRIPTION.ttl.to_owned(), AttributeValue::N(forgotten.as_second().to_string()));
        let put = Put::builder().table_name(self.calls.table_name()).set_item(Some(item));
        // Without a condition: nobody else draws this state.
        self.calls.put(&put.build().map_err(StoreError::unbuilt)?).await?;
        Ok(state)
    }

    /// The attempt of a state, done and ended ones too (strongly consistent).
    pub(crate) async fn find(&self, state: &TokenHash) -> Result<Option<Attempt>, StoreError> {
        let key = key(state);
        let Some(item) = self.calls.get(&key).await? else { return Ok(None) };
        let broken = |error: serde_dynamo::Error| StoreError::Broken { key: key.masked(), reason: error.to_string() };
        serde_dynamo::from_item(item).map(Some).map_err(broken)
    }

    /// Takes it. Of any number of calls, one is told that it did.
    pub(crate) async fn claim(&self, state: &TokenHash) -> Result<bool, StoreError> {
        let by = AttributeValue::S(self.entropy.uuid().to_string());
        let update = Update::builder()
            .table_name(self.calls.table_name())
            .set_key(Some(key(state).attributes()))
            .update_expression("SET done_at = :now, done_by = :by")
            .condition_expression("attribute_exists(pk) AND attribute_not_exists(done_at)")
            .expression_attribute_values(":now", AttributeValue::S(times::text(self.clock.now())))
            .expression_attribute_values(":by", by.clone());
        let written = self.calls.update(&update.build().map_err(StoreError::unbuilt)?).await?;
        Ok(match written {
            Written::Done => true,
            // A repeat after a lost answer finds what this very call has written.
            Written::Refused { standing } => standing.is_some_and(|item| item.get("done_by") == Some(&by)),
        })
    }
}

/// Under a pad that only the state gives, and that is used once, as each state is; the same call takes it off. What is
/// stored of the state is another hash.
fn under_pad(bytes: &[u8], state: &Token) -> Vec<u8> {
    let pad = Sha256::new().chain_update("crosswalk: way back\0").chain_update(state.expose()).finalize();
    bytes.iter().zip(pad).map(|(byte, pad)| byte ^ pad).collect()
}

fn key(state: &TokenHash) -> ItemKey {
    ItemKey::new(format!("REGISTRATION#{state}"), SORT_KEY)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use crosswalk_local_aws::testbed::Testbed;

    use super::*;

    #[tokio::test]
    async fn an_attempt_is_kept_without_state_and_link_and_taken_once() {
        let bed = Testbed::start_table_only().await;
        let table = Table::new(aws_sdk_dynamodb::Client::new(&bed.config), &bed.names.table);
        let now = Arc::new(Mutex::new("2026-11-22T08:00:00Z".parse::<Timestamp>().unwrap()));
        let clock = Clock::from_fn({
            let now = Arc::clone(&now);
            move || *now.lock().unwrap()
        });
        let attempts = Attempts::new(table.clone(), clock.clone(), Entropy::seeded(1));
        let token = Token::draw(&Entropy::seeded(2));
        let state = attempts.begin(&token).await.unwrap();
        let other = attempts.begin(&token).await.unwrap();
        assert_ne!(state.hash(), other.hash());

        let attempt = attempts.find(&state.hash()).await.unwrap().unwrap();
        assert_eq!(attempt.invitation(), Some(token.hash()));
        assert_eq!(attempt.way_back(&state).unwrap().expose(), token.expose());
        assert!(attempt.way_back(&other).is_none(), "another attempt's state opens nothing");
        let items = format!("{:?}", table.client.scan().table_name(&table.name).send().await.unwrap());
        assert!(!items.contains(token.expose()) && !items.contains(state.expose()));
        assert!(items.contains("expires_at"));

        assert!(!attempt.is_done() && !attempt.has_ended(clock.now()));
        let claims = futures::future::join_all((0..8).map(|_| attempts.clone()).map(|attempts| {
            let state = state.hash();
            async move { attempts.claim(&state).await.unwrap() }
        }));
        assert_eq!(claims.await.into_iter().filter(|is_ours| *is_ours).count(), 1);
        assert!(attempts.find(&state.hash()).await.unwrap().unwrap().is_done());
        assert!(!attempts.find(&other.hash()).await.unwrap().unwrap().is_done());

        *now.lock().unwrap() += HOLDS;
        assert!(attempt.has_ended(clock.now()));
        let unknown = Token::draw(&Entropy::seeded(3)).hash();
        assert!(!attempts.claim(&unknown).await.unwrap());
        assert!(attempts.find(&unknown).await.unwrap().is_none(), "taking makes no item");
    }
}
