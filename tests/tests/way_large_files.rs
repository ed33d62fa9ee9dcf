//! A large file takes no more memory than a small one: measured on a worker process of its own.

#![allow(clippy::unwrap_used, reason = "in a test, what cannot be set up ends it")]

use std::process::Stdio;

use crosswalk_local_aws::testbed::Testbed;
use crosswalk_tests::{mappings_file, s3_client, s3_event};
use tokio::io::AsyncWriteExt;

/// Imports a file of so many rows in a worker; its peak memory in KiB.
async fn peak_kib(aws: &Testbed, rows: usize) -> u64 {
    let key = format!("imports/mappings/nemo/{rows}.csv");
    let file = mappings_file(rows);
    let body = aws_sdk_s3::primitives::ByteStream::from(file.into_bytes());
    s3_client(aws).put_object().bucket(&aws.names.bucket).key(&key).body(body).send().await.unwrap();
    let mut worker = tokio::process::Command::new(env!("CARGO_BIN_EXE_import-worker"))
        .env("AWS_ENDPOINT_URL", aws.config.endpoint_url().unwrap())
        .env("CROSSWALK_TABLE", &aws.names.table)
        .env("CROSSWALK_BUCKET", &aws.names.bucket)
        .env("COGNITO_IDENTITY_POOL_ID", &aws.names.pool_id)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let event = s3_event(aws, &key, "0A").await;
    worker.stdin.take().unwrap().write_all(event.to_string().as_bytes()).await.unwrap();
    let output = worker.wait_with_output().await.unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines = text.lines();
    let answer: serde_json::Value = serde_json::from_str(lines.next().unwrap()).unwrap();
    let counts = &answer["runs"][0]["counts"];
    assert_eq!((counts["read"].as_u64(), answer["runs"][0]["state"].as_str()), (Some(rows as u64), Some("succeeded")));
    lines.next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_rows_in_flat_memory() {
    let aws = Testbed::start().await;
    let small = peak_kib(&aws, 12_000).await;
    let large = peak_kib(&aws, 100_000).await;
    eprintln!("peak memory: {small} KiB for 12,000 rows, {large} KiB for 100,000");
    // The small file already fills the reorder window, so what is left is the allocator's noise.
    assert!(large < small + 24 * 1024, "{small} KiB for 12,000 rows, {large} KiB for 100,000");
}
