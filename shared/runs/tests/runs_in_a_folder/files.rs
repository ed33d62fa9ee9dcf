//! Files in a folder.

use std::fs;

use bytes::Bytes;
use crosswalk_runs::files::{Files, Part};

const JSON: &str = "application/json";

#[tokio::test]
async fn what_is_put_is_there_and_what_is_not_is_none() {
    let parent = tempfile::tempdir().unwrap();
    let files = Files::Folder(parent.path().join("kept"));
    assert_eq!(files.get("state/people.json").await.unwrap(), None);
    assert!(!parent.path().join("kept").exists());
    files.put("state/people.json", Bytes::from_static(b"old, and longer"), JSON).await.unwrap();
    files.put("state/people.json", Bytes::from_static(b"new"), JSON).await.unwrap();
    files.put("top.json", Bytes::new(), JSON).await.unwrap();
    assert_eq!(files.get("state/people.json").await.unwrap().unwrap(), "new");
    assert_eq!(files.get("top.json").await.unwrap().unwrap(), "");
    assert_eq!(files.get("state/people.json/deeper").await.ok().flatten(), None);
    // No draft is left.
    assert_eq!(fs::read_dir(parent.path().join("kept").join("state")).unwrap().count(), 1);
}

#[tokio::test]
async fn a_part_is_read_without_the_rest() {
    let parent = tempfile::tempdir().unwrap();
    let files = Files::Folder(parent.path().to_owned());
    let key = "reports/x/missing.csv";
    assert_eq!(files.get_part(key, 0..3, None).await.unwrap(), Part::Changed);
    assert_eq!(files.put_tagged(key, Bytes::from_static(b"0123456789"), "text/csv").await.unwrap(), None);
    for (part, expected) in [(0..3, "012"), (9..10, "9"), (8..400, "89")] {
        let got = files.get_part(key, part.clone(), None).await.unwrap();
        assert_eq!(got, Part::Bytes(Bytes::from_static(expected.as_bytes())), "{part:?}");
    }
    assert_eq!(files.get_part(key, 10..11, None).await.unwrap(), Part::Changed);
}

#[tokio::test]
async fn keys_right_below_a_prefix_are_listed() {
    let parent = tempfile::tempdir().unwrap();
    let files = Files::Folder(parent.path().join("kept"));
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
    let parent = tempfile::tempdir().unwrap();
    let files = Files::Folder(parent.path().to_owned());
    let body = Bytes::from((0..9_000_000u32).map(|n| (n * 31 % 251) as u8).collect::<Vec<_>>());
    files.put("state/big", body.clone(), "application/octet-stream").await.unwrap();
    assert!(files.get("state/big").await.unwrap().unwrap() == body);
}

#[tokio::test]
async fn keys_that_lead_elsewhere_are_refused() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("kept");
    let files = Files::Folder(folder.clone());
    for key in [
        "",
        "/",
        "/etc/passwd",
        "a//b",
        "a/",
        "..",
        "../x",
        "a/../../x",
        "a/./b",
        ".",
        "a\\..\\b",
        "c:x",
        "a\0b",
        "a\nb",
    ] {
        let refused = files.put(key, Bytes::new(), JSON).await.unwrap_err().to_string();
        assert!(refused.contains("is no key"), "{key:?}: {refused}");
        assert!(files.get(key).await.is_err(), "{key:?}");
    }
    assert!(!folder.exists() && fs::read_dir(parent.path()).unwrap().count() == 0);
    files.put("a/..b/.c/d..e", Bytes::new(), JSON).await.unwrap();
}

/// Whoever reads while others write sees one whole file or another.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_reads_half_a_file() {
    let parent = tempfile::tempdir().unwrap();
    let files = Files::Folder(parent.path().to_owned());
    let body = |letter: u8| Bytes::from(vec![letter; 300_000]);
    files.put("x", body(b'a'), JSON).await.unwrap();
    let writers = [b'b', b'c'].map(|letter| {
        let files = files.clone();
        tokio::spawn(async move {
            for _ in 0..15 {
                files.put("x", body(letter), JSON).await.unwrap();
            }
        })
    });
    while writers.iter().any(|writer| !writer.is_finished()) {
        let read = files.get("x").await.unwrap().unwrap();
        assert!(read.len() == 300_000 && read.iter().all(|byte| *byte == read[0]));
    }
    for writer in writers {
        writer.await.unwrap();
    }
}

#[tokio::test]
async fn what_cannot_be_read_or_written_is_named() {
    let parent = tempfile::tempdir().unwrap();
    let files = Files::Folder(parent.path().to_owned());
    fs::create_dir(parent.path().join("folder")).unwrap();
    let read = files.get("folder").await.unwrap_err().to_string();
    assert!(read.starts_with("cannot read ") && read.contains("folder"), "{read}");
    let written = files.put("folder", Bytes::new(), JSON).await.unwrap_err().to_string();
    assert!(written.starts_with("cannot write ") && written.contains("folder"), "{written}");
}
