//! Who lacks what, what is stale, and what is broken.

use crate::bed::{Bed, lacks};

#[tokio::test]
async fn whoever_is_known_is_looked_at() {
    let bed = Bed::new().await;
    bed.map("ada", "nemo", None).await;
    bed.map("ada", "cdcs", None).await;
    bed.map("bo", "sharepoint", None).await;
    bed.person("cy", "cy@example.org").await;
    bed.seen("staff", &[("dee", Some("dee@example.org"), 89, true), ("eve", None, 91, true)]).await;
    bed.seen("guests", &[("fay", None, 1, false), ("ada", None, 1, true)]).await;
    let (record, audited) = bed.audit().await;
    assert_eq!((record.counts.read, record.counts.unchanged), (5, 5));
    assert_eq!(lacks(&audited), ["bo: nemo cdcs", "cy: nemo cdcs", "dee: nemo cdcs", "fay: nemo cdcs"]);
    let disabled: Vec<bool> = audited.findings.missing.iter().map(|lacking| lacking.disabled).collect();
    assert_eq!(disabled, [false, false, false, true]);
    let audit = record.audit.unwrap();
    assert_eq!((audit.complete, audit.missing["nemo"], audit.missing["cdcs"]), (1, 4, 4));
}

#[tokio::test]
async fn who_shares_an_email_is_audited_as_one() {
    let bed = Bed::new().await;
    bed.map("lovelace", "nemo", Some("ada@example.org")).await;
    bed.map("lovelace", "sharepoint", None).await;
    bed.person("ada", "Ada@Example.org").await;
    bed.seen("staff", &[("a.lovelace", Some("ada@example.org"), 1, true)]).await;
    let (record, audited) = bed.audit().await;
    assert_eq!((record.counts.read, lacks(&audited)), (1, vec!["lovelace: cdcs".to_owned()]));
    let folder = record.audit.unwrap().reports.unwrap();
    let missing = bed.text(&format!("{folder}missing.csv")).await.unwrap();
    assert_eq!(missing, "username,email,system,also\nlovelace,ada@example.org,cdcs,a.lovelace / ada\n");
    bed.map("a.lovelace", "cdcs", None).await;
    assert!(lacks(&bed.audit().await.1).is_empty());
}

#[tokio::test]
async fn what_nobody_verified_is_stale_whether_required_or_not() {
    let bed = Bed::new().await;
    bed.map("ada", "nemo", None).await;
    bed.map("ada", "sharepoint", None).await;
    bed.forward(179);
    assert!(bed.audit().await.1.findings.stale.is_empty());
    bed.map("ada", "nemo", None).await;
    bed.forward(2);
    let (record, audited) = bed.audit().await;
    let stale: Vec<String> =
        audited.findings.stale.iter().map(|stale| format!("{} {}", stale.username, stale.system)).collect();
    assert_eq!((stale, record.audit.unwrap().stale), (vec!["ada sharepoint".to_owned()], 1));
}

#[tokio::test]
async fn what_is_broken_is_told_and_stops_nothing() {
    let bed = Bed::new().await;
    for system in ["nemo", "cdcs"] {
        bed.map("ada", system, None).await;
        bed.map("bo", system, None).await;
    }
    bed.delete_raw("EXTERNAL#nemo#ada", "OWNER").await;
    bed.person("cy", "cy@example.org").await;
    bed.delete_raw("EMAIL#cy@example.org", "PERSON#cy").await;
    // Does not read, and is not missing.
    bed.put_raw(&[("pk", "PERSON#dee"), ("sk", "MAPPING#nemo"), ("username", "dee")]).await;
    let (record, audited) = bed.audit().await;
    assert_eq!(lacks(&audited), ["cy: nemo cdcs", "dee: cdcs"]);
    let broken: Vec<(&str, &str)> =
        audited.findings.broken.iter().map(|item| (item.key.as_str(), item.sort_key.as_str())).collect();
    assert_eq!(broken, [("PERSON#ada", "MAPPING#nemo"), ("PERSON#cy", "PERSON"), ("PERSON#dee", "MAPPING#nemo")]);
    let audit = record.audit.unwrap();
    assert_eq!(audit.broken, 3);
    let report = bed.text(&format!("{}broken.csv", audit.reports.unwrap())).await.unwrap();
    assert!(report.contains("PERSON#ada,MAPPING#nemo,its external id has no owner item"), "{report}");
}
