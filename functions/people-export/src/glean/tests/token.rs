//! The token: where it comes from, and what happens when Glean refuses it.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::config::{Credentials, SharedCredentialsProvider};
use serde_json::json;

use super::*;

/// Gives `token 0` first, then `token 1` and so on, up to the last.
struct Rotating {
    last: usize,
    fetched: Arc<AtomicUsize>,
}

impl Respond for Rotating {
    fn respond(&self, _: &Request) -> ResponseTemplate {
        let token = self.fetched.fetch_add(1, Ordering::SeqCst).min(self.last);
        ResponseTemplate::new(200).set_body_json(json!({ "SecretString": format!("token {token}") }))
    }
}

/// Takes one token alone.
struct Takes(&'static str);

impl Respond for Takes {
    fn respond(&self, request: &Request) -> ResponseTemplate {
        let taken = request.headers["authorization"] == format!("Bearer {}", self.0).as_str();
        ResponseTemplate::new(if taken { 200 } else { 401 })
    }
}

/// A Glean that takes `token`, a client whose secret rotates up to `last`, and how often that was fetched.
async fn rotating(takes: &'static str, last: usize) -> (MockServer, Stage, Arc<AtomicUsize>) {
    let fetched = Arc::new(AtomicUsize::new(0));
    let keeper = MockServer::start().await;
    let answers = Rotating { last, fetched: Arc::clone(&fetched) };
    Mock::given(any()).respond_with(answers).mount(&keeper).await;
    let config = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new("key", "secret", None, None, "test")))
        .endpoint_url(keeper.uri())
        .build();
    let mut stage = Stage::answering(Takes(takes), &[("GLEAN_PAGE_SIZE", "1")]).await;
    let mut settings = settings(&stage.server.uri(), &[("GLEAN_PAGE_SIZE", "1")]);
    settings.api_token = crosswalk_function_kit::secrets::SecretSource::Id("glean".to_owned());
    stage.glean = Glean::new(settings, Secrets::new(&config), Entropy::seeded(7)).unwrap();
    (keeper, stage, fetched)
}

#[tokio::test]
async fn a_token_that_was_changed_is_fetched_again() {
    let (_keeper, stage, fetched) = rotating("token 1", 1).await;
    stage.upload_people(&people(3)).await.unwrap();
    assert_eq!((stage.requests().await.len(), fetched.load(Ordering::SeqCst)), (4, 2));
    assert_eq!(stage.glean.traffic().retries, 1);
}

#[tokio::test]
async fn but_only_once() {
    let (_keeper, stage, fetched) = rotating("token 2", 2).await;
    let Err(SendError::Denied(why)) = stage.upload_people(&people(3)).await else { panic!("not refused") };
    assert!(why.contains("401") && why.contains("GLEAN_API_TOKEN") && why.contains("ENTITIES"), "{why}");
    assert!(!why.contains("token 1"), "{why}");
    assert_eq!((stage.requests().await.len(), fetched.load(Ordering::SeqCst)), (2, 2));
}

#[tokio::test]
async fn the_same_token_is_not_tried_twice() {
    let (_keeper, stage, fetched) = rotating("token 2", 0).await;
    assert!(matches!(stage.upload_people(&people(3)).await, Err(SendError::Denied(_))));
    assert_eq!((stage.requests().await.len(), fetched.load(Ordering::SeqCst)), (1, 2));
}

#[tokio::test]
async fn the_turn_is_confirmed_again_before_another_token_is_tried() {
    let (_keeper, stage, _) = rotating("token 1", 1).await;
    let turn = Turn::lost_after(1);
    let sent = stage.glean.upload(Upload::People(&people(1)), UploadOptions::default(), &turn, &|_| ()).await;
    assert!(matches!(sent, Err(SendError::Stopped(_))), "{sent:?}");
    assert_eq!(stage.requests().await.len(), 1);
}

#[tokio::test]
async fn a_token_that_is_no_header_is_refused_without_repeating_it() {
    let stage = Stage::statuses(&[], &[("GLEAN_API_TOKEN", "hun\nter2")]).await;
    let Err(SendError::Denied(why)) = stage.glean.process_all().await else { panic!("not refused") };
    assert_eq!(why, "GLEAN_API_TOKEN holds what cannot stand in a header");
    assert_eq!(stage.requests().await.len(), 0);
}
