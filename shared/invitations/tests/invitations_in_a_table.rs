//! Invitations against the embedded DynamoDB.
#![allow(clippy::unwrap_used, reason = "a test")]

use std::sync::{Arc, Mutex};

use crosswalk_function_kit::{Clock, Entropy};
use crosswalk_identifier_store::Table;
use crosswalk_identity::{System, Username};
use crosswalk_invitations::{Invitations, InvitedBy, MOST_ATTEMPTS, Token, Tried};
use crosswalk_local_aws::testbed::Testbed;
use jiff::{SignedDuration, Timestamp};

const WEEK: SignedDuration = SignedDuration::from_hours(7 * 24);

#[tokio::test]
async fn a_link_is_kept_as_a_hash_and_spent_once() {
    let bed = Testbed::start_table_only().await;
    let table = Table::new(aws_sdk_dynamodb::Client::new(&bed.config), &bed.names.table);
    let now = Arc::new(Mutex::new("2026-11-22T08:00:00Z".parse::<Timestamp>().unwrap()));
    let clock = Clock::from_fn({
        let now = Arc::clone(&now);
        move || *now.lock().unwrap()
    });
    let invitations = Invitations::new(table.clone(), clock.clone(), Entropy::seeded(1));
    let (zoe, system) = (Username::parse("zoe").unwrap(), System::parse("labarchives_eln").unwrap());
    let (token, invitation) = invitations.invite(&zoe, &system, WEEK, InvitedBy::Administrator).await.unwrap();
    assert_eq!(invitations.find(&token.hash()).await.unwrap(), Some(invitation.clone()));
    assert!(invitations.find(&Token::draw(&Entropy::seeded(2)).hash()).await.unwrap().is_none());

    let items = table.client.scan().table_name(&table.name).send().await.unwrap();
    assert!(!format!("{items:?}").contains(token.expose()), "the table must not hold the token");
    assert!(items.items()[0]["expires_at"].as_n().is_ok());

    assert!(!invitation.has_ended(clock.now()));
    *now.lock().unwrap() += WEEK;
    assert!(invitation.has_ended(clock.now()));

    assert!(invitations.spend(&token.hash()).await.unwrap());
    assert!(!invitations.spend(&token.hash()).await.unwrap());
    assert_eq!(invitations.find(&token.hash()).await.unwrap().unwrap().spent_at, Some(clock.now()));
    let unknown = Token::draw(&Entropy::seeded(3)).hash();
    assert!(!invitations.spend(&unknown).await.unwrap());
    assert!(invitations.find(&unknown).await.unwrap().is_none(), "spending makes no item");
}

#[tokio::test]
async fn a_link_is_tried_so_often_and_no_more() {
    let bed = Testbed::start_table_only().await;
    let table = Table::new(aws_sdk_dynamodb::Client::new(&bed.config), &bed.names.table);
    let invitations = Invitations::new(table.clone(), Clock::system(), Entropy::seeded(1));
    let (zoe, system) = (Username::parse("zoe").unwrap(), System::parse("labarchives_eln").unwrap());
    let invite = async || invitations.invite(&zoe, &system, WEEK, InvitedBy::Administrator).await.unwrap();
    let ((token, invitation), (other, _)) = (invite().await, invite().await);
    let hash = token.hash();
    let most = usize::try_from(MOST_ATTEMPTS).unwrap();
    let tried = futures::future::join_all((0..most + 5).map(|_| invitations.try_once(&hash))).await;
    let counted = |tried: &&Result<Tried, _>| matches!(tried, Ok(Tried::Counted));
    assert_eq!(tried.iter().filter(counted).count(), most, "{tried:?}");
    assert_eq!(invitations.try_once(&hash).await.unwrap(), Tried::TooOften);
    assert_eq!(invitations.find(&hash).await.unwrap(), Some(invitation), "it reads as before");
    // An attempt that was counted may still end well, and another link has a count of its own.
    assert!(invitations.spend(&hash).await.unwrap());
    assert_eq!(invitations.try_once(&hash).await.unwrap(), Tried::Spent);
    assert_eq!(invitations.try_once(&other.hash()).await.unwrap(), Tried::Counted);
    let unknown = Token::draw(&Entropy::seeded(3)).hash();
    assert_eq!(invitations.try_once(&unknown).await.unwrap(), Tried::Unknown);
    assert!(invitations.find(&unknown).await.unwrap().is_none(), "trying makes no item");
}
