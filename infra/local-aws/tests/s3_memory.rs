//! Alone in its process, so that its peak memory is this test's.

#![expect(clippy::unwrap_used, reason = "helpers of tests fail the test as tests do")]

use aws_sdk_s3::Client;
use aws_sdk_s3::primitives::ByteStream;
use crosswalk_local_aws::{LocalAws, Storage};

#[tokio::test]
async fn a_large_object_stays_off_the_heap() {
    let aws = LocalAws::start(Storage::Memory, 0).unwrap();
    let client = Client::new(&aws.sdk_config());
    client.create_bucket().bucket("things").send().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("big");
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(32 * 1016 * 1024).unwrap();
    let before = peak_kib();
    let body = ByteStream::from_path(&path).await.unwrap();
    client.put_object().bucket("things").key("big").body(body).send().await.unwrap();
    let mut object = client.get_object().bucket("things").key("big").send().await.unwrap();
    let mut read = 0;
    while let Some(bytes) = object.body.next().await {
        read += bytes.unwrap().len();
    }
    assert_eq!(read, 32 * 1016 * 1024);
    let grown = peak_kib().saturating_sub(before);
    assert!(grown < 16 * 1024, "peak memory grew by {grown} KiB");
}

/// The process's peak resident memory, client and server together.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
