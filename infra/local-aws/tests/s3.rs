//! S3 through the real client.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test as tests do")]

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart, Delete, ObjectIdentifier};
use crosswalk_local_aws::{LocalAws, Storage};

const KEYS: [&str; 8] = [
    "imports/plain.csv",
    "imports/with space.csv",
    "imports/plus+and&equals=.csv",
    "imports/zoë 名前.csv",
    "imports//double",
    "imports/folder/",
    "imports/folder/a",
    "imports/percent%2Fnot a slash",
];

fn code<T, E: ProvideErrorMetadata + std::fmt::Debug>(answer: Result<T, SdkError<E>>) -> String {
    match answer {
        Ok(_) => "ok".to_owned(),
        Err(error) => error.code().unwrap_or("none").to_owned(),
    }
}

async fn started() -> (LocalAws, Client) {
    let aws = LocalAws::start(Storage::Memory, 0).unwrap();
    // A plain client, as production code builds it.
    let client = Client::new(&aws.sdk_config());
    client.create_bucket().bucket("things").send().await.unwrap();
    (aws, client)
}

async fn put(client: &Client, key: &str, text: &str) {
    let body = ByteStream::from(text.as_bytes().to_vec());
    client.put_object().bucket("things").key(key).body(body).send().await.unwrap();
}

async fn get(client: &Client, key: &str) -> Vec<u8> {
    let object = client.get_object().bucket("things").key(key).send().await.unwrap();
    object.body.collect().await.unwrap().into_bytes().to_vec()
}

#[tokio::test]
async fn any_key_is_stored_and_listed() {
    let (_aws, client) = started().await;
    let long = format!("imports/{}", "x".repeat(1000));
    let keys: Vec<&str> = KEYS.into_iter().chain([long.as_str()]).collect();
    for key in &keys {
        put(&client, key, key).await;
    }
    for key in &keys {
        assert_eq!(get(&client, key).await, key.as_bytes(), "{key}");
    }
    let mut listed = Vec::new();
    let mut pages = client.list_objects_v2().bucket("things").max_keys(2).into_paginator().send();
    while let Some(page) = pages.next().await {
        for object in page.unwrap().contents() {
            let size = object.key().unwrap().len();
            assert_eq!(object.size(), i64::try_from(size).ok());
            assert!(object.e_tag().is_some());
            listed.push(object.key().unwrap().to_owned());
        }
    }
    let mut sorted: Vec<_> = keys.iter().map(|key| (*key).to_owned()).collect();
    sorted.sort();
    assert_eq!(listed, sorted);

    let page = client.list_objects_v2().bucket("things").prefix("imports/").delimiter("/").send().await.unwrap();
    let common: Vec<_> = page.common_prefixes().iter().filter_map(|it| it.prefix()).collect();
    assert_eq!(common, ["imports//", "imports/folder/"]);
    let encoded = client.list_objects_v2().bucket("things").encoding_type("url".into());
    let encoded = encoded.prefix("imports/zo").send().await.unwrap();
    assert_eq!(encoded.contents()[0].key(), Some("imports/zo%C3%AB%20%E5%90%8D%E5%89%8D.csv"));

    let objects = keys.iter().map(|key| ObjectIdentifier::builder().key(*key).build().unwrap()).collect();
    let delete = Delete::builder().set_objects(Some(objects)).build().unwrap();
    client.delete_objects().bucket("things").delete(delete).send().await.unwrap();
    assert_eq!(client.list_objects_v2().bucket("things").send().await.unwrap().key_count(), Some(0));
}

#[tokio::test]
async fn what_is_not_there_is_said_so() {
    let (_aws, client) = started().await;
    assert_eq!(code(client.get_object().bucket("nothere").key("a").send().await), "NoSuchBucket");
    assert_eq!(code(client.get_object().bucket("things").key("a").send().await), "NoSuchKey");
    assert_eq!(code(client.list_objects_v2().bucket("nothere").send().await), "NoSuchBucket");
    assert_eq!(code(client.put_object().bucket("nothere").key("a").send().await), "NoSuchBucket");
    let head = client.head_object().bucket("things").key("a").send().await;
    assert!(head.unwrap_err().into_service_error().is_not_found());
    assert_eq!(code(client.create_bucket().bucket("things").send().await), "BucketAlreadyOwnedByYou");
    put(&client, "a", "x").await;
    assert_eq!(code(client.delete_bucket().bucket("things").send().await), "BucketNotEmpty");
    client.delete_object().bucket("things").key("a").send().await.unwrap();
    client.delete_object().bucket("things").key("a").send().await.unwrap();
    client.delete_bucket().bucket("things").send().await.unwrap();
}

#[tokio::test]
async fn ranges_metadata_and_conditions() {
    let (_aws, client) = started().await;
    let put = client.put_object().bucket("things").key("k").body(ByteStream::from_static(b"0123456789"));
    let put = put.content_type("text/csv").metadata("run", "7").send().await.unwrap();
    let e_tag = put.e_tag().unwrap().to_owned();
    assert_eq!(e_tag, "\"781e5e245d69b566979b86e28d23f2c7\"");
    assert!(put.version_id().is_none());

    let part = client.get_object().bucket("things").key("k").range("bytes=2-4").send().await.unwrap();
    assert_eq!(part.content_range(), Some("bytes 2-4/10"));
    assert_eq!(part.body.collect().await.unwrap().into_bytes().as_ref(), b"234");
    let end = client.get_object().bucket("things").key("k").range("bytes=-3").send().await.unwrap();
    assert_eq!(end.body.collect().await.unwrap().into_bytes().as_ref(), b"789");
    assert_eq!(code(client.get_object().bucket("things").key("k").range("bytes=20-").send().await), "InvalidRange");

    let head = client.head_object().bucket("things").key("k").send().await.unwrap();
    assert_eq!((head.content_length(), head.content_type()), (Some(10), Some("text/csv")));
    assert_eq!(head.metadata().unwrap()["run"], "7");
    assert!(head.version_id().is_none());

    let get = || client.get_object().bucket("things").key("k");
    assert_eq!(code(get().if_match("\"other\"").send().await), "PreconditionFailed");
    assert_eq!(code(get().if_match(&e_tag).send().await), "ok");
    let unchanged = get().if_none_match(&e_tag).send().await.unwrap_err();
    assert_eq!(unchanged.raw_response().unwrap().status().as_u16(), 304);

    // A put without metadata leaves none behind.
    client.put_object().bucket("things").key("k").body(ByteStream::from_static(b"x")).send().await.unwrap();
    let head = client.head_object().bucket("things").key("k").send().await.unwrap();
    assert!(head.metadata().is_none_or(std::collections::HashMap::is_empty));
}

#[tokio::test]
async fn of_sixteen_conditional_puts_exactly_one_wins() {
    let (_aws, client) = started().await;
    for round in 0..10 {
        let tries = (0..16).map(|at| {
            let body = ByteStream::from(format!("writer {at}").into_bytes());
            client.put_object().bucket("things").key(format!("k{round}")).if_none_match("*").body(body).send()
        });
        let answers = futures::future::join_all(tries).await;
        let codes: Vec<_> = answers.into_iter().map(code).collect();
        assert_eq!(codes.iter().filter(|code| *code == "ok").count(), 1, "{codes:?}");
        assert_eq!(codes.iter().filter(|code| *code == "PreconditionFailed").count(), 15, "{codes:?}");
    }
    put(&client, "k", "1").await;
    let stale = client.put_object().bucket("things").key("k").if_match("\"stale\"").send().await;
    assert_eq!(code(stale), "PreconditionFailed");
    assert_eq!(get(&client, "k").await, b"1");
}

#[tokio::test]
async fn a_put_with_a_wrong_checksum_leaves_what_was() {
    let (_aws, client) = started().await;
    put(&client, "k", "before").await;
    let wrong = client.put_object().bucket("things").key("k").body(ByteStream::from_static(b"after"));
    let wrong = wrong.content_md5("CY9rzUYh03PK3k6DJie09g==").send().await;
    assert_eq!(code(wrong), "BadDigest");
    assert_eq!(get(&client, "k").await, b"before");
}

#[tokio::test]
async fn multipart_uploads_complete_in_order_or_are_aborted() {
    let (_aws, client) = started().await;
    let begin = || client.create_multipart_upload().bucket("things").key("big").send();
    let id = begin().await.unwrap().upload_id.unwrap();
    let mut parts = Vec::new();
    // Part numbers may have gaps, and come in any order.
    for (number, size) in [(7, 100), (2, 5 * 1024 * 1024)] {
        let part = client.upload_part().bucket("things").key("big").upload_id(&id).part_number(number);
        let part = part.body(ByteStream::from(vec![b'a' + u8::try_from(number).unwrap(); size])).send().await.unwrap();
        parts.insert(0, CompletedPart::builder().part_number(number).set_e_tag(part.e_tag).build());
    }
    let listed = client.list_parts().bucket("things").key("big").upload_id(&id).send().await.unwrap();
    let numbers: Vec<_> = listed.parts().iter().filter_map(|part| part.part_number()).collect();
    assert_eq!(numbers, [2, 7]);
    let complete = |parts: Vec<CompletedPart>| {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        client.complete_multipart_upload().bucket("things").key("big").upload_id(&id).multipart_upload(parts).send()
    };
    let reversed = parts.iter().rev().cloned().collect();
    assert_eq!(code(complete(reversed).await), "InvalidPartOrder");
    let unknown = CompletedPart::builder().part_number(3).e_tag("\"x\"").build();
    assert_eq!(code(complete(vec![unknown]).await), "InvalidPart");
    assert_eq!(code(client.get_object().bucket("things").key("big").send().await), "NoSuchKey");
    let done = complete(parts.clone()).await.unwrap();
    assert!(done.e_tag().unwrap().ends_with("-2\""), "{done:?}");
    assert_eq!(code(complete(parts).await), "NoSuchUpload");
    let body = get(&client, "big").await;
    assert_eq!(body.len(), 5 * 1024 * 1024 + 100);
    assert_eq!((body[0], body[body.len() - 1]), (b'c', b'h'));

    let id = begin().await.unwrap().upload_id.unwrap();
    let uploads = client.list_multipart_uploads().bucket("things").send().await.unwrap();
    assert_eq!(uploads.uploads()[0].upload_id(), Some(id.as_str()));
    client.abort_multipart_upload().bucket("things").key("big").upload_id(&id).send().await.unwrap();
    let late = client.upload_part().bucket("things").key("big").upload_id(&id).part_number(1);
    assert_eq!(code(late.body(ByteStream::from_static(b"x")).send().await), "NoSuchUpload");
}

#[tokio::test]
async fn copies_are_objects_of_their_own() {
    let (_aws, client) = started().await;
    put(&client, "from a", "text").await;
    client.copy_object().bucket("things").key("to b").copy_source("things/from%20a").send().await.unwrap();
    client.delete_object().bucket("things").key("from a").send().await.unwrap();
    assert_eq!(get(&client, "to b").await, b"text");
    let again = client.copy_object().bucket("things").key("c").copy_source("things/from%20a").send().await;
    assert_eq!(code(again), "NoSuchKey");
    let itself = client.copy_object().bucket("things").key("to b").copy_source("things/to%20b").send().await;
    assert_eq!(code(itself), "InvalidRequest");
}

#[tokio::test]
async fn a_foreign_key_is_told_where_the_right_one_is() {
    let (aws, _client) = started().await;
    let credentials = aws_sdk_s3::config::Credentials::new("other", "secret", None, None, "test");
    let config = aws_sdk_s3::config::Builder::from(&aws.sdk_config()).credentials_provider(credentials).build();
    let error = Client::from_conf(config).list_buckets().send().await.unwrap_err();
    assert_eq!(error.code(), Some("InvalidAccessKeyId"));
    assert!(error.message().unwrap().contains("crosswalk env"));
}
