//! Files in a bucket: of the embedded S3, or of whichever `CROSSWALK_TEST_ENDPOINT` names; and what an S3 in trouble answers.

#![expect(clippy::unwrap_used, reason = "helpers of tests may panic as tests do")]

use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::{Client, config};
use bytes::Bytes;
use crosswalk_local_aws::testbed::Testbed;
use crosswalk_local_aws::{s3_client, sdk_config_for};
use crosswalk_runs::files::{Files, Part};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

const JSON: &str = "application/json";

async fn bucket() -> (Files, Client, Testbed) {
    let testbed = Testbed::start().await;
    let client = s3_client(&testbed.config);
    (Files::Bucket { client: client.clone(), bucket: testbed.names.bucket.clone() }, client, testbed)
}

#[tokio::test]
async fn what_is_put_is_there_with_its_type_and_what_is_not_is_none() {
    let (files, client, testbed) = bucket().await;
    assert_eq!(files.get("state/people.json").await.unwrap(), None);
    files.put("state/people.json", Bytes::from_static(b"old, and longer"), "text/plain").await.unwrap();
    files.put("state/people.json", Bytes::from_static(b"new"), JSON).await.unwrap();
    files.put("empty", Bytes::new(), JSON).await.unwrap();
    assert_eq!(files.get("state/people.json").await.unwrap().unwrap(), "new");
    assert_eq!(files.get("empty").await.unwrap().unwrap(), "");
    let head = client.head_object().bucket(&testbed.names.bucket).key("state/people.json").send().await.unwrap();
    assert_eq!(head.content_type(), Some(JSON));
    assert_eq!(files.to_string(), format!("s3://{}", testbed.names.bucket));
}

#[tokio::test]
async fn a_part_is_of_the_very_content_that_was_put() {
    let (files, _, _testbed) = bucket().await;
    let key = "reports/x/missing.csv";
    assert_eq!(files.get_part(key, 0..3, None).await.unwrap(), Part::Changed);
    let tag = files.put_tagged(key, Bytes::from_static(b"0123456789"), "text/csv").await.unwrap();
    let tag = tag.as_deref();
    assert!(tag.is_some());
    for (part, expected) in [(0..3, "012"), (9..10, "9"), (8..400, "89")] {
        let got = files.get_part(key, part.clone(), tag).await.unwrap();
        assert_eq!(got, Part::Bytes(Bytes::from_static(expected.as_bytes())), "{part:?}");
    }
    assert_eq!(files.get_part(key, 10..11, tag).await.unwrap(), Part::Changed);
    files.put(key, Bytes::from_static(b"abcdefghij"), "text/csv").await.unwrap();
    assert_eq!(files.get_part(key, 0..3, tag).await.unwrap(), Part::Changed);
    assert_eq!(files.get_part(key, 0..3, None).await.unwrap(), Part::Bytes(Bytes::from_static(b"abc")));
}

#[tokio::test]
async fn keys_right_below_a_prefix_are_listed() {
    let (files, _, _testbed) = bucket().await;
    assert_eq!(files.keys("state/syncs/").await.unwrap(), Vec::<String>::new());
    for key in
        ["state/syncs/b.txt", "state/syncs/a.txt", "state/syncs/deeper/c.txt", "state/syncs-of-others.txt", "d.txt"]
    {
        files.put(key, Bytes::from_static(b"x"), "text/plain").await.unwrap();
    }
    assert_eq!(files.keys("state/syncs/").await.unwrap(), ["state/syncs/a.txt", "state/syncs/b.txt"]);
    for none in ["state/syncs", "", "/", "../"] {
        assert!(files.keys(none).await.is_err(), "{none:?}");
    }
}

#[tokio::test]
async fn many_mebibytes_come_back_as_they_went() {
    let (files, _, _testbed) = bucket().await;
    let body = Bytes::from((0..9_000_000u32).map(|n| (n * 31 % 251) as u8).collect::<Vec<_>>());
    files.put("state/big", body.clone(), "application/octet-stream").await.unwrap();
    assert!(files.get("state/big").await.unwrap().unwrap() == body);
}

#[tokio::test]
async fn keys_that_a_folder_would_refuse_are_refused_here_too() {
    let (files, _, _testbed) = bucket().await;
    for key in ["", "/a", "a//b", "a/", "../x", "a/../x", "a\\b"] {
        let refused = files.put(key, Bytes::new(), JSON).await.unwrap_err().to_string();
        assert!(refused.contains("is no key"), "{key:?}: {refused}");
        assert!(files.get(key).await.is_err(), "{key:?}");
    }
}

#[tokio::test]
async fn a_bucket_that_does_not_exist_is_an_error_and_not_an_absent_file() {
    let (_, client, _testbed) = bucket().await;
    let files = Files::Bucket { client, bucket: "test-nothere".into() };
    let read = files.get("state/people.json").await.unwrap_err().to_string();
    assert!(read.starts_with("cannot read s3://test-nothere/state/people.json: NoSuchBucket"), "{read}");
    let written = files.put("state/people.json", Bytes::new(), JSON).await.unwrap_err().to_string();
    assert!(written.starts_with("cannot write s3://test-nothere/state/people.json: NoSuchBucket"), "{written}");
}

/// An S3 that gives these answers, one a connection, and then ends; ending hands over how many it gave.
async fn scripted(answers: Vec<String>) -> (Files, JoinHandle<usize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = sdk_config_for(&format!("http://{}", listener.local_addr().unwrap()));
    let given = tokio::spawn(async move {
        let mut given = 0;
        for answer in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.windows(4).any(|end| end == b"\r\n\r\n") {
                assert!(stream.read_buf(&mut request).await.unwrap() > 0, "the request broke off");
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
            // A close with something unread would reset the connection, and the answer might go with it.
            while stream.read_buf(&mut request).await.is_ok_and(|read| read > 0) {}
            given += 1;
        }
        given
    });
    let retries = RetryConfig::standard().with_initial_backoff(std::time::Duration::from_millis(1));
    let config = config::Builder::from(&config).force_path_style(true).retry_config(retries).build();
    (Files::Bucket { client: Client::from_conf(config), bucket: "b".into() }, given)
}

fn answer(status: &str, length: usize, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}")
}

fn refusal(status: &str, code: &str) -> String {
    let body = format!("<Error><Code>{code}</Code><Message>no</Message></Error>");
    answer(status, body.len(), &body)
}

#[tokio::test]
async fn server_errors_and_answers_that_break_off_are_tried_again() {
    let busy = refusal("503 Slow Down", "SlowDown");
    let (files, given) =
        scripted(vec![busy.clone(), answer("200 OK", 10, "01234"), busy.clone(), answer("200 OK", 10, "0123456789")])
            .await;
    assert_eq!(files.get("x").await.unwrap().unwrap(), "0123456789");
    assert_eq!(given.await.unwrap(), 4);

    let (files, given) = scripted(vec![busy, answer("200 OK", 0, "")]).await;
    files.put("x", Bytes::from_static(b"{}"), JSON).await.unwrap();
    assert_eq!(given.await.unwrap(), 2);
}

#[tokio::test]
async fn a_refusal_says_which_permissions_are_needed() {
    let (files, given) = scripted(vec![refusal("403 Forbidden", "AccessDenied"); 2]).await;
    let read = files.get("state/x").await.unwrap_err().to_string();
    assert!(read.starts_with("cannot read s3://b/state/x: AccessDenied: no; "), "{read}");
    assert!(read.contains("s3:GetObject") && read.contains("s3:ListBucket"), "{read}");
    let written = files.put("state/x", Bytes::new(), JSON).await.unwrap_err().to_string();
    assert!(written.starts_with("cannot write s3://b/state/x: AccessDenied: no; "), "{written}");
    assert!(written.contains("s3:PutObject"), "{written}");
    assert_eq!(given.await.unwrap(), 2);
}

#[tokio::test]
async fn only_a_missing_object_is_none() {
    let (files, given) = scripted(vec![
        refusal("404 Not Found", "NoSuchKey"),
        // Such as a proxy's.
        answer("404 Not Found", 5, "lost!"),
    ])
    .await;
    assert_eq!(files.get("x").await.unwrap(), None);
    let read = files.get("x").await.unwrap_err().to_string();
    assert!(read.starts_with("cannot read s3://b/x: "), "{read}");
    assert_eq!(given.await.unwrap(), 2);
}
