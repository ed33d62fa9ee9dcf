//! Secrets Manager through the real client.

use aws_sdk_secretsmanager::Client;
use aws_sdk_secretsmanager::error::ProvideErrorMetadata as _;
use crosswalk_local_aws::{LocalAws, Storage};

#[tokio::test]
async fn secrets_are_read_by_name_and_arn_and_change() {
    let aws = LocalAws::start(Storage::Memory, 0).unwrap();
    let client = Client::new(&aws.sdk_config());
    let created = client.create_secret().name("crosswalk/fineos").secret_string("one").send().await.unwrap();
    let arn = created.arn.unwrap();
    let (partial, _) = arn.rsplit_once('-').unwrap();
    for id in ["crosswalk/fineos", arn.as_str(), partial] {
        let secret = client.get_secret_value().secret_id(id).send().await.unwrap();
        assert_eq!(secret.secret_string(), Some("one"), "{id}");
    }
    client.put_secret_value().secret_id(&arn).secret_string("two").send().await.unwrap();
    let now = client.get_secret_value().secret_id(&arn).send().await.unwrap();
    assert_eq!(now.secret_string(), Some("two"));
    let before = client.get_secret_value().secret_id(&arn).version_stage("AWSPREVIOUS").send().await.unwrap();
    assert_eq!(before.secret_string(), Some("one"));
    let again = client.create_secret().name("crosswalk/fineos").send().await.unwrap_err().into_service_error();
    assert!(again.is_resource_exists_exception());
}

#[tokio::test]
async fn empty_unknown_and_deleted_secrets_say_so() {
    let aws = LocalAws::start(Storage::Memory, 0).unwrap();
    let client = Client::new(&aws.sdk_config());
    let get = |id: &str| client.get_secret_value().secret_id(id).send();
    let unknown = get("nothere").await.unwrap_err().into_service_error();
    assert!(unknown.is_resource_not_found_exception());
    client.create_secret().name("empty").send().await.unwrap();
    let empty = get("empty").await.unwrap_err().into_service_error();
    assert!(empty.is_resource_not_found_exception());
    assert!(empty.message().unwrap().contains("AWSCURRENT"), "{empty:?}");
    client.put_secret_value().secret_id("empty").secret_string("x").send().await.unwrap();
    client.delete_secret().secret_id("empty").send().await.unwrap();
    assert!(get("empty").await.unwrap_err().into_service_error().is_invalid_request_exception());
    assert!(client.describe_secret().secret_id("empty").send().await.unwrap().deleted_date().is_some());
    client.delete_secret().secret_id("empty").force_delete_without_recovery(true).send().await.unwrap();
    assert!(get("empty").await.unwrap_err().into_service_error().is_resource_not_found_exception());
}
