//! What a run leaves, what a repeat and a dry run leave as it is, and lists.

use crosswalk_function_kit::{Deadline, Entropy};
use crosswalk_mapping_audit::{AuditRequest, Whom, handler};
use crosswalk_runs::RunState;
use crosswalk_runs::audit_index::AuditIndex;
use crosswalk_runs::files::Part;
use crosswalk_tests::everything;
use futures::future::join_all;
use serde_json::{Value, json};

use crate::bed::{Bed, everybody, lacks};

async fn some() -> Bed {
    let bed = Bed::new().await;
    bed.map("ada", "nemo", Some("ada@example.org")).await;
    bed.map("bo", "cdcs", None).await;
    bed.map("cy", "cdcs", None).await;
    bed.map("cy", "nemo", None).await;
    bed
}

#[tokio::test]
async fn the_index_leads_to_the_rows_of_a_system() {
    let bed = some().await;
    let (record, _) = bed.audit().await;
    let index = AuditIndex::read(&bed.files()).await.unwrap().unwrap();
    assert_eq!((index.run.as_str(), index.at), (record.id.as_str(), record.started_at));
    let mut told = Vec::new();
    for (system, at) in &index.systems {
        let part = bed.files().get_part(&index.missing_key, at.first..at.end, index.etag.as_deref()).await.unwrap();
        let Part::Bytes(rows) = part else { panic!("{system}: the file has changed") };
        told.push((system.to_string(), at.rows, String::from_utf8(rows.to_vec()).unwrap()));
    }
    let row = |system: &str, row: &str| (system.to_owned(), 1, row.to_owned());
    assert_eq!(told, [row("cdcs", "ada,ada@example.org,cdcs,\n"), row("nemo", "bo,,nemo,\n")]);
    // The day's files are the same, beside the record.
    let day = format!("reports/audit/{}/", index.date);
    assert_eq!(record.audit.as_ref().unwrap().reports, Some(day.clone()));
    assert_eq!(bed.text(&format!("{day}missing.csv")).await, bed.text(&index.missing_key).await);
    let summary: Value = serde_json::from_str(&bed.text(&format!("{day}summary.json")).await.unwrap()).unwrap();
    assert_eq!((&summary["id"], &summary["audit"]["missing"]), (&json!(record.id), &json!({"cdcs": 1, "nemo": 1})));
    assert_eq!(summary["state"], "succeeded");
}

#[tokio::test]
async fn a_repeated_event_is_the_same_run() {
    let bed = some().await;
    let event: Value = serde_json::from_str(include_str!("../../../events/mapping-audit.schedule.json")).unwrap();
    let audit = async || {
        let auditor = bed.auditor();
        handler::handle(&auditor, event.clone(), &Entropy::system(), Deadline::NONE).await.unwrap()
    };
    let first = audit().await;
    bed.map("dee", "nemo", None).await;
    let before = everything::in_aws(&bed.aws).await;
    assert_eq!(audit().await, first);
    assert_eq!(everything::in_aws(&bed.aws).await, before);
    assert_eq!(first["run"]["counts"]["read"], 3);
}

#[tokio::test]
async fn a_dry_run_finds_the_same_and_writes_nothing() {
    let bed = some().await;
    let before = everything::in_aws(&bed.aws).await;
    let looked = bed.dry_run().await;
    assert_eq!(everything::in_aws(&bed.aws).await, before);
    assert!(looked.record.dry_run && looked.record.audit.as_ref().unwrap().reports.is_none());
    let event = serde_json::from_str(include_str!("../../../events/mapping-audit.dry-run.json")).unwrap();
    let answer = handler::handle(&bed.auditor(), event, &Entropy::system(), Deadline::NONE).await.unwrap();
    assert_eq!(answer["run"]["audit"]["missing"], json!({"cdcs": 1, "nemo": 1}));
    assert_eq!(everything::in_aws(&bed.aws).await, before);
    let (record, audited) = bed.audit().await;
    assert_eq!((record.counts, audited), (looked.record.counts, looked.audited));
}

#[tokio::test]
async fn nobody_is_worth_a_word_and_no_error() {
    let bed = Bed::new().await;
    let (record, audited) = bed.audit().await;
    assert_eq!((record.counts.read, audited.findings.people), (0, 0));
    assert!(record.warnings[0].reason.starts_with("nobody is known"), "{:?}", record.warnings);
    let index = AuditIndex::read(&bed.files()).await.unwrap().unwrap();
    assert!(index.systems.values().all(|rows| rows.rows == 0 && rows.first == rows.end));
}

#[tokio::test]
async fn a_list_is_answered_beside_what_stands() {
    let bed = some().await;
    bed.map("Lovelace", "sharepoint", Some("ada@example.org")).await;
    bed.audit().await;
    let index = AuditIndex::read(&bed.files()).await.unwrap();
    let (record, audited) = bed.audit_list("username,email\nlovelace,\nnew,new@example.org\ncy,\n").await;
    assert_eq!(record.counts.read, 3);
    assert_eq!(lacks(&audited), ["Lovelace: cdcs", "new: nemo cdcs"]);
    let folder = record.audit.as_ref().unwrap().reports.clone().unwrap();
    assert_eq!(folder, format!("reports/{}/", record.id));
    let missing = bed.text(&format!("{folder}missing.csv")).await.unwrap();
    assert!(missing.contains("\nLovelace,ada@example.org,cdcs,ada\n"), "{missing}");
    assert!(record.source.starts_with("a list of 3 people"), "{}", record.source);
    // Nor does an audit of another system take the place of the whole one.
    let sharepoint = crosswalk_identity::System::parse("sharepoint").unwrap();
    let (record, audited) =
        bed.audit_as(&AuditRequest { whom: Whom::EverybodyFor(vec![sharepoint]), ..everybody() }).await;
    assert_eq!((record.counts.read, lacks(&audited.unwrap()).len()), (3, 2));
    assert_eq!(AuditIndex::read(&bed.files()).await.unwrap(), index);
}

#[tokio::test]
async fn lines_of_a_list_that_do_not_read_stand_in_the_report() {
    let bed = some().await;
    let (record, audited) = bed.audit_list("username,email\r\n\r\na/b,\r\nada,\r\nbo,nowhere\r\n").await;
    assert_eq!(lacks(&audited), ["ada: cdcs"]);
    assert_eq!((record.counts.read, record.counts.unchanged, record.counts.rejected), (3, 1, 2));
    assert_eq!(record.state, RunState::Partly);
    let failed = bed.text(record.reports.failed.as_ref().unwrap()).await.unwrap();
    let rows: Vec<&str> = failed.lines().skip(1).collect();
    assert!(rows[0].starts_with("list,line 3,,rejected,\"the username holds"), "{failed}");
    assert!(rows[1].starts_with("list,line 5,,rejected,the e-mail") && !failed.contains("nowhere"), "{failed}");
}

#[tokio::test]
async fn audits_that_overlap_all_end_and_the_index_is_of_one() {
    let bed = some().await;
    let records = join_all((0..5).map(|_| bed.audit())).await;
    let index = AuditIndex::read(&bed.files()).await.unwrap().unwrap();
    assert!(records.iter().any(|(record, _)| record.id == index.run));
    let at = index.systems.values().next().unwrap();
    let part = bed.files().get_part(&index.missing_key, at.first..at.end, index.etag.as_deref()).await.unwrap();
    assert!(matches!(part, Part::Bytes(_)));
}
