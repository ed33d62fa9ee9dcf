//! What a record looks like, in JSON and in the table, and how records are listed.

use std::collections::BTreeMap;
use std::time::Duration;

use crosswalk_runs::{
    AuditCounts, Counts, Outcome, Progress, ReasonCount, Reasons, Reports, RunRecord, RunState, Traffic,
};

use crate::bed::bed;
use crate::lease::raw;

fn ended() -> RunRecord {
    let began = "2026-11-22T10:00:00Z".parse().unwrap();
    let mut counts = Counts::default();
    [Outcome::Created, Outcome::Created, Outcome::Conflict].into_iter().for_each(|outcome| counts.add(outcome));
    let mut reasons = Reasons::new();
    reasons.add("the external id belongs to another person");
    RunRecord {
        state: RunState::Partly,
        ended_at: Some("2026-11-22T10:00:01.25Z".parse().unwrap()),
        progress: Progress { rows: 3, bytes: 120, percent: Some(100.0) },
        counts,
        reports: Reports {
            succeeded: Some("reports/import-1/succeeded.csv".into()),
            failed: Some("reports/import-1/failed.csv".into()),
            summary: Some("reports/import-1/summary.json".into()),
        },
        reasons: reasons.most_frequent(),
        ..RunRecord::begin("import-1", "mappings", "s3://bucket/imports/mappings/nemo/a.csv", began)
    }
}

#[test]
fn the_json_is_the_specified_one() {
    insta::assert_snapshot!(serde_json::to_string_pretty(&ended()).unwrap(), @r#"
    {
      "id": "import-1",
      "kind": "mappings",
      "state": "partly",
      "dry_run": false,
      "source": "s3://bucket/imports/mappings/nemo/a.csv",
      "started_at": "2026-11-22T10:00:00.000Z",
      "ended_at": "2026-11-22T10:00:01.250Z",
      "progress": {
        "rows": 3,
        "bytes": 120,
        "percent": 100.0
      },
      "counts": {
        "read": 3,
        "created": 2,
        "updated": 0,
        "unchanged": 0,
        "verified": 0,
        "rejected": 0,
        "conflict": 1,
        "failed": 0,
        "skipped": 0
      },
      "reports": {
        "succeeded": "reports/import-1/succeeded.csv",
        "failed": "reports/import-1/failed.csv",
        "summary": "reports/import-1/summary.json"
      },
      "reasons": [
        {
          "reason": "the external id belongs to another person",
          "count": 1
        }
      ]
    }
    "#);
    let begun = RunRecord::begin("import-2", "import", "b.csv", ended().started_at);
    insta::assert_snapshot!(serde_json::to_string(&begun).unwrap(), @r#"{"id":"import-2","kind":"import","state":"running","dry_run":false,"source":"b.csv","started_at":"2026-11-22T10:00:00.000Z","ended_at":null,"progress":{"rows":0,"bytes":0,"percent":null},"counts":{"read":0,"created":0,"updated":0,"unchanged":0,"verified":0,"rejected":0,"conflict":0,"failed":0,"skipped":0},"reports":{"succeeded":null,"failed":null,"summary":null},"reasons":[]}"#);
}

#[test]
fn a_record_reads_what_it_writes_and_more() {
    let mut json = serde_json::to_value(ended()).unwrap();
    assert_eq!(serde_json::from_value::<RunRecord>(json.clone()).unwrap(), ended());
    json["later"] = "a field of a later release".into();
    json["counts"]["deactivated"] = 2.into();
    let read: RunRecord = serde_json::from_value(json).unwrap();
    assert_eq!(read.counts.deactivated, Some(2));
}

#[tokio::test]
async fn the_table_gives_back_what_ended() {
    let bed = bed().await;
    let record = RunRecord { started_at: bed.hand.now(), ..ended() };
    let lease = bed.claim_as(&RunRecord::begin(&record.id, &record.kind, &record.source, record.started_at)).await;
    bed.runs.end(&lease, &record).await.unwrap();
    assert_eq!(bed.runs.get("import-1").await.unwrap(), Some(record));
}

/// What only some ways have beside it, all together.
fn ended_export() -> RunRecord {
    let warning = ReasonCount { reason: "Glean hides people of this name".into(), count: 2 };
    let traffic = Traffic { requests: 12, retries: 1, bytes_sent: 345, bytes_received: None };
    RunRecord {
        warnings: vec![warning],
        parts: BTreeMap::from([("people".into(), ended().counts), ("teams".into(), Counts::default())]),
        traffic: BTreeMap::from([
            ("glean".into(), traffic),
            ("keycloak".into(), Traffic { bytes_received: Some(678), ..traffic }),
        ]),
        plan: Some("c0ffee".into()),
        audit: Some(AuditCounts {
            complete: 2,
            missing: BTreeMap::from([("nemo".into(), 1)]),
            mails: BTreeMap::from([("sent".into(), 1)]),
            reports: Some("reports/audit/2026-11-22/".into()),
            ..AuditCounts::default()
        }),
        ..ended()
    }
}

#[test]
fn what_only_some_ways_have_is_absent_elsewhere() {
    let json = serde_json::to_value(ended_export()).unwrap();
    assert_eq!(serde_json::from_value::<RunRecord>(json.clone()).unwrap(), ended_export());
    let plain = serde_json::to_value(ended()).unwrap();
    for name in ["warnings", "parts", "traffic", "plan", "audit"] {
        assert!(json.get(name).is_some() && plain.get(name).is_none(), "{name}");
    }
    insta::assert_snapshot!(json["traffic"], @r#"{"glean":{"bytes_sent":345,"requests":12,"retries":1},"keycloak":{"bytes_received":678,"bytes_sent":345,"requests":12,"retries":1}}"#);
}

#[tokio::test]
async fn the_table_gives_back_what_only_some_ways_have() {
    let bed = bed().await;
    for (id, record) in [("import-1", ended()), ("export-1", ended_export())] {
        let record = RunRecord { id: id.into(), started_at: bed.hand.now(), ..record };
        let lease = bed.claim_as(&RunRecord::begin(id, &record.kind, &record.source, record.started_at)).await;
        bed.runs.end(&lease, &record).await.unwrap();
        assert_eq!(bed.runs.get(id).await.unwrap(), Some(record));
    }
    // What has nothing of it is stored as it was before there was such a thing.
    let item = raw(&bed, "import-1").await;
    for name in ["warnings", "parts", "traffic", "plan", "audit"] {
        assert!(!item.contains_key(name), "{name}");
        assert!(raw(&bed, "export-1").await.contains_key(name), "{name}");
    }
}

#[tokio::test]
async fn runs_are_listed_newest_first_by_kind_and_limit() {
    let bed = bed().await;
    for (number, kind) in ["employers", "mappings", "leave-admins", "mappings", "mappings"].into_iter().enumerate() {
        // Started within a second, one on the whole second: the order goes by milliseconds.
        let record = RunRecord::begin(format!("import-{number}"), kind, "x.csv", bed.hand.now());
        bed.claim_as(&record).await;
        bed.hand.forward(Duration::from_millis(7));
    }
    let ids = async |kind: Option<&str>, limit| -> Vec<String> {
        bed.runs.list(kind, limit).await.unwrap().into_iter().map(|record| record.id).collect()
    };
    // The index is eventually consistent.
    for _ in 0..200 {
        if ids(None, 100).await.len() == 5 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(ids(None, 100).await, ["import-4", "import-3", "import-2", "import-1", "import-0"]);
    assert_eq!(ids(None, 2).await, ["import-4", "import-3"]);
    assert_eq!(ids(Some("mappings"), 100).await, ["import-4", "import-3", "import-1"]);
    assert_eq!(ids(Some("mappings"), 2).await, ["import-4", "import-3"]);
    assert_eq!(ids(Some("employers"), 2).await, ["import-0"]);
    assert!(ids(Some("harvest"), 2).await.is_empty());
    assert!(ids(None, 0).await.is_empty());
}

#[tokio::test]
async fn more_runs_than_one_page_are_all_listed() {
    let bed = bed().await;
    // 280 records of 5 KB are over DynamoDB's page of 1 MB.
    let source = format!("s3://bucket/{}", "x".repeat(5_000));
    for number in 0..280 {
        let kind = if number % 50 == 0 { "employers" } else { "mappings" };
        let record = RunRecord::begin(format!("import-{number:03}"), kind, &source, bed.hand.now());
        bed.claim_as(&record).await;
        bed.hand.forward(Duration::from_millis(1));
    }
    for _ in 0..200 {
        if bed.runs.list(None, 1_000).await.unwrap().len() == 280 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(bed.runs.list(None, 1_000).await.unwrap().len(), 280);
    assert_eq!(bed.runs.list(None, 279).await.unwrap().len(), 279);
    let rare: Vec<_> = bed.runs.list(Some("employers"), 4).await.unwrap().into_iter().map(|run| run.id).collect();
    assert_eq!(rare, ["import-250", "import-200", "import-150", "import-100"]);
}
